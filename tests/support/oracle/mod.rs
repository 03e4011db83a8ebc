//! The decision again, as naively as it can be written, to check the library against.
//!
//! It shares no code with the library and none of its ideas: plain structs, every list copied and
//! sorted, every question asked by looking at everything. It is written from the rules, one
//! sentence of the rules per function, and is meant to be obviously right rather than good.
#![allow(dead_code, reason = "each test crate uses its own part")]
#![allow(clippy::struct_field_names, reason = "fields have their names on the wire")]

pub mod build;
pub mod memory;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A moment, as a count of ticks. How a tick is written down is up to [`rfc3339`].
pub type Tick = u8;

pub const USERS: &str = "users";
pub const ACCOUNTS: &str = "accounts";

/// What makes two listed IDs the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key {
    pub collection: &'static str,
    pub kind: &'static str,
    pub id: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Id {
    pub key: Key,
    pub encoding: &'static str,
    pub created_at: Option<Tick>,
    pub attached_at: Option<Tick>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Profile {
    pub profile_id: &'static str,
    pub is_in: bool,
    pub external_ids: Option<Vec<Key>>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Trigger {
    ValueChanged,
    NewExternalId(Vec<Key>),
    ProfileMerge(Vec<Profile>),
    ExternalIdRemoved(Vec<Key>),
}

impl Trigger {
    pub fn reason(&self) -> &'static str {
        match self {
            Trigger::ValueChanged => "value_changed",
            Trigger::NewExternalId(_) => "new_external_id",
            Trigger::ProfileMerge(_) => "profile_merge",
            Trigger::ExternalIdRemoved(_) => "external_id_removed",
        }
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Update {
    pub id: &'static str,
    pub space_id: &'static str,
    pub profile_id: &'static str,
    pub class: &'static str,
    pub computation_id: &'static str,
    pub computation_key: &'static str,
    pub is_in: bool,
    pub computed_at: Option<Tick>,
    pub trigger: Trigger,
    pub external_ids: Vec<Id>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Destination {
    pub id: &'static str,
    pub name: Option<&'static str>,
    pub dedupes_on: Option<Vec<&'static str>>,
}

/// What one destination gets: the IDs, in the order of the event, or why there is nothing.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Verdict {
    Send(Vec<Id>),
    Drop(&'static str),
}

impl Verdict {
    pub fn name(&self) -> &'static str {
        match self {
            Verdict::Send(_) => "send",
            Verdict::Drop(reason) => reason,
        }
    }
}

/// One event before it is written down: the IDs in order, and the destinations in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    pub external_ids: Vec<Id>,
    pub destinations: Vec<&'static str>,
}

// ---------------------------------------------------------------------------------------------
// The list of IDs
// ---------------------------------------------------------------------------------------------

/// The same identity counts once. A known time beats an unknown one, the earliest known one wins;
/// an encoding beats `none`, the smallest one wins. Only then does `attached_at` default to `created_at`.
pub fn listed_once(listed: &[Id]) -> Vec<Id> {
    let mut once: Vec<Id> = Vec::new();
    for id in listed {
        if once.iter().any(|seen| seen.key == id.key) {
            continue;
        }
        let same = || listed.iter().filter(|other| other.key == id.key);
        let created_at = same().filter_map(|other| other.created_at).min();
        let attached_at = same().filter_map(|other| other.attached_at).min();
        let encodings = same().map(|other| other.encoding);
        once.push(Id {
            key: id.key,
            encoding: encodings.filter(|encoding| *encoding != "none").min().unwrap_or("none"),
            created_at,
            attached_at: match attached_at {
                Some(known) => Some(known),
                None => created_at,
            },
        });
    }
    once
}

/// An unknown time is before every known one.
fn time(tick: Option<Tick>) -> i32 {
    match tick {
        None => -1,
        Some(tick) => i32::from(tick),
    }
}

/// *Latest* is greatest by this.
fn latest_order(id: &Id) -> (i32, &[u8], &[u8], &[u8]) {
    (time(id.created_at), id.key.collection.as_bytes(), id.key.kind.as_bytes(), id.key.id.as_bytes())
}

/// *Came earlier* is smaller by this.
fn came_order(id: &Id) -> (i32, &[u8], &[u8], &[u8]) {
    (time(id.attached_at), id.key.collection.as_bytes(), id.key.kind.as_bytes(), id.key.id.as_bytes())
}

/// By type; within a type from latest to earliest.
fn in_event_order(mut ids: Vec<Id>) -> Vec<Id> {
    ids.sort_by(|a, b| {
        let by_type = a.key.kind.as_bytes().cmp(b.key.kind.as_bytes());
        by_type.then(latest_order(b).cmp(&latest_order(a)))
    });
    ids
}

// ---------------------------------------------------------------------------------------------
// The verdict on one destination
// ---------------------------------------------------------------------------------------------

pub fn verdict(update: &Update, destination: &Destination) -> Verdict {
    let all = listed_once(&update.external_ids);
    match &destination.dedupes_on {
        None if all.is_empty() => Verdict::Drop("no_external_ids"),
        None => Verdict::Send(in_event_order(all)),
        Some(types) => deduping_verdict(update, types, &all),
    }
}

fn deduping_verdict(update: &Update, types: &[&str], all: &[Id]) -> Verdict {
    let visible: Vec<Id> = match update.computed_at {
        None => all.to_vec(),
        Some(computed_at) => all
            .iter()
            .filter(|id| match id.attached_at {
                None => true,
                Some(attached_at) => attached_at <= computed_at,
            })
            .copied()
            .collect(),
    };
    let relevant: Vec<Id> = visible.iter().filter(|id| types.contains(&id.key.kind)).copied().collect();
    let distinct_types: BTreeSet<&str> = types.iter().copied().collect();
    let selection: Vec<Id> = distinct_types
        .iter()
        .filter_map(|kind| {
            let of_this_type = relevant.iter().filter(|id| id.key.kind == *kind);
            of_this_type.max_by_key(|id| latest_order(id)).copied()
        })
        .collect();
    let send = Verdict::Send(in_event_order(selection));

    match &update.trigger {
        Trigger::ValueChanged => {
            if !update.is_in {
                Verdict::Drop("exited")
            } else if relevant.is_empty() {
                Verdict::Drop("no_relevant_external_id")
            } else {
                send
            }
        }
        Trigger::NewExternalId(added) => {
            let (new, old): (Vec<Id>, Vec<Id>) = relevant.iter().partition(|id| added.contains(&id.key));
            let came_earlier_than_every_new =
                |id: &Id| new.iter().all(|new_id| came_order(id) < came_order(new_id));
            if !update.is_in {
                Verdict::Drop("not_a_member")
            } else if new.is_empty() {
                Verdict::Drop("added_id_not_relevant")
            } else if old.iter().any(came_earlier_than_every_new) {
                Verdict::Drop("already_messaged")
            } else {
                send
            }
        }
        Trigger::ProfileMerge(profiles) => {
            let was_messaged = |profile: &Profile| {
                let held = profile.external_ids.iter().flatten();
                profile.is_in && held.into_iter().any(|key| types.contains(&key.kind))
            };
            let may_have_been = |profile: &Profile| profile.is_in && profile.external_ids.is_none();
            if !update.is_in {
                Verdict::Drop("not_a_member")
            } else if profiles.iter().any(was_messaged) {
                Verdict::Drop("already_messaged")
            } else if profiles.iter().any(may_have_been) {
                Verdict::Drop("may_have_been_messaged")
            } else if relevant.is_empty() {
                Verdict::Drop("no_relevant_external_id")
            } else {
                send
            }
        }
        Trigger::ExternalIdRemoved(_) => Verdict::Drop("external_id_removed"),
    }
}

// ---------------------------------------------------------------------------------------------
// The events
// ---------------------------------------------------------------------------------------------

fn key_set(ids: &[Id]) -> BTreeSet<Key> {
    ids.iter().map(|id| id.key).collect()
}

/// Destinations whose IDs are the same set share a group, however they came by it.
pub fn groups(verdicts: &[(&'static str, Verdict)]) -> Vec<Group> {
    let mut by_id = verdicts.to_vec();
    by_id.sort_by(|(a, _), (b, _)| a.as_bytes().cmp(b.as_bytes()));
    let mut groups: Vec<Group> = Vec::new();
    for (destination, verdict) in by_id {
        let Verdict::Send(ids) = verdict else {
            continue;
        };
        let same_set = groups.iter_mut().find(|group| key_set(&group.external_ids) == key_set(&ids));
        match same_set {
            Some(group) => group.destinations.push(destination),
            None => groups.push(Group { external_ids: ids, destinations: vec![destination] }),
        }
    }
    groups // by first destination already: destinations were visited in order
}

/// The verdicts in the order of the destinations as given.
pub fn verdicts(update: &Update, destinations: &[Destination]) -> Vec<(&'static str, Verdict)> {
    destinations.iter().map(|destination| (destination.id, verdict(update, destination))).collect()
}

/// The events as they go over the wire.
pub fn events(update: &Update, destinations: &[Destination]) -> Value {
    groups(&verdicts(update, destinations)).iter().map(|group| event_json(update, group)).collect()
}

/// The flow without any dedupe: everything to everybody.
pub fn legacy_events(update: &Update, destinations: &[Destination]) -> Value {
    let all = in_event_order(listed_once(&update.external_ids));
    if all.is_empty() || destinations.is_empty() {
        return json!([]);
    }
    let mut ids: Vec<&'static str> = destinations.iter().map(|to| to.id).collect();
    ids.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    let group = Group { external_ids: all, destinations: ids };
    json!([event_json(update, &group)])
}

pub fn event_json(update: &Update, group: &Group) -> Value {
    let hash = group_hash(&group.external_ids);
    let external_ids: Vec<Value> = group
        .external_ids
        .iter()
        .map(|id| {
            json!({
                "type": id.key.kind,
                "id": id.key.id,
                "collection": id.key.collection,
                "encoding": id.encoding,
            })
        })
        .collect();
    let mut event = json!({
        "message_id": message_id(update, &hash),
        "update_id": update.id,
        "space_id": update.space_id,
        "profile_id": update.profile_id,
        "computation": {
            "class": update.class, "id": update.computation_id, "key": update.computation_key,
        },
        "membership": membership(update.is_in),
        "reason": update.trigger.reason(),
        "id_group": { "hash": hex(&hash), "external_ids": external_ids },
        "destinations": group.destinations,
    });
    if let Some(tick) = update.computed_at {
        event["computed_at"] = json!(in_utc(tick));
    }
    event
}

/// The byte length as four bytes, most significant first, then the bytes.
fn with_length(text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).expect("tests have short strings");
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend(text.as_bytes());
    bytes
}

fn first_half_of_sha256(bytes: &[u8]) -> [u8; 16] {
    let whole: [u8; 32] = Sha256::digest(bytes).into();
    let mut half = [0; 16];
    half.copy_from_slice(&whole[..16]);
    half
}

pub fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte / 16, byte % 16]);
    digits.map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])).collect()
}

