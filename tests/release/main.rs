//! Both flows side by side, and moving spaces from one to the other.

#[path = "../support/worlds.rs"]
mod worlds;

mod comparator;
mod rollout;
mod shadow;
