//! Trigger-reason filtering: whether the reason why an update was emitted is one to message a
//! profile for, setting by setting.

use smallvec::{SmallVec, smallvec};

use crate::decide::latest_id::{ChosenIds, OfType, by_type, depends_on_ids, permits};
use crate::decide::settings::{Column, ColumnSet, Columns};
use crate::decide::verdict::DropReason;
use crate::input::external_id::ExternalId;
use crate::input::membership::Membership;
use crate::input::trigger::{AddedIds, MergedProfile, MergedProfiles, Trigger, TriggerReason};
use crate::input::update::ProfileUpdate;

/// What an update says about why it was emitted, gathered once so that each setting asks only about
/// its columns.
pub(crate) struct TriggerFilter<'a> {
    reason: TriggerReason,
    membership: Membership,
    /// Filled where external IDs were added; by column.
    arrivals: SmallVec<[Arrivals<'a>; 4]>,
    /// Filled where profiles were merged.
    holdings: Holdings,
}

/// Of the visible IDs of one column, the one that came first among those that the update says were
/// added, and among all others.
#[derive(Clone, Default)]
struct Arrivals<'a> {
    added: Option<&'a ExternalId>,
    other: Option<&'a ExternalId>,
    /// Whether an added ID is not among them for want of consent.
    added_lacks_consent: bool,
}

/// How it is known what a profile has been sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Past {
    /// From the order of IDs and the statements of merges: without a memory.
    Inferred,
    /// It is remembered, and asked elsewhere.
    Remembered,
}

/// What merged profiles that were members held.
#[derive(Default)]
pub(crate) struct Holdings {
    /// By column, whatever consent it asks for.
    columns: SmallVec<[bool; 8]>,
    /// Whether it is not stated for some member.
    unstated: bool,
}

impl<'a> TriggerFilter<'a> {
    /// Of an update of which the trigger is yet to be [gathered](Self::gather).
    #[inline]
    pub(crate) fn new(update: &ProfileUpdate) -> Self {
        Self {
            reason: update.trigger().reason(),
            membership: update.membership(),
            arrivals: SmallVec::new(),
            holdings: Holdings::default(),
        }
    }

    /// The cost grows with the number of IDs of the update and of its trigger.
    #[inline]
    pub(crate) fn gather(&mut self, update: &'a ProfileUpdate, columns: &Columns) {
        match update.trigger() {
            _ if !depends_on_ids(update) => {}
            Trigger::NewExternalId(added) => self.take_arrivals(update, added, columns),
            Trigger::ProfileMerge(profiles) => self.take_holdings(profiles, columns),
            Trigger::ValueChanged | Trigger::ExternalIdRemoved(_) => {}
        }
    }

    fn take_holdings(&mut self, profiles: &MergedProfiles, columns: &Columns) {
        let members = profiles.as_slice().iter().filter(|profile| profile.membership() == Membership::In);
        self.holdings = Holdings::of(members, columns);
    }

    fn take_arrivals(&mut self, update: &'a ProfileUpdate, added: &AddedIds, columns: &Columns) {
        self.arrivals.resize(columns.len(), Arrivals::default());
        match added.len() {
            ..=FEW_ADDED => self.look_up(update, added, columns),
            _ => self.walk(update, added, columns),
        }
    }

    /// Looks each ID of the columns' types up among the added ones.
    fn look_up(&mut self, update: &'a ProfileUpdate, added: &AddedIds, columns: &Columns) {
        for OfType { ids, columns, first_column, .. } in by_type(update.external_ids(), columns) {
            let of_type = self.arrivals.get_mut(first_column..).unwrap_or_default();
            for id in ids.iter().filter(|id| id.is_visible_at(update.computed_at())) {
                take(id, added.contains(id.key()), columns, of_type);
            }
        }
    }

    /// Walks the update's IDs and the added ones together, both by identity.
    fn walk(&mut self, update: &'a ProfileUpdate, added: &AddedIds, columns: &Columns) {
        let mut added = added.as_slice().iter().peekable();
        let (mut id_type, mut range) = ("", 0..0);
        for id in update.id_set().by_identity() {
            while added.next_if(|added| *added < id.key()).is_some() {}
            let is_added = added.peek().is_some_and(|added| *added == id.key());
            // Most have the type of the one before.
            if id.id_type() != id_type {
                id_type = id.id_type();
                range = columns.of_type(id_type);
            }
            if range.is_empty() || !id.is_visible_at(update.computed_at()) {
                continue;
            }
            let of_type = self.arrivals.get_mut(range.clone()).unwrap_or_default();
            take(id, is_added, columns.as_slice().get(range.clone()).unwrap_or_default(), of_type);
        }
    }

