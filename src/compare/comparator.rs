//! The comparison of two streams of messages, pass by pass.

use alloc::collections::BTreeMap;
use core::{fmt, mem};

use crate::compare::budget::ComparisonBudget;
use crate::compare::comparison::Comparison;
use crate::compare::difference::{Copies, Difference, Extent, Sample};
use crate::compare::message::{ComparisonKey, Message};
use crate::release::flow::Flow;

/// Compares two streams of messages that are fed to it, in any order: in step, interleaved, or one
/// after the other. In step is what costs the least memory and the fewest passes.
///
/// One pass gives the verdict; what differs is named if the same streams can be fed again. For
/// streams that are functions, [`compare_streams`](super::compare_streams) does all that.
///
/// ```
/// # use idgroup::compare::{Encoder, Message};
/// # struct Mail(&'static str);
/// # impl Message for Mail {
/// #     type Sample = String;
/// #     fn encode(&self, encoder: &mut Encoder) { encoder.part(self.0); }
/// #     fn sample(&self, _: usize) -> String { self.0.into() }
/// # }
/// use idgroup::Flow;
/// use idgroup::compare::{Comparator, Comparison, ComparisonBudget, ComparisonKey, NextStep};
///
/// # let sixteen_random_bytes = [7; 16];
/// let key = ComparisonKey::new(sixteen_random_bytes);
/// let mut comparator = Comparator::new(key, ComparisonBudget::default());
/// let comparison = loop {
///     comparator.feed(Flow::Legacy, &Mail("a@example.com"));
///     comparator.feed(Flow::Legacy, &Mail("b@example.com"));
///     comparator.feed(Flow::Dedupe, &Mail("b@example.com"));
///     match comparator.end_of_streams() {
///         NextStep::FeedAgain(again) => comparator = again,
///         NextStep::Done(comparison) => break comparison,
///     }
/// };
/// let Comparison::Different(difference) = comparison else { panic!() };
/// assert_eq!(difference.only_in_legacy, 1);
/// assert_eq!(difference.samples[0].message, "a@example.com");
/// ```
#[must_use]
pub struct Comparator<S> {
    key: ComparisonKey,
    budget: ComparisonBudget,
    /// What the first pass read. `None` during the first pass.
    first: Option<Tallies>,
    /// What is left of it without the messages that were counted.
    rest: Tallies,
    current: Tallies,
    passes: u32,
    pass: Pass,
    /// By hash, those messages of the pass's slice that the flows have not sent equally often; or,
    /// when copies are counted, that differ. At most as many as the budget allows.
    messages: BTreeMap<u128, Copies>,
    /// Of some of these messages.
    samples: BTreeMap<u128, S>,
    difference: Difference<S>,
}

/// What comes after both streams were fed. `Debug` shows no message.
#[derive(Debug)]
#[must_use]
#[allow(clippy::large_enum_variant, reason = "made once a pass")]
pub enum NextStep<S> {
    /// The outcome.
    Done(Comparison<S>),
    /// The flows differ. Feed the same streams again, to find more of what differs; or be content
    /// with what was found, with [`Comparator::give_up`].
    FeedAgain(Comparator<S>),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tallies {
    legacy: Tally,
    dedupe: Tally,
}

/// The number of a flow's messages, and the sum of their hashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    messages: u64,
    sum: u128,
}

/// What a pass does with the messages whose hashes are in its slice, `first..=last`.
#[derive(Clone, Copy, Debug)]
enum Pass {
    /// Finds those that differ; `last` falls when the budget is reached.
    Find { first: u128, last: u128 },
    /// Counts the copies of those that were found.
    Count { first: u128, last: u128 },
}

impl<S> Comparator<S> {
    /// A comparison that has read nothing yet.
    pub fn new(key: ComparisonKey, budget: ComparisonBudget) -> Self {
        Self {
            key,
            budget,
            first: None,
            rest: Tallies::default(),
            current: Tallies::default(),
            passes: 0,
            pass: Pass::Find { first: 0, last: u128::MAX },
            messages: BTreeMap::new(),
            samples: BTreeMap::new(),
            difference: Difference::between(0, 0),
        }
    }

    /// The next message of a flow. Costs a hash of what the message encodes and, unless its hash is above
    /// those of this pass, a look into a map of the budget's size.
    pub fn feed(&mut self, flow: Flow, message: &impl Message<Sample = S>) {
        self.take(flow, self.key.hash(message), |most_bytes| message.sample(most_bytes));
    }

    /// The next message of each flow: the same as feeding one after the other, and cheaper where
    /// they are equal.
    pub fn feed_both(&mut self, legacy: &impl Message<Sample = S>, dedupe: &impl Message<Sample = S>) {
        self.take_both(
            (self.key.hash(legacy), |most_bytes| legacy.sample(most_bytes)),
            (self.key.hash(dedupe), |most_bytes| dedupe.sample(most_bytes)),
        );
    }