pub fn group_hash(ids: &[Id]) -> [u8; 16] {
    let mut bytes = b"idgroup/1".to_vec();
    // a set of keys iterates by collection, type, id
    for key in key_set(ids) {
        bytes.extend(with_length(key.collection));
        bytes.extend(with_length(key.kind));
        bytes.extend(with_length(key.id));
    }
    first_half_of_sha256(&bytes)
}

pub fn message_id(update: &Update, hash: &[u8; 16]) -> String {
    let mut bytes = b"idgroup/message/1".to_vec();
    bytes.extend(with_length(update.space_id));
    bytes.extend(with_length(update.computation_id));
    bytes.extend(with_length(update.profile_id));
    bytes.extend(with_length(update.id));
    bytes.extend(hash);
    format!("idg_{}", hex(&first_half_of_sha256(&bytes)))
}

// ---------------------------------------------------------------------------------------------
// The input as it goes over the wire
// ---------------------------------------------------------------------------------------------

/// Ticks are a nanosecond, a second or an hour apart, and written with several offsets and with
/// more or fewer digits, so that comparing them as texts, or rounding them, shows.
pub fn rfc3339(tick: Tick) -> &'static str {
    match tick {
        0 => "2025-12-31T23:59:59.999999999Z",
        1 => "2026-01-01T00:00:00Z",
        2 => "2026-01-01T05:30:00.000000001+05:30",
        3 => "2025-12-31T16:00:00.5-08:00",
        4 => "2026-01-01T00:00:01Z",
        5 => "2026-01-01T02:00:00.250+01:00",
        _ => panic!("there are six ticks"),
    }
}

