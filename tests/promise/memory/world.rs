//! Histories of a few people, and the log of updates that they emit.
//!
//! Unlike the world without memory it tells as little as a pipeline with one may: IDs may lack their times,
//! merges don't say what profiles held, lists are the survivor's, and updates may be redundant.

use crate::ids::{IdSet, Types};

pub const PROFILES: usize = 3;
/// Two emails and a phone.
pub const IDS: usize = 3;
pub const MOST_UPDATES: usize = 16;

/// What is told beyond what is needed, and what is left out.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is told or not, in every combination")]
pub struct Told {
    pub profiles: usize,
    /// The IDs that there are.
    pub ids: IdSet,
    /// The IDs that carry their times.
    pub timed: IdSet,
    pub beside: Beside,
    /// Whether audiences are recomputed: members enter once more.
    pub recomputed: bool,
    /// Whether IDs are removed.
    pub removals: bool,
    /// Whether merges state what profiles held.
    pub holdings: bool,
    /// Whether the list of a profile that was merged away says when IDs came to it, and not when they came
    /// to the survivor.
    pub own_times: bool,
    pub consent: Consents,
}

/// What is known of consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consents {
    /// No destination asks for it.
    NotAskedFor,
    /// Every destination asks for it, and an ID has it or not from the beginning on.
    Lasting,
    /// It is taken back and given whenever.
    Changing,
}

/// Which updates there are beside the one that a change needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    Nothing,
    /// After a merge or an entry: an entry, and all IDs as new ones.
    After,
    /// Before a merge by which a stay begins: an entry.
    EntryBefore,
    /// Before any merge into a profile that was out: an entry.
    EntryBeforeAny,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Attach { profile: usize, ids: IdSet },
    Remove { profile: usize, id: usize },
    Enter { profile: usize },
    Recompute { profile: usize },
    Leave { profile: usize },
    Merge { into: usize, from: usize, member_after: bool },
    TakeBack { id: usize },
    Give { id: usize },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    Changed,
    NewIds { added: IdSet },
    Merged { from: usize, were_in: [bool; 2], held: Option<[IdSet; 2]> },
    Removed { id: usize },
}

/// An ID in a list: when it was first seen, and when it came to the profile.
pub type Listed = Option<(u8, u8)>;
pub type Held = [Listed; IDS];

/// What is looked up for an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct List {
    pub held: Held,
    /// Of these IDs, those without consent.
    pub refusing: IdSet,
}

#[derive(Clone, Copy, Debug)]
pub struct Update {
    pub profile: usize,
    pub step: u8,
    pub reason: Reason,
    pub is_in: bool,
    pub stay: Option<usize>,
    /// The IDs that the profile had at the change.
    pub held: Held,
}

/// A stay, up to its end or to a merge: what follows a merge continues the stays that it joined.
#[derive(Clone, Copy, Debug)]
pub struct Stay {
    pub profile: usize,
    pub step: u8,
    pub continues: [Option<usize>; 2],
    /// The IDs that the profile had at any moment of it.
    pub had: IdSet,
}

/// Whether a stay is owed a message: with consent that comes and goes it may have one or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    pub at_least_one: bool,
    pub at_most_one: bool,
}

#[derive(Clone)]
pub struct World {
    pub steps: Vec<Step>,
    root: [usize; PROFILES],
    touched: usize,
    /// Kept for merged profiles too.
    held: [Held; PROFILES],
    first_seen: [Option<u8>; IDS],
    stay_of: [Option<usize>; PROFILES],
    pub stays: Vec<Stay>,
    pub updates: Vec<Update>,
    /// After each step, what each profile's list holds.
    lists: Vec<[Held; PROFILES]>,
    refusing: IdSet,
    /// After each step, the IDs without consent.
    refused: Vec<IdSet>,
}

pub fn set(held: &Held) -> IdSet {
    (0..IDS).filter(|&id| held[id].is_some()).collect()
}

impl List {
    fn new(held: Held, refusing: IdSet) -> Self {
        let refusing = set(&held).iter().filter(|&id| refusing.meets(IdSet(1 << id))).collect();
        Self { held, refusing }
    }

    pub fn in_words(&self) -> String {
        let refusing = match self.refusing.is_empty() {
            true => String::new(),
            false => format!(", without consent of {}", self.refusing.in_words()),
        };
        set(&self.held).in_words() + &refusing
    }
}

impl World {
    pub fn new() -> Self {
        Self {
            steps: Vec::new(),
            root: std::array::from_fn(|profile| profile),
            touched: 0,
            held: [[None; IDS]; PROFILES],
            first_seen: [None; IDS],
            stay_of: [None; PROFILES],
            stays: Vec::new(),
            updates: Vec::new(),
            lists: Vec::new(),
            refusing: IdSet::NONE,
            refused: Vec::new(),
        }
    }

