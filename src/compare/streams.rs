//! The comparison of two streams that can be made again.

use crate::compare::budget::ComparisonBudget;
use crate::compare::comparator::{Comparator, NextStep};
use crate::compare::comparison::Comparison;
use crate::compare::message::{ComparisonKey, Message};
use crate::release::flow::Flow;

/// Compares two streams that can be made again, with as many passes as it takes and the budget allows.
///
/// `legacy` and `dedupe` must make the same messages each time; streams that don't are reported as
/// different as far as was found until then, and never as identical.
///
/// Costs, for each message of each pass, making it and hashing what it encodes; the budget bounds the
/// number of messages and passes, and a message's own encoding has to bound the rest.
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
    compare_hashed(
        key,
        budget,
        || legacy().into_iter().map(|message| (key.hash(&message), move |most| message.sample(most))),
        || dedupe().into_iter().map(|message| (key.hash(&message), move |most| message.sample(most))),
    )
}

/// The same for streams of the hashes of messages, each with how to make a sample of at most so many
/// bytes of the message.
pub(super) fn compare_hashed<S, L, D, F, G>(
    key: &ComparisonKey,
    budget: &ComparisonBudget,
    mut legacy: impl FnMut() -> L,
    mut dedupe: impl FnMut() -> D,
) -> Comparison<S>
where
    L: Iterator<Item = (u128, F)>,
    D: Iterator<Item = (u128, G)>,
    F: FnOnce(usize) -> S,
    G: FnOnce(usize) -> S,
{
    let mut comparator = Comparator::new(key.clone(), *budget);
    loop {
        // The shorter one is asked again after its end, which only fused iterators repeat.
        let mut of_legacy = legacy().fuse();
        let mut of_dedupe = dedupe().fuse();
        while !comparator.is_refused() {
            match (of_legacy.next(), of_dedupe.next()) {
                (Some(legacy), Some(dedupe)) => comparator.take_both(legacy, dedupe),
                (Some((hash, sample)), None) => comparator.take(Flow::Legacy, hash, sample),
                (None, Some((hash, sample))) => comparator.take(Flow::Dedupe, hash, sample),
                (None, None) => break,
            }
        }
        match comparator.end_of_streams() {
            NextStep::FeedAgain(again) => comparator = again,
            NextStep::Done(comparison) => return comparison,
        }
    }
}
