//! Batches: which calls share a post, and its body.

use std::collections::HashMap;
use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::deliver::call::Call;

/// What a batch may have, before it is packed: 500 KB and 2,500 calls. Segment's documentation of its
/// HTTP API, "Max request size".
const BATCH_BYTES: usize = 500_000;
pub const BATCH_CALLS: usize = 2_500;

const BEGINNING: &[u8] = b"{\"batch\":[";
const END: &[u8] = b"]}";

/// Cuts calls into batches, as positions: each about one computation, and in the order of its calls.
pub fn batches(calls: &[&Call], most_calls: usize) -> Vec<Vec<usize>> {
    let most_calls = most_calls.clamp(1, BATCH_CALLS);
    let mut batches: Vec<Vec<usize>> = Vec::new();
    // The last batch of each computation, and its bytes.
    let mut last: HashMap<&str, (usize, usize)> = HashMap::new();
    for (position, call) in calls.iter().enumerate() {
        // The comma before it.
        let bytes = call.body.len() + 1;
        match last.get_mut(&*call.computation) {
            Some((batch, size)) if *size + bytes <= BATCH_BYTES && batches[*batch].len() < most_calls => {
                batches[*batch].push(position);
                *size += bytes;
            }
            _ => {
                last.insert(&call.computation, (batches.len(), BEGINNING.len() + END.len() + bytes));
                batches.push(vec![position]);
            }
        }
    }
    batches
}

/// The body of a post, packed by gzip.
pub fn body<'c>(calls: impl Iterator<Item = &'c Call>) -> Bytes {
    let write = || {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(BEGINNING)?;
        for (position, call) in calls.enumerate() {
            if position > 0 {
                packed.write_all(b",")?;
            }
            packed.write_all(&call.body)?;
        }
        packed.write_all(END)?;
        packed.finish()
    };
    write().expect("memory takes all that is written to it").into()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn call(message_id: &str, computation: &str, bytes: usize) -> Call {
        let body = format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8)).into_bytes().into();
        Call {
            message_id: message_id.to_owned(),
            computation: computation.to_owned(),
            delivery: String::new(),
            headers: [].into(),
            body,
        }
    }

    fn cut(calls: &[Call], most: usize) -> Vec<Vec<usize>> {
        batches(&calls.iter().collect::<Vec<_>>(), most)
    }

    fn unpacked(calls: &[&Call]) -> Vec<u8> {
        let mut unpacked = Vec::new();
        let packed = body(calls.iter().copied());
        flate2::read::GzDecoder::new(&*packed).read_to_end(&mut unpacked).unwrap();
        unpacked
    }

    #[test]
    fn a_batch_is_about_one_computation() {
        let calls = [call("1", "a", 10), call("2", "b", 10), call("3", "a", 10)];
        assert_eq!(cut(&calls, 100), [vec![0, 2], vec![1]]);
    }

    #[test]
    fn a_batch_has_so_many_calls_at_most() {
        let calls: Vec<Call> = (0..5_001).map(|n| call(&n.to_string(), "a", 10)).collect();
        let sizes: Vec<usize> = cut(&calls, usize::MAX).iter().map(Vec::len).collect();
        assert_eq!(sizes, [2_500, 2_500, 1]);
        assert_eq!(cut(&calls[..3], 2), [vec![0, 1], vec![2]]);
        assert_eq!(cut(&calls[..2], 0), [[0], [1]]);
    }

    #[test]
    fn a_batch_has_half_a_megabyte_at_most() {
        let calls: Vec<Call> = (0..40).map(|n| call(&n.to_string(), "a", 32_767)).collect();
        let batches = cut(&calls, 2_500);
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [15, 15, 10]);
        let first: Vec<&Call> = batches[0].iter().map(|position| &calls[*position]).collect();
        assert!(unpacked(&first).len() <= 500_000);
        // Exactly full, and one byte more.
        let full = |last: usize| [call("1", "a", 250_000), call("2", "a", last)];
        let exact = 500_000 - 250_000 - 12 - 1 - 1 + 1;
        assert_eq!(cut(&full(exact - 1), 9).len(), 1);
        assert_eq!(cut(&full(exact), 9).len(), 2);
    }

    #[test]
    fn a_body_is_an_object_with_the_calls_in_their_order() {
        let (first, second) = (call("1", "a", 9), call("2", "a", 10));
        assert_eq!(unpacked(&[&first, &second]), br#"{"batch":[{"a":"x"},{"a":"xx"}]}"#);
    }
}
