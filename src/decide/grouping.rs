//! Grouping: destinations that are sent the same set of external IDs share an event.

use alloc::vec;
use alloc::vec::Vec;
use core::{iter, mem};

use smallvec::SmallVec;

use crate::decide::destinations::Destinations;
use crate::decide::judgement::selection;
use crate::decide::latest_id::ChosenIds;
use crate::decide::settings::{Choice, bit_of};
use crate::event::IdGroupEvent;
use crate::event::id_group::{IdGroup, IdGroupHash, MessageIds};
use crate::event::selected_ids::{Positions, SelectedIds};
use crate::event::sent_to::SentTo;
use crate::input::destination::Destination;
use crate::input::update::ProfileUpdate;
use crate::invariant;

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

/// Sendings of one set of IDs.
struct Group {
    ids: Positions,
    /// A bit for each ID, which positions share that are so many apart as there are bits: the same for the
    /// same set, and compared at once where positions would be compared one by one.
    outline: u64,
    /// A bit for each column of its first sending that holds an ID: where they are the same, so is what is
    /// sent. No bit says nothing.
    columns: u64,
    /// `None` once another group has taken them over.
    sendings: Option<Chain>,
}

/// Some sendings, of which each but the last one is followed by another one.
#[derive(Clone, Copy)]
struct Chain {
    first: usize,
    last: usize,
    /// How many destinations they have.
    members: usize,
}

/// Groups while they are gathered. Lists are filled where they are: to move one costs more than to fill it.
struct Gathering<'s, 'a> {
    sendings: &'s [Sending<'s, 'a>],
    /// For each sending, which one follows it in its chain.
    following: &'s mut [usize],
    /// By their first sendings.
    groups: SmallVec<[Group; 8]>,
    taken_over: usize,
}

const CHAINS_ARE_OF_SENDINGS: &str = "a chain is of sendings";

impl<'a> Grouping<'_, 'a> {
    /// One event for each distinct set of IDs, by its first destination, of sendings by their first members.
    /// Costs a look at each sending, a sort of the sets, and hashes for each set.
    pub(crate) fn events(&self, sendings: &[Sending<'_, 'a>]) -> Vec<IdGroupEvent<'a>> {
        debug_assert!(
            sendings.is_sorted_by_key(|sending| sending.members.first()),
            "sendings come by their first members"
        );
        if sendings.is_empty() {
            return Vec::new();
        }
        let (mut few, mut many) = ([0; 8], Vec::new());
        let following = zeros(sendings.len(), &mut few, &mut many);
        let mut gathering = Gathering { sendings, following, groups: SmallVec::new(), taken_over: 0 };
        self.gather(&mut gathering);
        gathering.merge_same_sets();
        let message_ids = MessageIds::of(self.update);
        let mut events = Vec::with_capacity(gathering.groups.len().saturating_sub(gathering.taken_over));
        for position in 0..gathering.groups.len() {
            let Some(group) = gathering.groups.get_mut(position) else { continue };
            let Some(sendings) = group.sendings else { continue };
            let id_group = self.id_group(mem::take(&mut group.ids));
            let sent_to = gathering.sent_to(sendings, self.destinations.as_slice());
            events.push(IdGroupEvent::new(self.update, &message_ids, id_group, sent_to));
        }
        events
    }

    /// Puts sendings together of which the columns say that they are of one set, nearly all of them.
    fn gather(&self, gathering: &mut Gathering<'_, 'a>) {
        let Gathering { sendings, following, groups, .. } = gathering;
        // Where a group of these columns may be. Two that share a place put each other out of it, which
        // costs no more than another group to merge, whoever chose the columns.
        let (mut few, mut many) = ([0; 16], Vec::new());
        let places = zeros(sendings.len().saturating_mul(2).next_power_of_two(), &mut few, &mut many);
        for (position, sending) in sendings.iter().enumerate() {
            let columns = self.columns(sending.ids);
            let place = place_of(columns, places.len());
            let known = places.get(place).copied().filter(|_| columns != 0);
            let this = Chain { first: position, last: position, members: sending.members.len() };
            match known.and_then(|known| groups.get_mut(known)) {
                Some(Group { columns: same, sendings: Some(chain), .. }) if *same == columns => {
                    chain.append(this, following);
                }
                _ => {
                    if let Some(place) = places.get_mut(place) {
                        *place = groups.len();
                    }
                    let ids = self.ids(sending.ids);
                    groups.push(Group { outline: outline(&ids), ids, columns, sendings: Some(this) });
                }
            }
        }
    }

    fn columns(&self, ids: Sent<'_>) -> u64 {
        let columns = match ids {
            Sent::Chosen(Choice::Of(columns) | Choice::Deduping(columns)) => self.chosen.filled(columns),
            Sent::Chosen(Choice::All | Choice::Consenting(_)) | Sent::These(_) => None,
        };
        columns.unwrap_or_default()
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
}

