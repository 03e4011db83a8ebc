//! Repeats: what an update was sent as the first time, found among its IDs again.

use alloc::boxed::Box;

use smallvec::SmallVec;

use crate::decide::latest_id::{ChosenIds, permits};
use crate::decide::settings::{ColumnSet, Columns};
use crate::decide::verdict::{DropReason, Verdict};
use crate::event::IdGroupEvent;
use crate::event::id_group::IdGroupHash;
use crate::input::external_id::ExternalId;
use crate::input::name_digest::NameDigest;
use crate::input::update::ProfileUpdate;
use crate::memory::outcome::Outcome;
use crate::memory::settled::SentMessage;

/// The IDs of the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FirstIds {
    /// Those that the setting chooses today, as it nearly always is.
    AsChosenNow,
    /// Those at these positions, ascending.
    These(Box<[usize]>),
}

/// Finds the IDs of the first time by their digests, which are made when they are first asked for.
pub(super) struct Repeats<'r, 'a> {
    update: &'a ProfileUpdate,
    columns: &'a Columns,
    chosen: &'r ChosenIds,
    digests: &'r mut IdDigests<'a>,
    /// The update's IDs of the types that some destination dedupes on.
    of_types: Option<ByDigest>,
    /// All of its IDs, needed only if these are not enough.
    all: Option<ByDigest>,
}

/// IDs by their digests, and where each stands among the update's.
type ByDigest = SmallVec<[(NameDigest, usize); 4]>;

/// The digests of what a setting chooses today, sorted, once they are known.
pub(super) type ChosenNow = Option<SmallVec<[NameDigest; 2]>>;

impl<'r, 'a> Repeats<'r, 'a> {
    pub(super) fn new(
        update: &'a ProfileUpdate,
        columns: &'a Columns,
        chosen: &'r ChosenIds,
        digests: &'r mut IdDigests<'a>,
    ) -> Self {
        Self { update, columns, chosen, digests, of_types: None, all: None }
    }

    /// What destinations that dedupe with these columns are sent, of which this update's message is known.
    pub(super) fn outcome(
        &mut self,
        message: &SentMessage,
        columns: &ColumnSet,
        chosen_now: &mut ChosenNow,
    ) -> Outcome {
        let chosen_now = chosen_now.get_or_insert_with(|| self.chosen_now(columns));
        if message.external_ids == *chosen_now {
            return Outcome::Repeat(FirstIds::AsChosenNow);
        }
        let consent = columns.first().and_then(|&column| self.columns.get(column)?.consent);
        let is_permitted = |ids: &[ExternalId], position: usize| {
            consent.is_none_or(|consent| ids.get(position).is_some_and(|id| permits(consent, id)))
        };
        let ids = self.update.external_ids();
        match self.positions(message) {
            None => Outcome::Judged(Verdict::Drop(DropReason::AlreadyMessaged)),
            Some(positions) if positions.iter().all(|&position| is_permitted(ids, position)) => {
                Outcome::Repeat(FirstIds::These(positions))
            }
            Some(_) => Outcome::Judged(Verdict::Drop(DropReason::NoConsent)),
        }
    }

    fn chosen_now(&mut self, columns: &ColumnSet) -> SmallVec<[NameDigest; 2]> {
        let positions = self.chosen.of_columns(columns, self.update.external_ids());
        let mut digests: SmallVec<_> = positions.filter_map(|position| self.digests.of(position)).collect();
        digests.sort_unstable();
        digests
    }

    /// Where the IDs of a message stand among the update's, if all of them do.
    fn positions(&mut self, message: &SentMessage) -> Option<Box<[usize]>> {
        let Self { update, columns, digests, of_types, all, .. } = self;
        let ids = update.external_ids();
        let has_column = |id: &ExternalId| !columns.of_type(id.id_type()).is_empty();
        let found = positions(message, of_types.get_or_insert_with(|| digests.such(ids, has_column)));
        found.or_else(|| positions(message, all.get_or_insert_with(|| digests.such(ids, |_| true))))
    }
}

fn positions(message: &SentMessage, by_digest: &[(NameDigest, usize)]) -> Option<Box<[usize]>> {
    let position_of = |digest: &NameDigest| {
        let found = by_digest.binary_search_by_key(digest, |&(digest, _)| digest).ok()?;
        by_digest.get(found).map(|&(_, position)| position)
    };
    let mut positions: Box<[usize]> = message.external_ids.iter().map(position_of).collect::<Option<_>>()?;
    positions.sort_unstable();
    Some(positions)
}

/// The digests of an update's IDs, each made once, as the hashes of the groups that have one ID only.
pub(super) struct IdDigests<'a> {
    ids: &'a [ExternalId],
    /// One for each ID, or none at all.
    hashes: SmallVec<[Option<IdGroupHash>; 8]>,
}

impl<'a> IdDigests<'a> {
    pub(super) fn new(ids: &'a [ExternalId]) -> Self {
        Self { ids, hashes: SmallVec::new() }
    }

    /// For each ID, by its position, its hash if it is known.
    pub(super) fn hashes(&self) -> &[Option<IdGroupHash>] {
        &self.hashes
    }

    /// An event of one ID has its hash already.
    pub(super) fn learn(&mut self, events: &[IdGroupEvent<'_>]) {
        for group in events.iter().map(IdGroupEvent::id_group) {
            if let Some(position) = group.external_ids().only_position() {
                self.slot(position, |slot| *slot = Some(group.hash()));
            }
        }
    }

    pub(super) fn of(&mut self, position: usize) -> Option<NameDigest> {
        let id = self.ids.get(position)?;
        let hash = self.slot(position, |slot| *slot.get_or_insert_with(|| IdGroupHash::of_only(id.key())))?;
        Some(NameDigest::of_only_id(hash.as_bytes()))
    }

    fn slot<T>(&mut self, position: usize, then: impl FnOnce(&mut Option<IdGroupHash>) -> T) -> Option<T> {
        self.hashes.resize(self.ids.len(), None);
        self.hashes.get_mut(position).map(then)
    }

    fn such(&mut self, ids: &[ExternalId], is_asked_for: impl Fn(&ExternalId) -> bool) -> ByDigest {
        let such = ids.iter().enumerate().filter(|(_, id)| is_asked_for(id));
        let mut digests: ByDigest =
            such.filter_map(|(position, _)| Some((self.of(position)?, position))).collect();
        digests.sort_unstable();
        digests
    }
}
