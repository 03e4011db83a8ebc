//! People, and what each of them is sent in each stay, while everything around fails: the whole pipeline's
//! promise, from a change in somebody's life to a destination's door.

mod account;
mod doors;
mod library;
mod nemesis;
mod owed;
pub mod real;
pub mod store;
pub mod world;
