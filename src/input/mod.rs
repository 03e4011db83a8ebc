//! What comes in: updates and destinations, checked once, when they become values of these types.

pub(crate) mod builder;
pub(crate) mod checked;
pub(crate) mod destination;
pub(crate) mod error;
pub(crate) mod external_id;
mod external_id_read;
pub(crate) mod gaps;
pub(crate) mod id_choice;
pub(crate) mod listed;
pub(crate) mod membership;
pub(crate) mod name;
pub(crate) mod name_digest;
pub(crate) mod profile_ids;
pub(crate) mod read;
mod rfc3339;
mod sorted;
pub(crate) mod timestamp;
pub(crate) mod trigger;
mod trigger_read;
pub(crate) mod update;
