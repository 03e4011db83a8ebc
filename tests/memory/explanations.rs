//! What explanations say that the memory said.

use idgroup::{Completeness, Counts, Destinations, DropReason, Gap, Memory, ProfileUpdate, Verdict, memory};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const DESTINATIONS: &str = r#"[{"id":"dst_1","name":"SendGrid","dedupes_on":["email"]},
    {"id":"dst_2","dedupes_on":["phone"]},{"id":"dst_3","name":"Google Ads"}]"#;

fn update(id: &str, profile: &str, second: u8, trigger: &Value, emails: &[&str]) -> ProfileUpdate {
    let emails: Vec<_> = emails.iter().map(|email| json!({"type": "email", "id": email})).collect();
    serde_json::from_value(json!({
        "id": id, "space_id": "spa_1", "profile_id": profile, "computation": {"id": "aud_1"},
        "membership": "in", "computed_at": format!("2026-01-05T10:00:{second:02}Z"),
        "trigger": trigger, "external_ids": emails,
    }))
    .unwrap()
}

/// Decides one after the other, and explains the last.
fn explained(completeness: Completeness, updates: &[ProfileUpdate]) -> String {
    let destinations: Destinations = serde_json::from_str(DESTINATIONS).unwrap();
    let mut store = BTreeMap::new();
    let mut explained = String::new();
    for update in updates {
        let recalled = memory::keys(update, 0).recall(|key| store.get(key).cloned().unwrap_or_default());
        let decision = memory::decide(recalled, &destinations, completeness);
        explained = format!("{}{:?}", decision.explanation(), decision);
        assert!(!format!("{decision:?}").contains("ann@"), "{decision:?}");
        let changed: Vec<_> = decision.changed().map(|(key, memory)| (*key, memory.clone())).collect();
        store.extend(changed);
    }
    explained.lines().take(4).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_the_memory_said_is_told() {
    let entered = json!({"reason": "value_changed"});
    let new = json!({"reason": "new_external_id", "added": [{"type": "email", "id": "bea@example.com"}]});
    let merged = json!({"reason": "profile_merge", "profiles": [
        {"profile_id": "use_1", "membership": "in"}, {"profile_id": "use_2", "membership": "in"}]});
    let entry = || update("upd_1", "use_1", 1, &entered, &["ann@example.com"]);
    let complete = |updates: &[ProfileUpdate]| explained(Completeness::Complete, updates);
    insta::assert_snapshot!("first", complete(&[entry()]));
    let later = update("upd_1", "use_1", 1, &entered, &["ann@example.com", "bea@example.com"]);
    insta::assert_snapshot!("repeat", complete(&[entry(), later]));
    let gone = update("upd_1", "use_1", 1, &entered, &["bea@example.com"]);
    insta::assert_snapshot!("repeat_without_its_id", complete(&[entry(), gone]));
    let recomputed = update("upd_2", "use_1", 2, &entered, &["ann@example.com"]);
    insta::assert_snapshot!("by_another_update", complete(&[entry(), recomputed]));
    let merge = || update("upd_3", "use_2", 3, &merged, &["ann@example.com"]);
    let late = update("upd_4", "use_1", 2, &new, &["bea@example.com"]);
    insta::assert_snapshot!("handed_over", complete(&[merge(), late]));
    let old = update("upd_0", "use_1", 0, &entered, &["ann@example.com"]);
    insta::assert_snapshot!("superseded", complete(&[entry(), old]));
    let late = update("upd_4", "use_1", 2, &new, &["ann@example.com", "bea@example.com"]);
    insta::assert_snapshot!("assumed", explained(Completeness::Partial, &[late]));
    // The update names the profile that the other handed over to.
    let again = update("upd_5", "use_1", 4, &merged, &["ann@example.com"]);
    insta::assert_snapshot!("named_by_the_update", complete(&[merge(), again]));
}

#[test]
fn a_verdict_is_found_by_its_destination_and_watched() {
    let destinations: Destinations = serde_json::from_str(DESTINATIONS).unwrap();
    let entered = json!({"reason": "value_changed"});
    let entry = update("upd_1", "use_1", 1, &entered, &["ann@example.com"]);
    let mut counts = Counts::default();
    let mut decide = |update, own: &Memory| {
        let recalled = memory::keys(update, 0).recall(|_| own.clone());
        memory::decide_with(recalled, &destinations, Completeness::Complete, &mut counts)
    };
    let first = decide(&entry, &Memory::default());
    let recomputed = update("upd_2", "use_1", 2, &entered, &["ann@example.com"]);
    let second = decide(&recomputed, first.own());
    let explanation = second.explanation();
    let verdict = explanation.of("dst_1").unwrap();
    assert_eq!(verdict.verdict(), Verdict::Drop(DropReason::AlreadyMessaged));
    assert_eq!(verdict.settled(), first.own().settled_for("dst_1"));
    assert!(verdict.settled().is_some());
    assert_eq!(explanation.of("dst_3").unwrap().verdict(), Verdict::SendAll);
    assert!(explanation.of("dst_4").is_none());
    assert_eq!(explanation.iter().len(), 3);
    assert_eq!(second.changed().count(), 0);
    assert_eq!((counts.updates(), counts.gap(Gap::EnteredWhileIn)), (2, 1));
    assert_eq!(counts.dropped(DropReason::AlreadyMessaged), 1);
    assert_eq!(counts.dropped(DropReason::NoRelevantExternalId), 2);
    assert_eq!(counts.verdict(Verdict::SendSome), 1);
    assert_eq!(counts.groups(), 2);
}

#[test]
fn only_an_entry_of_who_is_in_says_that_an_exit_is_missing() {
    let destinations: Destinations = serde_json::from_str(DESTINATIONS).unwrap();
    let told = |update: &Value, own: &Memory| {
        let update: ProfileUpdate = serde_json::from_value(update.clone()).unwrap();
        let mut counts = Counts::default();
        let recalled = memory::keys(&update, 0).recall(|_| own.clone());
        let decision = memory::decide_with(recalled, &destinations, Completeness::Complete, &mut counts);
        (counts.gap(Gap::EnteredWhileIn), decision.own().clone())
    };
    let update = |membership: &str, second: u8, trigger: Value| {
        json!({
            "id": format!("upd_{second}"), "space_id": "spa_1", "profile_id": "use_1",
            "computation": {"id": "aud_1"}, "membership": membership,
            "computed_at": format!("2026-01-05T10:00:{second:02}Z"), "trigger": trigger,
            "external_ids": [{"type": "email", "id": "ann@example.com"}],
        })
    };
    let changed = |membership, second| update(membership, second, json!({"reason": "value_changed"}));
    let added = [json!({"type": "email", "id": "ann@example.com"})];
    let (at_first, is_in) = told(&changed("in", 2), &Memory::default());
    let (at_exit, is_out) = told(&changed("out", 4), &is_in);
    assert_eq!((at_first, at_exit), (0, 0));
    for second in [2, 3] {
        assert_eq!(told(&changed("in", second), &is_in).0, 1, "{second}");
        let new = update("in", second, json!({"reason": "new_external_id", "added": added}));
        assert_eq!(told(&new, &is_in).0, 0, "{second}");
    }
    assert_eq!(told(&changed("in", 1), &is_in).0, 0, "superseded");
    assert_eq!(told(&changed("in", 5), &is_out).0, 0, "after an exit");
    assert_eq!(told(&changed("out", 5), &is_out).0, 0, "another exit");
}
