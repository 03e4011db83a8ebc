//! The decision again, as naively as it can be written, to check the library against.
//!
//! It shares no code with the library and none of its ideas: plain structs, every list copied and
//! sorted, every question asked by looking at everything. It is written from the rules, one
//! sentence of the rules per function, and is meant to be obviously right rather than good.
#![allow(dead_code, reason = "each test crate uses its own part")]
#![allow(clippy::struct_field_names, reason = "fields have their names on the wire")]

pub mod build;
pub mod memory;
pub mod wire;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use wire::{in_utc, membership};

/// A moment, as a count of ticks. How a tick is written down is up to [`rfc3339`](wire::rfc3339).
pub type Tick = u8;

pub const TICKS: Tick = 6;

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
    pub subscribed: Option<bool>,
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
    /// A type, and `latest`, `first` or `all`.
    pub id_strategies: Option<Vec<(&'static str, &'static str)>>,
    /// `required` or `not_refused`.
    pub consent: Option<&'static str>,
}

impl Destination {
    /// One that says nothing about itself.
    pub fn named(id: &'static str) -> Self {
        Self { id, name: None, dedupes_on: None, id_strategies: None, consent: None }
    }

    pub fn takes_all(&self) -> bool {
        self.dedupes_on.is_none() && self.id_strategies.is_none() && self.consent.is_none()
    }
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
/// an encoding beats `none`, the smallest one wins; of what is known of subscription, `false` beats `true`.
/// Only then does `attached_at` default to `created_at`.
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
            subscribed: if same().any(|other| other.subscribed == Some(false)) {
                Some(false)
            } else if same().any(|other| other.subscribed == Some(true)) {
                Some(true)
            } else {
                None
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
    let with_consent: Vec<Id> =
        all.iter().filter(|id| has_consent(id, update, destination)).copied().collect();
    let verdict = verdict_over(&with_consent, update, destination);
    let whatever_the_consent = verdict_over(&all, update, destination);
    match verdict {
        // Where the check would not hold but for consent.
        Verdict::Drop("no_relevant_external_id" | "added_id_not_relevant" | "no_external_ids")
            if verdict != whatever_the_consent =>
        {
            Verdict::Drop("no_consent")
        }
        verdict => verdict,
    }
}

/// At its exits a plain destination gets all, so that whatever was ever sent can be taken back.
pub fn has_consent(id: &Id, update: &Update, destination: &Destination) -> bool {
    if destination.dedupes_on.is_none() && !update.is_in {
        return true;
    }
    match destination.consent {
        None => true,
        Some("required") => id.subscribed == Some(true),
        Some("not_refused") => id.subscribed != Some(false),
        Some(other) => panic!("no such consent: {other}"),
    }
}

/// The verdict if these were all the IDs that there are.
fn verdict_over(ids: &[Id], update: &Update, destination: &Destination) -> Verdict {
    match &destination.dedupes_on {
        None => plain_verdict(update, destination, ids),
        Some(types) => deduping_verdict(update, destination, types, ids),
    }
}

fn plain_verdict(update: &Update, destination: &Destination, all: &[Id]) -> Verdict {
    let sent: Vec<Id> = match &destination.id_strategies {
        None => all.to_vec(),
        Some(strategies) => strategies
            .iter()
            .flat_map(|(kind, strategy)| {
                let strategy = if update.is_in { strategy } else { "all" };
                chosen(strategy, kind, all)
            })
            .collect(),
    };
    match sent.is_empty() {
        true => Verdict::Drop("no_external_ids"),
        false => Verdict::Send(in_event_order(sent)),
    }
}

/// Of the IDs of a type the latest, the first, which is the smallest in the order of latest, or all.
pub fn chosen(strategy: &str, kind: &str, ids: &[Id]) -> Vec<Id> {
    let of_this_type = ids.iter().filter(|id| id.key.kind == kind).copied();
    match strategy {
        "latest" => of_this_type.max_by(|a, b| latest_order(a).cmp(&latest_order(b))).into_iter().collect(),
        "first" => of_this_type.min_by(|a, b| latest_order(a).cmp(&latest_order(b))).into_iter().collect(),
        "all" => of_this_type.collect(),
        other => panic!("no such strategy: {other}"),
    }
}

fn deduping_verdict(update: &Update, destination: &Destination, types: &[&str], all: &[Id]) -> Verdict {
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
        .flat_map(|kind| {
            let mut strategies = destination.id_strategies.iter().flatten();
            let strategy = strategies.find(|(of, _)| of == kind).map_or("latest", |(_, strategy)| *strategy);
            chosen(strategy, kind, &relevant)
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
