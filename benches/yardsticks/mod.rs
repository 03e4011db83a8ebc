//! What a decision is measured against: the way the original worker decided, and the hashing that
//! no way can do without. And the worlds in which they are measured.
#![allow(dead_code, reason = "each bench uses a part of this")]

pub mod floors;

use std::collections::HashMap;
use std::fmt::Write;
use std::hint::black_box;
use std::time::Duration;

use criterion::Criterion;
use idgroup::{
    Computation, Destination, Destinations, ExternalId, IdGroupEvent, Membership, OutboundMessage,
    ProfileUpdate, Trigger,
};
use serde_json::json;
use sha2::{Digest, Sha256};

/// Enough for what takes microseconds.
pub fn quick() -> Criterion {
    Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
}

/// An update of `ids` external IDs, spread over the types that destinations use and others.
pub fn update_json(ids: usize) -> serde_json::Value {
    let types = ["email", "phone", "user_id", "anonymous_id", "ios.idfa"];
    let ids: Vec<_> = (0..ids)
        .map(|i| {
            json!({
                "type": types[i % types.len()],
                "id": format!("person-{i}@example.com"),
                "collection": "users",
                "encoding": "none",
                "created_at": format!("2025-12-{:02}T08:{:02}:{:02}.125Z", 1 + i % 28, i / 60 % 60, i % 60),
            })
        })
        .collect();
    json!({
        "id": "upd_2Yq0FJx3mVvUeZrB1n7cTgKpLdS", "space_id": "spa_kJ8sPq2LxVt4", "profile_id": "use_2Yq0FGh8PzXwNtRk",
        "computation": {"class": "audience", "id": "aud_2YpzrUuQvWcX", "key": "first_time_shopper"},
        "membership": "in",
        "computed_at": "2026-01-05T10:00:00Z",
        "trigger": {"reason": "value_changed"},
        "external_ids": ids,
    })
}

pub fn update(ids: usize) -> ProfileUpdate {
    serde_json::from_value(update_json(ids)).unwrap()
}

/// Destinations over four distinct settings: half of them plain, as in the field.
pub fn destinations(count: usize) -> Destinations {
    let settings = [
        json!(null),
        json!(["email"]),
        json!(null),
        json!(["phone"]),
        json!(null),
        json!(["email", "phone"]),
    ];
    destinations_with(count, |i| settings[i % settings.len()].clone())
}

/// Destinations over four distinct settings that choose among the IDs or ask for consent.
pub fn destinations_choosing(count: usize) -> Destinations {
    let settings = [
        json!({"id_strategies": {"email": "latest", "phone": "latest"}}),
        json!({"id_strategies": {"email": "all"}, "consent": "not_refused"}),
        json!({"dedupes_on": ["email"], "id_strategies": {"email": "first"}}),
        json!({"consent": "required"}),
    ];
    let destination = |i: usize| {
        let mut json = settings[i % settings.len()].clone();
        json["id"] = json!(format!("dst_{i:05}"));
        json
    };
    serde_json::from_value((0..count).map(destination).collect()).unwrap()
}

/// Destinations that all have settings of their own: the subsets of ten types.
pub fn destinations_all_different(count: usize) -> Destinations {
    destinations_with(count, |i| {
        let types = ["email", "phone", "user_id", "anonymous_id", "ios.idfa"];
        let bits = i + 1;
        (0..usize::BITS as usize)
            .filter(|bit| bits >> bit & 1 == 1)
            .map(|bit| types.get(bit).map_or_else(|| format!("type_{bit}"), ToString::to_string))
            .collect()
    })
}

/// Destinations that each dedupe on a pair of types of their own.
pub fn destinations_of_pairs(types: usize, count: usize) -> Destinations {
    let mut pairs = (1..types).flat_map(|second| (0..second).map(move |first| (first, second)));
    destinations_with(count, |_| {
        let (first, second) = pairs.next().unwrap();
        json!([format!("type_{first}"), format!("type_{second}")])
    })
}

/// An update of one external ID of each of so many types.
pub fn update_of_types(types: usize) -> ProfileUpdate {
    let mut json = update_json(types);
    for (position, id) in json["external_ids"].as_array_mut().unwrap().iter_mut().enumerate() {
        id["type"] = json!(format!("type_{position}"));
    }
    serde_json::from_value(json).unwrap()
}