impl<'a> Gathering<'_, 'a> {
    /// Has the first group of each set take over the sendings of the others.
    fn merge_same_sets(&mut self) {
        let Self { following, groups, taken_over, .. } = self;
        let mut by_set: SmallVec<[(u64, usize); 8]> = SmallVec::new();
        by_set.extend(groups.iter().map(|group| group.outline).zip(0..));
        by_set.sort_unstable_by(|&(a_outline, a), &(b_outline, b)| {
            let by_set = a_outline.cmp(&b_outline).then_with(|| ids_of(groups, a).cmp(&ids_of(groups, b)));
            by_set.then_with(|| a.cmp(&b))
        });
        let mut first: Option<(u64, usize)> = None;
        for (outline, position) in by_set {
            match first {
                Some((same, first))
                    if same == outline && ids_of(groups, first) == ids_of(groups, position) =>
                {
                    let taken = groups.get_mut(position).and_then(|group| group.sendings.take());
                    let by = groups.get_mut(first).and_then(|group| group.sendings.as_mut());
                    if let (Some(by), Some(taken)) = (by, taken) {
                        by.append(taken, following);
                        *taken_over = taken_over.saturating_add(1);
                    }
                }
                _ => first = Some((outline, position)),
            }
        }
    }

    fn sent_to(&self, chain: Chain, all: &'a [Destination]) -> SentTo<'a> {
        let mut members = chain.iter(self.following).filter_map(|position| {
            let sending = invariant::at(self.sendings, position, CHAINS_ARE_OF_SENDINGS)?;
            Some(sending.members)
        });
        match chain.first == chain.last {
            true => SentTo::one_setting(all, members.next().unwrap_or_default()),
            false => SentTo::merged(all, chain.members, members),
        }
    }
}

impl Chain {
    fn append(&mut self, other: Self, following: &mut [usize]) {
        debug_assert!(self.last < following.len(), "{CHAINS_ARE_OF_SENDINGS}");
        if let Some(next) = following.get_mut(self.last) {
            *next = other.first;
        }
        self.last = other.last;
        self.members = self.members.saturating_add(other.members);
    }

    fn iter(self, following: &[usize]) -> impl Iterator<Item = usize> {
        iter::successors(Some(self.first), move |&position| match position == self.last {
            true => None,
            false => following.get(position).copied(),
        })
    }
}

fn ids_of(groups: &[Group], position: usize) -> Option<&Positions> {
    groups.get(position).map(|group| &group.ids)
}

fn outline(ids: &Positions) -> u64 {
    match ids {
        Positions::All => u64::MAX,
        Positions::Some(positions) => positions.iter().fold(0, |bits, position| bits | bit_of(*position)),
    }
}

/// So many zeros, in what is at hand if that is enough.
fn zeros<'z>(count: usize, few: &'z mut [usize], many: &'z mut Vec<usize>) -> &'z mut [usize] {
    if let Some(few) = few.get_mut(..count) {
        return few;
    }
    *many = vec![0; count];
    many
}

/// Where to look for a group of these columns, of so many places: a power of two.
fn place_of(columns: u64, places: usize) -> usize {
    // Fibonacci hashing: the odd number next to 2^64 over the golden ratio spreads neighbours.
    let spread = columns.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(spread >> 32).unwrap_or_default() & places.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sets of up to ten columns are looked for in places of their own, or nearly so.
    #[test]
    fn neighbouring_columns_have_places_of_their_own() {
        for (sets, places, most_shared) in [(8, 16, 2), (32, 64, 8), (1_024, 2_048, 256)] {
            let mut taken = vec![0; places];
            (1..sets).for_each(|columns| taken[place_of(columns, places)] += 1);
            let shared = taken.iter().map(|sets: &usize| sets.saturating_sub(1)).sum::<usize>();
            assert!(shared <= most_shared, "{shared} of {sets} in {places}");
        }
    }
}
