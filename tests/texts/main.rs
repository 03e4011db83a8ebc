//! What people and other programs read: explanations, `Debug` forms, every error message, and formats.
//!
//! After a change that is meant, `INSTA_UPDATE=always cargo test --test texts` rewrites the snapshots.

#[path = "../support/build.rs"]
mod build;

mod debug_forms;
mod explanations;
mod formats;
mod gaps;
mod personal_data;
mod refused_fields;
mod refused_parts;
mod sample;
