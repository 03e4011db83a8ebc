//! The replay as a program: what it reads, prints, refuses and exits with.

mod explain;
mod gaps;
mod jobs;
mod layouts;
mod live;
#[cfg(target_os = "linux")]
mod memory;
mod output;
mod preview;
mod preview_remember;
mod program;
mod refusals;
mod rejects;
mod remember;
mod report;
mod rollout;
mod segment;
mod shadow;
mod slow;
mod summary;
mod tour;
