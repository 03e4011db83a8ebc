//! The external IDs of the small world: two emails and two phones.

use crate::world::IDS;

/// Type and value of each ID, and its name in words.
pub const KNOWN_IDS: [(&str, &str, &str); IDS] = [
    ("email", "ann@example.com", "email 1"),
    ("email", "bea@example.com", "email 2"),
    ("phone", "+1555001", "phone 1"),
    ("phone", "+1555002", "phone 2"),
];

/// A set of the known IDs, by position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct IdSet(pub u8);

/// A set of types: 1 is email, 2 is phone.
pub type Types = u8;

impl IdSet {
    pub const NONE: Self = Self(0);

    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..IDS).filter(move |id| self.0 & (1 << id) != 0)
    }

    pub fn types(self) -> Types {
        u8::from(self.0 & 0b0011 != 0) | (u8::from(self.0 & 0b1100 != 0) << 1)
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub fn contains_all(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub fn in_words(self) -> String {
        let names: Vec<_> = self.iter().map(|id| KNOWN_IDS[id].2).collect();
        match names.is_empty() {
            true => "nothing".to_owned(),
            false => names.join(" and "),
        }
    }
}

impl FromIterator<usize> for IdSet {
    fn from_iter<I: IntoIterator<Item = usize>>(ids: I) -> Self {
        Self(ids.into_iter().fold(0, |set, id| set | (1 << id)))
    }
}
