//! Grouping: destinations that are sent the same set of external IDs share an event.

use alloc::vec::Vec;
use core::cmp::Ordering;
use core::mem;

use smallvec::SmallVec;

use crate::decide::destinations::Destinations;
use crate::decide::judgement::selection;
use crate::decide::latest_id::ChosenIds;
use crate::decide::settings::{Choice, bit_of};
use crate::event::IdGroupEvent;
use crate::event::id_group::{IdGroup, IdGroupHash, MessageIds};
use crate::event::selected_ids::{Positions, SelectedIds};
use crate::event::sent_to::SentTo;
use crate::input::update::ProfileUpdate;

/// Destinations with one setting that are sent the same.
pub(crate) struct Sending<'s, 'a> {
    pub(crate) ids: Sent<'s>,
    /// Ascending, at least one.
    pub(crate) members: &'a [usize],
}

/// Which IDs are sent.
#[derive(Clone, Copy)]
pub(crate) enum Sent<'s> {
    /// What this chooses.
    Chosen(&'s Choice),
    /// Those at these positions, ascending.
    These(&'s [usize]),
}

/// What all destinations have in common that are decided about together.
pub(crate) struct Grouping<'g, 'a> {
    pub(crate) update: &'a ProfileUpdate,
    pub(crate) destinations: &'a Destinations,
    pub(crate) chosen: &'g ChosenIds,
    /// For each of the update's IDs the hash of the group of it alone, where that is known; or none at all.
    pub(crate) hashes: &'g [Option<IdGroupHash>],
}

/// A sending, and a bit for each of its columns that holds an ID: where they are the same, so is what is sent.
/// No bit says nothing.
struct Footprint<'s, 'a> {
    columns: u64,
    sending: &'s Sending<'s, 'a>,
}

/// Sendings whose footprints are the same, and the set of IDs.
struct Alike<'f, 's, 'a> {
    /// A bit for each ID, which positions share that are so many apart as there are bits: the same for the
    /// same set, and compared at once where positions would be compared one by one.
    outline: u64,
    ids: Positions,
    first_member: Option<usize>,
    footprints: &'f [Footprint<'s, 'a>],
}

impl<'a> Grouping<'_, 'a> {
    /// One event for each distinct set of IDs, by its first destination, of sendings by their first members.
    /// Costs sorts of the sendings and of the sets, and hashes for each set.
    pub(crate) fn events(&self, sendings: &[Sending<'_, 'a>]) -> Vec<IdGroupEvent<'a>> {
        debug_assert!(
            sendings.is_sorted_by_key(|sending| sending.members.first()),
            "sendings come by their first members"
        );
        if sendings.is_empty() {
            return Vec::new();
        }
        // Lists are filled where they are: to move one costs more than to fill it.
        let mut footprints: SmallVec<[Footprint<'_, 'a>; 8]> = SmallVec::new();
        footprints.extend(sendings.iter().map(|sending| self.footprint(sending)));
        // The stable sort is faster where many are the same, and keeps members in order.
        footprints.sort_by_key(|footprint| footprint.columns);
        let mut alike: SmallVec<[Alike<'_, '_, 'a>; 8]> = SmallVec::new();
        for run in footprints.chunk_by(|a, b| a.columns != 0 && a.columns == b.columns) {
            if let Some(of_run) = self.alike(run) {
                alike.push(of_run);
            }
        }
        alike.sort_unstable_by(Alike::cmp);
        let message_ids = MessageIds::of(self.update);
        let mut groups: SmallVec<[&mut [Alike<'_, '_, 'a>]; 8]> = SmallVec::new();
        groups.extend(alike.chunk_by_mut(|a, b| a.outline == b.outline && a.ids == b.ids));
        groups.sort_unstable_by_key(|group| group.first().and_then(|alike| alike.first_member));
        let mut events = Vec::with_capacity(groups.len());
        for group in groups {
            let sent_to = self.sent_to(group);
            if let Some(first) = group.first_mut() {
                let id_group = self.id_group(mem::take(&mut first.ids));
                events.push(IdGroupEvent::new(self.update, &message_ids, id_group, sent_to));
            }
        }
        events
    }

    fn footprint<'s>(&self, sending: &'s Sending<'s, 'a>) -> Footprint<'s, 'a> {
        let columns = match sending.ids {
            Sent::Chosen(Choice::Of(columns) | Choice::Deduping(columns)) => self.chosen.filled(columns),
            Sent::Chosen(Choice::All | Choice::Consenting(_)) | Sent::These(_) => None,
        };
        Footprint { columns: columns.unwrap_or_default(), sending }
    }

    fn alike<'f, 's>(&self, footprints: &'f [Footprint<'s, 'a>]) -> Option<Alike<'f, 's, 'a>> {
        let ids = self.ids(footprints.first()?.sending.ids);
        let outline = match &ids {
            Positions::All => u64::MAX,
            Positions::Some(positions) => positions.iter().fold(0, |bits, position| bits | bit_of(*position)),
        };
        let first_member = footprints.first()?.sending.members.first().copied();
        Some(Alike { outline, ids, first_member, footprints })
    }

    fn ids(&self, sent: Sent<'_>) -> Positions {
        match sent {
            Sent::Chosen(choice) => selection(self.update, choice, self.chosen),
            Sent::These(positions) => Positions::of(positions.iter().copied(), self.update.external_ids()),
        }
    }

    fn id_group(&self, positions: Positions) -> IdGroup<'a> {
        let only = positions.only(self.update.external_ids());
        match only.and_then(|position| *self.hashes.get(position)?) {
            Some(known) => IdGroup::with_hash(known, SelectedIds::new(self.update.external_ids(), positions)),
            None => IdGroup::new(self.update.id_set(), positions),
        }
    }

    fn sent_to(&self, group: &[Alike<'_, '_, 'a>]) -> SentTo<'a> {
        let all = self.destinations.as_slice();
        if let [Alike { footprints: [only], .. }] = group {
            return SentTo::one_setting(all, only.sending.members);
        }
        let footprints = group.iter().flat_map(|alike| alike.footprints);
        SentTo::merged(all, footprints.map(|footprint| footprint.sending.members))
    }
}

impl Alike<'_, '_, '_> {
    /// By the set, and what is sent the same by its first member.
    fn cmp(&self, other: &Self) -> Ordering {
        let by_set = self.outline.cmp(&other.outline).then_with(|| self.ids.cmp(&other.ids));
        by_set.then_with(|| self.first_member.cmp(&other.first_member))
    }
}
