//! From what the world emits to what the library decides about it.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use idgroup::{
    Consent, Destination, Destinations, ExternalId, ExternalIdKey, Membership, MergedProfile, ProfileUpdate,
    Timestamp, Trigger, decide, explain,
};

use crate::build::entry;
use crate::ids::{IdSet, KNOWN_IDS};
use crate::rules::Consents;
use crate::world::{DEDUPING, IDS};

/// A profile before a merge: whether it was a member, and what the merge states that it held.
pub type Before = (bool, Option<IdSet>);

#[derive(Clone, Copy, Debug)]
pub enum Reason {
    /// Entered or left.
    Changed,
    NewIds {
        added: IdSet,
    },
    Merged {
        profiles: [Before; 2],
    },
    Removed {
        id: usize,
    },
}

/// An ID in a looked-up list.
#[derive(Clone, Copy, Debug)]
pub struct Listed {
    pub created_at: Option<u8>,
    pub attached_at: Option<u8>,
    pub refuses: bool,
}

/// An update together with a list that was looked up for it: all that a decision depends on, but for
/// the update's own id.
#[derive(Clone, Copy, Debug)]
pub struct Input {
    pub reason: Reason,
    pub member: bool,
    pub computed_at: Option<u8>,
    pub list: [Option<Listed>; IDS],
    /// Whether it is told which IDs refuse.
    pub consent: Consents,
}

/// What each deduping destination is sent.
pub type Sent = [IdSet; DEDUPING.len()];

/// Decides with the library, each distinct input once.
pub struct Engine {
    destinations: Destinations,
    known: HashMap<u128, Sent, BuildHasherDefault<Mix>>,
    pub lookups: u64,
    /// What was looked up in one history, for telling it.
    pub log: Option<Vec<Lookup>>,
}

#[derive(Clone, Copy, Debug)]
pub struct Lookup {
    pub update: usize,
    pub after_step: u8,
    pub input: Input,
    pub sent: Sent,
}

pub const DESTINATION_IDS: [&str; DEDUPING.len()] = ["dst_email", "dst_phone", "dst_both"];
const PLAIN: &str = "dst_plain";

impl Engine {
    pub fn new(consent: Consents) -> Self {
        let deduping = DESTINATION_IDS.iter().zip(DEDUPING).map(|(id, types)| {
            let types = ["email", "phone"].into_iter().enumerate().filter(|(bit, _)| types & (1 << bit) != 0);
            let destination =
                Destination::new(*id).unwrap().deduping_on(types.map(|(_, name)| name)).unwrap();
            match (consent, *id) {
                (Consents::NotAskedFor, _) => destination,
                (Consents::AskedFor, "dst_both") => destination.with_consent(Consent::NotRefused),
                (Consents::AskedFor, _) => destination.with_consent(Consent::Required),
            }
        });
        let plain = Destination::new(PLAIN).unwrap();
        let destinations = Destinations::new(deduping.chain([plain])).unwrap();
        Self { destinations, known: HashMap::default(), lookups: 0, log: None }
    }

    /// How many different updates with their lists the library has decided.
    pub fn distinct_inputs(&self) -> usize {
        self.known.len()
    }

    pub fn destinations(&self) -> &Destinations {
        &self.destinations
    }

    pub fn decide(&mut self, input: &Input, update: usize, after_step: u8) -> Sent {
        self.lookups += 1;
        let destinations = &self.destinations;
        let sent = *self.known.entry(input.key()).or_insert_with(|| decide_afresh(input, destinations));
        if let Some(log) = &mut self.log {
            log.push(Lookup { update, after_step, input: *input, sent });
        }
        sent
    }

    /// The update's lookups so far came too early to count.
    pub fn forget(&mut self, update: usize) {
        if let Some(log) = &mut self.log {
            log.retain(|lookup| lookup.update != update);
        }
    }

    /// The library's own word for what it decided about a destination.
    pub fn verdict(&self, input: &Input, destination: usize) -> String {
        let update = input.update("upd", "use");
        let explanation = explain(&update, &self.destinations);
        let verdict = explanation.of(DESTINATION_IDS[destination]).unwrap();
        match verdict.verdict().drop_reason() {
            Some(reason) => format!("sends nothing ({reason})"),
            None => format!("sends to {}", set_of(verdict.external_ids().iter()).in_words()),
        }
    }
}

