//! One page that says what a replay came to, with pictures, for a browser without a network.

mod charts;
mod page;
mod sections;
pub mod seen;
mod times;

pub use page::{Reach, page};
