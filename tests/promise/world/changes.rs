//! What happens to profiles: they enter, gain and lose IDs, and are merged.

use super::promise::owing;
use super::{DEDUPING, IDS, PROFILES, Possession, Stay, World};
use crate::engine::Reason;
use crate::ids::{IdSet, Types};
use crate::rules::{Rules, Without};

impl World {
    pub(super) fn enter(&mut self, profile: usize, relevant: Types, messaged_before: u8, continues: bool) {
        self.stays[self.stay_count] =
            Stay { profile, began_at_step: self.steps, continues, relevant, messaged_before };
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
            self.stays[stay].relevant |= ids.types();
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
        let mut messaged_before = 0;
        for stay in members.clone().map(|stay| self.stays[stay]) {
            messaged_before |= stay.messaged_before | owing(stay.relevant);
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
            self.enter(into, held_by_into.with(held_by_from).types(), messaged_before, continues);
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
