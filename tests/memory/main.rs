//! Decisions with memories: what is decided, what is remembered, and in which bytes.

#[path = "../support/oracle/mod.rs"]
mod oracle;
#[path = "../support/recorder.rs"]
mod recorder;

mod batches;
mod bytes;
mod changed_settings;
mod explanations;
mod histories;
mod remembered;