    /// Why destinations that dedupe, with these columns, are sent nothing, if so: the table of the
    /// documentation, of which the first check that holds decides. Where the past is remembered, the
    /// checks that infer it are skipped.
    #[allow(clippy::match_same_arms, reason = "a row of the table each")]
    pub(crate) fn refuses(&self, columns: &ColumnSet, chosen: &ChosenIds, past: Past) -> Option<DropReason> {
        let is_inferred = past == Past::Inferred;
        let no_relevant = || match chosen.are_empty(columns) {
            true if chosen.lack_consent(columns) => Some(DropReason::NoConsent),
            true => Some(DropReason::NoRelevantExternalId),
            false => None,
        };
        match (self.reason, self.membership) {
            (TriggerReason::ValueChanged, Membership::Out) => Some(DropReason::Exited),
            (TriggerReason::ValueChanged, Membership::In) => no_relevant(),

            (TriggerReason::NewExternalId, Membership::Out) => Some(DropReason::NotAMember),
            (TriggerReason::NewExternalId, Membership::In) => match self.first_arrivals(columns) {
                Arrivals { added: None, added_lacks_consent: true, .. } => Some(DropReason::NoConsent),
                Arrivals { added: None, .. } => Some(DropReason::AddedIdNotRelevant),
                first if is_inferred && first.may_have_been_messaged() => Some(DropReason::AlreadyMessaged),
                Arrivals { .. } => None,
            },

            (TriggerReason::ProfileMerge, Membership::Out) => Some(DropReason::NotAMember),
            (TriggerReason::ProfileMerge, Membership::In)
                if is_inferred && self.holdings.include(columns) =>
            {
                Some(DropReason::AlreadyMessaged)
            }
            (TriggerReason::ProfileMerge, Membership::In) if is_inferred && self.holdings.unstated => {
                Some(DropReason::MayHaveBeenMessaged)
            }
            (TriggerReason::ProfileMerge, Membership::In) => no_relevant(),

            (TriggerReason::ExternalIdRemoved, _) => Some(DropReason::ExternalIdRemoved),
        }
    }

    /// Whether added IDs, which need not be of these columns, find that the profile may have been
    /// messaged before they came.
    pub(crate) fn came_after_others(&self, columns: &[usize]) -> bool {
        self.first_arrivals(columns).may_have_been_messaged()
    }

    fn first_arrivals(&self, columns: &[usize]) -> Arrivals<'a> {
        let of_columns = columns.iter().filter_map(|&position| self.arrivals.get(position));
        of_columns.fold(Arrivals::default(), |first, of_column| Arrivals {
            added: earlier(first.added, of_column.added),
            other: earlier(first.other, of_column.other),
            added_lacks_consent: first.added_lacks_consent || of_column.added_lacks_consent,
        })
    }
}

/// Up to so many added IDs, it costs less to look among them for each ID of some types than to walk all.
const FEW_ADDED: usize = 8;

/// Takes an ID into the arrivals of the columns of its type.
#[inline]
fn take<'a>(id: &'a ExternalId, is_added: bool, columns: &[Column], of_type: &mut [Arrivals<'a>]) {
    for (column, slot) in columns.iter().zip(of_type) {
        match (column.consent.is_none_or(|consent| permits(consent, id)), is_added) {
            (true, true) => slot.added = earlier(slot.added, Some(id)),
            (true, false) => slot.other = earlier(slot.other, Some(id)),
            (false, _) => slot.added_lacks_consent |= is_added,
        }
    }
}

impl Arrivals<'_> {
    /// Whether an ID that was not added was there before all that were.
    fn may_have_been_messaged(&self) -> bool {
        match (self.other, self.added) {
            (Some(other), Some(added)) => other.came_earlier_than(added),
            (other, _) => other.is_some(),
        }
    }
}

fn earlier<'a>(one: Option<&'a ExternalId>, other: Option<&'a ExternalId>) -> Option<&'a ExternalId> {
    match (one, other) {
        (Some(one), Some(other)) if other.came_earlier_than(one) => Some(other),
        (one, other) => one.or(other),
    }
}

