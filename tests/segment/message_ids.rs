//! What receivers drop repeats by: the same for the same call, and for no other.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{calls, entry, message_ids};

fn destinations() -> Value {
    json!([
        { "id": "dst_1", "name": "Mixpanel (Actions)" },
        { "id": "dst_2", "name": "Facebook Custom Audiences (Actions)" },
        { "id": "dst_3", "name": "LaunchDarkly Audiences" },
        { "id": "dst_4", "name": "Braze Cloud Mode (Actions)" },
        { "id": "dst_5", "name": "Engage Messaging SendGrid", "dedupes_on": ["email"] },
        { "id": "dst_6", "name": "SendGrid", "dedupes_on": ["email"] },
    ])
}

fn settings() -> Value {
    json!({
        "dst_1": { "call": "track" },
        "dst_2": { "call": "track", "external_audience_id": "4711" },
        "dst_3": { "call": "track" },
        "dst_4": { "call": "identify" },
        "dst_5": { "call": "track", "engage": true },
        "dst_6": { "call": "track" },
    })
}

fn two_by_two() -> Value {
    entry(&json!([
        { "type": "email", "id": "a@example.com" }, { "type": "email", "id": "b@example.com" },
        { "type": "user_id", "id": "1" }, { "type": "user_id", "id": "2" },
    ]))
}

#[test]
fn every_call_has_one_of_its_own() {
    let ids = message_ids(&calls(&two_by_two(), &destinations(), &settings()));
    // Four combinations for the two that share and each of two others, and one for each sender.
    assert_eq!(ids.len(), 4 * 3 + 2);
    let distinct: BTreeSet<&String> = ids.iter().map(|(_, id)| id).collect();
    assert_eq!(distinct.len(), ids.len());
    for (_, id) in &ids {
        assert!(id.len() == 32 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{id}");
    }
}

#[test]
fn other_updates_and_memberships_have_others() {
    let ids = |change: &dyn Fn(&mut Value)| {
        let mut update = two_by_two();
        change(&mut update);
        message_ids(&calls(&update, &destinations(), &settings())).into_iter().map(|(_, id)| id).collect()
    };
    let all: Vec<BTreeSet<String>> = vec![
        ids(&|_| {}),
        ids(&|update| update["id"] = "upd_2".into()),
        ids(&|update| update["space_id"] = "spa_2".into()),
        ids(&|update| update["profile_id"] = "use_2".into()),
        ids(&|update| update["computation"]["id"] = "aud_2".into()),
    ];
    let distinct: BTreeSet<&String> = all.iter().flatten().collect();
    assert_eq!(distinct.len(), all.iter().map(BTreeSet::len).sum::<usize>());
}

#[test]
fn they_stay_when_destinations_come_and_go() {
    let all = message_ids(&calls(&two_by_two(), &destinations(), &settings()));
    let destinations = destinations();
    for kept in 0..6 {
        let one = message_ids(&calls(&two_by_two(), &json!([destinations[kept]]), &settings()));
        let id = destinations[kept]["id"].as_str().unwrap();
        let expected: Vec<&String> = all.iter().filter(|(to, _)| to.contains(id)).map(|(_, id)| id).collect();
        assert_eq!(one.iter().map(|(_, id)| id).collect::<Vec<_>>(), expected, "{id} alone");
    }
}

#[test]
fn they_stay_when_a_name_or_the_settings_of_others_change() {
    let before = message_ids(&calls(&two_by_two(), &destinations(), &settings()));
    let (mut destinations, mut settings) = (destinations(), settings());
    destinations[0]["name"] = "Other".into();
    settings["dst_2"]["external_audience_id"] = "4712".into();
    assert_eq!(message_ids(&calls(&two_by_two(), &destinations, &settings)), before);
}

/// However the IDs were chosen that they are sent.
#[test]
fn plain_destinations_with_strategies_and_consent_share_calls() {
    let update = entry(&json!([
        { "type": "email", "id": "a@example.com", "subscribed": true }, { "type": "user_id", "id": "1" },
    ]));
    let destinations = json!([
        { "id": "dst_1", "name": "Mixpanel (Actions)" },
        { "id": "dst_2", "name": "Webhook", "id_strategies": { "email": "latest", "user_id": "first" } },
        { "id": "dst_3", "name": "HubSpot", "id_strategies": { "email": "all" }, "consent": "required" },
    ]);
    let track = json!({ "call": "track" });
    let ids = message_ids(&calls(
        &update,
        &destinations,
        &json!({ "dst_1": track, "dst_2": track, "dst_3": track }),
    ));
    let receivers: Vec<&str> = ids.iter().map(|(to, _)| to.as_str()).collect();
    assert_eq!(receivers, [r#"["dst_1","dst_2"]"#, r#"["dst_3"]"#]);
}
