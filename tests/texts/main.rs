//! The texts that people and other programs read, pinned as snapshots.

#[path = "../support/build.rs"]
mod build;

mod snapshots;