/// An update that amplifies to `emails` × `phones` × `user_ids` messages, for three plain
/// destinations and one that dedupes.
pub fn monster(emails: usize, phones: usize, user_ids: usize) -> (ProfileUpdate, Destinations) {
    let of_type = |id_type: &'static str, count: usize| {
        (0..count).map(move |i| json!({"type": id_type, "id": format!("person-{i}@example.com")}))
    };
    let ids: Vec<_> = of_type("email", emails)
        .chain(of_type("phone", phones))
        .chain(of_type("user_id", user_ids))
        .collect();
    let update = json!({
        "id": "upd_1", "space_id": "spa_1", "profile_id": "use_1", "computation": {"id": "aud_1"},
        "membership": "in", "trigger": {"reason": "value_changed"}, "external_ids": ids,
    });
    let destinations = json!([
        {"id": "dst_1", "dedupes_on": ["email"]}, {"id": "dst_2"}, {"id": "dst_3"}, {"id": "dst_4"},
    ]);
    (serde_json::from_value(update).unwrap(), serde_json::from_value(destinations).unwrap())
}

/// An update of so many types with so many IDs each, whose values have `bytes` bytes and begin with
/// `prefix`.
pub fn update_of_shape(prefix: &str, shape: &[(usize, usize)], bytes: usize) -> ProfileUpdate {
    let lengths = shape.iter().flat_map(|&(types, ids)| std::iter::repeat_n(ids, types));
    let ids = lengths.enumerate().flat_map(|(number, length)| {
        (0..length).map(move |id| {
            let id = format!("{prefix}{}{id:04}", "x".repeat(bytes.saturating_sub(prefix.len() + 4)));
            ExternalId::new(format!("type_{number:04}"), id).unwrap()
        })
    });
    ProfileUpdate::builder()
        .id("upd_1")
        .space_id("spa_1")
        .profile_id("use_1")
        .computation(Computation::new("aud_1").unwrap())
        .membership(Membership::In)
        .trigger(Trigger::ValueChanged)
        .external_ids(ids)
        .build()
        .unwrap()
}

fn destinations_with(count: usize, mut dedupes_on: impl FnMut(usize) -> serde_json::Value) -> Destinations {
    let list: serde_json::Value = (0..count)
        .map(|i| json!({"id": format!("dst_{i:06}"), "name": "SendGrid", "dedupes_on": dedupes_on(i)}))
        .collect();
    serde_json::from_value(list).unwrap()
}

#[derive(Clone)]
pub struct NaiveId {
    collection: String,
    id_type: String,
    id: String,
    encoding: String,
    created_at: Option<i128>,
    attached_at: Option<i128>,
}

pub struct NaiveEvent {
    pub message_id: String,
    pub hash: String,
    pub external_ids: Vec<NaiveId>,
    pub destinations: Vec<String>,
}

/// The same update as the original worker held it: strings, and no order.
pub fn naive_ids(update: &ProfileUpdate) -> Vec<NaiveId> {
    update
        .external_ids()
        .iter()
        .map(|id| NaiveId {
            collection: id.collection().to_string(),
            id_type: id.id_type().to_string(),
            id: id.id().to_string(),
            encoding: id.encoding().to_string(),
            created_at: id.created_at().map(idgroup::Timestamp::unix_nanoseconds),
            attached_at: id.attached_at().map(idgroup::Timestamp::unix_nanoseconds),
        })
        .collect()
}

