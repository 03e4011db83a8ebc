//! Updates to push, and what the library makes of them.

use std::collections::BTreeMap;
use std::path::Path;

use idgroup::compare::ComparisonKey;
use idgroup::{
    Amplification, Completeness, Destinations, ExternalId, Flag, Gate, Lane, Memory, MemoryKey,
    ProfileUpdate, Release, Rollout, Routed, Share, memory,
};
use serde_json::{Value, json};

use crate::kafka::Output;

pub type Identities = BTreeMap<(String, String), Vec<ExternalId>>;
pub type ByComputation = BTreeMap<String, Destinations>;

/// An update as the compute engine writes it.
pub struct Computed {
    pub profile_id: String,
    pub payload: Vec<u8>,
}

pub fn rollout_for_all() -> Rollout {
    let gate = ["spa_acme", "spa_globex", "spa_initech", "spa_load"]
        .into_iter()
        .fold(Gate::closed(), |gate, space| gate.opened_for_space(space).unwrap());
    Rollout::new(Flag::new("dedupe", Share::ALL).unwrap()).with_gate(gate)
}

/// The same in SQL.
pub const ROLLOUT_FOR_ALL: &str =
    "update rollout set share = 10000, spaces = '{spa_acme,spa_globex,spa_initech,spa_load}'";

pub fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name)).unwrap()
}

pub fn destinations(fixture_name: &str) -> ByComputation {
    serde_json::from_slice(&fixture(fixture_name)).unwrap()
}

pub fn lines(fixture_name: &str) -> Vec<Vec<u8>> {
    let text = fixture(fixture_name);
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
}

/// What all lines together know of each profile, and the lines without it.
pub fn split(lines: &[Vec<u8>]) -> (Identities, Vec<Computed>) {
    let mut identities = Identities::new();
    let mut computed = Vec::new();
    for line in lines {
        if let Ok(update) = serde_json::from_slice::<ProfileUpdate>(line) {
            let profile = (update.space_id().to_owned(), update.profile_id().to_owned());
            let known = identities.entry(profile).or_default();
            for id in update.external_ids() {
                if !known.iter().any(|known| known.key() == id.key()) {
                    known.push(id.clone());
                }
            }
        }
        let mut value: Value = serde_json::from_slice(line).unwrap_or_default();
        let profile_id = value["profile_id"].as_str().unwrap_or_default().to_owned();
        let payload = match value.as_object_mut() {
            Some(update) => {
                update.remove("external_ids");
                serde_json::to_vec(&update).unwrap()
            }
            None => line.clone(),
        };
        computed.push(Computed { profile_id, payload });
    }
    (identities, computed)
}

/// Updates of 500 profiles with a handful of IDs each, in one audience with four destinations.
pub fn generate(updates: usize) -> (Identities, Vec<Computed>) {
    let mut identities = Identities::new();
    for profile in 0..500 {
        let ids = (0..1 + profile % 4).map(|n| {
            let created_at = format!("2026-01-0{}T10:00:00.{profile:03}Z", n + 1);
            let id_type = ["email", "phone", "user_id"][n % 3];
            ExternalId::new(id_type, format!("{profile}.{n}@example.com"))
                .unwrap()
                .with_created_at(created_at.parse().unwrap())
        });
        identities.insert(("spa_load".to_owned(), format!("use_{profile}")), ids.collect());
    }
    (identities, (0..updates).map(computed).collect())
}

pub fn computed(n: usize) -> Computed {
    let profile_id = format!("use_{}", n % 500);
    let update = json!({
        "id": format!("upd_{n}"), "space_id": "spa_load", "profile_id": profile_id,
        "computation": {"class": "audience", "id": "aud_load", "key": "load"},
        "membership": if n % 10 == 9 { "out" } else { "in" }, "computed_at": "2026-01-05T10:00:00Z",
        "trigger": {"reason": "value_changed"},
    });
    Computed { profile_id, payload: serde_json::to_vec(&update).unwrap() }
}

pub fn load_destinations() -> ByComputation {
    serde_json::from_value(json!({"aud_load": [
        {"id": "dst_sendgrid", "name": "SendGrid", "dedupes_on": ["email"]},
        {"id": "dst_twilio", "name": "Twilio", "dedupes_on": ["phone"]},
        {"id": "dst_google", "name": "Google Ads"},
        {"id": "dst_facebook"},
    ]}))
    .unwrap()
}

/// The events that the library makes of an update which has these external IDs, without a memory.
pub fn events(
    payload: &[u8],
    identities: &Identities,
    destinations: &ByComputation,
    rollout: &Rollout,
) -> Result<Vec<Output>, String> {
    let update = identified(payload, identities)?;
    let connected = destinations.get(update.computation().id()).ok_or("there is no computation")?;
    Ok(outputs(&update, &release(rollout).decide(&update, None, connected)))
}

/// The events of all updates, each once, where what was sent is remembered.
pub fn all_events(
    updates: &[Computed],
    identities: &Identities,
    destinations: &ByComputation,
) -> Vec<Output> {
    let release = release(&rollout_for_all());
    let mut memories = BTreeMap::<MemoryKey, Memory>::new();
    let mut all = Vec::new();
    for update in updates {
        let update = identified(&update.payload, identities).unwrap();
        let recalled = memory::keys(&update, 0).recall(|key| memories.get(key).cloned().unwrap_or_default());
        let connected = &destinations[update.computation().id()];
        let outcome = release.decide_recalled(recalled, None, connected, Completeness::Partial);
        let decision = outcome.decision.unwrap();
        memories.extend(decision.changed().map(|(key, memory)| (*key, memory.clone())));
        all.extend(outputs(&update, &outcome.routed));
    }
    all
}

fn release(rollout: &Rollout) -> Release {
    Release::new(rollout.clone(), ComparisonKey::new([0; 16]))
}

fn identified(payload: &[u8], identities: &Identities) -> Result<ProfileUpdate, String> {
    let mut value: Value = serde_json::from_slice(payload).map_err(|error| error.to_string())?;
    if value.is_object() && value.get("external_ids").is_none() {
        let name = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
        let ids = identities.get(&(name("space_id"), name("profile_id"))).cloned().unwrap_or_default();
        value["external_ids"] = serde_json::to_value(ids).unwrap();
    }
    serde_json::from_value(value).map_err(|error| error.to_string())
}

fn outputs(update: &ProfileUpdate, routed: &Routed<'_>) -> Vec<Output> {
    let topic = match Amplification::of(&routed.events).lane(10_000) {
        Lane::Fast => "outbound",
        Lane::Slow => "outbound-slow",
    };
    let output = |event: &idgroup::IdGroupEvent<'_>| Output {
        topic: topic.to_owned(),
        key: Some(update.profile_id().to_owned()),
        headers: [("message_id".to_owned(), event.message_id().to_string())]
            .into_iter()
            .chain(update.computed_at().map(|time| ("computed_at".to_owned(), time.to_string())))
            .collect(),
        is_null: false,
        payload: serde_json::to_vec(event).unwrap(),
    };
    routed.events.iter().map(output).collect()
}
