//! Both flows side by side, and moving spaces from one to the other.

#[path = "../support/build.rs"]
mod build;
#[path = "../support/oracle/mod.rs"]
mod oracle;
#[path = "../support/product.rs"]
mod product;
#[path = "../support/worlds.rs"]
mod worlds;

mod comparator;
mod compared_messages;
mod comparison_bounds;
mod planted_bugs;
mod remembering;
mod rollout;
mod shadow;
mod shadow_budget;
mod shop;
mod two_maps;
mod verdicts;
