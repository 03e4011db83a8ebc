//! Decides which destinations an audience update is sent to, and with which external IDs, so that
//! each profile gets each message once and only once.
//!
//! This library is pure. It does no I/O, reads no clock, draws no random number, logs nothing and
//! keeps nothing between two calls; it is `no_std`, has no unsafe code, and its lints refuse
//! everything that could panic. Updates come in as values and events go out as values: whether they
//! travel through Kafka, a queue or a file is yours to choose.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use idgroup::{Destinations, ProfileUpdate, decide};
//!
//! let destinations: Destinations =
//!     serde_json::from_str(r#"[{"id":"sendgrid","dedupes_on":["email"]},{"id":"ads"}]"#)?;
//! let update: ProfileUpdate = serde_json::from_str(
//!     r#"{"id":"upd_1","space_id":"spa_1","profile_id":"use_1","computation":{"id":"aud_1"},
//!         "membership":"in","trigger":{"reason":"value_changed"},
//!         "external_ids":[{"type":"email","id":"a@example.com"},{"type":"user_id","id":"42"}]}"#,
//! )?;
//! for event in decide(&update, &destinations) {
//!     println!("{}", serde_json::to_string(&event)?);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Guarantees
//!
//! - **Total.** Input is checked when it becomes a [`ProfileUpdate`] or [`Destinations`], from JSON
//!   or from code; a decision about them cannot fail.
//! - **Deterministic.** The same input gives the same events, in whatever order IDs and destinations
//!   were listed. A redelivered update gives events with the same [`MessageId`], by which a receiver
//!   drops repeats.
//! - **Explained.** [`explain`] gives each destination's verdict and, where nothing is sent, the
//!   [`DropReason`], from the same code path as [`decide`].
//! - **Bounded.** A decision costs in the number of external IDs, and of *distinct* destination
//!   settings and the types that they name. Messages are counted before they are made, and never held.
//! - **Discreet.** `Debug` output, error texts and labels never contain the value of an external ID.
//!
//! # Where to find what
//!
//! | | |
//! |---|---|
//! | input | [`ProfileUpdate`], [`ExternalId`], [`Trigger`], [`Destinations`], [`InputError`], [`Checked`] |
//! | the decision | [`decide`], [`explain`], [`Verdict`], [`DropReason`] |
//! | output | [`IdGroupEvent`], [`OutboundMessages`], [`Amplification`] |
//! | releasing it | [`decide_legacy`], [`compare`](mod@compare), [`Rollout`], [`Release`] |
//! | watching it | [`Observer`], [`Counts`] |
//!
//! # The decision
//!
//! A destination without `dedupes_on` is *plain*: it gets every update with all external IDs, and
//! repeats do it no harm. A destination with `dedupes_on` sends messages to people. For it, the
//! reason why the update was emitted decides, and it is sent the latest ID of each of its types. Its
//! *relevant* IDs are those of its types that the profile had when the update was computed.
//!
//! | trigger reason | the first check that holds | verdict |
//! |---|---|---|
//! | `value_changed` | the profile is out | drop: `exited` |
//! | | it has no relevant ID | drop: `no_relevant_external_id` |
//! | | else | send |
//! | `new_external_id` | the profile is out | drop: `not_a_member` |
//! | | no added ID is relevant | drop: `added_id_not_relevant` |
//! | | a relevant ID came before all the added ones | drop: `already_messaged` |
//! | | else | send |
//! | `profile_merge` | the profile is out | drop: `not_a_member` |
//! | | a merged profile was in, and held an ID of these types, or it is unknown what it held | drop: `already_messaged` |
//! | | it has no relevant ID | drop: `no_relevant_external_id` |
//! | | else | send |
//! | `external_id_removed` | always | drop: `external_id_removed` |
//!
//! *Latest* is the greatest by `created_at`, then collection, type and id; *came before* is smaller by
//! `attached_at`, then collection, type and id; strings compare by bytes, and an unknown time is before every
//! known one. Comparing IDs, and not asking what has been sent, is what makes the answer the same for
//! every delivery of an update, however late: nothing has to be remembered.
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

/// The README's code is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

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

pub use decide::explain::{DestinationVerdict, DestinationVerdicts, Explanation, explain, explain_with};
pub use decide::verdict::{DropReason, Verdict};
pub use decide::{Decision, decide, decide_with};
pub use digest::NameDigest;
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
pub use input::destinations::Destinations;
pub use input::error::{InputError, Problem};
pub use input::external_id::{Collection, ExternalId, ExternalIdKey};
pub use input::gaps::{Gap, Gaps, GapsIter, GapsOf};
pub use input::timestamp::{MalformedTimestamp, Timestamp};
pub use input::trigger::{AddedIds, MergedProfile, MergedProfiles, RemovedIds, Trigger, TriggerReason};
pub use input::update::{Computation, Membership, ProfileUpdate};
pub use memory::Memory;
pub use memory::batch::Batch;
pub use memory::bytes::MemoryError;
pub use memory::decide::{Completeness, MemoryDecision};
pub use memory::explain::{MemoryExplanation, MemoryVerdict, MemoryVerdicts};
pub use memory::key::{MemoryKey, MemoryKeys};
pub use memory::recalled::Recalled;
pub use memory::settled::{SentMessage, Settled, SettledBy};
pub use observe::counts::{Counted, Counts, CountsIter};
pub use observe::{Observer, Step};
pub use release::flow::Flow;
pub use release::legacy::{decide_legacy, decide_legacy_with};
pub use release::rollout::{Comparing, Flag, Gate, Rollout, Share};
pub use release::route::{Route, RouteReason};
pub use release::{Release, Routed};
