//! From updates and memories to what the library decides, each distinct case once.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use idgroup::{
    Completeness, Computation, Consent, Destination, Destinations, ExternalId, ExternalIdKey, IdGroupEvent,
    Membership, Memory, MergedProfile, ProfileUpdate, Timestamp, Trigger, decide, memory,
};

use super::world::{Consents, IDS, List, PROFILES, Reason, Told, Update};
use crate::engine::{Mix, set_of};
use crate::ids::{IdSet, KNOWN_IDS, Types};

/// The types that each destination dedupes on.
pub const DEDUPING: [Types; 2] = [0b01, 0b11];
pub const DESTINATION_IDS: [&str; DEDUPING.len()] = ["dst_email", "dst_both"];
const PROFILE_IDS: [&str; PROFILES] = ["use_a", "use_b", "use_c"];

/// What each destination is sent.
pub type Sent = [IdSet; DEDUPING.len()];
/// The memories of the profiles, as the engine knows them: 0 is empty.
pub type Memories = [u32; PROFILES];

pub struct Engine {
    pub told: Told,
    pub completeness: Completeness,
    pub destinations: Destinations,
    memories: Vec<Memory>,
    known: HashMap<Vec<u8>, u32>,
    decided: HashMap<(Case, [u32; 2]), Decided, BuildHasherDefault<Mix>>,
    inferred: HashMap<Case, Sent, BuildHasherDefault<Mix>>,
    pub decisions: u64,
}

/// All of an update that a decision depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Case {
    number: usize,
    profile: usize,
    step: u8,
    reason: Reason,
    is_in: bool,
    list: List,
}

#[derive(Clone, Copy)]
pub struct Decided {
    pub sent: Sent,
    own: u32,
    other: u32,
}

impl Engine {
    pub fn new(told: Told, completeness: Completeness) -> Self {
        let deduping = DESTINATION_IDS.iter().zip(DEDUPING).map(|(id, types)| {
            let types = ["email", "phone"].into_iter().enumerate().filter(|(bit, _)| types & (1 << bit) != 0);
            let destination =
                Destination::new(*id).unwrap().deduping_on(types.map(|(_, name)| name)).unwrap();
            match (told.consent, *id) {
                (Consents::NotAskedFor, _) => destination,
                (_, "dst_both") => destination.with_consent(Consent::NotRefused),
                _ => destination.with_consent(Consent::Required),
            }
        });
        let empty = Memory::default();
        Self {
            told,
            completeness,
            destinations: Destinations::new(deduping).unwrap(),
            known: HashMap::from([(empty.to_bytes(), 0)]),
            memories: vec![empty],
            decided: HashMap::default(),
            inferred: HashMap::default(),
            decisions: 0,
        }
    }

    /// Decides the update with this number, and changes the memories.
    pub fn remember(&mut self, number: usize, update: &Update, list: &List, memories: &mut Memories) -> Sent {
        self.decisions += 1;
        let other = update.other();
        let (own_before, other_before) = (memories[update.profile], other.map_or(0, |other| memories[other]));
        let key = (case(number, update, list), [own_before, other_before]);
        let known = self.decided.get(&key).copied();
        let decided = known.unwrap_or_else(|| self.decide_afresh(&key.0, key.1));
        self.decided.insert(key, decided);
        memories[update.profile] = decided.own;
        if let Some(other) = other {
            memories[other] = decided.other;
        }
        decided.sent
    }

    /// Decides without a memory.
    pub fn infer(&mut self, number: usize, update: &Update, list: &List) -> Sent {
        let case = case(number, update, list);
        if let Some(sent) = self.inferred.get(&case) {
            return *sent;
        }
        let sent = sent(&decide(&self.update(&case), &self.destinations));
        self.inferred.insert(case, sent);
        sent
    }

    pub fn memory(&self, id: u32) -> &Memory {
        &self.memories[id as usize]
    }

