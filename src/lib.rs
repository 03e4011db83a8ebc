//! Decides which destinations an audience update is sent to, and with which external IDs.
#![no_std]
#![forbid(unsafe_code)]
// A decision runs inside somebody's pipeline: no input may bring it down.
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::todo,
        clippy::unimplemented,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod amplification;
pub mod compare;
mod counts;
mod decide;
mod destination;
mod destinations;
mod event;
mod explain;
mod external_id;
mod external_ids;
mod flow;
mod id_group;
mod input_error;
mod latest_id;
mod legacy;
mod observe;
mod outbound;
mod read;
mod release;
mod rollout;
mod timestamp;
mod trigger;
mod trigger_filter;
mod update;
mod verdict;

pub use amplification::{Amplification, Lane};
pub use counts::Counts;
pub use decide::{decide, decide_with};
pub use destination::Destination;
pub use destinations::Destinations;
pub use event::{IdGroupEvent, OwnedIdGroup, OwnedIdGroupEvent, SentTo};
pub use explain::{DestinationVerdict, Explanation, explain, explain_with};
pub use external_id::{Collection, ExternalId, ExternalIdKey};
pub use flow::Flow;
pub use id_group::{IdGroup, IdGroupHash, MessageId, SelectedIds};
pub use input_error::{InputError, Problem};
pub use legacy::{decide_legacy, decide_legacy_with};
pub use observe::{Observer, Step};
pub use outbound::{OutboundMessage, OutboundMessages};
pub use release::{Release, Routed};
pub use rollout::{Comparing, Flag, Gate, Rollout, Route, RouteReason};
pub use timestamp::{MalformedTimestamp, Timestamp};
pub use trigger::{AddedIds, MergedProfile, MergedProfiles, RemovedIds, Trigger, TriggerReason};
pub use update::{Computation, Membership, ProfileUpdate, ProfileUpdateBuilder};
pub use verdict::{DropReason, Verdict};
