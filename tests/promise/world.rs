//! The world around a decision: profiles that gain and lose IDs, enter, leave and merge, and the
//! compute engine that emits an update about each of these changes.

mod changes;
mod promise;
mod steps;
mod updates;

pub use promise::{Broken, Checked, Wrong};
pub use steps::{Change, Step};

use crate::engine::{Engine, Reason};
use crate::ids::{IdSet, Types};
use crate::rules::{Rules, Without};

pub const PROFILES: usize = 3;
pub const IDS: usize = 4;
/// The types that each deduping destination dedupes on.
pub const DEDUPING: [Types; 3] = [0b01, 0b10, 0b11];
const MOST_STAYS: usize = 12;
const MOST_UPDATES: usize = 20;
/// Between two changes there is room for a time that is neither.
const TICKS_PER_STEP: u8 = 4;

/// An ID as one profile sees it.
#[derive(Clone, Copy)]
struct Possession {
    since: u8,
    created_at: Option<u8>,
    attached_at: Option<u8>,
}

/// A stay in the computation, up to its end or to a merge: a merge ends the stays of the profiles that
/// it joins, and what follows is a stay that continues them.
#[derive(Clone, Copy, Default)]
pub struct Stay {
    pub profile: usize,
    pub began_at_step: u8,
    pub continues: bool,
    /// The IDs that there were at any moment of it, with consent from then on.
    relevant: IdSet,
    /// IDs whose consent came or went: a message to one of them may be sent or not.
    uncertain: IdSet,
    /// Destinations that messaged one of the stays that this one continues.
    messaged_before: u8,
}

#[derive(Clone, Copy)]
pub struct Update {
    /// The profile that it was emitted about, which may have been merged away since.
    pub profile: usize,
    pub emitted_at_step: u8,
    pub reason: Reason,
    pub member: bool,
    pub computed_at: Option<u8>,
    /// `None` while the profile is out.
    pub stay: Option<usize>,
    /// What the list must hold.
    required: IdSet,
    /// An ID that it must hold is gone: it has been looked up before.
    closed: bool,
    lookups: u8,
    /// Destinations that some lookup sends nothing.
    silent: u8,
    /// For each destination, the sets of IDs that some lookup sends, one bit each.
    sent: [u16; DEDUPING.len()],
}

#[derive(Clone, Copy)]
pub struct World {
    now: u8,
    pub steps: u8,
    touched: usize,
    /// The profile that each is now part of.
    pub root: [usize; PROFILES],
    stay_of: [Option<usize>; PROFILES],
    ever_in: [bool; PROFILES],
    /// Kept for merged profiles too: their late updates are looked up from their point of view.
    views: [[Option<Possession>; IDS]; PROFILES],
    first_seen: [Option<u8>; IDS],
    /// Those without consent.
    refusing: IdSet,
    /// The IDs that each destination has messaged in the running stay.
    messaged: [[IdSet; DEDUPING.len()]; PROFILES],
    /// Destinations of which a messaged ID was removed: nothing is promised about them.
    exempt: u8,
    just_entered: Option<usize>,
    stays: [Stay; MOST_STAYS],
    stay_count: usize,
    updates: [Option<Update>; MOST_UPDATES],
    update_count: usize,
}

impl World {
    pub fn new() -> Self {
        Self {
            now: 0,
            steps: 0,
            touched: 0,
            root: std::array::from_fn(|profile| profile),
            stay_of: [None; PROFILES],
            ever_in: [false; PROFILES],
            views: [[None; IDS]; PROFILES],
            first_seen: [None; IDS],
            refusing: IdSet::NONE,
            messaged: [[IdSet::NONE; DEDUPING.len()]; PROFILES],
            exempt: 0,
            just_entered: None,
            stays: [Stay::default(); MOST_STAYS],
            stay_count: 0,
            updates: [None; MOST_UPDATES],
            update_count: 0,
        }
    }

    pub fn updates(&self) -> impl Iterator<Item = &Update> {
        self.updates.iter().flatten()
    }

    pub fn stay(&self, stay: usize) -> &Stay {
        &self.stays[stay]
    }

    fn held(&self, profile: usize) -> IdSet {
        (0..IDS).filter(|&id| self.views[profile][id].is_some()).collect()
    }

    /// Takes the step, emits what it emits, and looks up every update whose list has changed.
    pub fn take(&mut self, step: Step, rules: &Rules, engine: &mut Engine) {
        let before = self.now;
        if !step.at_once {
            self.now += TICKS_PER_STEP;
        }
        self.steps += 1;
        let just_entered = self.just_entered.take();
        let first_new = self.update_count;
        let (profile, list_changed) = match step.change {
            Change::Attach { profile, ids } => {
                self.attach(profile, ids, rules);
                if step.at_once && just_entered == Some(profile) {
                    // Attached by the moment of entry: no update of its own.
                    self.just_entered = just_entered;
                } else {
                    self.emit(profile, Reason::NewIds { added: ids }, rules);
                }
                (profile, true)
            }
            Change::Remove { profile, id } => {
                self.compute_pending(profile, before);
                self.remove(profile, id, rules);
                self.emit(profile, Reason::Removed { id }, rules);
                (profile, true)
            }
            Change::TakeBack { id } | Change::Give { id } => {
                self.change_consent(id, rules, engine);
                return;
            }
            Change::Enter { profile } => {
                self.enter(profile, self.held(profile), 0, false);
                self.just_entered = Some(profile);
                self.emit(profile, Reason::Changed, rules);
                if rules.lack(Without::SilenceAtEntry) && !self.held(profile).is_empty() {
                    self.emit(profile, Reason::NewIds { added: self.held(profile) }, rules);
                }
                (profile, false)
            }
            Change::Leave { profile } => {
                self.compute_pending(profile, before);
                self.stay_of[profile] = None;
                self.messaged[profile] = [IdSet::NONE; DEDUPING.len()];
                self.emit(profile, Reason::Changed, rules);
                (profile, false)
            }
            Change::Merge { into, from, member_after } => {
                self.compute_pending(into, before);
                self.compute_pending(from, before);
                self.merge(into, from, member_after, rules);
                (into, true)
            }
        };
        self.touched = self.touched.max(profile + 1);
        if let Change::Merge { from, .. } = step.change {
            self.touched = self.touched.max(from + 1);
        }
        for update in 0..self.update_count {
            let about = self.updates[update].map_or(PROFILES, |update| self.root[update.profile]);
            if update >= first_new || (list_changed && about == profile) {
                self.look_up(update, rules, engine);
            }
        }
    }

    pub fn stays(&self) -> usize {
        self.stay_count
    }

    /// In how many ways the updates can be looked up: each at any of its moments, at least once.
    pub fn outcomes(&self) -> u128 {
        self.updates().map(|update| (1_u128 << update.lookups.min(32)) - 1).product()
    }
}