    /// Every step that can come next. Profiles are named in the order in which they appear.
    pub fn next_steps(&self, told: &Told) -> Vec<Step> {
        let mut steps = Vec::new();
        let known = (self.touched + 1).min(told.profiles);
        for profile in (0..known).filter(|&profile| self.root[profile] == profile) {
            let is_in = self.stay_of[profile].is_some();
            steps.push(if is_in { Step::Leave { profile } } else { Step::Enter { profile } });
            if is_in && told.recomputed {
                steps.push(Step::Recompute { profile });
            }
            let held = set(&self.held[profile]);
            let free = told.ids.without(held);
            for one in free.iter() {
                for other in free.iter().filter(|&other| other >= one) {
                    steps.push(Step::Attach { profile, ids: [one, other].into_iter().collect() });
                }
            }
            if told.removals {
                steps.extend(held.iter().map(|id| Step::Remove { profile, id }));
            }
        }
        for into in (0..told.profiles).filter(|&into| self.root[into] == into) {
            for from in (0..told.profiles).filter(|&from| self.root[from] == from && from != into) {
                let both_appear = into == self.touched && from == self.touched + 1;
                if into.max(from) <= self.touched || both_appear {
                    steps.push(Step::Merge { into, from, member_after: true });
                    steps.push(Step::Merge { into, from, member_after: false });
                }
            }
        }
        steps.extend(self.consent_steps(told));
        steps
    }

    fn consent_steps(&self, told: &Told) -> Vec<Step> {
        let may_change = |&id: &usize| match told.consent {
            Consents::NotAskedFor => false,
            Consents::Lasting => self.first_seen[id].is_none() && !self.refusing.meets(IdSet(1 << id)),
            Consents::Changing => true,
        };
        let change = |id: usize| match self.refusing.meets(IdSet(1 << id)) {
            true => Step::Give { id },
            false => Step::TakeBack { id },
        };
        told.ids.iter().filter(may_change).map(change).collect()
    }

    pub fn take(&self, step: Step, told: &Told) -> Self {
        let mut next = self.clone();
        next.steps.push(step);
        let now = next.now();
        let touched = match step {
            Step::TakeBack { id } | Step::Give { id } => {
                next.refusing = IdSet(next.refusing.0 ^ (1 << id));
                next.record(told);
                return next;
            }
            Step::Attach { profile, ids } => {
                for id in ids.iter() {
                    let first_seen = *next.first_seen[id].get_or_insert(now);
                    for viewer in next.part_of(profile) {
                        next.held[viewer][id] = Some((first_seen, now));
                    }
                }
                if let Some(stay) = next.stay_of[profile] {
                    next.stays[stay].had = next.stays[stay].had.with(ids);
                }
                next.emit(profile, Reason::NewIds { added: ids });
                profile
            }
            Step::Remove { profile, id } => {
                for viewer in next.part_of(profile) {
                    next.held[viewer][id] = None;
                }
                next.emit(profile, Reason::Removed { id });
                profile
            }
            Step::Enter { profile } => {
                next.begin(profile, [None; 2]);
                next.emit(profile, Reason::Changed);
                if told.beside == Beside::After {
                    next.emit_all_ids(profile);
                }
                profile
            }
            Step::Recompute { profile } => {
                next.emit(profile, Reason::Changed);
                profile
            }
            Step::Leave { profile } => {
                next.stay_of[profile] = None;
                next.emit(profile, Reason::Changed);
                profile
            }
            Step::Merge { into, from, member_after } => {
                next.merge(into, from, member_after, told);
                into.max(from)
            }
        };
        next.touched = next.touched.max(touched + 1);
        next.record(told);
        next
    }

    /// What can be looked up from now on.
    fn record(&mut self, told: &Told) {
        let lists = std::array::from_fn(|profile| match told.own_times {
            true => self.held[profile],
            false => self.held[self.root[profile]],
        });
        self.lists.push(lists);
        self.refused.push(self.refusing);
    }

    /// The profiles that are part of this one.
    fn part_of(&self, root: usize) -> Vec<usize> {
        (0..PROFILES).filter(|&profile| self.root[profile] == root).collect()
    }

    fn now(&self) -> u8 {
        u8::try_from(self.steps.len()).unwrap()
    }

    fn begin(&mut self, profile: usize, continues: [Option<usize>; 2]) {
        let had = set(&self.held[profile]);
        self.stay_of[profile] = Some(self.stays.len());
        self.stays.push(Stay { profile, step: self.now(), continues, had });
    }

