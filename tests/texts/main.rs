//! The texts that people and other programs read, pinned as snapshots, and the formats
//! that they pass through.

mod formats;
mod gaps;
mod snapshots;
