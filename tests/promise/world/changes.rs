//! What happens to profiles: they enter, gain and lose IDs, and are merged.

use super::promise::owing;
use super::{DEDUPING, IDS, PROFILES, Possession, Stay, Update, World};
use crate::engine::{Engine, Reason};
use crate::ids::IdSet;
use crate::rules::{Rules, Without};

impl World {
    pub(super) fn enter(&mut self, profile: usize, held: IdSet, messaged_before: u8, continues: bool) {
        let relevant = held.without(self.refusing);
        let uncertain = IdSet::NONE;
        self.stays[self.stay_count] =
            Stay { profile, began_at_step: self.steps, continues, relevant, uncertain, messaged_before };
        self.stay_of[profile] = Some(self.stay_count);
        self.ever_in[profile] = true;
        self.stay_count += 1;
    }

    pub(super) fn attach(&mut self, profile: usize, ids: IdSet, rules: &Rules) {
        for id in ids.iter() {
            let first_seen = *self.first_seen[id].get_or_insert(self.now);
            for viewer in (0..PROFILES).filter(|&viewer| self.root[viewer] == profile) {
                let timeless = rules.lack(Without::IdTimes)
                    || (rules.lack(Without::IdTimesBeforeEntry) && !self.ever_in[profile]);
                let possession = match timeless {
                    true => Possession { since: self.now, created_at: None, attached_at: None },
                    false => Possession {
                        since: self.now,
                        created_at: Some(first_seen),
                        attached_at: match rules.lack(Without::AttachTimes) {
                            true => None,
                            false => (first_seen != self.now).then_some(self.now),
                        },
                    },
                };
                self.views[viewer][id] = Some(possession);
            }
        }
        if let Some(stay) = self.stay_of[profile] {
            let relevant = &mut self.stays[stay].relevant;
            *relevant = relevant.with(ids.without(self.refusing));
        }
    }

    pub(super) fn remove(&mut self, profile: usize, id: usize, rules: &Rules) {
        let removed = IdSet(1 << id);
        if !rules.lack(Without::KeptIds) {
            for (destination, messaged) in self.messaged[profile].iter().enumerate() {
                if messaged.meets(removed) {
                    self.exempt |= 1 << destination;
                }
            }
        }
        for viewer in (0..PROFILES).filter(|&viewer| self.root[viewer] == profile) {
            self.views[viewer][id] = None;
        }
        for update in self.updates.iter_mut().flatten() {
            let about = self.root[update.profile] == profile;
            if about && update.required.meets(removed) && !rules.lack(Without::LastingPossession) {
                update.closed = true;
            }
        }
    }

    /// Consent lasts until the updates that are looked up with the ID have been delivered for the last time.
    pub(super) fn change_consent(&mut self, id: usize, rules: &Rules, engine: &mut Engine) {
        self.refusing = IdSet(self.refusing.0 ^ (1 << id));
        let changed = IdSet(1 << id);
        for update in 0..self.update_count {
            let Some(Update { profile, stay, .. }) = self.updates[update] else { continue };
            if self.views[profile][id].is_none() {
                continue;
            }
            let is_of_the_running_stay = stay.is_some() && stay == self.stay_of[self.root[profile]];
            match rules.without {
                Some(Without::LastingConsent) if is_of_the_running_stay => {
                    self.look_up(update, rules, engine);
                }
                Some(Without::ConsentUntilLookedUp) => self.look_up(update, rules, engine),
                _ => self.close(update),
            }
        }
        for profile in (0..PROFILES).filter(|&profile| self.root[profile] == profile) {
            if let (Some(stay), true) = (self.stay_of[profile], self.held(profile).meets(changed)) {
                let stay = &mut self.stays[stay];
                stay.relevant = stay.relevant.without(changed);
                stay.uncertain = stay.uncertain.with(changed);
            }
        }
    }

    fn close(&mut self, update: usize) {
        if let Some(update) = &mut self.updates[update] {
            update.closed = true;
        }
    }

    /// Whether the consent of the ID may change now.
    pub(super) fn may_change_consent(&self, id: usize, rules: &Rules) -> bool {
        let is_in_a_stay =
            |profile: usize| self.stay_of[self.root[profile]].is_some() && self.views[profile][id].is_some();
        rules.lack(Without::LastingConsent) || !(0..PROFILES).any(is_in_a_stay)
    }

    /// Whether a member has an ID that refuses.
    pub(super) fn is_member_that_refuses(&self, profile: usize) -> bool {
        self.stay_of[profile].is_some() && self.held(profile).meets(self.refusing)
    }

    pub(super) fn merge(&mut self, into: usize, from: usize, member_after: bool, rules: &Rules) {
        let before = [into, from].map(|profile| (self.stay_of[profile], self.held(profile)));
        let [(_, held_by_into), (_, held_by_from)] = before;
        for viewer in 0..PROFILES {
            let other = match self.root[viewer] {
                root if root == into => from,
                root if root == from => into,
                _ => continue,
            };
            for id in 0..IDS {
                if let (None, Some(brought)) = (self.views[viewer][id], self.views[other][id]) {
                    let attached_at = (!rules.lack(Without::MergeTimes)).then_some(self.now);
                    // From the views as they were: an ID of the other is overwritten by none of ours.
                    self.views[viewer][id] = Some(Possession { since: self.now, attached_at, ..brought });
                }
            }
        }
        for root in &mut self.root {
            if *root == from {
                *root = into;
            }
        }
        let members = before.iter().filter_map(|(stay, _)| *stay);
        let (mut messaged_before, mut uncertain) = (0, IdSet::NONE);
        for stay in members.clone().map(|stay| self.stays[stay]) {
            messaged_before |= stay.messaged_before | owing(stay.relevant.types());
            uncertain = uncertain.with(stay.uncertain);
        }
        let continues = members.count() > 0;
        let both: [IdSet; DEDUPING.len()] =
            std::array::from_fn(|d| self.messaged[into][d].with(self.messaged[from][d]));
        self.stay_of[into] = None;
        self.stay_of[from] = None;
        self.messaged[into] = [IdSet::NONE; DEDUPING.len()];
        self.messaged[from] = [IdSet::NONE; DEDUPING.len()];
        let ever_in = self.ever_in[into] || self.ever_in[from];
        self.ever_in[into] = ever_in;
        if member_after {
            self.messaged[into] = both;
            self.enter(into, held_by_into.with(held_by_from), messaged_before, continues);
            self.stays[self.stay_count - 1].uncertain = uncertain;
            if !continues {
                self.just_entered = Some(into);
            }
        }
        let stated = |held: IdSet| match rules.without {
            Some(Without::StatedIds) => None,
            Some(Without::TrueStatements) => Some(IdSet::NONE),
            _ => Some(held),
        };
        let profiles = before.map(|(stay, held)| (stay.is_some(), stated(held)));
        self.emit(into, Reason::Merged { profiles }, rules);
        if rules.lack(Without::OneUpdatePerEntry) && member_after && !continues {
            self.emit(into, Reason::Changed, rules);
        }
        let brought = held_by_from.without(held_by_into);
        if rules.lack(Without::OneUpdatePerMerge) && member_after && !brought.is_empty() {
            self.emit(into, Reason::NewIds { added: brought }, rules);
        }
    }
}
