//! The comparison of two streams of messages, pass by pass.

use alloc::collections::BTreeMap;
use core::mem;

use super::{Comparison, ComparisonBudget, ComparisonKey, Copies, Difference, Extent, Message, Sample};
use crate::release::flow::Flow;

/// Compares two streams of messages that are fed to it, in any order: in step, interleaved, or one
/// after the other. In step is what costs the least memory and the fewest passes.
///
/// One pass gives the verdict; what differs is named if the same streams can be fed again. For
/// streams that are functions, [`compare_streams`] does all that.
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
#[derive(Debug)]
pub struct Comparator<S> {
    key: ComparisonKey,
    budget: ComparisonBudget,
    /// What the first pass read. `None` during the first pass.
    first: Option<Tallies>,
    current: Tallies,
    passes: u32,
    pass: Pass,
    /// By hash, those messages of the pass's slice that the flows have not sent equally often; or,
    /// when copies are counted, that differ.
    messages: BTreeMap<u128, Copies>,
    samples: BTreeMap<u128, S>,
    difference: Difference<S>,
}

/// What comes after both streams were fed.
#[derive(Debug)]
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
    Count { last: u128 },
}

impl<S> Comparator<S> {
    /// A comparison that has read nothing yet.
    pub fn new(key: ComparisonKey, budget: ComparisonBudget) -> Self {
        Self {
            key,
            budget,
            first: None,
            current: Tallies::default(),
            passes: 0,
            pass: Pass::Find { first: 0, last: u128::MAX },
            messages: BTreeMap::new(),
            samples: BTreeMap::new(),
            difference: Difference::between(0, 0),
        }
    }

    /// The next message of a flow. Costs a hash of the message and, unless the other flow has just
    /// sent the same, a look into a map of the budget's size.
    pub fn feed(&mut self, flow: Flow, message: &impl Message<Sample = S>) {
        let hash = self.key.hash(message);
        self.take(flow, hash, message);
    }

    /// The next message of each flow: the same as feeding one after the other, and cheaper where
    /// they are equal.
    pub fn feed_both(&mut self, legacy: &impl Message<Sample = S>, dedupe: &impl Message<Sample = S>) {
        let (of_legacy, of_dedupe) = (self.key.hash(legacy), self.key.hash(dedupe));
        if of_legacy == of_dedupe && matches!(self.pass, Pass::Find { .. }) {
            self.current.legacy.add(of_legacy);
            self.current.dedupe.add(of_dedupe);
        } else {
            self.take(Flow::Legacy, of_legacy, legacy);
            self.take(Flow::Dedupe, of_dedupe, dedupe);
        }
    }

    fn take(&mut self, flow: Flow, hash: u128, message: &impl Message<Sample = S>) {
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
                } else if self.messages.len() > self.budget.differing_messages
                    && let Some((highest, _)) = self.messages.pop_last()
                {
                    // All messages below keep their exact counts; this one and those above wait for
                    // another pass. More than one was held, so that something is below.
                    *last = highest.saturating_sub(1);
                }
            }
            Pass::Count { .. } => {
                if let Some(copies) = self.messages.get_mut(&hash) {
                    copies.add(flow);
                    let samples = self.samples.len().saturating_add(self.difference.samples.len());
                    if samples < self.budget.samples && !self.samples.contains_key(&hash) {
                        self.samples.insert(hash, message.sample(self.budget.sample_bytes));
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
                if let Some(flow) = read.flow_above(self.budget.messages) {
                    return NextStep::Done(Comparison::Refused { flow, most: self.budget.messages });
                }
                if read.legacy == read.dedupe {
                    return NextStep::Done(Comparison::Identical { messages: read.legacy.messages });
                }
                self.first = Some(read);
                self.difference = Difference::between(read.legacy.messages, read.dedupe.messages);
            }
            // These are not the streams that differ: nothing in this pass says anything about them.
            Some(first) if first != read => return NextStep::Done(self.give_up()),
            Some(_) => {}
        }
        match self.pass {
            Pass::Find { last, .. } if !self.messages.is_empty() => {
                self.messages.values_mut().for_each(|copies| *copies = Copies::default());
                self.pass = Pass::Count { last };
            }
            Pass::Find { last, .. } | Pass::Count { last } => {
                self.keep_what_was_counted();
                let Some(first) = last.checked_add(1) else {
                    self.difference.extent = Extent::Whole;
                    return NextStep::Done(Comparison::Different(self.difference));
                };
                self.pass = Pass::Find { first, last: u128::MAX };
            }
        }
        match self.passes < self.budget.passes {
            true => NextStep::FeedAgain(self),
            false => NextStep::Done(self.give_up()),
        }
    }

    fn keep_what_was_counted(&mut self) {
        for (hash, copies) in mem::take(&mut self.messages) {
            self.difference.count(copies);
            if let Some(message) = self.samples.remove(&hash) {
                self.difference.samples.push(Sample { message, copies });
            }
        }
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
        self.current.flow_above(self.budget.messages).is_some()
    }
}

impl Tallies {
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
}

/// Compares two streams that can be made again, with as many passes as it takes and the budget allows.
///
/// `legacy` and `dedupe` must make the same messages each time; streams that don't are reported as
/// different as far as was found until then, and never as identical.
pub fn compare_streams<S, L, D>(
    key: &ComparisonKey,
    budget: &ComparisonBudget,
    mut legacy: impl FnMut() -> L,
    mut dedupe: impl FnMut() -> D,
) -> Comparison<S>
where
    L: IntoIterator<Item: Message<Sample = S>>,
    D: IntoIterator<Item: Message<Sample = S>>,
{
    let mut comparator = Comparator::new(key.clone(), *budget);
    loop {
        // The shorter one is asked again after its end, which only fused iterators repeat.
        let mut of_legacy = legacy().into_iter().fuse();
        let mut of_dedupe = dedupe().into_iter().fuse();
        while !comparator.is_refused() {
            match (of_legacy.next(), of_dedupe.next()) {
                (Some(legacy), Some(dedupe)) => comparator.feed_both(&legacy, &dedupe),
                (Some(legacy), None) => comparator.feed(Flow::Legacy, &legacy),
                (None, Some(dedupe)) => comparator.feed(Flow::Dedupe, &dedupe),
                (None, None) => break,
            }
        }
        match comparator.end_of_streams() {
            NextStep::FeedAgain(again) => comparator = again,
            NextStep::Done(comparison) => return comparison,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::compare::Encoder;

    /// A message by its hash, which no message of the outside can choose.
    struct Hashed(u128);

    impl Message for Hashed {
        type Sample = u128;

        fn encode(&self, _: &mut Encoder) {
            unreachable!("it is hashed already")
        }

        fn sample(&self, _: usize) -> u128 {
            self.0
        }
    }

    /// One flow after the other, and how many passes that takes.
    fn compare_hashes(
        legacy: &[u128],
        dedupe: &[u128],
        differing_messages: usize,
    ) -> (Comparison<u128>, u32) {
        let budget = ComparisonBudget::default().differing_messages(differing_messages).passes(32);
        let mut comparator = Comparator::new(ComparisonKey::new([0; 16]), budget);
        let mut passes = 0;
        loop {
            passes += 1;
            for (flow, hashes) in [(Flow::Legacy, legacy), (Flow::Dedupe, dedupe)] {
                for &hash in hashes {
                    comparator.take(flow, hash, &Hashed(hash));
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
