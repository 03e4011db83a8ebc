//! Runs the histories of `fixtures/memory/histories.json`, whose format is described in
//! `fixtures/README.md`.

use std::collections::BTreeMap;

use idgroup::{Completeness, Destinations, Memory, MemoryDecision, MemoryKey, ProfileUpdate, memory};
use serde_json::{Value, json};

use crate::oracle::hex;

#[test]
fn every_history_is_decided_as_expected() {
    let histories = histories();
    assert!(histories.len() >= 51, "only {}", histories.len());
    for history in histories {
        assert_decided(&history, &history["destinations"]);
    }
}

#[test]
fn the_order_of_destinations_and_profiles_says_nothing() {
    for mut history in histories() {
        let mut destinations = history["destinations"].clone();
        destinations.as_array_mut().unwrap().reverse();
        for update in history["updates"].as_array_mut().unwrap() {
            update["external_ids"].as_array_mut().unwrap().reverse();
            if let Some(profiles) = update["trigger"]["profiles"].as_array_mut() {
                profiles.reverse();
            }
        }
        assert_decided(&history, &destinations);
    }
}

fn histories() -> Vec<Value> {
    serde_json::from_str(include_str!("../../fixtures/memory/histories.json")).unwrap()
}

#[track_caller]
fn assert_decided(history: &Value, destinations: &Value) {
    let destinations: Destinations = serde_json::from_value(destinations.clone()).unwrap();
    let completeness = match history["completeness"].as_str().unwrap() {
        "complete" => Completeness::Complete,
        "partial" => Completeness::Partial,
        other => panic!("{other}"),
    };
    let epoch = history["epoch"].as_u64().unwrap();
    let mut store: BTreeMap<MemoryKey, Vec<u8>> = BTreeMap::new();
    let steps = history["updates"].as_array().unwrap().iter().zip(history["steps"].as_array().unwrap());
    for (number, (update, expected)) in steps.enumerate() {
        let update: ProfileUpdate = serde_json::from_value(update.clone()).unwrap();
        let keys: Vec<MemoryKey> = memory::keys(&update, epoch).iter().collect();
        let recalled = memory::keys(&update, epoch)
            .try_recall(|key| store.get(key).map_or(Ok(Memory::default()), |bytes| Memory::from_bytes(bytes)))
            .unwrap();
        let decision = memory::decide(recalled, &destinations, completeness);
        let found = told(&decision, &keys);
        assert_eq!(found, *expected, "{}, step {number}", history["name"]);
        let changed = decision.changed().map(|(key, memory)| (*key, memory.to_bytes()));
        store.extend(changed.collect::<Vec<_>>());
    }
}

fn told(decision: &MemoryDecision<'_>, keys: &[MemoryKey]) -> Value {
    let changed: Vec<Value> = decision
        .changed()
        .map(|(key, memory)| json!({"key": key, "bytes": hex(&memory.to_bytes()), "memory": memory}))
        .collect();
    json!({
        "keys": keys, "events": decision.events(), "verdicts": decision.explanation(), "changed": changed,
    })
}
