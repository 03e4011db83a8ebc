#![doc = include_str!("../README.md")]
//! # Where to find what
//!
//! | | |
//! |---|---|
//! | input | [`ProfileUpdate`], [`ExternalId`], [`Trigger`], [`Destinations`], [`Gap`], [`InputError`], [`Checked`] |
//! | the decision | [`decide`], [`explain`], [`Decision`], [`Verdict`], [`DropReason`] |
//! | deciding with a memory | [`memory`], [`Memory`], [`MemoryKey`] |
//! | output | [`IdGroupEvent`], [`OwnedIdGroupEvent`], [`OutboundMessages`], [`DeliveryKey`], [`Amplification`] |
//! | other forms of output | [`segment`] |
//! | releasing it | [`decide_legacy`], [`compare`](mod@compare), [`Rollout`], [`Release`] |
//! | watching it | [`Observer`], [`Counts`] |
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

// Unit tests build updates as all tests do, by a file that knows the library by its name.
#[cfg(test)]
extern crate self as idgroup;
#[cfg(test)]
#[path = "../tests/support/build.rs"]
mod build;

pub mod compare;
mod decide;
mod digest;
mod event;
mod input;
mod invariant;
mod label;
pub mod memory;
mod observe;
mod release;
pub mod segment;

pub use decide::destinations::Destinations;
pub use decide::explain::{DestinationVerdict, DestinationVerdicts, Explanation, explain, explain_with};
pub use decide::verdict::{DropReason, Verdict};
pub use decide::{Decision, decide, decide_with};
pub use event::IdGroupEvent;
pub use event::amplification::{Amplification, Lane};
pub use event::delivery_key::DeliveryKey;
pub use event::id_group::{IdGroup, IdGroupHash, MessageId};
pub use event::outbound::{DestinationIds, OutboundMessage, OutboundMessages, OutboundMessagesIter};
pub use event::owned::{OwnedIdGroup, OwnedIdGroupEvent};
pub use event::selected_ids::{SelectedIds, SelectedIdsIter};
pub use event::sent_to::{SentTo, SentToIter};
pub use input::builder::ProfileUpdateBuilder;
pub use input::checked::Checked;
pub use input::destination::Destination;
pub use input::error::{InputError, MalformedTimestamp, Problem};
pub use input::external_id::{Collection, ExternalId, ExternalIdKey};
pub use input::gaps::{Gap, Gaps, GapsIter, GapsOf};
pub use input::id_choice::{Consent, IdStrategy};
pub use input::membership::Membership;
pub use input::name_digest::NameDigest;
pub use input::timestamp::Timestamp;
pub use input::trigger::{AddedIds, MergedProfile, MergedProfiles, RemovedIds, Trigger, TriggerReason};
pub use input::update::{Computation, ProfileUpdate};
pub use memory::Memory;
pub use memory::batch::Batch;
pub use memory::bytes::MemoryError;
pub use memory::decide::{Completeness, MemoryDecision};
pub use memory::explain::{MemoryExplanation, MemoryVerdict, MemoryVerdicts};
pub use memory::key::{MemoryKey, MemoryKeys, MemoryKeysIter};
pub use memory::recalled::Recalled;
pub use memory::settled::{SentMessage, Settled, SettledBy};
pub use observe::counts::{Counted, Counts, CountsIter};
pub use observe::{Observer, Step};
pub use release::flow::Flow;
pub use release::legacy::{decide_legacy, decide_legacy_with};
pub use release::rollout::{Flag, Gate, Rollout, Share};
pub use release::route::{Comparing, Route, RouteReason};
pub use release::{Release, Routed, RoutedWithMemory};
