//! The settings of destinations, prepared for many decisions: one entry for each distinct one.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::{Deref, Range};

use crate::input::destination::Destination;
use crate::input::id_choice::{Consent, IdStrategy};

/// The distinct settings of a list of destinations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Settings {
    columns: Columns,
    /// By their first members.
    distinct: Box<[Setting]>,
    /// For each destination, the position of its setting.
    of_destination: Box<[usize]>,
}

/// Destinations that are decided alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Setting {
    pub(crate) choice: Choice,
    /// Ascending positions in the list of destinations. Never empty.
    pub(crate) members: Box<[usize]>,
}

/// Which IDs the destinations with a setting are sent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Choice {
    /// All there are.
    All,
    /// All with consent.
    Consenting(Consent),
    /// Those of some columns.
    Of(ColumnSet),
    /// Those of some columns, where there is a reason to message the profile.
    Deduping(ColumnSet),
}

/// Some columns, by their positions: ascending, each of a type of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ColumnSet {
    positions: Box<[usize]>,
    /// A bit for each, where the table has no more columns than there are bits.
    bits: Option<u64>,
}

/// One way to choose IDs of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Column {
    pub(crate) strategy: IdStrategy,
    pub(crate) consent: Option<Consent>,
    pub(crate) horizon: Horizon,
}

/// Which of a profile's IDs there are to choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Horizon {
    /// Those that it had when the update was computed: for destinations that dedupe.
    Visible,
    /// All: for the others.
    Listed,
}

/// Every column that some setting has, by type, so that a decision looks each type up once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Columns {
    all: Box<[Column]>,
    /// By type: where its columns are.
    types: Box<[(Box<str>, Range<usize>)]>,
    /// Whether a destination has some that does not dedupe.
    any_listed: bool,
}

impl Setting {
    /// The columns, where the destinations dedupe.
    pub(crate) fn deduping(&self) -> Option<&ColumnSet> {
        match &self.choice {
            Choice::Deduping(columns) => Some(columns),
            Choice::All | Choice::Consenting(_) | Choice::Of(_) => None,
        }
    }
}

impl ColumnSet {
    fn new(positions: Box<[usize]>, columns: &Columns) -> Self {
        let has_bits = columns.len() <= u64::BITS as usize;
        let bits = has_bits.then(|| positions.iter().fold(0, |bits, position| bits | bit_of(*position)));
        Self { positions, bits }
    }

    pub(crate) fn bits(&self) -> Option<u64> {
        self.bits
    }
}

impl Deref for ColumnSet {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
        &self.positions
    }
}

impl Settings {
    pub(crate) fn new(destinations: &[Destination]) -> Self {
        let columns = Columns::new(destinations.iter().flat_map(named_columns));
        let choices = destinations.iter().map(|destination| columns.choice_of(destination));
        let mut choices: Vec<(Choice, usize)> = choices.zip(0..).collect();
        choices.sort_unstable();
        let setting = |run: &[(Choice, usize)]| {
            let (choice, _) = run.first()?;
            let members = run.iter().map(|(_, member)| *member).collect();
            Some(Setting { choice: choice.clone(), members })
        };
        let mut distinct: Box<[Setting]> =
            choices.chunk_by(|(a, _), (b, _)| a == b).filter_map(setting).collect();
        distinct.sort_unstable_by(|a, b| a.members.cmp(&b.members));
        let mut of_destination: Box<[usize]> = destinations.iter().map(|_| 0).collect();
        for (position, setting) in distinct.iter().enumerate() {
            for &member in &setting.members {
                match of_destination.get_mut(member) {
                    Some(slot) => *slot = position,
                    None => debug_assert!(false, "a member is one of the destinations"),
                }
            }
        }
        Self { columns, distinct, of_destination }
    }

    pub(crate) fn distinct(&self) -> &[Setting] {
        &self.distinct
    }

    /// For each destination, the position of its setting.
    pub(crate) fn of_destination(&self) -> &[usize] {
        &self.of_destination
    }

    pub(crate) fn columns(&self) -> &Columns {
        &self.columns
    }
}

