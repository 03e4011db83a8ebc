//! The destinations of a computation, prepared for many decisions.

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::{Serialize, Serializer};

use crate::decide::settings::Settings;
use crate::input::destination::Destination;
use crate::input::error::{InputError, refuse_repeats};
use crate::input::listed::listed;
use crate::input::name_digest::NameDigest;
use crate::input::read::field::Field;
use crate::input::read::shape::List;
use crate::input::read::{Read, deserialize_by_read};

/// The destinations that are connected to one computation.
///
/// Build it once and decide any number of updates with it: destinations with the same settings are put
/// together here, so that the cost of a decision grows with the number of distinct settings and not
/// with the number of destinations.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use idgroup::{Destination, Destinations};
///
/// let destinations = Destinations::new([
///     Destination::new("dst_1")?.with_name("SendGrid").deduping_on(["email"])?,
///     Destination::new("dst_2")?.with_name("Google Ads"),
/// ])?;
/// assert_eq!(destinations.len(), 2);
///
/// let misspelt = serde_json::from_str::<Destinations>(r#"[{"id":"dst_1","dedupe_on":["email"]}]"#);
/// assert_eq!(
///     misspelt.unwrap_err().to_string(),
///     "`[0].dedupe_on` of destination `dst_1` is not a known field, \
///      expected `id`, `name`, `dedupes_on`, `id_strategies` or `consent`",
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Destinations {
    by_id: Box<[Destination]>,
    settings: Settings,
    /// By the destination's id, what memories know it by.
    digests: Box<[NameDigest]>,
}

impl Destinations {
    /// The destinations of a computation, in any order. Costs a sort.
    ///
    /// # Errors
    ///
    /// Two destinations with the same id.
    pub fn new(destinations: impl IntoIterator<Item = Destination>) -> Result<Self, InputError> {
        let mut by_id: Vec<Destination> = destinations.into_iter().collect();
        refuse_repeats("id", by_id.iter().map(Destination::id))?;
        by_id.sort_unstable_by(|a, b| a.id().cmp(b.id()));
        let digests = by_id.iter().map(|destination| NameDigest::of_destination(destination.id())).collect();
        Ok(Self { settings: Settings::new(&by_id), digests, by_id: by_id.into() })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The destination with this id. Costs a binary search.
    pub fn get(&self, id: &str) -> Option<&Destination> {
        debug_assert!(
            self.by_id.is_sorted_by(|a, b| a.id() < b.id()),
            "destinations are sorted by id, each once"
        );
        self.by_id.get(self.position(id)?)
    }

    /// Where the destination with this id stands among all.
    pub(crate) fn position(&self, id: &str) -> Option<usize> {
        self.by_id.binary_search_by(|destination| destination.id().cmp(id)).ok()
    }

    /// How many different settings the destinations have: `dedupes_on`, `id_strategies` and `consent`
    /// together, counting their absence as one. The cost of a decision grows with this number.
    pub fn distinct_settings(&self) -> usize {
        self.settings.distinct().len()
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// For each destination, by id, what memories know it by.
    pub(crate) fn digests(&self) -> &[NameDigest] {
        &self.digests
    }
}

listed!(Destinations(by_id) of Destination, "by id");

/// As by [`Destinations::new`], and refused as there.
impl TryFrom<Vec<Destination>> for Destinations {
    type Error = InputError;

    fn try_from(destinations: Vec<Destination>) -> Result<Self, InputError> {
        Self::new(destinations)
    }
}

/// As by [`Destinations::new`], and refused as there.
impl<const N: usize> TryFrom<[Destination; N]> for Destinations {
    type Error = InputError;

    fn try_from(destinations: [Destination; N]) -> Result<Self, InputError> {
        Self::new(destinations)
    }
}

/// As by [`Destinations::new`], and refused as there, from an iterator: what `collect` returns.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use idgroup::{Destination, Destinations, InputError};
///
/// let ids = ["dst_2", "dst_1"];
/// let made: Result<Vec<Destination>, InputError> = ids.into_iter().map(Destination::new).collect();
/// let destinations: Result<Destinations, InputError> = made?.into_iter().collect();
/// assert!(destinations?.get("dst_1").is_some());
/// # Ok(())
/// # }
/// ```
impl FromIterator<Destination> for Result<Destinations, InputError> {
    fn from_iter<I: IntoIterator<Item = Destination>>(destinations: I) -> Self {
        Destinations::new(destinations)
    }
}

impl<'de> Read<'de> for Destinations {
    type Raw = Field<List<Destination>>;

    fn check(raw: Self::Raw) -> Result<Self, InputError> {
        Self::new(raw.value()?.0?)
    }
}

deserialize_by_read!(Destinations);

impl Serialize for Destinations {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_slice().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deduping<const N: usize>(id: &str, id_types: [&str; N]) -> Destination {
        Destination::new(id).unwrap().deduping_on(id_types).unwrap()
    }

    #[test]
    fn each_is_found_by_its_id() {
        let ids = ["c", "a", "e", "b", "d"];
        let destinations = Destinations::new(ids.map(|id| deduping(id, ["email"]).with_name(id))).unwrap();
        for id in ids {
            assert_eq!(destinations.get(id).and_then(Destination::name), Some(id));
        }
        for id in ["", "A", "aa", "f"] {
            assert_eq!(destinations.get(id), None);
        }
    }

    #[test]
    fn are_gone_through_by_id() {
        let given = ["b", "c", "a"].map(|id| Destination::new(id).unwrap());
        let destinations = Destinations::try_from(given.clone()).unwrap();
        assert_eq!(destinations.iter().len(), 3);
        let mut seen = Vec::new();
        for destination in &destinations {
            seen.push(destination.id());
        }
        assert_eq!(seen, ["a", "b", "c"]);
        let collected: Result<Destinations, InputError> = destinations.clone().into_iter().collect();
        assert_eq!(collected.unwrap(), destinations);
        assert_eq!(Destinations::try_from(given.to_vec()).unwrap(), destinations);
    }

    #[test]
    fn two_of_one_id_are_refused_however_they_come() {
        let twice = ["a", "b", "b"].map(|id| Destination::new(id).unwrap());
        let refused = Destinations::new(twice.clone()).unwrap_err();
        assert_eq!(refused.field(), "[2].id");
        assert_eq!(Destinations::try_from(twice.to_vec()), Err(refused.clone()));
        assert_eq!(Destinations::try_from(twice.clone()), Err(refused.clone()));
        assert_eq!(twice.into_iter().collect::<Result<Destinations, _>>(), Err(refused));
    }

    #[test]
    fn there_may_be_none() {
        let none = Destinations::new([]).unwrap();
        assert_eq!((none.len(), none.is_empty(), none.distinct_settings()), (0, true, 0));
    }
}