impl Holdings {
    pub(crate) fn of<'p>(members: impl Iterator<Item = &'p MergedProfile>, columns: &Columns) -> Self {
        let mut holdings = Self { columns: smallvec![false; columns.len()], unstated: false };
        for member in members {
            let Some(ids) = member.external_ids() else {
                holdings.unstated = true;
                continue;
            };
            for id in ids {
                if let Some(held) = holdings.columns.get_mut(columns.of_type(id.id_type())) {
                    held.fill(true);
                }
            }
        }
        holdings
    }

    /// Whether a member has been messaged, or may have been, by a destination with these columns.
    pub(crate) fn may_have_been_messaged(&self, columns: &[usize]) -> bool {
        self.include(columns) || self.unstated
    }

    fn include(&self, columns: &[usize]) -> bool {
        columns.iter().any(|&position| self.columns.get(position).is_some_and(|&held| held))
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::build::{at, destinations, entry};
    use crate::input::external_id::ExternalIdKey;
    use crate::input::trigger::MergedProfile;

    fn key(id_type: &str, id: &str) -> ExternalIdKey {
        ExternalIdKey::new(id_type, id).unwrap()
    }

    /// What keeps an update with this trigger from a destination that dedupes on `email`, for a
    /// profile with the emails `a`, `b` and `c` that came in this order, of which `c` came after
    /// the update was computed, and a phone that was there before.
    #[track_caller]
    fn assert_refused(trigger: Trigger, membership: Membership, expected: Option<DropReason>) {
        let came = |id_type, id, second| ExternalId::from(key(id_type, id)).with_attached_at(at(second));
        let update = entry()
            .membership(membership)
            .computed_at(at(3))
            .trigger(trigger)
            .external_ids([came("email", "a", 2), came("email", "b", 3), came("email", "c", 4)])
            .external_id(came("phone", "1", 1))
            .build()
            .unwrap();
        let destinations = destinations([["email"]]);
        let columns = destinations.settings().columns();
        let mut filter = TriggerFilter::new(&update);
        filter.gather(&update, columns);
        let chosen = ChosenIds::choose(&update, columns);
        let email = destinations.settings().distinct()[0].deduping().unwrap();
        assert_eq!(filter.refuses(email, &chosen, Past::Inferred), expected);
    }

    #[test]
    fn an_added_id_passes_unless_another_came_earlier() {
        assert_added(&[]);
    }

    /// So many are walked, and not looked up.
    #[test]
    fn an_added_id_among_many_that_the_profile_lacks_passes_alike() {
        let lacking: Vec<ExternalIdKey> = ["email", "fax", "phone"]
            .into_iter()
            .flat_map(|of| (0..5).map(move |n| key(of, &alloc::format!("a{n}"))))
            .collect();
        assert!(lacking.len() > FEW_ADDED);
        assert_added(&lacking);
    }

    #[track_caller]
    fn assert_added(lacking: &[ExternalIdKey]) {
        let added = |ids: &[&ExternalIdKey]| {
            let all = ids.iter().copied().chain(lacking).cloned();
            Trigger::new_external_id(all).unwrap()
        };
        let (a, b, c) = (key("email", "a"), key("email", "b"), key("email", "c"));
        assert_refused(added(&[&a]), Membership::In, None);
        assert_refused(added(&[&a, &b]), Membership::In, None);
        assert_refused(added(&[&b]), Membership::In, Some(DropReason::AlreadyMessaged));
        assert_refused(added(&[&b, &c]), Membership::In, Some(DropReason::AlreadyMessaged));
        assert_refused(added(&[&c]), Membership::In, Some(DropReason::AddedIdNotRelevant));
        assert_refused(added(&[&key("phone", "1")]), Membership::In, Some(DropReason::AddedIdNotRelevant));
        assert_refused(added(&[&key("email", "gone")]), Membership::In, Some(DropReason::AddedIdNotRelevant));
        assert_refused(added(&[&a]), Membership::Out, Some(DropReason::NotAMember));
    }

    #[test]
    fn a_merge_passes_unless_a_member_may_have_been_messaged() {
        let merge = |membership, ids: Option<&[ExternalIdKey]>| {
            let profile = MergedProfile::new("use_0", membership).unwrap();
            let profile = match ids {
                Some(ids) => profile.holding(ids.iter().cloned()),
                None => profile,
            };
            let empty = MergedProfile::new("use_1", Membership::In).unwrap().holding([]);
            Trigger::profile_merge([empty, profile]).unwrap()
        };
        let (email, phone) = ([key("email", "z")], [key("phone", "1")]);
        let messaged = Some(DropReason::AlreadyMessaged);
        let maybe = Some(DropReason::MayHaveBeenMessaged);
        assert_refused(merge(Membership::In, None), Membership::In, maybe);
        assert_refused(merge(Membership::In, Some(&email)), Membership::In, messaged);
        assert_refused(merge(Membership::In, Some(&phone)), Membership::In, None);
        assert_refused(merge(Membership::In, Some(&[])), Membership::In, None);
        assert_refused(merge(Membership::Out, None), Membership::In, None);
        assert_refused(merge(Membership::Out, Some(&email)), Membership::In, None);
        assert_refused(merge(Membership::Out, None), Membership::Out, Some(DropReason::NotAMember));
    }

    #[test]
    fn leaving_and_losing_an_id_never_pass() {
        let removed = || Trigger::external_id_removed([key("email", "z")]).unwrap();
        assert_refused(Trigger::ValueChanged, Membership::In, None);
        assert_refused(Trigger::ValueChanged, Membership::Out, Some(DropReason::Exited));
        assert_refused(removed(), Membership::In, Some(DropReason::ExternalIdRemoved));
        assert_refused(removed(), Membership::Out, Some(DropReason::ExternalIdRemoved));
    }
}
