//! How an update changes what is remembered of a profile's stay, before anything is sent.

use crate::decide::destinations::Destinations;
use crate::decide::settings::Setting;
use crate::decide::trigger_filter::{Holdings, TriggerFilter};
use crate::input::membership::Membership;
use crate::input::name_digest::NameDigest;
use crate::input::timestamp::Timestamp;
use crate::input::trigger::{MergedProfile, MergedProfiles, Trigger};
use crate::input::update::ProfileUpdate;
use crate::memory::Memory;
use crate::memory::decide::Completeness;
use crate::memory::recalled::{Forgotten, Other, Recalled};
use crate::memory::settled::{Settled, SettledBy};

/// What an update means for the deduping destinations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// A newer change of standing is known.
    Superseded,
    /// The update is no reason to message anybody.
    Silent,
    /// The profile is in: destinations that are not settled may be due a message.
    Staying,
}

/// All that a change depends on beside the memories.
pub(super) struct Change<'c, 'a> {
    pub(super) destinations: &'a Destinations,
    pub(super) filter: &'c TriggerFilter<'a>,
    pub(super) completeness: Completeness,
    pub(super) at: Timestamp,
}

impl Memory {
    /// The time of an update: without one of its own, it comes after all that is remembered.
    pub(super) fn time_of(&self, update: &ProfileUpdate) -> Timestamp {
        let newest = || self.settled.iter().map(|settled| settled.at).chain(self.since).max();
        update.computed_at().unwrap_or_else(|| newest().map_or(Timestamp::MIN, Timestamp::next))
    }

    pub(super) fn supersedes(&self, at: Timestamp) -> bool {
        self.since.is_some_and(|since| at < since)
    }
}

impl<'a> Recalled<'a> {
    /// Takes the update in: all that it says about stays, and about what was sent without a memory.
    pub(super) fn take_in(&mut self, change: &Change<'_, 'a>, forgotten: &mut Forgotten) -> Course {
        let at = change.at;
        if self.own.memory.supersedes(at) {
            return Course::Superseded;
        }
        match (self.update.trigger(), self.update.membership()) {
            (Trigger::ValueChanged | Trigger::ProfileMerge(_), Membership::Out) => {
                self.own.stands(Membership::Out, at);
                self.own.settled_stays_where(|settled| settled > at, forgotten);
                Course::Silent
            }
            (Trigger::NewExternalId(_), Membership::Out) | (Trigger::ExternalIdRemoved(_), _) => {
                Course::Silent
            }
            (Trigger::ValueChanged, Membership::In) => {
                if self.own.memory.membership != Some(Membership::In) {
                    self.own.stands(Membership::In, at);
                    self.own.settled_stays_where(|settled| settled >= at, forgotten);
                }
                Course::Staying
            }
            (Trigger::NewExternalId(_), Membership::In) => {
                if is_first_contact(&self.own.memory, change) {
                    let sent_before = |columns: &[usize]| change.filter.came_after_others(columns);
                    self.own.settle(each(change, sent_before, &SettledBy::Assumption));
                }
                self.own.is_in();
                Course::Staying
            }
            (Trigger::ProfileMerge(profiles), Membership::In) => {
                self.merge(profiles, change, forgotten);
                Course::Staying
            }
        }
    }

    fn merge(&mut self, profiles: &'a MergedProfiles, change: &Change<'_, 'a>, forgotten: &mut Forgotten) {
        let at = change.at;
        let is_again = self.own.memory.since == Some(at);
        if profiles.as_slice().iter().all(|profile| profile.membership() == Membership::Out) {
            if !is_again {
                self.own.stands(Membership::In, at);
                self.own.settled_stays_where(|settled| settled > at, forgotten);
            }
            return;
        }
        let own = profiles.get(self.update.profile_id());
        debug_assert!(own.is_some(), "a merge states the update's own profile");
        let own = own.filter(|own| own.membership() == Membership::In);
        let assumed_own = own.filter(|_| is_first_contact(&self.own.memory, change));
        if own.is_none() && !is_again {
            self.own.stands(Membership::In, at);
            self.own.settled_stays_where(|settled| settled >= at, forgotten);
        }
        self.own.is_in();
        let to_own = SettledBy::HandOver { profile: NameDigest::of_profile(self.update.profile_id()) };
        self.take_over(&to_own);
        self.assume(assumed_own, change);
        self.hand_over(&to_own, change);
    }

    /// What is settled for the other members is settled for this profile, but for what they left to it.
    fn take_over(&mut self, to_own: &SettledBy) {
        for other in self.others.iter().filter(|other| other.was_member()) {
            let settled = other.kept.memory.settled.iter().filter(|settled| settled.by != *to_own);
            self.own.settle(settled.cloned());
        }
    }

    /// Members of which nothing is remembered may have been messaged before the memory began.
    fn assume(&mut self, own: Option<&MergedProfile>, change: &Change<'_, 'a>) {
        let others = self.others.iter().filter(|other| other.is_assumed(change)).map(|other| other.profile);
        let members = own.into_iter().chain(others);
        let holdings = Holdings::of(members, change.destinations.settings().columns());
        let sent_before = |columns: &[usize]| holdings.may_have_been_messaged(columns);
        self.own.settle(each(change, sent_before, &SettledBy::Assumption));
    }

    /// Whatever of the other members' own still arrives late has been taken over.
    fn hand_over(&mut self, to_own: &SettledBy, change: &Change<'_, 'a>) {
        for other in self.others.iter_mut().filter(|other| other.was_member()) {
            let holdings = other
                .is_assumed(change)
                .then(|| Holdings::of([other.profile].into_iter(), change.destinations.settings().columns()));
            let hands_over = |columns: &[usize]| {
                !holdings.as_ref().is_some_and(|holdings| holdings.may_have_been_messaged(columns))
            };
            other.kept.settle(each(change, hands_over, to_own));
        }
    }
}

impl Other<'_> {
    fn is_assumed(&self, change: &Change<'_, '_>) -> bool {
        self.was_member() && is_first_contact(&self.kept.memory, change)
    }
}

/// Whether a profile may have been messaged without this memory.
fn is_first_contact(memory: &Memory, change: &Change<'_, '_>) -> bool {
    change.completeness == Completeness::Partial && memory.membership.is_none()
}

/// Settles each deduping destination whose types are such.
fn each<'c>(
    change: &'c Change<'_, '_>,
    such: impl Fn(&[usize]) -> bool + 'c,
    by: &'c SettledBy,
) -> impl Iterator<Item = Settled> + 'c {
    let is_such = move |setting: &&Setting| setting.deduping().is_some_and(|columns| such(columns));
    let members =
        change.destinations.settings().distinct().iter().filter(is_such).flat_map(|setting| &setting.members);
    let digests = members.filter_map(|&member| change.destinations.digests().get(member));
    digests.map(|&destination| Settled { destination, at: change.at, by: by.clone() })
}