    pub(super) fn take_both(
        &mut self,
        legacy: (u128, impl FnOnce(usize) -> S),
        dedupe: (u128, impl FnOnce(usize) -> S),
    ) {
        if legacy.0 == dedupe.0 && matches!(self.pass, Pass::Find { .. }) {
            self.current.legacy.add(legacy.0);
            self.current.dedupe.add(dedupe.0);
        } else {
            self.take(Flow::Legacy, legacy.0, legacy.1);
            self.take(Flow::Dedupe, dedupe.0, dedupe.1);
        }
    }

    /// The hash of a message, and how to make a sample of at most so many bytes of it.
    pub(super) fn take(&mut self, flow: Flow, hash: u128, sample: impl FnOnce(usize) -> S) {
        match flow {
            Flow::Legacy => self.current.legacy.add(hash),
            Flow::Dedupe => self.current.dedupe.add(hash),
        }
        match &mut self.pass {
            Pass::Find { first, last } => {
                if !(*first..=*last).contains(&hash) {
                    return;
                }
                let copies = self.messages.entry(hash).or_default();
                copies.add(flow);
                if copies.are_balanced() {
                    self.messages.remove(&hash);
                } else if self.messages.len() > self.budget.differing_messages() {
                    // All messages below keep their exact counts; this one and those above wait for
                    // another pass.
                    let highest = self.messages.pop_last().map_or(*last, |(highest, _)| highest);
                    debug_assert!(highest > *first, "{ONE_IS_BELOW}");
                    *last = highest.saturating_sub(1);
                }
            }
            Pass::Count { first, last } => {
                if (*first..=*last).contains(&hash)
                    && let Some(copies) = self.messages.get_mut(&hash)
                {
                    copies.add(flow);
                    let samples = self.samples.len().saturating_add(self.difference.samples.len());
                    if samples < self.budget.samples() && !self.samples.contains_key(&hash) {
                        self.samples.insert(hash, sample(self.budget.sample_bytes()));
                    }
                }
            }
        }
    }

    /// Both streams have been fed to their end.
    pub fn end_of_streams(mut self) -> NextStep<S> {
        let read = mem::take(&mut self.current);
        self.passes = self.passes.saturating_add(1);
        match self.first {
            None => {
                if let Some(verdict) = read.verdict(self.budget.messages()) {
                    return NextStep::Done(verdict);
                }
                (self.first, self.rest) = (Some(read), read);
                self.difference = Difference::between(read.legacy.messages, read.dedupe.messages);
            }
            // These are not the streams that differ: nothing in this pass says anything about them.
            Some(first) if first != read => return NextStep::Done(self.give_up()),
            Some(_) => {}
        }
        match self.pass {
            Pass::Find { first, last } if !self.messages.is_empty() => {
                self.messages.values_mut().for_each(|copies| *copies = Copies::default());
                self.pass = Pass::Count { first, last };
            }
            Pass::Find { last, .. } | Pass::Count { last, .. } => {
                self.keep_what_was_counted();
                match last.checked_add(1) {
                    Some(first) if !self.rest.agree() => self.pass = Pass::Find { first, last: u128::MAX },
                    _ => {
                        debug_assert!(self.rest.agree(), "{REST_AGREES}");
                        self.difference.extent = Extent::Whole;
                        return NextStep::Done(Comparison::Different(self.difference));
                    }
                }
            }
        }
        match self.passes < self.budget.passes() {
            true => NextStep::FeedAgain(self),
            false => NextStep::Done(self.give_up()),
        }
    }

    fn keep_what_was_counted(&mut self) {
        for (hash, copies) in mem::take(&mut self.messages) {
            self.difference.count(copies);
            self.rest.take_out(hash, copies);
            // Of others the budget for samples keeps none.
            if let Some(message) = self.samples.remove(&hash) {
                self.difference.samples.push(Sample { message, copies });
            }
        }
        debug_assert!(self.samples.is_empty(), "a sample is of a message that is counted");
    }

    /// Ends the comparison where it is: with what was found of a difference, or without a verdict
    /// if the first pass was not over.
    pub fn give_up(self) -> Comparison<S> {
        match self.first {
            Some(_) => Comparison::Different(self.difference),
            None => Comparison::CutShort {
                legacy: self.current.legacy.messages,
                dedupe: self.current.dedupe.messages,
            },
        }
    }

    /// Whether a flow has more messages than the budget allows already: what is fed from here on
    /// can't change the outcome.
    pub fn is_refused(&self) -> bool {
        self.current.flow_above(self.budget.messages()).is_some()
    }
}

const ONE_IS_BELOW: &str = "where a message is left for later, one of a lower hash of the slice is held";
const REST_AGREES: &str = "once all slices were counted, what is left of both flows agrees";

