//! The two flows that a rollout moves customers between.

use crate::label::labels;

/// One of the two ways of making events from an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flow {
    /// Every update, all external IDs, to all destinations: [`decide_legacy`](crate::decide_legacy).
    Legacy,
    /// What this library is for: [`decide`](crate::decide).
    Dedupe,
}

labels!(Flow { Legacy => "legacy", Dedupe => "dedupe" });
