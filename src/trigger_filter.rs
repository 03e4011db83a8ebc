//! Trigger-reason filtering: whether the reason why an update was emitted is one to message a
//! profile for, setting by setting.

use alloc::vec;
use alloc::vec::Vec;

use crate::destinations::TypeTable;
use crate::latest_id::LatestIds;
use crate::trigger::{AddedIds, MergedProfiles};
use crate::{DropReason, ExternalId, Membership, ProfileUpdate, Trigger};

/// What an update's trigger says, gathered once so that each setting asks only about its types.
pub(crate) enum TriggerFilter<'a> {
    /// No setting lets the update through.
    Nothing(DropReason),
    /// The profile entered: whatever it has may be sent to.
    Entered,
    /// External IDs were added; by position in the type table.
    Added(Vec<Arrivals<'a>>),
    /// Profiles were merged; for each type, whether a member held an ID of it.
    Merged(Vec<bool>),
}

/// Of the visible IDs of one type, the one that came first among those that the update says were
/// added, and among all others.
#[derive(Clone, Default)]
pub(crate) struct Arrivals<'a> {
    added: Option<&'a ExternalId>,
    other: Option<&'a ExternalId>,
}

impl<'a> TriggerFilter<'a> {
    /// Costs in the number of IDs of the update and of its trigger.
    pub(crate) fn new(update: &'a ProfileUpdate, types: &TypeTable) -> Self {
        if let Some(reason) = drops_whatever_the_ids(update) {
            return Self::Nothing(reason);
        }
        match update.trigger() {
            Trigger::ValueChanged => Self::Entered,
            Trigger::NewExternalId(added) => Self::Added(arrivals(update, added, types)),
            Trigger::ProfileMerge(profiles) => match types_held(profiles, types) {
                Some(held) => Self::Merged(held),
                None => Self::Nothing(DropReason::AlreadyMessaged),
            },
            Trigger::ExternalIdRemoved(_) => Self::Nothing(DropReason::ExternalIdRemoved),
        }
    }

    /// Why destinations that dedupe on `types` are sent nothing, if so.
    pub(crate) fn refuses(&self, types: &[usize], latest: &LatestIds<'_>) -> Option<DropReason> {
        match self {
            Self::Nothing(reason) => Some(*reason),
            Self::Entered => no_relevant(types, latest),
            Self::Added(arrivals) => {
                let first = types.iter().filter_map(|&position| arrivals.get(position)).fold(
                    Arrivals::default(),
                    |first, of_type| Arrivals {
                        added: earlier(first.added, of_type.added),
                        other: earlier(first.other, of_type.other),
                    },
                );
                match first {
                    Arrivals { added: None, .. } => Some(DropReason::AddedIdNotRelevant),
                    Arrivals { added: Some(added), other: Some(other) } if other.came_earlier_than(added) => {
                        Some(DropReason::AlreadyMessaged)
                    }
                    Arrivals { .. } => None,
                }
            }
            Self::Merged(held) => {
                match types.iter().any(|&position| held.get(position).is_some_and(|&held| held)) {
                    true => Some(DropReason::AlreadyMessaged),
                    false => no_relevant(types, latest),
                }
            }
        }
    }
}

/// Why no destination that dedupes is sent anything, if that is so whatever IDs the profile has.
pub(crate) fn drops_whatever_the_ids(update: &ProfileUpdate) -> Option<DropReason> {
    match (update.trigger(), update.membership()) {
        (Trigger::ExternalIdRemoved(_), _) => Some(DropReason::ExternalIdRemoved),
        (Trigger::ValueChanged, Membership::Out) => Some(DropReason::Exited),
        (Trigger::NewExternalId(_) | Trigger::ProfileMerge(_), Membership::Out) => {
            Some(DropReason::NotAMember)
        }
        (_, Membership::In) => None,
    }
}

fn no_relevant(types: &[usize], latest: &LatestIds<'_>) -> Option<DropReason> {
    latest.present(types).next().is_none().then_some(DropReason::NoRelevantExternalId)
}

/// Walks the update's IDs and the added ones together, both by identity.
fn arrivals<'a>(update: &'a ProfileUpdate, added: &AddedIds, types: &TypeTable) -> Vec<Arrivals<'a>> {
    let mut arrivals = vec![Arrivals::default(); types.len()];
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

/// For each type, whether a profile that was a member held an ID of it; `None` if it is not known
/// what some member held, so that any type may have been messaged.
fn types_held(profiles: &MergedProfiles, types: &TypeTable) -> Option<Vec<bool>> {
    let mut held = vec![false; types.len()];
    let members = profiles.as_slice().iter().filter(|profile| profile.membership() == Membership::In);
    for member in members {
        for id in member.external_ids()? {
            if let Some(slot) = types.position(id.id_type()).and_then(|position| held.get_mut(position)) {
                *slot = true;
            }
        }
    }
    Some(held)
}