/// Numbers alone: samples are personal data, and whatever their own `Debug` shows of it.
impl<S> fmt::Debug for Comparator<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Comparator")
            .field("budget", &self.budget)
            .field("passes", &self.passes)
            .field("legacy", &self.current.legacy.messages)
            .field("dedupe", &self.current.dedupe.messages)
            .field("differing_messages", &self.messages.len())
            .finish_non_exhaustive()
    }
}

impl Tallies {
    /// What one pass is enough to say; `None` for flows that differ.
    fn verdict<S>(&self, most: u64) -> Option<Comparison<S>> {
        match self.flow_above(most) {
            Some(flow) => Some(Comparison::Refused { flow, most }),
            None if *self == Self::default() => Some(Comparison::NothingToCompare),
            None => self.agree().then_some(Comparison::Identical { messages: self.legacy.messages }),
        }
    }

    fn agree(&self) -> bool {
        self.legacy == self.dedupe
    }

    /// All copies of a message.
    fn take_out(&mut self, hash: u128, copies: Copies) {
        self.legacy.take_out(hash, copies.legacy);
        self.dedupe.take_out(hash, copies.dedupe);
    }

    fn flow_above(&self, most: u64) -> Option<Flow> {
        match () {
            () if self.legacy.messages > most => Some(Flow::Legacy),
            () if self.dedupe.messages > most => Some(Flow::Dedupe),
            () => None,
        }
    }
}

impl Tally {
    fn add(&mut self, hash: u128) {
        self.messages = self.messages.saturating_add(1);
        self.sum = self.sum.wrapping_add(hash);
    }

    fn take_out(&mut self, hash: u128, copies: u64) {
        debug_assert!(copies <= self.messages, "what is counted was read");
        self.messages = self.messages.saturating_sub(copies);
        self.sum = self.sum.wrapping_sub(hash.wrapping_mul(copies.into()));
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// Messages by their hashes, which nobody outside can choose. One flow after the other, and how many passes that takes.
    fn compare_hashes(
        legacy: &[u128],
        dedupe: &[u128],
        differing_messages: usize,
    ) -> (Comparison<u128>, u32) {
        let budget = ComparisonBudget::default().with_differing_messages(differing_messages).with_passes(32);
        let mut comparator = Comparator::new(ComparisonKey::new([0; 16]), budget);
        let mut passes = 0;
        loop {
            passes += 1;
            for (flow, hashes) in [(Flow::Legacy, legacy), (Flow::Dedupe, dedupe)] {
                for &hash in hashes {
                    comparator.take(flow, hash, |_| hash);
                }
            }
            match comparator.end_of_streams() {
                NextStep::FeedAgain(again) => comparator = again,
                NextStep::Done(comparison) => return (comparison, passes),
            }
        }
    }

    #[test]
    fn a_message_that_adds_nothing_to_the_sum_is_counted() {
        let (Comparison::Different(found), passes) = compare_hashes(&[0], &[], 1) else { panic!() };
        assert_eq!((found.only_in_legacy, found.extent, passes), (1, Extent::Whole, 2));
    }

    /// Neighbours, and the ends of the range: a slice that is off by one has no other chance to show.
    #[test]
    fn slices_meet_without_gap_and_overlap() {
        let all = [0, 1, 2, 3, 7, 8, u128::MAX / 2, u128::MAX - 2, u128::MAX - 1, u128::MAX];
        for differing_messages in 1..=all.len() {
            for rotation in 0..all.len() {
                let mut hashes = all;
                hashes.rotate_left(rotation);
                let (Comparison::Different(found), passes) =
                    compare_hashes(&hashes, &[5], differing_messages)
                else {
                    panic!()
                };
                assert_eq!(passes, 2 * 11_u32.div_ceil(u32::try_from(differing_messages).unwrap()));
                assert_eq!((found.only_in_legacy, found.only_in_dedupe), (10, 1), "{differing_messages}");
                assert_eq!(found.extent, Extent::Whole);
                let mut sampled: Vec<u128> = found.samples.iter().map(|sample| sample.message).collect();
                sampled.sort_unstable();
                assert_eq!(sampled, [0, 1, 2, 3, 5, 7, 8, all[6], all[7], all[8], all[9]]);
            }
        }
    }

    /// What overflows at first may cancel in the end: such a slice has nothing to be counted in.
    #[test]
    fn a_slice_that_comes_out_empty_costs_one_pass() {
        let (comparison, passes) = compare_hashes(&[0, 1], &[0, 1, 2], 1);
        let Comparison::Different(found) = comparison else { panic!() };
        assert_eq!((found.messages(), found.only_in_dedupe, found.extent), (1, 1, Extent::Whole));
        assert_eq!(passes, 3, "0 cancels; then 2 is found; then it is counted");
    }
}
