//! A call that is to be posted, as it is read.

use std::collections::BTreeMap;

use bytes::Bytes;
use rdkafka::message::{Header, Headers, OwnedHeaders};
use serde::de::IgnoredAny;

/// What a call must stay below: 32 KB. Segment's documentation of its HTTP API, "Max request size".
pub const CALL_LIMIT: usize = 32_768;

/// The headers that go with a call wherever it goes.
const HEADERS: [&str; 5] = ["message_id", "destinations", "delivery", "computation", "computed_at"];

#[derive(Clone)]
pub struct Call {
    /// By which repeats are told.
    pub message_id: String,
    /// Calls about different ones do not share a batch: some lists would put all of them into one.
    pub computation: String,
    /// The destination that has a delivery of its own, or nothing.
    pub delivery: String,
    pub headers: BTreeMap<String, String>,
    pub body: Bytes,
}

impl Call {
    /// Checks what a batch around the call depends on. No error quotes what is in it.
    pub fn new(headers: BTreeMap<String, String>, body: Bytes) -> Result<Self, String> {
        let header = |name: &str| headers.get(name).cloned().unwrap_or_default();
        let message_id = header("message_id");
        if message_id.is_empty() || message_id.contains('\0') {
            return Err("the header `message_id` is missing, and repeats could not be told".to_owned());
        }
        if body.len() >= CALL_LIMIT {
            return Err(format!("the call has {} bytes, and {CALL_LIMIT} are too many", body.len()));
        }
        let is_object = body.trim_ascii_start().starts_with(b"{");
        if !is_object || serde_json::from_slice::<IgnoredAny>(&body).is_err() {
            return Err("the call is no JSON object".to_owned());
        }
        let (computation, delivery) = (header("computation"), header("delivery"));
        if headers.values().any(|value| value.contains('\0')) {
            return Err("a header has a zero byte".to_owned());
        }
        Ok(Self { message_id, computation, delivery, headers, body })
    }
}

/// Those of a record's headers that go with its call.
pub fn headers_of(headers: Option<&OwnedHeaders>) -> BTreeMap<String, String> {
    let all = headers.into_iter().flat_map(Headers::iter);
    let ours = all.filter(|header| HEADERS.contains(&header.key));
    ours.filter_map(|header| {
        let value = std::str::from_utf8(header.value?).ok()?;
        Some((header.key.to_owned(), value.to_owned()))
    })
    .collect()
}

/// The headers of a record.
pub fn record_headers<'h>(headers: impl IntoIterator<Item = (&'h str, &'h str)>) -> OwnedHeaders {
    let add = |all: OwnedHeaders, (key, value)| all.insert(Header { key, value: Some(value) });
    headers.into_iter().fold(OwnedHeaders::new(), add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(message_id: &str, body: &[u8]) -> Result<Call, String> {
        let headers = [("message_id".to_owned(), message_id.to_owned())];
        Call::new(headers.into(), Bytes::copy_from_slice(body))
    }

    #[test]
    fn what_would_break_out_of_a_batch_is_no_call() {
        assert!(call("m", b" {\"a\":1} ").is_ok());
        for body in [&b"{}],\"x\":[{}"[..], b"[]", b"1", b"", b"{", b"{},{}"] {
            assert_eq!(call("m", body).err().unwrap(), "the call is no JSON object");
        }
        assert!(call("", b"{}").err().unwrap().contains("`message_id` is missing"));
    }

    #[test]
    fn a_call_has_less_than_the_limit() {
        let of = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8));
        assert!(call("m", of(CALL_LIMIT - 1).as_bytes()).is_ok());
        assert!(call("m", of(CALL_LIMIT).as_bytes()).err().unwrap().contains("32768 bytes"));
    }
}