impl Columns {
    fn new<'d>(named: impl Iterator<Item = (&'d str, Column)>) -> Self {
        let mut named: Vec<(&str, Column)> = named.collect();
        named.sort_unstable();
        named.dedup();
        let mut first: usize = 0;
        let of_type = |run: &[(&'d str, Column)]| {
            let range = first..first.saturating_add(run.len());
            first = range.end;
            run.first().map(|(name, _)| (Box::from(*name), range))
        };
        Self {
            types: named.chunk_by(|(a, _), (b, _)| a == b).filter_map(of_type).collect(),
            all: named.iter().map(|(_, column)| *column).collect(),
            any_listed: named.iter().any(|(_, column)| column.horizon == Horizon::Listed),
        }
    }

    fn choice_of(&self, destination: &Destination) -> Choice {
        let columns = || {
            let positions = named_columns(destination).map(|(name, column)| {
                let of_type = self.of_type(name);
                let offset = of_type.clone().position(|position| self.get(position) == Some(column));
                debug_assert!(offset.is_some(), "every setting's columns are in the table");
                of_type.start.saturating_add(offset.unwrap_or_default())
            });
            ColumnSet::new(positions.collect(), self)
        };
        match (destination.id_types(), destination.strategies(), destination.consent()) {
            (Some(_), _, _) => Choice::Deduping(columns()),
            (None, Some(_), _) => Choice::Of(columns()),
            (None, None, Some(consent)) => Choice::Consenting(consent),
            (None, None, None) => Choice::All,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn get(&self, position: usize) -> Option<Column> {
        self.all.get(position).copied()
    }

    /// Whether a destination that does not dedupe chooses by them.
    pub(crate) fn any_listed(&self) -> bool {
        self.any_listed
    }

    /// All of them, by type.
    pub(crate) fn as_slice(&self) -> &[Column] {
        &self.all
    }

    /// The types, ascending, and where the columns of each are.
    pub(crate) fn types(&self) -> impl Iterator<Item = (&str, Range<usize>)> {
        self.types.iter().map(|(name, columns)| (&**name, columns.clone()))
    }

    /// Where the columns of this type are.
    pub(crate) fn of_type(&self, name: &str) -> Range<usize> {
        let found = self.types.binary_search_by(|(known, _)| (**known).cmp(name));
        found.ok().and_then(|at| self.types.get(at)).map_or(0..0, |(_, columns)| columns.clone())
    }
}

/// The bit of a column, or of an ID, at this position. Rotates past the last bit, to the first one.
pub(crate) fn bit_of(position: usize) -> u64 {
    const BITS: usize = u64::BITS as usize;
    1_u64.rotate_left(u32::try_from(position % BITS).unwrap_or_default())
}

/// The columns of a destination that has some, by the names of their types, ascending.
fn named_columns(destination: &Destination) -> impl Iterator<Item = (&str, Column)> {
    let consent = destination.consent();
    let strategies = destination.strategies().unwrap_or_default();
    let column = move |strategy, horizon| Column { strategy, consent, horizon };
    let deduping = destination.id_types().unwrap_or_default().iter().map(move |name| {
        let strategy = strategies.binary_search_by(|(known, _)| known.cmp(name)).ok();
        let strategy = strategy.and_then(|at| strategies.get(at)).map(|(_, strategy)| *strategy);
        (&**name, column(strategy.unwrap_or_default(), Horizon::Visible))
    });
    let plain = if destination.id_types().is_some() { &[] } else { strategies };
    deduping.chain(plain.iter().map(move |(name, strategy)| (&**name, column(*strategy, Horizon::Listed))))
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn deduping<const N: usize>(id: &str, id_types: [&str; N]) -> Destination {
        Destination::new(id).unwrap().deduping_on(id_types).unwrap()
    }

    #[test]
    fn one_setting_for_all_that_decide_alike() {
        let first = [("email", IdStrategy::First)];
        let destinations = [
            deduping("a", ["email"]),
            deduping("b", ["email", "phone", "email"]).with_name("Twilio"),
            Destination::new("c").unwrap().with_name("Google Ads"),
            deduping("d", ["phone", "email"]).with_id_strategies([("phone", IdStrategy::Latest)]).unwrap(),
            Destination::new("e").unwrap(),
            Destination::new("f").unwrap().with_consent(Consent::Required),
            Destination::new("g").unwrap().with_id_strategies(first).unwrap(),
            deduping("h", ["email"]).with_id_strategies(first).unwrap(),
            deduping("i", ["email"]).with_consent(Consent::Required),
        ];
        let settings = Settings::new(&destinations);
        let members: Vec<&[usize]> = settings.distinct().iter().map(|setting| &*setting.members).collect();
        assert_eq!(members, [&[0][..], &[1, 3], &[2, 4], &[5], &[6], &[7], &[8]]);
        assert_eq!(settings.of_destination(), [0, 1, 2, 1, 2, 3, 4, 5, 6]);
        assert_eq!(settings.columns().of_type("email"), 0..4);
        assert_eq!(settings.columns().of_type("phone"), 4..5);
        assert_eq!((settings.columns().of_type("fax"), settings.columns().len()), (0..0, 5));
        let plain = Column { strategy: IdStrategy::First, consent: None, horizon: Horizon::Listed };
        let Choice::Of(columns) = &settings.distinct()[4].choice else { panic!() };
        assert_eq!((columns.len(), settings.columns().get(columns[0])), (1, Some(plain)));
    }

    #[test]
    fn there_may_be_none() {
        let settings = Settings::new(&[]);
        assert_eq!((settings.distinct().len(), settings.columns().len()), (0, 0));
        assert_eq!(vec![0; 0], settings.of_destination());
    }
}
