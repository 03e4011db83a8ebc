//! The outcome of a comparison.

use serde::{Deserialize, Serialize};

use crate::compare::difference::Difference;
use crate::label::labels;
use crate::release::flow::Flow;

/// What a comparison says. Nothing but [`Identical`](Self::Identical) means that the flows agree.
///
/// Serialises as an object with its [`outcome`](Self::outcome) and its numbers, and, if the flows
/// differ, the samples: with the values of external IDs, which `Debug` leaves out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[must_use]
#[non_exhaustive]
pub enum Comparison<S> {
    /// Both flows have the same messages, each as often.
    Identical {
        /// How many messages each flow has: at least 1.
        messages: u64,
    },
    /// The flows have different messages.
    Different(Difference<S>),
    /// Neither flow has a message. Of outbound messages: no event of either flow goes to a destination
    /// that does not dedupe. That is no agreement, because nothing was compared.
    NothingToCompare,
    /// The comparison was ended before it had read both flows: it says nothing about them.
    CutShort {
        /// How many messages of the legacy flow had been read.
        legacy: u64,
        /// How many messages of the dedupe flow had been read.
        dedupe: u64,
    },
    /// The comparison was not made, because a flow has more messages than the budget allows.
    Refused {
        /// The flow that has too many.
        flow: Flow,
        /// How many messages the budget allows.
        most: u64,
    },
}

/// What kind of answer a comparison gave: a label for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ComparisonOutcome {
    /// `identical`: both flows have the same messages, each as often.
    Identical,
    /// `different`: the flows have different messages.
    Different,
    /// `nothing_to_compare`: neither flow has a message.
    NothingToCompare,
    /// `cut_short`: both flows were not read to their end.
    CutShort,
    /// `refused`: a flow has more messages than the budget allows.
    Refused,
}

labels!(ComparisonOutcome {
    Identical => "identical",
    Different => "different",
    NothingToCompare => "nothing_to_compare",
    CutShort => "cut_short",
    Refused => "refused",
});

impl<S> Comparison<S> {
    /// What kind of answer this is.
    pub const fn outcome(&self) -> ComparisonOutcome {
        match self {
            Self::Identical { .. } => ComparisonOutcome::Identical,
            Self::Different(_) => ComparisonOutcome::Different,
            Self::NothingToCompare => ComparisonOutcome::NothingToCompare,
            Self::CutShort { .. } => ComparisonOutcome::CutShort,
            Self::Refused { .. } => ComparisonOutcome::Refused,
        }
    }

    /// The label of the [`outcome`](Self::outcome), such as `identical`.
    pub const fn as_str(&self) -> &'static str {
        self.outcome().as_str()
    }

    /// Whether both flows were read to their end, had messages, and agree.
    pub const fn is_identical(&self) -> bool {
        matches!(self, Self::Identical { .. })
    }
}
