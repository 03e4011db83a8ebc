//! What is decided: which destinations an update is sent to, with which external IDs, and what
//! those who watch hear of it.

#[path = "../support/build.rs"]
mod build;
#[path = "../support/oracle/mod.rs"]
mod oracle;
#[path = "../support/product.rs"]
mod product;
#[path = "../support/recorder.rs"]
mod recorder;
#[path = "../support/worlds.rs"]
mod worlds;

mod cases;
mod many_types;
mod observers;
mod outbound;
mod pipeline;
mod properties;
mod small_world;
