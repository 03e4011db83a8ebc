//! What the library takes of a machine, whatever it is given.

#[path = "../support/build.rs"]
mod build;
#[path = "../support/counting_allocator.rs"]
mod counting_allocator;

mod hostile;
mod memory;
