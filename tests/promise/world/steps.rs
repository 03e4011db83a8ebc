//! The steps of a history: what can happen next.

use super::World;
use crate::ids::IdSet;
use crate::rules::{Consents, Rules, Without};

/// One step of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub change: Change,
    /// The clock shows the same as at the step before.
    pub at_once: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Attach { profile: usize, ids: IdSet },
    Remove { profile: usize, id: usize },
    Enter { profile: usize },
    Leave { profile: usize },
    Merge { into: usize, from: usize, member_after: bool },
    TakeBack { id: usize },
    Give { id: usize },
}

impl World {
    /// Every step that can come next. Profiles are named in the order in which they appear.
    pub fn next_steps(&self, rules: &Rules) -> Vec<Step> {
        let mut changes = Vec::new();
        let known = (self.touched + 1).min(rules.profiles);
        for profile in (0..known).filter(|&profile| self.root[profile] == profile) {
            changes.push(match self.stay_of[profile] {
                Some(_) => Change::Leave { profile },
                None => Change::Enter { profile },
            });
            let held = self.held(profile);
            let free = rules.ids.without(held);
            for one in free.iter() {
                for other in free.iter().filter(|&other| other >= one) {
                    changes.push(Change::Attach { profile, ids: [one, other].into_iter().collect() });
                }
            }
            changes.extend(held.iter().map(|id| Change::Remove { profile, id }));
        }
        for into in (0..rules.profiles).filter(|&into| self.root[into] == into) {
            for from in (0..rules.profiles).filter(|&from| self.root[from] == from && from != into) {
                let both_appear = into == self.touched && from == self.touched + 1;
                let in_order = into.max(from) <= self.touched || both_appear;
                if in_order && !self.may_not_merge(into, from, rules) {
                    changes.push(Change::Merge { into, from, member_after: true });
                    changes.push(Change::Merge { into, from, member_after: false });
                }
            }
        }
        if rules.consent == Consents::AskedFor {
            for id in rules.ids.iter().filter(|&id| self.may_change_consent(id, rules)) {
                changes.push(match self.refusing.meets(IdSet(1 << id)) {
                    true => Change::Give { id },
                    false => Change::TakeBack { id },
                });
            }
        }
        let mut steps = Vec::with_capacity(changes.len() + 8);
        for change in changes {
            steps.push(Step { change, at_once: false });
            let at_entry = match (change, self.just_entered) {
                (Change::Attach { profile, .. }, Some(entered)) => profile == entered,
                _ => false,
            };
            if at_entry || (self.steps > 0 && rules.lack(Without::DistinctTimes)) {
                steps.push(Step { change, at_once: true });
            }
        }
        steps
    }

    fn may_not_merge(&self, into: usize, from: usize, rules: &Rules) -> bool {
        let refuses = self.is_member_that_refuses(into) || self.is_member_that_refuses(from);
        refuses && !rules.lack(Without::ConsentOfMergedMembers)
    }
}

impl Step {
    pub fn in_words(self) -> String {
        let name = |profile: usize| ["A", "B", "C"][profile];
        let change = match self.change {
            Change::Attach { profile, ids } => format!("{} gets {}", name(profile), ids.in_words()),
            Change::Remove { profile, id } => {
                format!("{} loses {}", name(profile), IdSet(1 << id).in_words())
            }
            Change::Enter { profile } => format!("{} enters", name(profile)),
            Change::Leave { profile } => format!("{} leaves", name(profile)),
            Change::Merge { into, from, member_after } => {
                let after = if member_after { "a member" } else { "not a member" };
                format!("{} is merged into {}, which is {after} afterwards", name(from), name(into))
            }
            Change::TakeBack { id } => format!("{} takes its consent back", IdSet(1 << id).in_words()),
            Change::Give { id } => format!("{} gives its consent", IdSet(1 << id).in_words()),
        };
        match self.at_once {
            true => format!("{change}, at the same value of the clock"),
            false => change,
        }
    }
}
