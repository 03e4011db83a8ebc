//! What must hold for whatever bytes: each check takes any input, and panics if something does not.
//!
//! Both the fuzzer (`fuzz/fuzz_targets`) and the test that replays the corpora (`tests/project/corpora.rs`)
//! run these.
#![allow(dead_code, reason = "each fuzz target uses one of these")]

#[path = "../../tests/support/build.rs"]
mod build;
pub mod comparison;
pub mod destinations;
pub mod memory;
pub mod rollout;
pub mod update;

use std::fmt::Debug;

/// Reads and writes `bytes`: what is accepted survives, and what is refused says why in few words.
/// Returns what was accepted.
fn round_trip<T>(bytes: &[u8]) -> Option<T>
where
    T: serde::de::DeserializeOwned + serde::Serialize + PartialEq + Debug,
{
    let read: T = match serde_json::from_slice(bytes) {
        Ok(read) => read,
        Err(error) => {
            // Three excerpts of 64 characters, each at most 10 bytes when escaped, and our own words.
            assert!(error.to_string().len() < 2_500, "an error text of {} bytes", error.to_string().len());
            return None;
        }
    };
    let written = serde_json::to_string(&read).unwrap();
    let again: T = serde_json::from_str(&written).unwrap();
    assert_eq!(again, read, "{written}");
    assert_eq!(serde_json::to_string(&again).unwrap(), written);

    // By way of a value: where that can hold the input at all, and it can't hold a number like 1e999.
    if let Ok(value) = serde_json::from_slice::<serde_json::Value>(bytes) {
        assert_eq!(serde_json::from_value::<T>(value).unwrap(), read);
    }
    let _ = format!("{read:?}");
    Some(read)
}