/// The original worker's way, for an entry: for each destination filter, sort, hash, look up in a map.
pub fn naive(update: &ProfileUpdate, ids: &[NaiveId], destinations: &Destinations) -> Vec<NaiveEvent> {
    assert!(matches!((update.trigger(), update.membership()), (Trigger::ValueChanged, Membership::In)));
    let computed_at = update.computed_at().map(idgroup::Timestamp::unix_nanoseconds);
    let mut groups: HashMap<String, NaiveEvent> = HashMap::new();
    for destination in destinations.as_slice() {
        let mut selected: Vec<NaiveId> = match destination.dedupes_on() {
            None => ids.to_vec(),
            Some(types) => types
                .filter_map(|id_type| {
                    let mut relevant: Vec<NaiveId> = ids
                        .iter()
                        .filter(|id| id.id_type == id_type)
                        .filter(|id| !matches!((id.attached_at, computed_at), (Some(a), Some(c)) if a > c))
                        .cloned()
                        .collect();
                    relevant.sort_by(|a, b| {
                        (a.created_at, &a.collection, &a.id).cmp(&(b.created_at, &b.collection, &b.id))
                    });
                    relevant.pop()
                })
                .collect(),
        };
        if selected.is_empty() {
            continue;
        }
        selected.sort_by(|a, b| (&a.collection, &a.id_type, &a.id).cmp(&(&b.collection, &b.id_type, &b.id)));
        let mut bytes = b"idgroup/1".to_vec();
        for id in &selected {
            for part in [&id.collection, &id.id_type, &id.id] {
                push_prefixed(&mut bytes, part);
            }
        }
        let hash = hex(&Sha256::digest(&bytes)[..16]);
        groups
            .entry(hash.clone())
            .or_insert_with(|| {
                selected.sort_by(|a, b| {
                    (&a.id_type, b.created_at, &b.collection, &b.id).cmp(&(
                        &b.id_type,
                        a.created_at,
                        &a.collection,
                        &a.id,
                    ))
                });
                let mut bytes = message_prefix(update);
                bytes.extend((0..16).map(|i| u8::from_str_radix(&hash[2 * i..2 * i + 2], 16).unwrap()));
                let message_id = format!("idg_{}", hex(&Sha256::digest(&bytes)[..16]));
                NaiveEvent { message_id, hash, external_ids: selected, destinations: Vec::new() }
            })
            .destinations
            .push(destination.id().to_string());
    }
    let mut events: Vec<NaiveEvent> = groups.into_values().collect();
    events.sort_by(|a, b| a.destinations[0].cmp(&b.destinations[0]));
    events
}

/// The naive way must do the same work to be a yardstick.
pub fn assert_same(events: &[IdGroupEvent<'_>], naive: &[NaiveEvent]) {
    assert_eq!(events.len(), naive.len());
    for (event, naive) in events.iter().zip(naive) {
        assert_eq!(event.message_id().to_string(), naive.message_id);
        assert_eq!(event.id_group().hash().to_string(), naive.hash);
        let ids = event.id_group().external_ids();
        assert!(
            ids.iter()
                .map(|id| (id.id(), id.encoding()))
                .eq(naive.external_ids.iter().map(|id| (&*id.id, &*id.encoding)))
        );
        assert!(event.destinations().iter().map(Destination::id).eq(naive.destinations.iter().map(|d| &**d)));
    }
}

/// The original worker's way: each message as a string in a map, with its number.
pub fn two_maps(events: &[IdGroupEvent<'_>]) -> HashMap<String, u64> {
    let mut map = HashMap::new();
    for event in events {
        let plain: Vec<&str> =
            event.destinations().iter().filter(|d| d.dedupes_on().is_none()).map(Destination::id).collect();
        if plain.is_empty() {
            continue;
        }
        for message in event.outbound_messages().iter() {
            *map.entry(render(message, &plain)).or_default() += 1;
        }
    }
    map
}

fn render(message: OutboundMessage<'_>, plain: &[&str]) -> String {
    let mut text = plain.join(",");
    for id in message.external_ids() {
        for part in [id.collection().as_str(), id.id_type(), id.id(), id.encoding()] {
            text.push('\n');
            text.push_str(part);
        }
    }
    text
}

/// Exactly the bytes that the groups and message ids of these events are the hashes of.
pub fn bytes_to_hash(update: &ProfileUpdate, events: &[IdGroupEvent<'_>]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for event in events {
        let mut ids: Vec<_> = event.id_group().external_ids().iter().collect();
        ids.sort_by_key(|id| id.key());
        let mut bytes = b"idgroup/1".to_vec();
        for id in ids {
            for part in [id.collection().as_str(), id.id_type(), id.id()] {
                push_prefixed(&mut bytes, part);
            }
        }
        assert_eq!(Sha256::digest(&bytes)[..16], *event.id_group().hash().as_bytes());
        all.push(bytes);
        let mut bytes = message_prefix(update);
        bytes.extend(event.id_group().hash().as_bytes());
        assert_eq!(Sha256::digest(&bytes)[..16], *event.message_id().as_bytes());
        all.push(bytes);
    }
    all
}

pub fn sha256_floor(bytes_to_hash: &[Vec<u8>]) {
    for bytes in bytes_to_hash {
        black_box(Sha256::digest(black_box(bytes)));
    }
}

fn message_prefix(update: &ProfileUpdate) -> Vec<u8> {
    let mut bytes = b"idgroup/message/1".to_vec();
    for part in [update.space_id(), update.computation().id(), update.profile_id(), update.id()] {
        push_prefixed(&mut bytes, part);
    }
    bytes
}

fn push_prefixed(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
    bytes.extend(text.as_bytes());
}

fn hex(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(hex, "{byte:02x}").unwrap();
    }
    hex
}
