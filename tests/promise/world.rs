//! The world around a decision: profiles that gain and lose IDs, enter, leave and merge, and the
//! compute engine that emits an update about each of these changes.

use crate::engine::{Engine, Input, Listed, Reason};
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
}

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
    relevant: Types,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wrong {
    /// A message that is owed is not sent.
    Missing,
    /// More messages than are owed.
    TooMany,
}

/// A broken promise.
#[derive(Clone, Copy, Debug)]
pub struct Broken {
    pub wrong: Wrong,
    /// `None` for a message to a profile that is out.
    pub stay: Option<usize>,
    pub destination: usize,
    pub owed: u8,
    pub sent: u8,
}

/// How many stays were checked, by destination and by what they are owed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Checked {
    pub one: u64,
    pub none: u64,
    pub none_because_continued: u64,
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
                if in_order {
                    changes.push(Change::Merge { into, from, member_after: true });
                    changes.push(Change::Merge { into, from, member_after: false });
                }
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
            Change::Enter { profile } => {
                self.enter(profile, self.held(profile).types(), 0, false);
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

    fn enter(&mut self, profile: usize, relevant: Types, messaged_before: u8, continues: bool) {
        self.stays[self.stay_count] =
            Stay { profile, began_at_step: self.steps, continues, relevant, messaged_before };
        self.stay_of[profile] = Some(self.stay_count);
        self.ever_in[profile] = true;
        self.stay_count += 1;
    }

    fn attach(&mut self, profile: usize, ids: IdSet, rules: &Rules) {
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

    fn remove(&mut self, profile: usize, id: usize, rules: &Rules) {
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

    fn merge(&mut self, into: usize, from: usize, member_after: bool, rules: &Rules) {
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

    fn emit(&mut self, profile: usize, reason: Reason, rules: &Rules) {
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
    fn compute_pending(&mut self, profile: usize, before: u8) {
        let root = self.root;
        for update in self.updates.iter_mut().flatten().filter(|update| root[update.profile] == profile) {
            update.computed_at = update.computed_at.map(|at| at.min(before + TICKS_PER_STEP / 2));
        }
    }

    /// Looks the update up now, and decides it with what the list holds.
    fn look_up(&mut self, position: usize, rules: &Rules, engine: &mut Engine) {
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
                    view[id]
                        .filter(|_| !lacks.meets(IdSet(1 << id)))
                        .map(|held| Listed { created_at: held.created_at, attached_at: held.attached_at })
                });
                let input = Input {
                    reason: update.reason,
                    member: update.member,
                    computed_at: update.computed_at,
                    list,
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

    /// Nothing is promised any more.
    pub fn is_exempt(&self) -> bool {
        usize::from(self.exempt).count_ones() as usize == DEDUPING.len()
    }

    /// Whether some outcome of lookups, redeliveries and orders breaks the promise.
    ///
    /// Which messages an update causes depends on its lookups alone, and messages of different
    /// updates have different ids. So a stay receives the fewest messages when each of its updates
    /// is looked up once, where that sends nothing if there is such a moment, and the most when each
    /// is looked up at all moments.
    pub fn broken(&self, rules: &Rules, checked: &mut Checked) -> Option<Broken> {
        for destination in (0..DEDUPING.len()).filter(|destination| self.exempt & (1 << destination) == 0) {
            let undue = self.messages(None, destination, rules).1;
            if undue > 0 {
                let (wrong, stay) = (Wrong::TooMany, None);
                return Some(Broken { wrong, stay, destination, owed: 0, sent: undue });
            }
            for (position, stay) in self.stays[..self.stay_count].iter().enumerate() {
                let relevant = owing(stay.relevant) & (1 << destination) != 0;
                let messaged_before = stay.messaged_before & (1 << destination) != 0;
                let owed = u8::from(relevant && !messaged_before);
                match (relevant, messaged_before) {
                    (true, false) => checked.one += 1,
                    (_, true) => checked.none_because_continued += 1,
                    (false, false) => checked.none += 1,
                }
                let (fewest, most) = self.messages(Some(position), destination, rules);
                let broken = |wrong, sent| Broken { wrong, stay: Some(position), destination, owed, sent };
                if fewest < owed {
                    return Some(broken(Wrong::Missing, fewest));
                }
                if most > owed {
                    return Some(broken(Wrong::TooMany, most));
                }
            }
        }
        None
    }

    /// The fewest and the most messages that a destination is sent in a stay, or outside of any.
    pub fn messages(&self, stay: Option<usize>, destination: usize, rules: &Rules) -> (u8, u8) {
        let updates = self.updates().enumerate().filter(|(_, update)| update.stay == stay);
        let messages =
            updates.map(|(position, update)| self.messages_of(position, update, destination, rules));
        messages.fold((0, 0), |sum, of_update| (sum.0 + of_update.0, sum.1 + of_update.1))
    }

    pub fn stays(&self) -> usize {
        self.stay_count
    }

    /// The fewest and the most messages that an update can cause.
    fn messages_of(&self, position: usize, update: &Update, destination: usize, rules: &Rules) -> (u8, u8) {
        let sent = update.sent[destination];
        let at_least = u8::from(sent != 0 && update.silent & (1 << destination) == 0);
        let at_most = u8::try_from(sent.count_ones()).unwrap_or(u8::MAX);
        match rules.without {
            Some(Without::Delivery) => (0, at_most),
            Some(Without::DroppedRepeats) => (at_least, at_most * 2),
            Some(Without::FixedProfileIds) if self.root[update.profile] != update.profile => {
                (at_least, at_most * 2)
            }
            Some(Without::OwnUpdateIds) => {
                let repeats = |earlier: &Update| {
                    earlier.profile == update.profile && earlier.sent[destination] & sent != 0
                };
                match self.updates().take(position).any(repeats) {
                    true => (0, at_most),
                    false => (at_least, at_most),
                }
            }
            _ => (at_least, at_most),
        }
    }

    /// In how many ways the updates can be looked up: each at any of its moments, at least once.
    pub fn outcomes(&self) -> u128 {
        self.updates().map(|update| (1_u128 << update.lookups.min(32)) - 1).product()
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
        };
        match self.at_once {
            true => format!("{change}, at the same value of the clock"),
            false => change,
        }
    }
}

/// The destinations that owe a message to a profile with IDs of these types.
fn owing(types: Types) -> u8 {
    (0..DEDUPING.len()).filter(|&d| DEDUPING[d] & types != 0).fold(0, |owing, d| owing | (1 << d))
}
