//! Memories as bytes, by `fixtures/memory/memories.json`, and in the formats of serde.

use std::collections::BTreeSet;

use idgroup::{Memory, MemoryError, Settled};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use serde_json::{Value, json};

use crate::oracle::hex;

fn cases() -> Vec<(Value, Vec<u8>)> {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../../fixtures/memory/memories.json")).unwrap();
    let bytes = |case: &Value| {
        let hex = case["bytes"].as_str().unwrap();
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    };
    cases.into_iter().map(|case| (case.clone(), bytes(&case))).collect()
}

fn memories() -> Vec<(Memory, Vec<u8>)> {
    let readable =
        |(_, bytes): (Value, Vec<u8>)| Memory::from_bytes(&bytes).ok().map(|memory| (memory, bytes));
    cases().into_iter().filter_map(readable).collect()
}

#[test]
fn every_memory_is_read_and_written_or_refused_as_expected() {
    for (case, bytes) in cases() {
        let name = case["name"].as_str().unwrap();
        match Memory::from_bytes(&bytes) {
            Ok(memory) => {
                assert_eq!(serde_json::to_value(&memory).unwrap(), case["memory"], "{name}");
                assert_eq!(hex(&memory.to_bytes()), case["bytes"], "{name}");
            }
            Err(MemoryError::UnknownVersion { version }) => {
                assert_eq!(case["refused"], json!(format!("version {version}")), "{name}");
            }
            Err(MemoryError::Malformed { position }) => {
                assert_eq!(case["refused"], json!(position), "{name}");
            }
            Err(error) => panic!("{name}: {error}"),
        }
    }
}

#[test]
fn no_cut_of_a_memory_is_one() {
    for (_, bytes) in memories() {
        for cut in 0..bytes.len() {
            let error = Memory::from_bytes(&bytes[..cut]).unwrap_err();
            assert!(matches!(error, MemoryError::Malformed { position } if position <= cut), "{error}");
        }
    }
}

#[test]
fn errors_say_what_to_do() {
    let text = |bytes: &[u8]| Memory::from_bytes(bytes).unwrap_err().to_string();
    assert_eq!(
        text(&[7]),
        "a memory of version 7 is unknown, expected version 1, keep it for a library that knows it"
    );
    assert_eq!(text(&[1, 9]), "no memory of version 1, its bytes go wrong at 1");
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)), cases: 2_000, ..ProptestConfig::default()
    })]

    /// Whatever is read is written as it was, so that a memory has one form; nothing panics.
    #[test]
    fn what_is_read_is_written_as_it_was(
        which in 0_usize..6, at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in 0_usize..3,
    ) {
        let (_, mut bytes) = memories().swap_remove(which);
        let position = at.index(bytes.len());
        bytes[position] = byte;
        bytes.truncate(bytes.len() - cut);
        if let Ok(memory) = Memory::from_bytes(&bytes) {
            prop_assert_eq!(memory.to_bytes(), bytes);
        }
    }
}

#[test]
fn every_format_brings_a_memory_back() {
    for (memory, bytes) in memories() {
        let json = serde_json::to_string(&memory).unwrap();
        assert_eq!(serde_json::from_str::<Memory>(&json).unwrap(), memory);
        let message_pack = rmp_serde::to_vec_named(&memory).unwrap();
        assert_eq!(rmp_serde::from_slice::<Memory>(&message_pack).unwrap(), memory);
        assert!(message_pack.ends_with(&bytes), "a binary format holds the compact bytes");
        let mut cbor = Vec::new();
        ciborium::into_writer(&memory, &mut cbor).unwrap();
        assert_eq!(ciborium::from_reader::<Memory, _>(&*cbor).unwrap(), memory);
        assert!(cbor.ends_with(&bytes));
        let postcard = postcard::to_allocvec(&memory).unwrap();
        assert_eq!(postcard::from_bytes::<Memory>(&postcard).unwrap(), memory);
        let list = rmp_serde::to_vec(&bytes).unwrap();
        assert_ne!(list, message_pack, "bytes as a list of numbers");
        assert_eq!(rmp_serde::from_slice::<Memory>(&list).unwrap(), memory);
    }
}

#[test]
fn what_is_settled_is_read_by_itself() {
    let mut kinds = BTreeSet::new();
    for settled in memories().iter().flat_map(|(memory, _)| memory.settled()) {
        kinds.insert(settled.by().as_str());
        let json = serde_json::to_value(settled).unwrap();
        assert_eq!(serde_json::from_value::<Settled>(json).unwrap(), *settled);
        let message_pack = rmp_serde::to_vec_named(settled).unwrap();
        assert_eq!(rmp_serde::from_slice::<Settled>(&message_pack).unwrap(), *settled);
        let mut cbor = Vec::new();
        ciborium::into_writer(settled, &mut cbor).unwrap();
        assert_eq!(ciborium::from_reader::<Settled, _>(&*cbor).unwrap(), *settled);
    }
    assert_eq!(Vec::from_iter(kinds), ["assumption", "hand_over", "message"]);
    let refused =
        serde_json::from_value::<Settled>(json!({"destination": "0000000000000001", "by": "assumption"}));
    assert_eq!(refused.unwrap_err().to_string(), "`at` is missing");
}

#[test]
fn an_object_that_is_no_memory_is_refused_by_the_field() {
    let refusal = |json: Value| serde_json::from_value::<Memory>(json).unwrap_err().to_string();
    let with = |field: &str, value: Value| {
        let mut memory = json!({"version": 1, "membership": "in", "settled": []});
        memory[field] = value;
        refusal(memory)
    };
    let entry = |more: Value| {
        let mut entry = json!({"destination": "0000000000000001", "at": "2026-01-05T10:00:00Z"});
        for (name, value) in more.as_object().unwrap() {
            entry[name] = value.clone();
        }
        entry
    };
    assert_eq!(with("version", json!(2)), "`version` is 2, expected 1 to 1");
    assert_eq!(with("version", Value::Null), "`version` is missing");
    assert_eq!(with("membership", json!("out")), "`since` is missing");
    assert_eq!(with("membership", json!("on")), "`membership` is `on`, expected `in` or `out`");
    assert_eq!(
        refusal(json!({"version": 1, "since": "2026-01-05T10:00:00Z", "settled": []})),
        "`membership` is missing"
    );
    assert_eq!(with("settled", Value::Null), "`settled` is missing");
    assert_eq!(
        with("settled", json!([entry(json!({"by": "magic"}))])),
        "`settled[0].by` is `magic`, expected `message`, `hand_over` or `assumption`"
    );
    assert_eq!(
        with("settled", json!([entry(json!({"by": "hand_over"}))])),
        "`settled[0].profile` is missing"
    );
    assert_eq!(
        with("settled", json!([entry(json!({"by": "message", "external_ids": []}))])),
        "`settled[0].external_ids` is empty"
    );
    assert_eq!(
        with(
            "settled",
            json!([entry(json!({"by": "message", "update": "0", "external_ids": ["0000000000000002"]}))])
        ),
        "`settled[0].update` is `0`, expected 16 lower-case hexadecimal digits"
    );
    assert_eq!(
        with("settled", json!([entry(json!({"by": "assumption"})), entry(json!({"by": "assumption"}))])),
        "`settled` is `0000000000000001`, which was given before"
    );
}
