//! Latest-ID selection, and the other ways to choose: which external IDs a column holds.

use core::ops::Range;

use smallvec::SmallVec;

use crate::decide::settings::{Column, ColumnSet, Columns, Horizon, bit_of};
use crate::input::external_id::ExternalId;
use crate::input::id_choice::{Consent, IdStrategy};
use crate::input::membership::Membership;
use crate::input::trigger::TriggerReason;
use crate::input::update::ProfileUpdate;

/// For each column, which of the update's IDs it holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChosenIds {
    columns: SmallVec<[Chosen; 4]>,
    /// A bit for each column that holds an ID.
    filled: u64,
}

/// The IDs of one column: those in a range of the update's that have the consent it asks for.
#[derive(Clone, Debug, Default)]
struct Chosen {
    positions: Range<usize>,
    /// Asked for within the range; of a range of one, that one has it.
    consent: Option<Consent>,
    /// Whether there is no ID, and for want of consent alone.
    lacks_consent: bool,
}

/// Whether the IDs that the profile had can make a difference to a destination that dedupes.
#[inline]
pub(crate) fn depends_on_ids(update: &ProfileUpdate) -> bool {
    match update.trigger().reason() {
        TriggerReason::ValueChanged | TriggerReason::NewExternalId | TriggerReason::ProfileMerge => {
            update.membership() == Membership::In
        }
        TriggerReason::ExternalIdRemoved => false,
    }
}

impl ChosenIds {
    /// Costs some name comparisons per type that settings name, as many as the logarithm of the number of
    /// IDs that lie between, and for each column of a type a look at those of its IDs that it passes over.
    #[inline]
    pub(crate) fn choose(update: &ProfileUpdate, columns: &Columns) -> Self {
        let mut chosen = Self::default();
        chosen.fill(update, columns);
        chosen
    }

    /// The same, of what holds none yet: where it lies, because to move it costs more than to fill it.
    #[inline]
    pub(crate) fn fill(&mut self, update: &ProfileUpdate, columns: &Columns) {
        debug_assert!(self.columns.is_empty(), "columns are filled once");
        if columns.any_listed() || depends_on_ids(update) {
            self.fill_columns(update, columns);
        }
    }

    fn fill_columns(&mut self, update: &ProfileUpdate, columns: &Columns) {
        self.columns.reserve(columns.len());
        for OfType { ids, first, columns, .. } in by_type(update.external_ids(), columns) {
            for &column in columns {
                let chosen = match ids.is_empty() {
                    true => Chosen::default(),
                    false => Chosen::of(column, ids, first, update),
                };
                if !chosen.positions.is_empty() {
                    self.filled |= bit_of(self.columns.len());
                }
                self.columns.push(chosen);
            }
        }
        debug_assert_eq!(self.columns.len(), columns.len(), "every column is of a type");
    }

    /// A bit for each of these columns that holds an ID: the same for columns that hold the same.
    pub(crate) fn filled(&self, columns: &ColumnSet) -> Option<u64> {
        columns.bits().map(|bits| self.filled & bits)
    }

    /// Where the IDs of these columns stand among the update's: ascending, because both columns and
    /// IDs are in the order of the types.
    pub(crate) fn of_columns<'s>(
        &'s self,
        columns: &'s [usize],
        ids: &'s [ExternalId],
    ) -> impl Iterator<Item = usize> + Clone + 's {
        columns.iter().filter_map(|&column| self.columns.get(column)).flat_map(|chosen| {
            let has_consent = |position: &usize| {
                chosen.consent.is_none_or(|consent| ids.get(*position).is_some_and(|id| permits(consent, id)))
            };
            chosen.positions.clone().filter(has_consent)
        })
    }

    /// Whether none of these columns holds an ID.
    pub(crate) fn are_empty(&self, columns: &ColumnSet) -> bool {
        if let Some(filled) = self.filled(columns) {
            return filled == 0;
        }
        let mut of_columns = columns.iter().filter_map(|&column| self.columns.get(column));
        of_columns.all(|chosen| chosen.positions.is_empty())
    }

    /// Whether some of these columns would hold an ID, but for consent.
    pub(crate) fn lack_consent(&self, columns: &[usize]) -> bool {
        columns.iter().filter_map(|&column| self.columns.get(column)).any(|chosen| chosen.lacks_consent)
    }
}

impl Chosen {
    /// `ids` are the update's of one type, from latest to earliest, of which the first stands at `first`.
    fn of(column: Column, ids: &[ExternalId], first: usize, update: &ProfileUpdate) -> Self {
        let at = |offset: usize| first.saturating_add(offset);
        let all = first..at(ids.len());
        let Column { strategy, consent, horizon } = column;
        match (horizon, update.membership()) {
            (Horizon::Visible, _) if !depends_on_ids(update) => return Self::default(),
            // Whatever was ever sent can be taken back.
            (Horizon::Listed, Membership::Out) => return Self { positions: all, ..Self::default() },
            (Horizon::Visible, _) | (Horizon::Listed, Membership::In) => {}
        }
        let is_there = |id: &ExternalId| horizon == Horizon::Listed || id.is_visible_at(update.computed_at());
        let is_chosen = |id: &ExternalId| is_there(id) && consent.is_none_or(|consent| permits(consent, id));
        let one =
            |offset: Option<usize>| offset.map_or(0..0, |offset| at(offset)..at(offset).saturating_add(1));
        let positions = match strategy {
            IdStrategy::Latest => one(ids.iter().position(is_chosen)),
            IdStrategy::First => one(ids.iter().rposition(is_chosen)),
            IdStrategy::All => {
                if ids.iter().any(is_chosen) {
                    all
                } else {
                    0..0
                }
            }
        };
        let lacks_consent = positions.is_empty() && consent.is_some() && ids.iter().any(is_there);
        Self { positions, consent, lacks_consent }
    }
}

