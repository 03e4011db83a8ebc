//! Whether the promise is kept: what is owed to each stay, and what it is sent at least and at most.

use super::{DEDUPING, Update, World};
use crate::ids::Types;
use crate::rules::{Rules, Without};

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
    /// Because consent came or went.
    pub one_or_none: u64,
}

impl World {
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
                let relevant = owing(stay.relevant.types()) & (1 << destination) != 0;
                let uncertain = owing(stay.uncertain.types()) & (1 << destination) != 0;
                let messaged_before = stay.messaged_before & (1 << destination) != 0;
                let owed = u8::from(relevant && !messaged_before);
                match (relevant, messaged_before) {
                    _ if uncertain => checked.one_or_none += 1,
                    (true, false) => checked.one += 1,
                    (_, true) => checked.none_because_continued += 1,
                    (false, false) => checked.none += 1,
                }
                let (fewest, most) = self.messages(Some(position), destination, rules);
                let broken = |wrong, sent| Broken { wrong, stay: Some(position), destination, owed, sent };
                if fewest < owed {
                    return Some(broken(Wrong::Missing, fewest));
                }
                if most > owed.max(u8::from(uncertain)) {
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
}

/// The destinations that owe a message to a profile with IDs of these types.
pub(super) fn owing(types: Types) -> u8 {
    (0..DEDUPING.len()).filter(|&d| DEDUPING[d] & types != 0).fold(0, |owing, d| owing | (1 << d))
}
