//! Where a batch has to end.

use idgroup::{Batch, Completeness, Destinations, Memory, NameDigest, ProfileUpdate, memory};
use serde_json::{Value, json};

fn update(id: &str, membership: &str, second: u8, ids: &Value) -> ProfileUpdate {
    serde_json::from_value(json!({
        "id": id, "space_id": "spa_1", "profile_id": "use_1", "computation": {"id": "aud_1"},
        "membership": membership, "computed_at": format!("2026-01-05T10:00:{second:02}Z"),
        "trigger": {"reason": "value_changed"}, "external_ids": ids,
    }))
    .unwrap()
}

/// Whether the batch must end before each of these updates.
fn ends(updates: &[ProfileUpdate]) -> Vec<bool> {
    let destinations: Destinations =
        serde_json::from_value(json!([{"id": "dst_1", "dedupes_on": ["email"]}, {"id": "dst_2"}])).unwrap();
    let (mut own, mut batch) = (Memory::default(), Batch::default());
    let mut ends = Vec::new();
    for update in updates {
        let recalled = memory::keys(update, 0).recall(|_| own.clone());
        let decision = memory::decide(recalled, &destinations, Completeness::Complete);
        ends.push(batch.must_end_before(&decision));
        if batch.must_end_before(&decision) {
            assert_eq!(decision.forgotten(), [NameDigest::of_update("upd_1")]);
            batch = Batch::default();
        }
        batch.add(&decision);
        own = decision.own().clone();
    }
    ends
}

#[test]
fn a_batch_ends_before_its_message_would_be_forgotten() {
    let email = json!([{"type": "email", "id": "a@example.com"}]);
    let entry = || update("upd_1", "in", 1, &email);
    let exit = || update("upd_2", "out", 2, &email);
    assert_eq!(ends(&[entry(), exit()]), [false, true]);
    // A repeat in the batch may be the first time that the message goes out.
    assert_eq!(ends(&[entry(), entry(), exit(), exit()]), [false, false, true, false]);
    // A plain destination's messages are not remembered.
    let nobody = update("upd_1", "in", 1, &json!([{"type": "phone", "id": "1"}]));
    assert_eq!(ends(&[nobody, exit()]), [false, false]);
    assert_eq!(ends(&[exit()]), [false]);
}

/// Whatever they are sent: they are sent every update, and nothing of theirs is remembered.
#[test]
fn plain_destinations_message_nobody() {
    let email = json!([{"type": "email", "id": "a@example.com"}]);
    let entry = update("upd_1", "in", 1, &email);
    for (setting, expected) in [
        (json!({"id": "dst_1"}), false),
        (json!({"id": "dst_1", "id_strategies": {"email": "latest"}}), false),
        (json!({"id": "dst_1", "consent": "not_refused"}), false),
        (json!({"id": "dst_1", "dedupes_on": ["email"]}), true),
        (json!({"id": "dst_1", "dedupes_on": ["phone"]}), false),
    ] {
        let destinations: Destinations = serde_json::from_value(json!([setting, {"id": "dst_2"}])).unwrap();
        let recalled = memory::keys(&entry, 0).recall(|_| Memory::default());
        let decision = memory::decide(recalled, &destinations, Completeness::Complete);
        assert_eq!(decision.messages_somebody(), expected, "{setting}");
        assert!(!decision.events().is_empty());
        // Delivered again, what was sent is sent as a repeat, each destination by itself.
        let again = memory::keys(&entry, 0).recall(|_| decision.own().clone());
        let again = memory::decide(again, &destinations, Completeness::Complete);
        assert_eq!(again.messages_somebody(), expected, "{setting}, again");
    }
}
