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
pub type List = [Listed; IDS];

#[derive(Clone, Copy, Debug)]
pub struct Update {
    pub profile: usize,
    pub step: u8,
    pub reason: Reason,
    pub is_in: bool,
    pub stay: Option<usize>,
    /// The IDs that the profile had at the change.
    pub held: List,
}

/// A stay, up to its end or to a merge: what follows a merge continues the stays that it joined.
#[derive(Clone, Copy, Debug)]
pub struct Stay {
    pub profile: usize,
    pub step: u8,
    pub continues: [Option<usize>; 2],
    pub relevant: Types,
}

#[derive(Clone)]
pub struct World {
    pub steps: Vec<Step>,
    root: [usize; PROFILES],
    touched: usize,
    /// Kept for merged profiles too.
    held: [List; PROFILES],
    first_seen: [Option<u8>; IDS],
    stay_of: [Option<usize>; PROFILES],
    pub stays: Vec<Stay>,
    pub updates: Vec<Update>,
    /// After each step, what each profile's list holds.
    lists: Vec<[List; PROFILES]>,
}

pub fn set(list: &List) -> IdSet {
    (0..IDS).filter(|&id| list[id].is_some()).collect()
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
        steps
    }

    pub fn take(&self, step: Step, told: &Told) -> Self {
        let mut next = self.clone();
        next.steps.push(step);
        let now = next.now();
        let touched = match step {
            Step::Attach { profile, ids } => {
                for id in ids.iter() {
                    let first_seen = *next.first_seen[id].get_or_insert(now);
                    for viewer in next.part_of(profile) {
                        next.held[viewer][id] = Some((first_seen, now));
                    }
                }
                if let Some(stay) = next.stay_of[profile] {
                    next.stays[stay].relevant |= ids.types();
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
        let lists = std::array::from_fn(|profile| match told.own_times {
            true => next.held[profile],
            false => next.held[next.root[profile]],
        });
        next.lists.push(lists);
        next
    }

    /// The profiles that are part of this one.
    fn part_of(&self, root: usize) -> Vec<usize> {
        (0..PROFILES).filter(|&profile| self.root[profile] == root).collect()
    }

    fn now(&self) -> u8 {
        u8::try_from(self.steps.len()).unwrap()
    }

    fn begin(&mut self, profile: usize, continues: [Option<usize>; 2]) {
        let relevant = set(&self.held[profile]).types();
        self.stay_of[profile] = Some(self.stays.len());
        self.stays.push(Stay { profile, step: self.now(), continues, relevant });
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
    /// came to it until some later moment.
    pub fn lists_of(&self, update: &Update) -> Vec<List> {
        let mut lists = vec![update.held];
        for later in &self.lists[usize::from(update.step) - 1..] {
            let mut list = update.held;
            for id in 0..IDS {
                list[id] = list[id].or(later[update.profile][id]);
            }
            if !lists.iter().any(|known| set(known) == set(&list)) {
                lists.push(list);
            }
        }
        lists
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
        }
    }
}
