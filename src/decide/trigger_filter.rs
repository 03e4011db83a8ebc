//! Trigger-reason filtering: whether the reason why an update was emitted is one to message a
//! profile for, setting by setting.

use smallvec::{SmallVec, smallvec};

use crate::decide::latest_id::LatestIds;
use crate::decide::verdict::DropReason;
use crate::input::destinations::TypeTable;
use crate::input::external_id::ExternalId;
use crate::input::trigger::{AddedIds, MergedProfile, Trigger, TriggerReason};
use crate::input::update::{Membership, ProfileUpdate};

/// What an update says about why it was emitted, gathered once so that each setting asks only about
/// its types.
pub(crate) struct TriggerFilter<'a> {
    reason: TriggerReason,
    membership: Membership,
    /// Filled where external IDs were added; by position in the type table.
    arrivals: SmallVec<[Arrivals<'a>; 8]>,
    /// Filled where profiles were merged.
    holdings: Holdings,
}

/// Of the visible IDs of one type, the one that came first among those that the update says were
/// added, and among all others.
#[derive(Clone, Default)]
struct Arrivals<'a> {
    added: Option<&'a ExternalId>,
    other: Option<&'a ExternalId>,
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
    /// By position in the type table.
    types: SmallVec<[bool; 8]>,
    /// Whether it is not stated for some member.
    unstated: bool,
}

/// Whether the update's external IDs can make a difference to a destination that dedupes.
pub(crate) fn depends_on_ids(update: &ProfileUpdate) -> bool {
    match update.trigger().reason() {
        TriggerReason::ValueChanged | TriggerReason::NewExternalId | TriggerReason::ProfileMerge => {
            update.membership() == Membership::In
        }
        TriggerReason::ExternalIdRemoved => false,
    }
}

impl<'a> TriggerFilter<'a> {
    /// The cost grows with the number of IDs of the update and of its trigger.
    pub(crate) fn new(update: &'a ProfileUpdate, types: &TypeTable) -> Self {
        let (arrivals, holdings) = match update.trigger() {
            Trigger::NewExternalId(added) => (arrivals(update, added, types), Holdings::default()),
            Trigger::ProfileMerge(profiles) => {
                let members = profiles.as_slice().iter().filter(|of| of.membership() == Membership::In);
                (SmallVec::new(), Holdings::of(members, types))
            }
            Trigger::ValueChanged | Trigger::ExternalIdRemoved(_) => Default::default(),
        };
        Self { reason: update.trigger().reason(), membership: update.membership(), arrivals, holdings }
    }

    /// Why destinations that dedupe on `types` are sent nothing, if so: the table of the documentation,
    /// of which the first check that holds decides. Where the past is remembered, the checks that infer it
    /// are skipped.
    pub(crate) fn refuses(&self, types: &[usize], latest: &LatestIds, past: Past) -> Option<DropReason> {
        let is_inferred = past == Past::Inferred;
        let no_relevant =
            || latest.of_types(types).next().is_none().then_some(DropReason::NoRelevantExternalId);
        match (self.reason, self.membership) {
            (TriggerReason::ValueChanged, Membership::Out) => Some(DropReason::Exited),
            (TriggerReason::ValueChanged, Membership::In) => no_relevant(),

            (TriggerReason::NewExternalId, Membership::Out) => Some(DropReason::NotAMember),
            (TriggerReason::NewExternalId, Membership::In) => match self.first_arrivals(types) {
                Arrivals { added: None, .. } => Some(DropReason::AddedIdNotRelevant),
                first if is_inferred && first.may_have_been_messaged() => Some(DropReason::AlreadyMessaged),
                Arrivals { .. } => None,
            },

            (TriggerReason::ProfileMerge, Membership::Out) => Some(DropReason::NotAMember),
            (TriggerReason::ProfileMerge, Membership::In) if is_inferred && self.holdings.include(types) => {
                Some(DropReason::AlreadyMessaged)
            }
            (TriggerReason::ProfileMerge, Membership::In) if is_inferred && self.holdings.unstated => {
                Some(DropReason::MayHaveBeenMessaged)
            }
            (TriggerReason::ProfileMerge, Membership::In) => no_relevant(),

            (TriggerReason::ExternalIdRemoved, _) => Some(DropReason::ExternalIdRemoved),
        }
    }

    /// Whether added IDs, which need not be of these types, find that the profile may have been messaged
    /// before they came.
    pub(crate) fn came_after_others(&self, types: &[usize]) -> bool {
        self.first_arrivals(types).may_have_been_messaged()
    }

