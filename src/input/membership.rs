//! How a profile stands in a computation.

use crate::label::labels;

/// A profile's standing in a computation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Membership {
    /// In the audience, or with a trait value.
    In,
    /// Not in the audience, or without a trait value.
    Out,
}

labels!(Membership { In => "in", Out => "out" });
