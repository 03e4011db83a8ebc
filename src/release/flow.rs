//! The two flows that a rollout moves customers between.

use core::fmt;

use serde::{Serialize, Serializer};

/// One of the two ways of making events from an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flow {
    /// Every update, all external IDs, to all destinations: [`decide_legacy`](crate::decide_legacy).
    Legacy,
    /// What this library is for: [`decide`](crate::decide).
    Dedupe,
}

impl Flow {
    /// The name on the wire and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Dedupe => "dedupe",
        }
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Flow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