    fn first_arrivals(&self, types: &[usize]) -> Arrivals<'a> {
        let of_types = types.iter().filter_map(|&position| self.arrivals.get(position));
        of_types.fold(Arrivals::default(), |first, of_type| Arrivals {
            added: earlier(first.added, of_type.added),
            other: earlier(first.other, of_type.other),
        })
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

/// Walks the update's IDs and the added ones together, both by identity.
fn arrivals<'a>(
    update: &'a ProfileUpdate,
    added: &AddedIds,
    types: &TypeTable,
) -> SmallVec<[Arrivals<'a>; 8]> {
    let mut arrivals: SmallVec<[Arrivals<'a>; 8]> = smallvec![Arrivals::default(); types.len()];
    let mut added = added.as_slice().iter().peekable();
    for id in update.id_set().by_identity() {
        while added.next_if(|added| *added < id.key()).is_some() {}
        let is_added = added.peek().is_some_and(|added| *added == id.key());
        if !id.is_visible_at(update.computed_at()) {
            continue;
        }
        let slot = types.position(id.id_type()).and_then(|position| arrivals.get_mut(position));
        if let Some(slot) = slot {
            let first = if is_added { &mut slot.added } else { &mut slot.other };
            *first = earlier(*first, Some(id));
        }
    }
    arrivals
}

fn earlier<'a>(one: Option<&'a ExternalId>, other: Option<&'a ExternalId>) -> Option<&'a ExternalId> {
    match (one, other) {
        (Some(one), Some(other)) if other.came_earlier_than(one) => Some(other),
        (one, other) => one.or(other),
    }
}

impl Holdings {
    pub(crate) fn of<'p>(members: impl Iterator<Item = &'p MergedProfile>, types: &TypeTable) -> Self {
        let mut holdings = Self { types: smallvec![false; types.len()], unstated: false };
        for member in members {
            let Some(ids) = member.external_ids() else {
                holdings.unstated = true;
                continue;
            };
            for id in ids {
                let position = types.position(id.id_type());
                if let Some(held) = position.and_then(|position| holdings.types.get_mut(position)) {
                    *held = true;
                }
            }
        }
        holdings
    }

    /// Whether a member has been messaged, or may have been, by a destination that dedupes on `types`.
    pub(crate) fn may_have_been_messaged(&self, types: &[usize]) -> bool {
        self.include(types) || self.unstated
    }

    fn include(&self, types: &[usize]) -> bool {
        types.iter().any(|&position| self.types.get(position).is_some_and(|&held| held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::destination::Destination;
    use crate::input::destinations::Destinations;
    use crate::input::external_id::ExternalIdKey;
    use crate::input::timestamp::Timestamp;
    use crate::input::trigger::MergedProfile;
    use crate::input::update::Computation;

    fn key(id_type: &str, id: &str) -> ExternalIdKey {
        ExternalIdKey::new(id_type, id).unwrap()
    }

    /// What keeps an update with this trigger from a destination that dedupes on `email`, for a
    /// profile with the emails `a`, `b` and `c` that came in this order, of which `c` came after
    /// the update was computed, and a phone that was there before.
    #[track_caller]
    fn assert_refused(trigger: Trigger, membership: Membership, expected: Option<DropReason>) {
        let at = |second: i128| Timestamp::from_unix_nanoseconds(second * 1_000_000_000).unwrap();
        let came = |id_type, id, second| ExternalId::from(key(id_type, id)).with_attached_at(at(second));
        let update = ProfileUpdate::builder()
            .id("upd_1")
            .space_id("spa_1")
            .profile_id("use_1")
            .computation(Computation::new("aud_1").unwrap())
            .membership(membership)
            .computed_at(at(3))
            .trigger(trigger)
            .external_ids([came("email", "a", 2), came("email", "b", 3), came("email", "c", 4)])
            .external_id(came("phone", "1", 1))
            .build()
            .unwrap();
        let deduping = Destination::new("dst_1").unwrap().deduping_on(["email"]).unwrap();
        let destinations = Destinations::new([deduping]).unwrap();
        let types = destinations.types();
        let filter = TriggerFilter::new(&update, types);
        assert_eq!(filter.refuses(&[0], &LatestIds::select(&update, types), Past::Inferred), expected);
    }

    fn added<const N: usize>(ids: [ExternalIdKey; N]) -> Trigger {
        Trigger::new_external_id(ids).unwrap()
    }

    #[test]
    fn an_added_id_passes_unless_another_came_earlier() {
        let (a, b, c) = (key("email", "a"), key("email", "b"), key("email", "c"));
        assert_refused(added([a.clone()]), Membership::In, None);
        assert_refused(added([a.clone(), b.clone()]), Membership::In, None);
        assert_refused(added([b.clone()]), Membership::In, Some(DropReason::AlreadyMessaged));
        assert_refused(added([b, c.clone()]), Membership::In, Some(DropReason::AlreadyMessaged));
        assert_refused(added([c]), Membership::In, Some(DropReason::AddedIdNotRelevant));
        assert_refused(added([key("phone", "1")]), Membership::In, Some(DropReason::AddedIdNotRelevant));
        assert_refused(added([key("email", "gone")]), Membership::In, Some(DropReason::AddedIdNotRelevant));
        assert_refused(added([a]), Membership::Out, Some(DropReason::NotAMember));
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
