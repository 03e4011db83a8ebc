//! The comparator against two maps, over generated streams.

use std::collections::BTreeMap;

use idgroup::Flow;
use idgroup::compare::{
    Comparator, Comparison, ComparisonKey, Difference, Extent, NextStep, compare_streams,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::two_maps::{AMPLE, Budget, Fed, KEY, Mail, Maps, feed, feed_until_done, numbered};
use Fed::{Both, One};

fn any_flow() -> impl Strategy<Value = Flow> {
    prop_oneof![Just(Flow::Legacy), Just(Flow::Dedupe)]
}

/// Few different messages, so that most are sent by both flows, and more than once.
fn any_streams() -> impl Strategy<Value = Vec<Fed>> {
    (1_u32..12).prop_flat_map(|different| {
        let one = (any_flow(), 0..different).prop_map(|(flow, number)| One(flow, number));
        let both = (0..different, 0..different).prop_map(|(legacy, dedupe)| Both(legacy, dedupe));
        let same = (0..different).prop_map(|number| Both(number, number));
        vec(prop_oneof![3 => one, 1 => both, 2 => same], 0..40)
    })
}

/// The same messages in several orders, among them one flow after the other.
fn any_orders() -> impl Strategy<Value = Vec<Vec<Fed>>> {
    any_streams().prop_flat_map(|streams| {
        let mut one_after_the_other: Vec<Fed> = streams
            .iter()
            .flat_map(|fed| match *fed {
                One(..) => vec![*fed],
                Both(legacy, dedupe) => vec![One(Flow::Legacy, legacy), One(Flow::Dedupe, dedupe)],
            })
            .collect();
        one_after_the_other.sort_by_key(|fed| matches!(fed, One(Flow::Dedupe, _)));
        let shuffled = Just(streams).prop_shuffle();
        let order = prop_oneof![2 => shuffled, 1 => Just(one_after_the_other)];
        vec(order, 1..4)
    })
}

fn any_budget() -> impl Strategy<Value = Budget> {
    let tiny = prop_oneof![4 => 1_usize..4, 1 => Just(100)];
    let passes = prop_oneof![3 => Just(u32::MAX), 1 => 1_u32..6];
    let messages = prop_oneof![4 => Just(u64::MAX), 1 => 0_u64..20];
    (tiny, 0_usize..5, 0_usize..100, passes, messages).prop_map(
        |(differing_messages, samples, sample_bytes, passes, messages)| Budget {
            differing_messages,
            samples,
            sample_bytes,
            passes,
            messages,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn says_what_two_maps_say(key: [u8; 16], budget in any_budget(), orders in any_orders()) {
        let maps = Maps::fed(&orders[0]);
        let (comparison, passes) = feed_until_done(ComparisonKey::new(key), budget, &orders);
        maps.assert_right(&comparison, budget);
        let (legacy, dedupe) = maps.totals();
        let refused = legacy.max(dedupe) > budget.messages;
        prop_assert_eq!(matches!(comparison, Comparison::Refused { .. }), refused);
        prop_assert!(passes <= budget.passes);
        match &comparison {
            Comparison::Different(Difference { extent: Extent::Part, .. }) => {
                prop_assert_eq!(passes, budget.passes, "only a lack of passes leaves a part of it");
            }
            Comparison::Different(Difference { extent: Extent::Whole, .. }) => {
                // Each slice but the last one is as large as the budget, and is read twice.
                let messages = maps.legacy.len() + maps.dedupe.len();
                prop_assert!(passes as usize <= 2 * messages.div_ceil(budget.differing_messages));
            }
            _ => prop_assert_eq!(passes, 1, "the first pass gives the verdict"),
        }
    }

    #[test]
    fn the_verdict_does_not_depend_on_the_order_or_the_key(
        keys: [[u8; 16]; 2],
        budgets in [any_budget(), any_budget()],
        orders in any_orders(),
    ) {
        let unlimited = |budget| Budget { messages: u64::MAX, passes: u32::MAX, samples: 0, ..budget };
        let [one, other] = [0, 1].map(|which| {
            let key = ComparisonKey::new(keys[which]);
            let order = &orders[which % orders.len()];
            feed_until_done(key, unlimited(budgets[which]), std::slice::from_ref(order)).0
        });
        prop_assert_eq!(one, other);
    }

    #[test]
    fn a_function_that_makes_streams_is_compared_like_streams_that_are_fed(
        budget in any_budget(),
        legacy in vec(0_u32..8, 0..30),
        dedupe in vec(0_u32..8, 0..30),
    ) {
        let maps = Maps::of(legacy.iter().copied().map(numbered), dedupe.iter().copied().map(numbered));
        let stream = |numbers: &'_ Vec<u32>| numbers.clone().into_iter().map(numbered);
        let comparison =
            compare_streams(&KEY, &budget.into(), || stream(&legacy), || stream(&dedupe));
        let too_many = legacy.len().max(dedupe.len()) as u64 > budget.messages;
        prop_assert_eq!(matches!(comparison, Comparison::Refused { .. }), too_many);
        if let Comparison::Refused { flow, .. } = comparison {
            let first_above = if legacy.len() as u64 > budget.messages { Flow::Legacy } else { Flow::Dedupe };
            prop_assert_eq!(flow, first_above);
        } else {
            maps.assert_right(&comparison, budget);
        }
    }

    #[test]
    fn giving_up_never_reads_identical(
        budget in any_budget(),
        orders in any_orders(),
        full_passes in 0_usize..4,
        cut: prop::sample::Index,
    ) {
        let maps = Maps::fed(&orders[0]);
        let mut comparator = Comparator::new(KEY, budget.into());
        let mut passes = orders.iter().cycle();
        for streams in passes.by_ref().take(full_passes) {
            feed(&mut comparator, streams);
            match comparator.end_of_streams() {
                NextStep::FeedAgain(again) => comparator = again,
                NextStep::Done(_) => return Ok(()),
            }
        }
        let streams = passes.next().unwrap();
        let some = &streams[..cut.index(streams.len() + 1)];
        feed(&mut comparator, some);
        let fed = Maps::fed(some).totals();
        match comparator.give_up() {
            Comparison::CutShort { legacy, dedupe } => {
                prop_assert_eq!(full_passes, 0);
                prop_assert_eq!((legacy, dedupe), fed);
            }
            comparison => {
                prop_assert!(full_passes > 0);
                maps.assert_right(&comparison, budget);
                let Comparison::Different(difference) = comparison else { panic!("{comparison:?}") };
                prop_assert_eq!(difference.extent, Extent::Part);
            }
        }
    }

    /// Whatever is fed later: what the first pass found to differ stays different, and only what
    /// was fed again unchanged is named.
    #[test]
    fn streams_that_change_between_passes_never_read_identical(
        budget in any_budget(),
        orders in any_orders(),
        others in any_streams(),
        full_passes in 1_usize..4,
    ) {
        let maps = Maps::fed(&orders[0]);
        let changed = Maps::fed(&others);
        prop_assume!(maps.legacy != changed.legacy || maps.dedupe != changed.dedupe);
        let mut comparator = Comparator::new(KEY, budget.into());
        for streams in orders.iter().cycle().take(full_passes) {
            feed(&mut comparator, streams);
            match comparator.end_of_streams() {
                NextStep::FeedAgain(again) => comparator = again,
                NextStep::Done(_) => return Ok(()),
            }
        }
        feed(&mut comparator, &others);
        let NextStep::Done(comparison) = comparator.end_of_streams() else {
            return Err(TestCaseError::fail("a changed stream ends the comparison"));
        };
        maps.assert_right(&comparison, budget);
        let Comparison::Different(difference) = comparison else { panic!("{comparison:?}") };
        prop_assert_eq!(difference.extent, Extent::Part);
    }

    #[test]
    fn messages_are_the_same_only_if_all_their_parts_are(
        one in vec("[x0y]{0,2}", 0..3),
        other in vec("[x0y]{0,2}", 0..3),
    ) {
        let is_same = one == other;
        let (one, other) = (Mail(one), Mail(other));
        let comparison = compare_streams(&KEY, &AMPLE.into(), || [&one], || [&other]);
        prop_assert_eq!(comparison.is_identical(), is_same);
    }
}

/// A property over streams that are all alike would prove little.
#[test]
fn generated_streams_take_every_path() {
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeMap::<&str, u32>::new();
    for _ in 0..1_000 {
        let (budget, orders) = (any_budget(), any_orders()).new_tree(&mut runner).unwrap().current();
        let path = match feed_until_done(KEY, budget, &orders) {
            (Comparison::Different(difference), passes) => match (difference.extent, passes) {
                (Extent::Whole, ..=2) => "whole, one slice",
                (Extent::Whole, _) => "whole, many slices",
                (Extent::Part, _) if difference.messages() == 0 => "part, nothing found",
                (Extent::Part, _) => "part, some found",
            },
            (other, _) => other.as_str(),
        };
        *seen.entry(path).or_default() += 1;
    }
    println!("{seen:?}");
    assert_eq!(seen.len(), 7, "{seen:?}");
    assert!(seen.values().all(|&times| times >= 10), "{seen:?}");
}