/// The IDs of one type, and the columns that choose from them.
pub(crate) struct OfType<'u, 'c> {
    pub(crate) ids: &'u [ExternalId],
    /// Where the first of them stands among all.
    pub(crate) first: usize,
    pub(crate) columns: &'c [Column],
    /// Where the first of them stands among all.
    pub(crate) first_column: usize,
}

/// For each type that has columns, ascending, those of these IDs that are of it: they are listed by type.
pub(crate) fn by_type<'u, 'c>(
    ids: &'u [ExternalId],
    columns: &'c Columns,
) -> impl Iterator<Item = OfType<'u, 'c>> {
    let mut first: usize = 0;
    let mut others = ids;
    columns.types().map(move |(name, of_type)| {
        let (before, from_type) = split_where(others, |id| id.id_type() < name);
        let (ids, after) = split_where(from_type, |id| id.id_type() == name);
        let first_of_type = first.saturating_add(before.len());
        first = first_of_type.saturating_add(ids.len());
        others = after;
        let first_column = of_type.start;
        let columns = columns.as_slice().get(of_type).unwrap_or_default();
        OfType { ids, first: first_of_type, columns, first_column }
    })
}

/// Splits IDs behind the first ones that are such, where none of the others is. Looks at one more of them if
/// there are none, and at twice as many as the logarithm of their number if there are.
fn split_where(ids: &[ExternalId], is_such: impl Fn(&ExternalId) -> bool) -> (&[ExternalId], &[ExternalId]) {
    let (mut known, mut next): (usize, usize) = (0, 0);
    while ids.get(next).is_some_and(&is_such) {
        known = next.saturating_add(1);
        next = next.saturating_add(known);
    }
    let unknown = ids.get(known..next.min(ids.len())).unwrap_or_default();
    ids.split_at_checked(known.saturating_add(unknown.partition_point(is_such))).unwrap_or((ids, &[]))
}

/// Whether this ID may be sent to a destination that asks for this consent.
pub(crate) fn permits(consent: Consent, id: &ExternalId) -> bool {
    consent.permits(id.subscribed())
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec::Vec;

    use super::*;
    use crate::build::{at, entry, id};
    use crate::decide::destinations::Destinations;
    use crate::decide::settings::Choice;
    use crate::input::destination::Destination;

    /// The IDs that this destination is sent of a profile whose emails came at 1, 2 and 3 seconds, the
    /// last of which is unsubscribed, of which nothing is known of the second, and with a phone.
    fn chosen(computed_at: Option<i128>, destination: Destination) -> String {
        let email = |second, subscribed: Option<bool>| {
            let id = id("email", &alloc::format!("seen {second}"));
            id.with_created_at(at(second)).maybe_subscribed(subscribed)
        };
        let update = entry()
            .maybe_computed_at(computed_at.map(at))
            .external_ids([email(2, None), email(3, Some(false)), email(1, Some(true))])
            .external_id(id("phone", "backfilled"))
            .build()
            .unwrap();
        let destinations = Destinations::new([destination]).unwrap();
        let (Choice::Of(all) | Choice::Deduping(all)) = &destinations.settings().distinct()[0].choice else {
            panic!("a destination that chooses among the IDs")
        };
        let chosen = ChosenIds::choose(&update, destinations.settings().columns());
        let positions = chosen.of_columns(all, update.external_ids());
        let ids: Vec<&str> = positions.map(|position| update.external_ids()[position].id()).collect();
        assert_eq!(chosen.are_empty(all), ids.is_empty());
        let lacking = if chosen.lack_consent(all) { " (consent)" } else { "" };
        ids.join(", ") + lacking
    }

    fn deduping() -> Destination {
        Destination::new("dst_1").unwrap().deduping_on(["phone", "fax", "email"]).unwrap()
    }

    fn plain(strategy: IdStrategy) -> Destination {
        Destination::new("dst_1").unwrap().with_id_strategies([("email", strategy)]).unwrap()
    }

    #[test]
    fn the_latest_id_is_of_the_time_of_the_update() {
        assert_eq!(chosen(None, deduping()), "seen 3, backfilled");
        assert_eq!(chosen(Some(3), deduping()), "seen 3, backfilled");
        assert_eq!(chosen(Some(2), deduping()), "seen 2, backfilled");
        assert_eq!(chosen(Some(1), deduping()), "seen 1, backfilled");
        assert_eq!(chosen(Some(0), deduping()), "backfilled");
    }

    #[test]
    fn a_plain_destination_chooses_from_all_that_are_listed() {
        assert_eq!(chosen(Some(1), plain(IdStrategy::Latest)), "seen 3");
        assert_eq!(chosen(Some(1), plain(IdStrategy::First)), "seen 1");
        assert_eq!(chosen(Some(1), plain(IdStrategy::All)), "seen 3, seen 2, seen 1");
    }

    #[test]
    fn an_id_without_consent_hides_no_other() {
        let with = |consent| move |destination: Destination| destination.with_consent(consent);
        let (required, not_refused) = (with(Consent::Required), with(Consent::NotRefused));
        assert_eq!(chosen(None, not_refused(plain(IdStrategy::Latest))), "seen 2");
        assert_eq!(chosen(None, not_refused(plain(IdStrategy::All))), "seen 2, seen 1");
        assert_eq!(chosen(None, required(plain(IdStrategy::Latest))), "seen 1");
        assert_eq!(chosen(None, required(plain(IdStrategy::All))), "seen 1");
        assert_eq!(chosen(Some(2), required(deduping())), "seen 1 (consent)");
        assert_eq!(chosen(Some(0), not_refused(deduping())), "backfilled");
    }
}