    fn merge(&mut self, into: usize, from: usize, member_after: bool, told: &Told) {
        let now = self.now();
        let before = [into, from].map(|profile| self.stay_of[profile]);
        let held = [into, from].map(|profile| set(&self.held[profile]));
        for (root, other) in [(into, from), (from, into)] {
            for viewer in self.part_of(root) {
                for id in held[usize::from(other == from)].iter() {
                    let first_seen = self.first_seen[id].unwrap();
                    self.held[viewer][id].get_or_insert((first_seen, now));
                }
            }
        }
        for root in &mut self.root {
            if *root == from {
                *root = into;
            }
        }
        self.stay_of[into] = None;
        self.stay_of[from] = None;
        if member_after {
            self.begin(into, before);
        }
        let were_in = before.map(|stay| stay.is_some());
        let reason = Reason::Merged { from, were_in, held: told.holdings.then_some(held) };
        let begins = were_in == [false, false];
        let enters = member_after && !were_in[0];
        let is_before = match told.beside {
            Beside::EntryBefore => enters && begins,
            Beside::EntryBeforeAny => enters,
            Beside::Nothing | Beside::After => false,
        };
        if is_before {
            self.emit(into, Reason::Changed);
        }
        self.emit(into, reason);
        if told.beside == Beside::After && member_after {
            self.emit(into, Reason::Changed);
            self.emit_all_ids(into);
        }
    }

    fn emit_all_ids(&mut self, profile: usize) {
        let added = set(&self.held[profile]);
        if !added.is_empty() {
            self.emit(profile, Reason::NewIds { added });
        }
    }

    fn emit(&mut self, profile: usize, reason: Reason) {
        let stay = self.stay_of[profile];
        let (step, held) = (self.now(), self.held[profile]);
        self.updates.push(Update { profile, step, reason, is_in: stay.is_some(), stay, held });
        assert!(self.updates.len() <= MOST_UPDATES);
    }

    /// The lists that this update can be delivered with: what the profile had at the change, and whatever
    /// came to it until some later moment, with the consent of that moment.
    pub fn lists_of(&self, update: &Update) -> Vec<List> {
        let since = usize::from(update.step) - 1;
        let mut lists = vec![List::new(update.held, self.refused[since])];
        for (later, refusing) in self.lists[since..].iter().zip(&self.refused[since..]) {
            let mut held = update.held;
            for id in 0..IDS {
                held[id] = held[id].or(later[update.profile][id]);
            }
            let list = List::new(held, *refusing);
            let is_known = |known: &List| set(&known.held) == set(&held) && known.refusing == list.refusing;
            if !lists.iter().any(is_known) {
                lists.push(list);
            }
        }
        lists
    }

    /// Whether a message is due in the stay to who dedupes on these types. Consent is asked for when an
    /// update is looked up, which may be late: for sure only where it is there at every later moment.
    pub fn due(&self, stay: usize, types: Types, told: &Told) -> Due {
        let had = self.stays[stay].had;
        let is_owed = had.types() & types != 0;
        if told.consent == Consents::NotAskedFor {
            return Due { at_least_one: is_owed, at_most_one: is_owed };
        }
        let of_stay = || self.updates.iter().filter(|update| update.stay == Some(stay));
        let mut reasons = of_stay().filter_map(|update| match update.reason {
            Reason::NewIds { added } => Some((update, added)),
            Reason::Changed | Reason::Merged { .. } => Some((update, set(&update.held))),
            Reason::Removed { .. } => None,
        });
        let consents = |(update, ids): (&Update, IdSet)| {
            let lists = self.lists_of(update);
            lists.iter().all(|list| ids.without(list.refusing).types() & types != 0)
        };
        let ever_consents = |list: &List| {
            let ids: IdSet = set(&list.held).iter().filter(|&id| had.meets(IdSet(1 << id))).collect();
            ids.without(list.refusing).types() & types != 0
        };
        let at_most_one = of_stay().flat_map(|update| self.lists_of(update)).any(|list| ever_consents(&list));
        Due { at_least_one: reasons.any(consents), at_most_one }
    }
}

impl Update {
    /// The profile that it says was merged into its own.
    pub fn other(&self) -> Option<usize> {
        match self.reason {
            Reason::Merged { from, .. } => Some(from),
            _ => None,
        }
    }
}

impl Step {
    pub fn in_words(self) -> String {
        let name = |profile: usize| ["A", "B", "C"][profile];
        match self {
            Self::Attach { profile, ids } => format!("{} gets {}", name(profile), ids.in_words()),
            Self::Remove { profile, id } => format!("{} loses {}", name(profile), IdSet(1 << id).in_words()),
            Self::Enter { profile } => format!("{} enters", name(profile)),
            Self::Recompute { profile } => format!("{} is found to be in once more", name(profile)),
            Self::Leave { profile } => format!("{} leaves", name(profile)),
            Self::Merge { into, from, member_after } => {
                let after = if member_after { "a member" } else { "not a member" };
                format!("{} is merged into {}, which is {after} afterwards", name(from), name(into))
            }
            Self::TakeBack { id } => format!("{} takes its consent back", IdSet(1 << id).in_words()),
            Self::Give { id } => format!("{} gives its consent", IdSet(1 << id).in_words()),
        }
    }
}
