//! The texts that people and other programs read: explanations, `Debug` forms and every error message.
//!
//! After a change that is meant, `INSTA_UPDATE=always cargo test --test texts` rewrites the snapshots.

#[path = "../support/build.rs"]
mod build;

mod debug_forms;
mod explanations;
mod personal_data;
mod refused_fields;
mod refused_parts;
mod sample;
