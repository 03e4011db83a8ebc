//! Decisions with memories, as naively as the rest: a memory is a map, and every rule is a sentence.

use std::collections::BTreeMap;

use super::{
    Destination, Id, Profile, Trigger, Update, Verdict, came_order, chosen, has_consent, in_event_order,
    listed_once,
};

/// In nanoseconds after the first tick, so that there is a time between any two.
pub type Time = i128;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum By {
    Message { update: &'static str, ids: Vec<super::Key> },
    HandOver { to: &'static str },
    Assumption,
}

#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Memory {
    pub is_in: Option<bool>,
    pub since: Option<Time>,
    /// By the destination's id.
    pub settled: BTreeMap<&'static str, (Time, By)>,
}

/// The memories of all profiles.
pub type Memories = BTreeMap<&'static str, Memory>;

pub struct Turn<'t> {
    pub update: &'t Update,
    pub destinations: &'t [Destination],
    pub is_partial: bool,
    /// What a tick is in nanoseconds.
    pub nanoseconds: fn(super::Tick) -> Time,
    pub earliest: Time,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Course {
    Superseded,
    Silent,
    Staying,
}

impl Turn<'_> {
    /// The verdicts in the order of the destinations, and whether each is a repeat.
    pub fn take(&self, memories: &mut Memories) -> Vec<(Verdict, bool)> {
        let before = memories.entry(self.update.profile_id).or_default().clone();
        let newest = before.settled.values().map(|(at, _)| *at).chain(before.since).max();
        let after_all = newest.map_or(self.earliest, |newest| newest + 1);
        let at = self.update.computed_at.map_or(after_all, self.nanoseconds);
        let course = self.change(memories, at);
        let judged: Vec<_> = self
            .destinations
            .iter()
            .map(|to| self.judge(to, &memories[self.update.profile_id], course))
            .collect();
        for (to, judged) in self.destinations.iter().zip(&judged) {
            if let (Some(_), (Verdict::Send(ids), false)) = (&to.dedupes_on, judged) {
                let by = By::Message { update: self.update.id, ids: ids.iter().map(|id| id.key).collect() };
                settle(memories, self.update.profile_id, to.id, at, by);
            }
        }
        judged
    }

    fn change(&self, memories: &mut Memories, at: Time) -> Course {
        let own = memories.get_mut(self.update.profile_id).unwrap();
        if own.since.is_some_and(|since| at < since) {
            return Course::Superseded;
        }
        match (&self.update.trigger, self.update.is_in) {
            (Trigger::ExternalIdRemoved(_), _) | (Trigger::NewExternalId(_), false) => Course::Silent,
            (Trigger::ValueChanged | Trigger::ProfileMerge(_), false) => {
                (own.is_in, own.since) = (Some(false), Some(at));
                own.settled.retain(|_, (settled, _)| *settled > at);
                Course::Silent
            }
            (Trigger::ValueChanged, true) => {
                if own.is_in != Some(true) {
                    (own.is_in, own.since) = (Some(true), Some(at));
                    own.settled.retain(|_, (settled, _)| *settled >= at);
                }
                Course::Staying
            }
            (Trigger::NewExternalId(_), true) => {
                let is_first = own.is_in.is_none();
                own.is_in = Some(true);
                if self.is_partial && is_first {
                    for to in self.deduping().filter(|to| self.was_there_before(to)) {
                        settle(memories, self.update.profile_id, to.id, at, By::Assumption);
                    }
                }
                Course::Staying
            }
            (Trigger::ProfileMerge(profiles), true) => {
                self.merge(profiles, memories, at);
                Course::Staying
            }
        }
    }

    fn merge(&self, profiles: &[Profile], memories: &mut Memories, at: Time) {
        let own_id = self.update.profile_id;
        let own_was_in = profiles.iter().any(|profile| profile.is_in && profile.profile_id == own_id);
        let mut members: Vec<&Profile> = profiles.iter().filter(|profile| profile.is_in).collect();
        members.sort_by_key(|profile| profile.profile_id.as_bytes());
        for member in &members {
            memories.entry(member.profile_id).or_default();
        }
        let unknown: Vec<&Profile> = members
            .iter()
            .copied()
            .filter(|member| self.is_partial && memories[member.profile_id].is_in.is_none())
            .collect();
        let own = memories.get_mut(own_id).unwrap();
        let again = own.since == Some(at);
        if members.is_empty() {
            if !again {
                (own.is_in, own.since) = (Some(true), Some(at));
                own.settled.retain(|_, (settled, _)| *settled > at);
            }
            return;
        }
        if !own_was_in && !again {
            own.since = Some(at);
            own.settled.retain(|_, (settled, _)| *settled >= at);
        }
        own.is_in = Some(true);
        let others: Vec<&Profile> =
            members.iter().copied().filter(|member| member.profile_id != own_id).collect();
        for other in &others {
            for (destination, (settled, by)) in memories[other.profile_id].settled.clone() {
                if by != (By::HandOver { to: own_id }) {
                    settle(memories, own_id, destination, settled, by);
                }
            }
        }
        for to in self.deduping() {
            let types = to.dedupes_on.as_ref().unwrap();
            let may_have_been = |profile: &Profile| match &profile.external_ids {
                None => true,
                Some(keys) => keys.iter().any(|key| types.contains(&key.kind)),
            };
            let because: Vec<_> = unknown.iter().filter(|profile| may_have_been(profile)).collect();
            if !because.is_empty() {
                settle(memories, own_id, to.id, at, By::Assumption);
            }
            for other in &others {
                if !because.iter().any(|profile| profile.profile_id == other.profile_id) {
                    settle(memories, other.profile_id, to.id, at, By::HandOver { to: own_id });
                }
            }
        }
    }

    fn deduping(&self) -> impl Iterator<Item = &Destination> {
        self.destinations.iter().filter(|to| to.dedupes_on.is_some())
    }

    /// Those with consent.
    fn relevant(&self, to: &Destination) -> Vec<Id> {
        let whatever_the_consent = self.relevant_whatever_the_consent(to);
        whatever_the_consent.into_iter().filter(|id| has_consent(id, self.update, to)).collect()
    }

    fn relevant_whatever_the_consent(&self, to: &Destination) -> Vec<Id> {
        let is_visible = |id: &Id| match (self.update.computed_at, id.attached_at) {
            (Some(computed_at), Some(attached_at)) => attached_at <= computed_at,
            _ => true,
        };
        let types = to.dedupes_on.as_ref().unwrap();
        let listed = listed_once(&self.update.external_ids);
        listed.into_iter().filter(|id| is_visible(id) && types.contains(&id.key.kind)).collect()
    }

    fn is_added(&self, id: &Id) -> bool {
        matches!(&self.update.trigger, Trigger::NewExternalId(added) if added.contains(&id.key))
    }

    fn was_there_before(&self, to: &Destination) -> bool {
        let relevant = self.relevant(to);
        let added = || relevant.iter().filter(|id| self.is_added(id));
        let others = relevant.iter().filter(|id| !self.is_added(id));
        others.into_iter().any(|other| added().all(|added| came_order(other) < came_order(added)))
    }

    fn judge(&self, to: &Destination, own: &Memory, course: Course) -> (Verdict, bool) {
        let Some(types) = &to.dedupes_on else { return (super::verdict(self.update, to), false) };
        if course == Course::Silent {
            return (super::verdict(self.update, to), false);
        }
        match own.settled.get(to.id) {
            Some((_, By::Message { update, ids })) if *update == self.update.id => {
                let listed = listed_once(&self.update.external_ids);
                let again: Vec<Id> = listed.into_iter().filter(|id| ids.contains(&id.key)).collect();
                if again.len() < ids.len() {
                    return (Verdict::Drop("already_messaged"), false);
                }
                return match again.iter().all(|id| has_consent(id, self.update, to)) {
                    true => (Verdict::Send(in_event_order(again)), true),
                    false => (Verdict::Drop("no_consent"), false),
                };
            }
            _ if course == Course::Superseded => return (Verdict::Drop("superseded"), false),
            Some(_) => return (Verdict::Drop("already_messaged"), false),
            None => {}
        }
        let (relevant, all) = (self.relevant(to), self.relevant_whatever_the_consent(to));
        let is_new = matches!(self.update.trigger, Trigger::NewExternalId(_));
        let is_a_reason = |id: &&Id| !is_new || self.is_added(id);
        if relevant.iter().find(is_a_reason).is_none() {
            let reason = match all.iter().find(is_a_reason) {
                Some(_) => "no_consent",
                None if is_new => "added_id_not_relevant",
                None => "no_relevant_external_id",
            };
            return (Verdict::Drop(reason), false);
        }
        let mut kinds = types.clone();
        kinds.sort_unstable();
        kinds.dedup();
        let of_kind = |kind: &str| {
            let mut strategies = to.id_strategies.iter().flatten();
            let strategy = strategies.find(|(of, _)| *of == kind).map_or("latest", |(_, strategy)| *strategy);
            chosen(strategy, kind, &relevant)
        };
        (Verdict::Send(in_event_order(kinds.into_iter().flat_map(of_kind).collect())), false)
    }
}

fn settle(memories: &mut Memories, profile: &'static str, destination: &'static str, at: Time, by: By) {
    memories.entry(profile).or_default().settled.entry(destination).or_insert((at, by));
}
