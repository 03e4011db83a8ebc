//! The outcome of a comparison.

use alloc::vec::Vec;

use crate::release::flow::Flow;

/// What a comparison says. Nothing but [`Identical`](Self::Identical) means that the flows agree.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Comparison<S> {
    /// Both flows have the same messages, each as often.
    Identical {
        /// How many messages each flow has.
        messages: u64,
    },
    /// The flows have different messages.
    Different(Difference<S>),
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

/// What differs. A message counts once here, however many copies of it there are.
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Whole,
    /// A part of it: the budget's passes were used up, or the flows could not be read again. There
    /// is more.
    Part,
}

/// A message that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample<S> {
    /// What the message kept of itself.
    pub message: S,
    /// How often each flow has it.
    pub copies: Copies,
}

/// How often each flow has a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copies {
    /// How often the legacy flow has it.
    pub legacy: u64,
    /// How often the dedupe flow has it.
    pub dedupe: u64,
}

impl<S> Comparison<S> {
    /// A label for metrics: `identical`, `different`, `cut_short` or `refused`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Identical { .. } => "identical",
            Self::Different(_) => "different",
            Self::CutShort { .. } => "cut_short",
            Self::Refused { .. } => "refused",
        }
    }

    /// Whether both flows were read to their end and agree.
    pub const fn is_identical(&self) -> bool {
        matches!(self, Self::Identical { .. })
    }
}

impl Copies {
    /// `only_in_legacy`, `only_in_dedupe`, or `in_different_numbers`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self { dedupe: 0, .. } => "only_in_legacy",
            Self { legacy: 0, .. } => "only_in_dedupe",
            Self { .. } => "in_different_numbers",
        }
    }

    pub(crate) fn add(&mut self, flow: Flow) {
        let copies = match flow {
            Flow::Legacy => &mut self.legacy,
            Flow::Dedupe => &mut self.dedupe,
        };
        *copies = copies.saturating_add(1);
    }

    pub(crate) fn are_balanced(self) -> bool {
        self.legacy == self.dedupe
    }
}

impl<S> Difference<S> {
    /// How many messages differ, as far as was found.
    pub fn messages(&self) -> u64 {
        self.only_in_legacy.saturating_add(self.only_in_dedupe).saturating_add(self.in_different_numbers)
    }

    pub(crate) fn between(legacy: u64, dedupe: u64) -> Self {
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

    pub(crate) fn count(&mut self, copies: Copies) {
        let number = match copies {
            Copies { dedupe: 0, .. } => &mut self.only_in_legacy,
            Copies { legacy: 0, .. } => &mut self.only_in_dedupe,
            Copies { .. } => &mut self.in_different_numbers,
        };
        *number = number.saturating_add(1);
    }
}