    fn decide_afresh(&mut self, case: &Case, before: [u32; 2]) -> Decided {
        let update = self.update(case);
        let mut before = before.into_iter();
        let recalled = memory::keys(&update, 0).recall(|_| self.memory(before.next().unwrap()).clone());
        let decision = memory::decide(recalled, &self.destinations, self.completeness);
        let sent = sent(decision.events());
        assert!(!sent.iter().any(|ids| ids.meets(case.list.refusing)), "{sent:?} of {case:?}");
        // Through the bytes, as a store would have it.
        let after: Vec<Vec<u8>> = decision.memories().map(|(_, memory)| memory.to_bytes()).collect();
        let ids: Vec<u32> = after.into_iter().map(|bytes| self.intern(bytes)).collect();
        Decided { sent, own: ids[0], other: ids.get(1).copied().unwrap_or_default() }
    }

    fn intern(&mut self, bytes: Vec<u8>) -> u32 {
        let next = u32::try_from(self.memories.len()).unwrap();
        *self.known.entry(bytes).or_insert_with_key(|bytes| {
            self.memories.push(Memory::from_bytes(bytes).unwrap());
            next
        })
    }

    /// The update with this number, delivered with this list.
    pub fn delivered(&self, number: usize, update: &Update, list: &List) -> ProfileUpdate {
        self.update(&case(number, update, list))
    }

    fn update(&self, case: &Case) -> ProfileUpdate {
        let keys = |ids: IdSet| ids.iter().map(key_of).collect::<Vec<_>>();
        let trigger = match case.reason {
            Reason::Changed => Trigger::ValueChanged,
            Reason::NewIds { added } => Trigger::new_external_id(keys(added)).unwrap(),
            Reason::Removed { id } => Trigger::external_id_removed([key_of(id)]).unwrap(),
            Reason::Merged { from, were_in, held } => {
                let profiles = [case.profile, from].into_iter().zip(were_in).enumerate();
                Trigger::profile_merge(profiles.map(|(position, (profile, was_in))| {
                    let profile = MergedProfile::new(PROFILE_IDS[profile], membership(was_in)).unwrap();
                    match held {
                        Some(held) => profile.holding(keys(held[position])),
                        None => profile,
                    }
                }))
                .unwrap()
            }
        };
        let ids = (0..IDS).filter_map(|id| {
            let (first_seen, attached) = case.list.held[id]?;
            let subscribed = !case.list.refusing.meets(IdSet(1 << id));
            let asked_for = self.told.consent != Consents::NotAskedFor;
            let listed = ExternalId::from(key_of(id)).maybe_subscribed(asked_for.then_some(subscribed));
            Some(match self.told.timed.meets(IdSet(1 << id)) {
                true => listed.with_created_at(at(first_seen)).with_attached_at(at(attached)),
                false => listed,
            })
        });
        ProfileUpdate::builder()
            .id(format!("upd_{}", case.number))
            .space_id("spa_1")
            .profile_id(PROFILE_IDS[case.profile])
            .computation(Computation::new("aud_1").unwrap())
            .membership(membership(case.is_in))
            .computed_at(at(case.step))
            .trigger(trigger)
            .external_ids(ids)
            .build()
            .unwrap()
    }
}

fn case(number: usize, update: &Update, list: &List) -> Case {
    let Update { profile, step, reason, is_in, .. } = *update;
    Case { number, profile, step, reason, is_in, list: *list }
}

pub fn sent(events: &[IdGroupEvent<'_>]) -> Sent {
    let mut sent = [IdSet::NONE; DEDUPING.len()];
    for event in events {
        for destination in event.destinations() {
            let position = DESTINATION_IDS.iter().position(|id| *id == destination.id()).unwrap();
            sent[position] = set_of(event.id_group().external_ids().iter());
        }
    }
    sent
}

fn membership(is_in: bool) -> Membership {
    if is_in { Membership::In } else { Membership::Out }
}

fn key_of(id: usize) -> ExternalIdKey {
    ExternalIdKey::new(KNOWN_IDS[id].0, KNOWN_IDS[id].1).unwrap()
}

fn at(step: u8) -> Timestamp {
    Timestamp::from_unix_nanoseconds(1_767_600_000_000_000_000 + i128::from(step) * 250_000_000).unwrap()
}
