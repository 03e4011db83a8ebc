//! Events: what is sent, one for each distinct set of external IDs.

pub(crate) mod amplification;
pub(crate) mod id_group;
pub(crate) mod outbound;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use serde::{Serialize, Serializer};

use crate::event::id_group::MessageIds;
use crate::event::id_group::{IdGroup, IdGroupHash, MessageId, SelectedIds};
use crate::input::destination::Destination;
use crate::input::destinations::Destinations;
use crate::input::external_id::ExternalId;
use crate::input::external_id::serialize_outbound;
use crate::input::update::ProfileUpdate;

/// External IDs, and the destinations that an update is sent to with just these IDs.
///
/// Borrows from the update and the destinations that were decided about, and copies neither;
/// [`into_owned`](Self::into_owned) makes it independent of them. Serialises to the JSON that goes
/// out, in which destinations are their ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IdGroupEvent<'a> {
    message_id: MessageId,
    update_id: &'a str,
    id_group: IdGroup<'a>,
    destinations: SentTo<'a>,
}

/// The destinations of an event, by id.
#[derive(Clone)]
pub struct SentTo<'a> {
    all: &'a [Destination],
    /// Borrowed where all destinations have one setting: nothing to copy. `None` for every destination.
    positions: Option<Cow<'a, [usize]>>,
}

impl<'a> IdGroupEvent<'a> {
    pub(crate) fn new(
        update: &'a ProfileUpdate,
        message_ids: &MessageIds,
        external_ids: SelectedIds<'a>,
        destinations: SentTo<'a>,
    ) -> Self {
        let id_group = IdGroup::new(external_ids);
        Self {
            message_id: message_ids.for_group(id_group.hash()),
            update_id: update.id(),
            id_group,
            destinations,
        }
    }

    /// The idempotency key, by which whatever receives the event can drop repeats.
    pub fn message_id(&self) -> MessageId {
        self.message_id
    }

    /// The id of the update.
    pub fn update_id(&self) -> &'a str {
        self.update_id
    }

    /// The external IDs and their hash.
    pub fn id_group(&self) -> &IdGroup<'a> {
        &self.id_group
    }

    /// The destinations, by id.
    pub fn destinations(&self) -> &SentTo<'a> {
        &self.destinations
    }

    /// The same event with its own copy of all data: costs an allocation for each string.
    pub fn into_owned(self) -> OwnedIdGroupEvent {
        OwnedIdGroupEvent {
            message_id: self.message_id,
            update_id: self.update_id.into(),
            id_group: OwnedIdGroup {
                hash: self.id_group.hash(),
                external_ids: self.id_group.external_ids().iter().cloned().collect(),
            },
            destinations: self.destinations.iter().cloned().collect(),
        }
    }
}

impl<'a> SentTo<'a> {
    pub(crate) fn all(destinations: &'a Destinations) -> Self {
        Self { all: destinations.as_slice(), positions: None }
    }

    pub(crate) fn one_setting(destinations: &'a Destinations, members: &'a [usize]) -> Self {
        Self { all: destinations.as_slice(), positions: Some(Cow::Borrowed(members)) }
    }

    /// Costs a merge of the ascending runs in `members`.
    #[allow(clippy::stable_sort_primitive, reason = "the stable sort finds the runs and merges them")]
    pub(crate) fn merged(destinations: &'a Destinations, members: impl Iterator<Item = &'a [usize]>) -> Self {
        let mut positions = Vec::new();
        members.for_each(|run| positions.extend_from_slice(run));
        positions.sort();
        Self { all: destinations.as_slice(), positions: Some(Cow::Owned(positions)) }
    }

    /// How many destinations there are: at least one.
    #[allow(clippy::len_without_is_empty, reason = "an event without destinations is not made")]
    pub fn len(&self) -> usize {
        self.positions.as_ref().map_or(self.all.len(), |positions| positions.len())
    }

    /// The destination at `position`.
    pub fn get(&self, position: usize) -> Option<&'a Destination> {
        match &self.positions {
            Some(positions) => self.all.get(*positions.get(position)?),
            None => self.all.get(position),
        }
    }

    /// The destinations, by id.
    pub fn iter(&self) -> impl Iterator<Item = &'a Destination> + Clone + '_ {
        (0..self.len()).filter_map(|position| self.get(position))
    }

    /// Where the first destination stands among all, by id.
    pub(crate) fn first_position(&self) -> Option<usize> {
        self.positions.as_ref().map_or(Some(0), |positions| positions.first().copied())
    }
}

/// An [`IdGroupEvent`] that owns its data and can be sent to another thread, or kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OwnedIdGroupEvent {
    message_id: MessageId,
    update_id: Box<str>,
    id_group: OwnedIdGroup,
    #[serde(serialize_with = "serialize_ids")]
    destinations: Box<[Destination]>,
}

/// An [`IdGroup`] that owns its data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OwnedIdGroup {
    hash: IdGroupHash,
    #[serde(serialize_with = "serialize_outbound")]
    external_ids: Box<[ExternalId]>,
}

impl OwnedIdGroupEvent {
    /// The idempotency key, by which whatever receives the event can drop repeats.
    pub fn message_id(&self) -> MessageId {
        self.message_id
    }

    /// The id of the update.
    pub fn update_id(&self) -> &str {
        &self.update_id
    }

    /// The external IDs and their hash.
    pub fn id_group(&self) -> &OwnedIdGroup {
        &self.id_group
    }

    /// The destinations, by id.
    pub fn destinations(&self) -> &[Destination] {
        &self.destinations
    }
}

impl OwnedIdGroup {
    /// The hash of the IDs.
    pub fn hash(&self) -> IdGroupHash {
        self.hash
    }

    /// The IDs, by type and, within a type, from latest to earliest.
    pub fn external_ids(&self) -> &[ExternalId] {
        &self.external_ids
    }
}

impl PartialEq for SentTo<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for SentTo<'_> {}

impl fmt::Debug for SentTo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for SentTo<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Destination::id))
    }
}

fn serialize_ids<S: Serializer>(destinations: &[Destination], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(destinations.iter().map(Destination::id))
}
