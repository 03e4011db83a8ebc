//! The destinations of a computation, prepared for many decisions.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::{Serialize, Serializer};

use crate::digest::NameDigest;
use crate::input::destination::Destination;
use crate::input::error::{InputError, refuse_repeats};
use crate::input::read::field::Field;
use crate::input::read::shape::List;
use crate::input::read::{Read, deserialize_by_read};

/// The destinations that are connected to one computation.
///
/// Build it once and decide any number of updates with it: destinations with the same `dedupes_on`
/// are put together here, so that a decision costs in the number of distinct settings and not in
/// the number of destinations.
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
///      expected `id`, `name` or `dedupes_on`",
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Destinations {
    by_id: Box<[Destination]>,
    /// The distinct settings, and the position in it of each destination's, by the destination's id.
    settings: Box<[Setting]>,
    setting_of: Box<[usize]>,
    types: TypeTable,
    /// By the destination's id, what memories know it by.
    digests: Box<[NameDigest]>,
}

/// Destinations that are decided alike, because they have the same `dedupes_on`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// Ascending positions in the type table; `None` for plain destinations.
    pub(crate) types: Option<Box<[usize]>>,
    /// Ascending positions in the list of destinations by id. Never empty.
    pub(crate) members: Box<[usize]>,
}

/// Every external ID type that some destination dedupes on, sorted and numbered, so that a decision
/// compares each type's name once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TypeTable(Box<[Box<str>]>);

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
        Ok(Self::prepare(by_id.into()))
    }

    fn prepare(by_id: Box<[Destination]>) -> Self {
        let types = TypeTable::new(by_id.iter().filter_map(Destination::id_types).flatten());
        let mut members = BTreeMap::<Option<Box<[usize]>>, Vec<usize>>::new();
        for (position, destination) in by_id.iter().enumerate() {
            let setting = destination.id_types().map(|names| types.positions(names));
            members.entry(setting).or_default().push(position);
        }
        let settings: Box<[Setting]> =
            members.into_iter().map(|(types, members)| Setting { types, members: members.into() }).collect();
        let mut setting_of: Box<[usize]> = by_id.iter().map(|_| 0).collect();
        for (position, setting) in settings.iter().enumerate() {
            for &member in &setting.members {
                match setting_of.get_mut(member) {
                    Some(slot) => *slot = position,
                    None => debug_assert!(false, "a member is one of the destinations"),
                }
            }
        }
        let digests = by_id.iter().map(|destination| NameDigest::of_destination(destination.id())).collect();
        Self { by_id, settings, setting_of, types, digests }
    }

    /// How many destinations there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The destinations, by id.
    pub fn as_slice(&self) -> &[Destination] {
        &self.by_id
    }

    /// How many different `dedupes_on` the destinations have, counting its absence as one. A
    /// decision costs in this number.
    pub fn distinct_settings(&self) -> usize {
        self.settings.len()
    }

    pub(crate) fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// For each destination, by id, the position of its setting.
    pub(crate) fn setting_of(&self) -> &[usize] {
        &self.setting_of
    }

    pub(crate) fn types(&self) -> &TypeTable {
        &self.types
    }

    /// For each destination, by id, what memories know it by.
    pub(crate) fn digests(&self) -> &[NameDigest] {
        &self.digests
    }
}

impl TypeTable {
    fn new<'a>(names: impl Iterator<Item = &'a Box<str>>) -> Self {
        let mut names: Vec<&Box<str>> = names.collect();
        names.sort_unstable();
        names.dedup();
        Self(names.into_iter().cloned().collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.0.binary_search_by(|known| (**known).cmp(name)).ok()
    }

    fn positions(&self, names: &[Box<str>]) -> Box<[usize]> {
        let positions: Box<[usize]> = names.iter().filter_map(|name| self.position(name)).collect();
        debug_assert!(positions.len() == names.len(), "every type that is deduped on is in the table");
        positions
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
    use alloc::vec;

    use super::*;

    fn deduping<const N: usize>(id: &str, id_types: [&str; N]) -> Destination {
        Destination::new(id).unwrap().deduping_on(id_types).unwrap()
    }

    fn members(destinations: &Destinations) -> Vec<Vec<&str>> {
        let ids = |setting: &Setting| setting.members.iter().map(|&at| destinations.by_id[at].id()).collect();
        destinations.settings().iter().map(ids).collect()
    }

    #[test]
    fn one_setting_for_all_that_decide_alike() {
        let destinations = Destinations::new([
            deduping("d", ["phone", "email"]),
            Destination::new("c").unwrap().with_name("Google Ads"),
            deduping("b", ["email", "phone", "email"]).with_name("Twilio"),
            deduping("a", ["email"]),
            Destination::new("e").unwrap(),
        ])
        .unwrap();
        assert_eq!(members(&destinations), [vec!["c", "e"], vec!["a"], vec!["b", "d"]]);
        assert_eq!(destinations.distinct_settings(), 3);
        assert_eq!(destinations.setting_of(), [1, 2, 0, 2, 0]);
        assert_eq!(
            (destinations.types().position("phone"), destinations.types().position("fax")),
            (Some(1), None)
        );
        assert_eq!((destinations.len(), destinations.is_empty()), (5, false));
    }

    #[test]
    fn there_may_be_none() {
        let none = Destinations::new([]).unwrap();
        assert_eq!((none.len(), none.is_empty(), none.distinct_settings()), (0, true, 0));
    }
}
