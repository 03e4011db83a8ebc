//! What becomes of an update that can't be used: a message that always fits.

use rdkafka::message::{Header, OwnedHeaders};
use sha2::{Digest, Sha256};

use crate::cli::StageName;
use crate::deliver::{headers_of, record_headers};
use crate::outcome::Outcome;

/// How much of a payload is kept where the whole does not fit.
const BEGINNING: usize = 4_096;
/// A longer key is left out where the whole does not fit.
const LONGEST_KEY: usize = 1_024;
/// Errors can quote what outsiders have written.
const LONGEST_ERROR: usize = 1_024;

pub struct DeadLetter<'a> {
    pub key: Option<&'a [u8]>,
    pub payload: Option<&'a [u8]>,
    pub headers: OwnedHeaders,
    pub is_first: bool,
}

/// What of an update is in a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    Whole,
    Beginning,
    /// Where it is, how large and its hash: enough to find it again.
    Name,
}

impl<'a> DeadLetter<'a> {
    /// The update as it came; where that was refused, its beginning; where that was refused, its name.
    pub fn next(outcome: &'a Outcome, stage: StageName) -> Option<Self> {
        let number = outcome.next_letter();
        let extent = *[Extent::Whole, Extent::Beginning, Extent::Name].get(usize::from(number))?;
        let record = &outcome.record;
        let bytes = record.bytes();
        let mut headers = match stage {
            // What a call can't be delivered without.
            StageName::Deliver | StageName::DeliverSlow => {
                let own = headers_of(record.headers.as_ref());
                record_headers(own.iter().map(|(key, value)| (&**key, &**value)))
            }
            StageName::Identify | StageName::Sync => OwnedHeaders::new(),
        };
        let mut header = |key: &str, value: &str| {
            headers = std::mem::take(&mut headers).insert(Header { key, value: Some(value) });
        };
        header("error", shortened(&outcome.reason()));
        header("stage", stage.as_str());
        header("topic", record.topic());
        header("partition", &record.partition.to_string());
        header("offset", &record.offset.to_string());
        if extent != Extent::Whole {
            header("size", &bytes.len().to_string());
            header("sha256", &hexadecimal(&Sha256::digest(bytes)));
        }
        let payload = record.payload.as_deref();
        let key = record.key.as_deref();
        let (key, payload) = match extent {
            Extent::Whole => (key, payload),
            Extent::Beginning => (
                key.filter(|key| key.len() <= LONGEST_KEY),
                payload.map(|bytes| &bytes[..bytes.len().min(BEGINNING)]),
            ),
            Extent::Name => (None, None),
        };
        Some(Self { key, payload, headers, is_first: number == 0 })
    }
}

fn shortened(error: &str) -> &str {
    let mut end = error.len().min(LONGEST_ERROR);
    while !error.is_char_boundary(end) {
        end -= 1;
    }
    &error[..end]
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_error_is_shortened_between_characters() {
        assert_eq!(shortened("short"), "short");
        let long = format!("{}é and more", "x".repeat(LONGEST_ERROR - 1));
        assert_eq!(shortened(&long), "x".repeat(LONGEST_ERROR - 1));
    }

    #[test]
    fn a_hash_is_written_as_everybody_writes_it() {
        assert_eq!(
            hexadecimal(&Sha256::digest(b"abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