pub const TICKS: Tick = 6;

/// The same moments as they go out: in UTC, with as few digits as say it all.
fn in_utc(tick: Tick) -> &'static str {
    match tick {
        2 => "2026-01-01T00:00:00.000000001Z",
        3 => "2026-01-01T00:00:00.5Z",
        5 => "2026-01-01T01:00:00.25Z",
        _ => rfc3339(tick),
    }
}

impl Key {
    pub fn to_json(self) -> Value {
        json!({"type": self.kind, "id": self.id, "collection": self.collection})
    }
}

impl Id {
    pub fn to_json(self) -> Value {
        let mut json = self.key.to_json();
        json["encoding"] = json!(self.encoding);
        if let Some(tick) = self.created_at {
            json["created_at"] = json!(rfc3339(tick));
        }
        if let Some(tick) = self.attached_at {
            json["attached_at"] = json!(rfc3339(tick));
        }
        json
    }
}

fn membership(is_in: bool) -> &'static str {
    if is_in { "in" } else { "out" }
}

fn keys_json(keys: &[Key]) -> Value {
    keys.iter().map(|key| key.to_json()).collect()
}

impl Profile {
    pub fn to_json(&self) -> Value {
        let mut json = json!({
            "profile_id": self.profile_id,
            "membership": membership(self.is_in),
        });
        if let Some(keys) = &self.external_ids {
            json["external_ids"] = keys_json(keys);
        }
        json
    }
}

