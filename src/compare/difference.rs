//! What differs between two flows.

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::label::labels;
use crate::release::flow::Flow;

/// What differs. A message counts once here, however many copies of it there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[must_use]
#[non_exhaustive]
pub struct Difference<S> {
    /// How many messages the legacy flow has, copies included.
    pub legacy: u64,
    /// How many messages the dedupe flow has, copies included.
    pub dedupe: u64,
    /// How many messages only the legacy flow has.
    pub only_in_legacy: u64,
    /// How many messages only the dedupe flow has.
    pub only_in_dedupe: u64,
    /// How many messages both flows have, in different numbers.
    pub in_different_numbers: u64,
    /// Some of these messages, as many as the budget allows.
    pub samples: Vec<Sample<S>>,
    /// Whether the numbers above are of all that differs.
    pub extent: Extent,
}

/// How much of what differs was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Extent {
    /// `whole`: all of it. As sure as [identical](crate::compare#how-sure-identical-is) is: what is left
    /// of the flows without it agrees.
    Whole,
    /// `part`: a part of it, because the budget's passes were used up, or the flows could not be read
    /// again. There is more: what is left of the flows without it differs.
    Part,
}

/// A message that differs. `Debug` leaves the message out, which is personal data.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample<S> {
    /// What the message kept of itself.
    pub message: S,
    /// How often each flow has it.
    pub copies: Copies,
}

/// How often each flow has a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Copies {
    /// How often the legacy flow has it.
    pub legacy: u64,
    /// How often the dedupe flow has it.
    pub dedupe: u64,
}

/// In which way the flows differ in a message: a label for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DifferenceKind {
    /// `only_in_legacy`: the dedupe flow does not have it.
    OnlyInLegacy,
    /// `only_in_dedupe`: the legacy flow does not have it.
    OnlyInDedupe,
    /// `in_different_numbers`: both have it, one more often than the other.
    InDifferentNumbers,
}

labels!(Extent { Whole => "whole", Part => "part" });

labels!(DifferenceKind {
    OnlyInLegacy => "only_in_legacy",
    OnlyInDedupe => "only_in_dedupe",
    InDifferentNumbers => "in_different_numbers",
});

impl Copies {
    /// In which way they differ; `None` if both flows have the message equally often.
    pub const fn kind(self) -> Option<DifferenceKind> {
        match self {
            Self { legacy, dedupe } if legacy == dedupe => None,
            Self { dedupe: 0, .. } => Some(DifferenceKind::OnlyInLegacy),
            Self { legacy: 0, .. } => Some(DifferenceKind::OnlyInDedupe),
            Self { .. } => Some(DifferenceKind::InDifferentNumbers),
        }
    }

    /// The label of their [`kind`](Self::kind); `in_equal_numbers` if there is none, which no sample
    /// of a difference has.
    pub const fn as_str(self) -> &'static str {
        match self.kind() {
            Some(kind) => kind.as_str(),
            None => "in_equal_numbers",
        }
    }

    pub(super) fn add(&mut self, flow: Flow) {
        let copies = match flow {
            Flow::Legacy => &mut self.legacy,
            Flow::Dedupe => &mut self.dedupe,
        };
        *copies = copies.saturating_add(1);
    }

    pub(super) fn are_balanced(self) -> bool {
        self.legacy == self.dedupe
    }
}

impl<S> Difference<S> {
    /// How many messages differ, as far as was found.
    pub fn messages(&self) -> u64 {
        self.only_in_legacy.saturating_add(self.only_in_dedupe).saturating_add(self.in_different_numbers)
    }

    pub(super) fn between(legacy: u64, dedupe: u64) -> Self {
        Self {
            legacy,
            dedupe,
            only_in_legacy: 0,
            only_in_dedupe: 0,
            in_different_numbers: 0,
            samples: Vec::new(),
            extent: Extent::Part,
        }
    }

    pub(super) fn count(&mut self, copies: Copies) {
        let number = match copies.kind() {
            Some(DifferenceKind::OnlyInLegacy) => &mut self.only_in_legacy,
            Some(DifferenceKind::OnlyInDedupe) => &mut self.only_in_dedupe,
            Some(DifferenceKind::InDifferentNumbers) => &mut self.in_different_numbers,
            None => return debug_assert!(false, "a message that is counted differs"),
        };
        *number = number.saturating_add(1);
    }
}

impl<S> fmt::Debug for Sample<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sample").field("copies", &self.copies).finish_non_exhaustive()
    }
}
