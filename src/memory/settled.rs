//! What settled a destination.

use smallvec::SmallVec;

use crate::input::name_digest::NameDigest;
use crate::input::timestamp::Timestamp;

/// A destination to which no message is due in the running stay, since when, and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Settled {
    pub(super) destination: NameDigest,
    pub(super) at: Timestamp,
    pub(super) by: SettledBy,
}

/// What settled a destination.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SettledBy {
    /// A message.
    Message(SentMessage),
    /// The profile was merged into another, whose memory says what is due.
    HandOver {
        /// The other profile, by its id.
        profile: NameDigest,
    },
    /// The memory began later than the profile's stay, and the profile may have been messaged before.
    Assumption,
}

/// A message that was sent.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct SentMessage {
    pub(super) update: NameDigest,
    /// Sorted, each once, at least one. Up to so many need no allocation.
    pub(super) external_ids: SmallVec<[NameDigest; 2]>,
}

impl Settled {
    /// The destination, by its id.
    pub fn destination(&self) -> NameDigest {
        self.destination
    }

    /// The time of the update that settled it.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// What settled it.
    pub fn by(&self) -> &SettledBy {
        &self.by
    }

    /// The message that settled it, if one did.
    pub fn message(&self) -> Option<&SentMessage> {
        match &self.by {
            SettledBy::Message(message) => Some(message),
            SettledBy::HandOver { .. } | SettledBy::Assumption => None,
        }
    }
}

/// Cloned once for each destination that is settled by the same message.
impl Clone for SentMessage {
    fn clone(&self) -> Self {
        Self { update: self.update, external_ids: SmallVec::from_slice(&self.external_ids) }
    }
}

impl SentMessage {
    pub(super) fn new(update: NameDigest, mut external_ids: SmallVec<[NameDigest; 2]>) -> Self {
        external_ids.sort_unstable();
        external_ids.dedup();
        debug_assert!(!external_ids.is_empty(), "a message has external IDs");
        Self { update, external_ids }
    }

    /// The update that it was about, by its id.
    pub fn update(&self) -> NameDigest {
        self.update
    }

    /// The external IDs that it was sent to, sorted: at least one.
    pub fn external_ids(&self) -> &[NameDigest] {
        &self.external_ids
    }
}