fn decide_afresh(input: &Input, destinations: &Destinations) -> Sent {
    let update = input.update("upd", "use");
    let mut sent = [IdSet::NONE; DEDUPING.len()];
    let mut plain = IdSet::NONE;
    for event in decide(&update, destinations) {
        let ids = set_of(event.id_group().external_ids().iter());
        for destination in event.destinations() {
            match DESTINATION_IDS.iter().position(|id| *id == destination.id()) {
                Some(position) => sent[position] = ids,
                None => plain = ids,
            }
        }
    }
    let refuses = |id: &usize| input.list[*id].is_some_and(|listed| listed.refuses);
    let refusing: IdSet = (0..IDS).filter(refuses).collect();
    assert!(!sent.iter().any(|ids| ids.meets(refusing)), "{sent:?} of {input:?}");
    // The control: a plain destination gets every update with the whole list.
    let list: IdSet = (0..IDS).filter(|&id| input.list[id].is_some()).collect();
    assert_eq!(plain, list, "the plain destination, sent {input:?}");
    sent
}

pub fn set_of<'a>(ids: impl Iterator<Item = &'a ExternalId>) -> IdSet {
    ids.map(|id| KNOWN_IDS.iter().position(|known| known.1 == id.id()).unwrap()).collect()
}

impl Input {
    pub fn update(&self, id: &str, profile_id: &str) -> ProfileUpdate {
        let keys = |ids: IdSet| ids.iter().map(key_of).collect::<Vec<_>>();
        let membership_of = |member| if member { Membership::In } else { Membership::Out };
        let trigger = match self.reason {
            Reason::Changed => Trigger::ValueChanged,
            Reason::NewIds { added } => Trigger::new_external_id(keys(added)).unwrap(),
            Reason::Removed { id } => Trigger::external_id_removed([key_of(id)]).unwrap(),
            Reason::Merged { profiles } => Trigger::profile_merge(
                [profile_id, "use_absorbed"].into_iter().zip(&profiles).map(|(id, (member, held))| {
                    let profile = MergedProfile::new(id, membership_of(*member)).unwrap();
                    match held {
                        Some(held) => profile.holding(keys(*held)),
                        None => profile,
                    }
                }),
            )
            .unwrap(),
        };
        let ids = (0..IDS).filter_map(|id| {
            let listed = self.list[id]?;
            let is_told = self.consent == Consents::AskedFor;
            let subscribed = is_told.then_some(!listed.refuses);
            let mut external_id = ExternalId::from(key_of(id)).maybe_subscribed(subscribed);
            if let Some(created_at) = listed.created_at {
                external_id = external_id.with_created_at(at(created_at));
            }
            if let Some(attached_at) = listed.attached_at {
                external_id = external_id.with_attached_at(at(attached_at));
            }
            Some(external_id)
        });
        let update = entry()
            .id(id)
            .profile_id(profile_id)
            .membership(membership_of(self.member))
            .trigger(trigger)
            .external_ids(ids);
        match self.computed_at {
            Some(computed_at) => update.computed_at(at(computed_at)).build().unwrap(),
            None => update.build().unwrap(),
        }
    }

    /// The whole input in one number, so that it is found fast: equal if and only if the inputs are.
    fn key(&self) -> u128 {
        let mut key = 0;
        let mut push = |bits: u32, value: u8| {
            assert!(u32::from(value) < 1 << bits, "{value} does not fit");
            key = (key << bits) | u128::from(value);
        };
        let time = |time: Option<u8>| time.map_or(0, |time| time + 1);
        match self.reason {
            Reason::Changed => push(2, 0),
            Reason::NewIds { added } => {
                push(4, added.0);
                push(2, 1);
            }
            Reason::Merged { profiles } => {
                for (member, held) in profiles {
                    push(1, u8::from(member));
                    push(5, held.map_or(16, |held| held.0));
                }
                push(2, 2);
            }
            Reason::Removed { id } => {
                push(2, u8::try_from(id).unwrap());
                push(2, 3);
            }
        }
        push(1, u8::from(self.member));
        push(7, time(self.computed_at));
        for listed in self.list {
            push(1, u8::from(listed.is_some()));
            push(1, u8::from(listed.is_some_and(|listed| listed.refuses)));
            push(7, time(listed.and_then(|listed| listed.created_at)));
            push(7, time(listed.and_then(|listed| listed.attached_at)));
        }
        key
    }
}

fn key_of(id: usize) -> ExternalIdKey {
    ExternalIdKey::new(KNOWN_IDS[id].0, KNOWN_IDS[id].1).unwrap()
}

fn at(tick: u8) -> Timestamp {
    Timestamp::from_unix_nanoseconds(1_767_600_000_000_000_000 + i128::from(tick) * 250_000_000).unwrap()
}

/// A hash for keys that are numbers already.
#[derive(Default)]
pub struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(byte.into());
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(29) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 ^= self.0 >> 32;
    }

    #[allow(clippy::cast_possible_truncation, reason = "the two halves")]
    fn write_u128(&mut self, value: u128) {
        self.write_u64(value as u64);
        self.write_u64((value >> 64) as u64);
    }
}
