//! What a change of destinations changes, counted in a form that adds up.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use idgroup::Verdict;

/// Examples that are kept of each reason.
const SAMPLES: usize = 3;

#[derive(Default)]
pub struct Changes {
    /// For which anything changes at any destination.
    updates: u64,
    by_destination: BTreeMap<Box<str>, DestinationChanges>,
}

#[derive(Default)]
pub struct DestinationChanges {
    settings: BTreeMap<SettingChange, u64>,
    /// Outbound messages, before the change and after it, whether or not anything changes for them.
    pub messages: [u64; 2],
    why: BTreeMap<Why, Occurrences>,
    /// Which changes there are for whom, as bits. The only thing that grows with the input.
    people: HashMap<Person, u8>,
}

/// What the two files say of a destination of a computation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SettingChange {
    Appears,
    Vanishes,
    IsSetDifferently,
}

/// What changes for the person that an update is about, at one destination.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Nothing was sent, and something is.
    Gained,
    /// Something was sent, and nothing is.
    Lost,
    /// Something is sent as before, but with other IDs.
    Moved,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Why {
    pub change: Change,
    pub before: Outcome,
    pub after: Outcome,
}

/// The verdict, if the update has the destination.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outcome(pub Option<Verdict>);

#[derive(Default)]
pub struct Occurrences {
    pub count: u64,
    /// The first ones.
    pub samples: Vec<Sample>,
}

#[derive(Clone)]
pub struct Sample {
    pub update_id: Box<str>,
    /// What it was and is sent with, in words.
    pub ids: [Box<str>; 2],
}

/// A digest of a person's space and profile: of 128 bits, so that two have the same one less often than
/// a computer errs.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Person(pub u128);

impl Changes {
    /// Whether the change of destinations makes any difference: one that comes or goes does, even if
    /// these updates would not show it.
    pub fn are_any(&self) -> bool {
        let comes_or_goes = |of: &DestinationChanges| {
            of.setting(SettingChange::Appears) + of.setting(SettingChange::Vanishes) > 0
        };
        self.updates > 0 || self.by_destination.values().any(comes_or_goes)
    }

    pub fn updates(&self) -> u64 {
        self.updates
    }

    pub fn add_update(&mut self) {
        self.updates += 1;
    }

    /// By the destination's id.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &DestinationChanges)> {
        self.by_destination.iter().map(|(id, changes)| (&**id, changes))
    }

    /// Those of the destination with this id.
    pub fn of(&mut self, id: &str) -> &mut DestinationChanges {
        if !self.by_destination.contains_key(id) {
            self.by_destination.insert(id.into(), DestinationChanges::default());
        }
        self.by_destination.get_mut(id).expect("it is there by now")
    }

    /// How often there is this change, over all destinations.
    pub fn count(&self, change: Change) -> u64 {
        self.by_destination.values().map(|of| of.count(change)).sum()
    }

    /// `other` comes after what was counted here.
    pub fn merge(&mut self, other: &Self) {
        self.updates += other.updates;
        for (id, changes) in &other.by_destination {
            self.of(id).merge(changes);
        }
    }
}

impl DestinationChanges {
    /// In how many computations the files say this of the destination.
    pub fn setting(&self, change: SettingChange) -> u64 {
        self.settings.get(&change).copied().unwrap_or_default()
    }

    pub fn add_setting(&mut self, change: SettingChange) {
        *self.settings.entry(change).or_default() += 1;
    }

    pub fn add_messages(&mut self, messages: [u64; 2]) {
        for (sum, more) in self.messages.iter_mut().zip(messages) {
            *sum = sum.saturating_add(more);
        }
    }

    pub fn add(&mut self, why: Why, person: Person, sample: impl FnOnce() -> Sample) {
        let occurrences = self.why.entry(why).or_default();
        occurrences.count += 1;
        if occurrences.samples.len() < SAMPLES {
            occurrences.samples.push(sample());
        }
        *self.people.entry(person).or_default() |= why.change.bit();
    }

    /// Why anything changes, each with how many updates.
    pub fn why(&self) -> impl Iterator<Item = (Why, &Occurrences)> {
        self.why.iter().map(|(why, occurrences)| (*why, occurrences))
    }

    /// For how many updates there is this change.
    pub fn count(&self, change: Change) -> u64 {
        self.why().filter(|(why, _)| why.change == change).map(|(_, occurrences)| occurrences.count).sum()
    }

    /// For how many people there is this change: who gains a message and loses another is one of both.
    pub fn people(&self, change: Change) -> usize {
        self.people.values().filter(|changes| **changes & change.bit() != 0).count()
    }

    /// Whether there is anything to say.
    pub fn is_changed(&self) -> bool {
        !self.settings.is_empty() || !self.why.is_empty()
    }

    fn merge(&mut self, other: &Self) {
        for (change, count) in &other.settings {
            *self.settings.entry(*change).or_default() += count;
        }
        self.add_messages(other.messages);
        for (why, more) in &other.why {
            let occurrences = self.why.entry(*why).or_default();
            occurrences.count += more.count;
            let room = SAMPLES - occurrences.samples.len();
            occurrences.samples.extend(more.samples.iter().take(room).cloned());
        }
        for (person, changes) in &other.people {
            *self.people.entry(*person).or_default() |= changes;
        }
    }
}

impl Change {
    pub const ALL: [Self; 3] = [Self::Gained, Self::Lost, Self::Moved];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gained => "gained",
            Self::Lost => "lost",
            Self::Moved => "moved",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl SettingChange {
    pub const ALL: [Self; 3] = [Self::Appears, Self::Vanishes, Self::IsSetDifferently];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Appears => "appears",
            Self::Vanishes => "vanishes",
            Self::IsSetDifferently => "is set differently",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("no destination"),
            Some(Verdict::Drop(reason)) => write!(f, "drop {reason}"),
            Some(verdict) => write!(f, "{verdict}"),
        }
    }
}
