//! The texts that people and other programs read, pinned as snapshots.

mod snapshots;
