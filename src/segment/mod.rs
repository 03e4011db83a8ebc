//! Events as the calls that destinations on Segment, and on what speaks its language, understand:
//! `track` and `identify`.
//!
//! An [event](crate::IdGroupEvent) says who is sent what. Destinations understand something else:
//! calls, in which each looks for the membership and the address in places of its own. This module
//! turns the one into the other, so that each destination does what was decided, and once. Which
//! field stands where, how that was found out, and what remains to be known is in
//! [`docs/SEGMENT.md`](https://github.com/idgroup/idgroup/blob/main/docs/SEGMENT.md).
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use idgroup::segment::{CallSettings, Routes, Supplied};
//! use idgroup::{Destinations, ProfileUpdate, decide};
//!
//! let destinations: Destinations = serde_json::from_str(
//!     r#"[{"id":"dst_1","name":"Braze Cloud Mode (Actions)"},{"id":"dst_2","name":"Unknown"}]"#,
//! )?;
//! let settings: CallSettings = serde_json::from_str(r#"{"dst_1":{"call":"identify"}}"#)?;
//! let routes = Routes::new(&destinations, &settings);
//!
//! let update: ProfileUpdate = serde_json::from_str(
//!     r#"{"id":"upd_1","space_id":"spa_1","profile_id":"use_1",
//!         "computation":{"class":"audience","id":"aud_1","key":"vip"},"membership":"in",
//!         "computed_at":"2026-01-05T10:00:00Z","trigger":{"reason":"value_changed"},
//!         "external_ids":[{"type":"email","id":"a@example.com"},{"type":"user_id","id":"42"}]}"#,
//! )?;
//! for event in decide(&update, &destinations) {
//!     for call in routes.calls(&event, Supplied::default()).iter() {
//!         match call {
//!             Ok(call) => assert!(serde_json::to_string(&call)?.contains(r#""userId":"42""#)),
//!             Err(refusal) => assert_eq!(
//!                 refusal.to_string(),
//!                 "no call to `dst_2`: the settings say nothing about the destination",
//!             ),
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # How many calls
//!
//! Destinations want one address per call, and so there is one for each combination of an event's
//! IDs. Plain destinations of the same kind of call share it, if they have no settings of their own;
//! every other destination has its calls to itself. An Engage sender takes a list of addresses and
//! chooses from it: it gets one call, whatever the number of IDs.

mod audience_settings;
mod call;
mod calls;
mod computed;
mod float_size;
mod json_size;
mod largest;
mod message_id;
mod person;
mod refusal;
mod render;
mod routes;
mod settings;
mod supplied;
mod text;

pub use audience_settings::AudienceSettings;
pub use call::Call;
pub use calls::{Calls, MAX_CALL_SIZE};
pub use message_id::CallId;
pub use refusal::{Refusal, RefusalReason};
pub use routes::Routes;
pub use settings::{CallSettings, CallType, DestinationSettings};
pub use supplied::Supplied;
