//! Destinations that are set differently in the middle of a stay.

use idgroup::{Completeness, Destinations, DropReason, Memory, ProfileUpdate, Verdict, memory};
use serde_json::{Value, json};

use crate::recorder::{Call, Recorder};

fn update(id: &str, second: u8) -> ProfileUpdate {
    serde_json::from_value(json!({
        "id": id, "space_id": "spa_1", "profile_id": "use_1", "computation": {"id": "aud_1"},
        "membership": "in", "computed_at": format!("2026-01-05T10:00:{second:02}Z"),
        "trigger": {"reason": "value_changed"},
        "external_ids": [
            {"type": "email", "id": "a", "created_at": "2025-12-01T08:00:00Z", "subscribed": true},
            {"type": "email", "id": "b", "created_at": "2025-12-02T08:00:00Z"},
            {"type": "phone", "id": "1"},
        ],
    }))
    .unwrap()
}

/// What the one destination is sent, with the ids of the messages; and the memory.
fn decide(own: &Memory, update: &ProfileUpdate, setting: &Value) -> (Value, Vec<String>, Memory) {
    let mut destination = json!({"id": "dst_1"});
    destination.as_object_mut().unwrap().extend(setting.as_object().unwrap().clone());
    let destinations: Destinations = serde_json::from_value(json!([destination])).unwrap();
    let recalled = memory::keys(update, 0).recall(|_| own.clone());
    let decision = memory::decide(recalled, &destinations, Completeness::Complete);
    let verdict = decision.explanation().of("dst_1").unwrap();
    let ids: Vec<_> = verdict.external_ids().iter().map(|id| id.id().to_owned()).collect();
    let told = match verdict.verdict().drop_reason() {
        Some(reason) => json!(reason),
        None => json!({"ids": ids, "repeat": verdict.is_repeat()}),
    };
    let messages = decision.events().iter().map(|event| event.message_id().to_string()).collect();
    (told, messages, decision.own().clone())
}

#[test]
fn a_repeat_is_the_first_message_whatever_the_destination_is_set_to_by_now() {
    let entry = update("upd_1", 1);
    let (told, message, own) = decide(&Memory::default(), &entry, &json!({"dedupes_on": ["email"]}));
    assert_eq!(told, json!({"ids": ["b"], "repeat": false}));
    for setting in [
        json!({"dedupes_on": ["email"]}),
        json!({"dedupes_on": ["phone"]}),
        json!({"dedupes_on": ["push"]}),
        json!({"dedupes_on": ["email", "phone"]}),
        json!({"dedupes_on": ["email"], "id_strategies": {"email": "first"}}),
        json!({"dedupes_on": ["email"], "consent": "not_refused"}),
    ] {
        let (told, again, after) = decide(&own, &entry, &setting);
        assert_eq!(told, json!({"ids": ["b"], "repeat": true}), "{setting}");
        assert_eq!((again, after), (message.clone(), own.clone()), "{setting}");
        let (told, none, _) = decide(&own, &update("upd_2", 2), &setting);
        assert_eq!((told, none.len()), (json!("already_messaged"), 0), "{setting}");
    }
    let (told, ..) = decide(&own, &entry, &json!({"dedupes_on": ["phone"], "consent": "required"}));
    assert_eq!(told, json!("no_consent"));
    // A plain destination is sent every update, and what was settled stays so.
    let (told, _, after) = decide(&own, &entry, &json!({}));
    assert_eq!((told, after), (json!({"ids": ["b", "a", "1"], "repeat": false}), own));
}

/// What is decided about several destinations.
struct Watched {
    /// How many external IDs and destinations each event has.
    groups: Vec<(usize, usize)>,
    /// The verdict about each run of destinations.
    verdicts: Vec<Call>,
    messages_somebody: bool,
    own: Memory,
}

fn watched(own: &Memory, update: &ProfileUpdate, destinations: &[Value]) -> Watched {
    let destinations: Destinations = serde_json::from_value(json!(destinations)).unwrap();
    let recalled = memory::keys(update, 0).recall(|_| own.clone());
    let mut recorder = Recorder::default();
    let decision = memory::decide_with(recalled, &destinations, Completeness::Complete, &mut recorder);
    Watched {
        groups: recorder.groups(),
        verdicts: recorder.calls(|call| matches!(call, Call::Verdict(..))),
        messages_somebody: decision.messages_somebody(),
        own: decision.own().clone(),
    }
}

#[test]
fn destinations_that_are_set_alike_may_be_sent_differently() {
    let setting = |id: &str, strategy: &str| json!({"id": id, "dedupes_on": ["email"], "id_strategies": {"email": strategy}});
    let entry = update("upd_1", 1);
    let two = ["dst_1", "dst_4"].map(|id| setting(id, "first"));
    let Watched { own, .. } = watched(&Memory::default(), &entry, &two);
    // Two were added between them, and a plain one before all; and all choose the latest ID by now.
    let all = ["dst_1", "dst_2", "dst_3", "dst_4"].map(|id| setting(id, "latest"));
    let all = [&[json!({"id": "dst_0"})], &all[..]].concat();
    let dropped = |count| Call::Verdict(Verdict::Drop(DropReason::AlreadyMessaged), count);
    let sent = |count| Call::Verdict(Verdict::SendSome, count);
    let plain = Call::Verdict(Verdict::SendAll, 1);
    let later = watched(&own, &update("upd_2", 2), &all);
    assert_eq!(later.groups, [(3, 1), (1, 2)]);
    assert_eq!(later.verdicts, [plain, dropped(1), sent(2), dropped(1)]);
    assert!(later.messages_somebody);
    assert_eq!(later.own.settled().len(), 4);
    assert!(!watched(&later.own, &update("upd_3", 3), &all).messages_somebody);
    // The first update again: `a` to whom it was sent, and `b` to the others.
    let again = watched(&own, &entry, &all);
    assert_eq!((again.groups, again.verdicts), (vec![(3, 1), (1, 2), (1, 2)], vec![plain, sent(4)]));
    assert_eq!(again.own.settled_for("dst_1"), own.settled_for("dst_1"));
    let message = |id: &str| again.own.settled_for(id).unwrap().message().unwrap().external_ids().to_vec();
    assert_eq!((message("dst_2"), message("dst_1")), (message("dst_3"), message("dst_4")));
    assert_ne!(message("dst_1"), message("dst_2"));
}

/// Their digests lie in another order than the IDs, with some of these phones.
#[test]
fn a_repeat_lists_its_ids_as_every_event_does() {
    for phone in 0..8 {
        let mut entry = serde_json::to_value(update("upd_1", 1)).unwrap();
        entry["external_ids"][2]["id"] = json!(phone.to_string());
        let entry: ProfileUpdate = serde_json::from_value(entry).unwrap();
        let (told, message, own) =
            decide(&Memory::default(), &entry, &json!({"dedupes_on": ["email", "phone"]}));
        assert_eq!(told, json!({"ids": ["b", phone.to_string()], "repeat": false}));
        let (told, again, after) = decide(&own, &entry, &json!({"dedupes_on": ["email"]}));
        assert_eq!(told, json!({"ids": ["b", phone.to_string()], "repeat": true}));
        assert_eq!((again, after), (message, own));
    }
}
