//! Events as the calls that destinations understand.

#[path = "../support/counting_allocator.rs"]
mod counting_allocator;
#[path = "../support/oracle/mod.rs"]
mod oracle;
#[path = "../support/worlds.rs"]
mod worlds;

mod cases;
mod largest;
mod memory;
mod message_ids;
mod properties;
mod settings;
mod size;
mod support;
mod texts;