impl Update {
    pub fn to_json(&self) -> Value {
        let mut trigger = json!({"reason": self.trigger.reason()});
        match &self.trigger {
            Trigger::ValueChanged => {}
            Trigger::NewExternalId(added) => trigger["added"] = keys_json(added),
            Trigger::ProfileMerge(profiles) => {
                trigger["profiles"] = profiles.iter().map(Profile::to_json).collect();
            }
            Trigger::ExternalIdRemoved(removed) => trigger["removed"] = keys_json(removed),
        }
        let mut json = json!({
            "id": self.id,
            "space_id": self.space_id,
            "profile_id": self.profile_id,
            "computation": {
                "class": self.class,
                "id": self.computation_id,
                "key": self.computation_key,
            },
            "membership": membership(self.is_in),
            "trigger": trigger,
            "external_ids": self.external_ids.iter().map(|id| id.to_json()).collect::<Value>(),
        });
        if let Some(tick) = self.computed_at {
            json["computed_at"] = json!(rfc3339(tick));
        }
        json
    }
}

impl Destination {
    pub fn to_json(&self) -> Value {
        let mut json = json!({"id": self.id});
        if let Some(name) = self.name {
            json["name"] = json!(name);
        }
        if let Some(types) = &self.dedupes_on {
            json["dedupes_on"] = json!(types);
        }
        json
    }
}

pub fn destinations_json(destinations: &[Destination]) -> Value {
    destinations.iter().map(Destination::to_json).collect()
}
