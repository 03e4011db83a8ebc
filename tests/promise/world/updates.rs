//! What the compute engine emits about a change, and what is looked up for it.

use super::{DEDUPING, TICKS_PER_STEP, Update, World};
use crate::engine::{Engine, Input, Listed, Reason};
use crate::ids::IdSet;
use crate::rules::{Rules, Without};

impl World {
    pub(super) fn emit(&mut self, profile: usize, reason: Reason, rules: &Rules) {
        let late = match reason {
            Reason::Changed => rules.lack(Without::PromptEntries),
            Reason::Merged { .. } => rules.lack(Without::PromptMerges),
            Reason::NewIds { .. } => rules.lack(Without::PromptNewIds),
            Reason::Removed { .. } => false,
        };
        let after_the_next_step = self.now + TICKS_PER_STEP + TICKS_PER_STEP / 2;
        let computed_at = match rules.without {
            Some(Without::ComputedAt) => None,
            Some(Without::ComputedAtOnTime) => Some(self.now - TICKS_PER_STEP / 2),
            Some(Without::ComputedAtNotAhead) => Some(after_the_next_step),
            _ if late => Some(after_the_next_step),
            _ => Some(self.now),
        };
        let stay = self.stay_of[profile];
        self.updates[self.update_count] = Some(Update {
            profile,
            emitted_at_step: self.steps,
            reason,
            member: stay.is_some(),
            computed_at,
            stay,
            required: IdSet::NONE,
            closed: false,
            lookups: 0,
            silent: 0,
            sent: [0; DEDUPING.len()],
        });
        self.update_count += 1;
    }

    /// What is computed late is computed before the profile leaves, merges or loses an ID.
    pub(super) fn compute_pending(&mut self, profile: usize, before: u8) {
        let root = self.root;
        for update in self.updates.iter_mut().flatten().filter(|update| root[update.profile] == profile) {
            update.computed_at = update.computed_at.map(|at| at.min(before + TICKS_PER_STEP / 2));
        }
    }

    /// Looks the update up now, and decides it with what the list holds.
    pub(super) fn look_up(&mut self, position: usize, rules: &Rules, engine: &mut Engine) {
        let Some(mut update) = self.updates[position] else { return };
        let viewer = match rules.lack(Without::OwnPointOfView) {
            true => self.root[update.profile],
            false => update.profile,
        };
        let view = &self.views[viewer];
        let held = self.held(viewer);
        let due = update.computed_at.unwrap_or(self.now);
        let required: IdSet = held
            .iter()
            .filter(|&id| self.views[update.profile][id].is_some_and(|held| held.since <= due))
            .collect();
        let first = update.lookups == 0;
        if (first || update.computed_at.is_some()) && !update.required.contains_all(required) {
            // It may not be looked up before it is computed: earlier lookups do not count.
            update.required = update.required.with(required);
            update.lookups = 0;
            update.silent = 0;
            update.sent = [0; DEDUPING.len()];
            engine.forget(position);
        }
        if !update.closed && held.contains_all(update.required) {
            let lacking = match rules.lack(Without::CompleteLists) {
                true => held.0,
                false => 0,
            };
            for lacks in (0..=lacking).filter(|lacks| lacks & !lacking == 0).map(IdSet) {
                let list = std::array::from_fn(|id| {
                    view[id].filter(|_| !lacks.meets(IdSet(1 << id))).map(|held| Listed {
                        created_at: held.created_at,
                        attached_at: held.attached_at,
                        refuses: self.refusing.meets(IdSet(1 << id)),
                    })
                });
                let input = Input {
                    reason: update.reason,
                    member: update.member,
                    computed_at: update.computed_at,
                    list,
                    consent: rules.consent,
                };
                let sent = engine.decide(&input, position, self.steps);
                update.lookups = update.lookups.saturating_add(1);
                for (destination, ids) in sent.iter().enumerate() {
                    match ids.is_empty() {
                        true => update.silent |= 1 << destination,
                        false => update.sent[destination] |= 1 << ids.0,
                    }
                    if update.stay.is_some() && update.stay == self.stay_of[self.root[update.profile]] {
                        let messaged = &mut self.messaged[self.root[update.profile]][destination];
                        *messaged = messaged.with(*ids);
                    }
                }
            }
        }
        self.updates[position] = Some(update);
    }
}
