//! Reads `fixtures/pipeline` and `fixtures/monster`, and holds them to what `fixtures/README.md`
//! says is in them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use idgroup::{Destinations, ProfileUpdate, Verdict, decide, explain};

type ByComputation = BTreeMap<String, Destinations>;

#[test]
fn the_pipeline_has_just_these_bad_lines() {
    let updates = updates("pipeline");
    let bad: Vec<usize> =
        (1..).zip(&updates).filter(|(_, update)| update.is_none()).map(|(line, _)| line).collect();
    assert_eq!(bad, [18, 34, 61, 76, 102, 119, 141, 182, 223, 241, 264, 302]);
}

#[test]
fn one_computation_of_the_pipeline_is_not_listed() {
    let destinations = destinations("pipeline");
    let updates = updates("pipeline");
    let unlisted: Vec<&str> = updates
        .iter()
        .flatten()
        .map(|update| update.computation().id())
        .filter(|computation| !destinations.contains_key(*computation))
        .collect();
    assert_eq!(unlisted, ["aud_black_friday_2025"; 21]);
}

#[test]
fn a_redelivered_update_is_decided_as_the_first_time() {
    let destinations = destinations("pipeline");
    let mut first = BTreeMap::new();
    let mut messages_sent_again = 0;
    // Without `computed_at` nothing says what the profile had when the update was computed.
    let updates = updates("pipeline");
    for update in updates.iter().flatten().filter(|update| update.computed_at().is_some()) {
        let Some(connected) = destinations.get(update.computation().id()) else { continue };
        for verdict in &explain(update, connected) {
            if verdict.destination().dedupes_on().is_none() {
                continue;
            }
            let name = (update.id().to_owned(), verdict.destination().id().to_owned());
            let ids: Vec<_> = verdict.external_ids().iter().map(|id| id.key().clone()).collect();
            let decided = (verdict.verdict(), ids);
            match first.get(&name) {
                Some(before) => {
                    assert_eq!(before, &decided, "{name:?}");
                    messages_sent_again += usize::from(decided.0 == Verdict::SendSome);
                }
                None => drop(first.insert(name, decided)),
            }
        }
    }
    assert!(messages_sent_again > 0, "no message was sent again");
}

#[test]
fn the_monster_is_one_of_six() {
    let messages: Vec<usize> = updates("monster")
        .iter()
        .map(|update| {
            let mut of_type = BTreeMap::new();
            for id in update.as_ref().unwrap().external_ids() {
                *of_type.entry(id.id_type()).or_insert(0) += 1;
            }
            of_type.values().product()
        })
        .collect();
    assert_eq!(messages, [1, 2, 3, 153_000, 5, 6]);
}

#[test]
fn the_monster_is_one_message_to_a_deduping_destination() {
    let destinations = destinations("monster");
    let updates = updates("monster");
    let monster = updates[3].as_ref().unwrap();
    let events = decide(monster, &destinations[monster.computation().id()]);
    let sizes: Vec<(usize, usize)> = events
        .iter()
        .map(|event| (event.id_group().external_ids().len(), event.destinations().len()))
        .collect();
    assert_eq!(sizes, [(161, 2), (1, 1)]);
}

/// The updates of the lines, `None` for bad ones.
fn updates(folder: &str) -> Vec<Option<ProfileUpdate>> {
    let bytes = fs::read(Path::new("fixtures").join(folder).join("updates.ndjson")).unwrap();
    let lines = bytes.strip_suffix(b"\n").unwrap();
    lines.split(|&byte| byte == b'\n').map(|line| serde_json::from_slice(line).ok()).collect()
}

fn destinations(folder: &str) -> ByComputation {
    let text = fs::read_to_string(Path::new("fixtures").join(folder).join("destinations.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}
