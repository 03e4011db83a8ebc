//! What a comparison reads, keeps and refuses within its budget.

use idgroup::Flow;
use idgroup::compare::{Comparator, Comparison, ComparisonBudget, Encoder, Extent, Message, compare_streams};

use crate::two_maps::{AMPLE, Budget, Fed, KEY, Mail, Maps, difference, feed_until_done, numbered};
use Fed::One;

#[test]
fn identical_streams_are_read_once_and_never_sampled() {
    struct NeverSampled;

    impl Message for NeverSampled {
        type Sample = ();

        fn encode(&self, encoder: &mut Encoder) {
            encoder.part("the same");
        }

        fn sample(&self, _: usize) {
            panic!("nothing differs");
        }
    }

    let mut read = 0;
    let budget = ComparisonBudget::default().with_differing_messages(1);
    let legacy = || {
        read += 1;
        [NeverSampled, NeverSampled]
    };
    let comparison = compare_streams(&KEY, &budget, legacy, || [NeverSampled, NeverSampled]);
    assert_eq!(comparison, Comparison::Identical { messages: 2 });
    assert_eq!(read, 1);
}

/// One message at a time, in as many passes as it takes: two for each that differs.
#[test]
fn a_budget_of_one_finds_everything_that_differs() {
    let budget = Budget { differing_messages: 1, passes: u32::MAX, samples: 100, ..AMPLE };
    let streams: Vec<_> = (0..50).map(|number| One(Flow::Legacy, number)).collect();
    let (comparison, passes) = feed_until_done(KEY, budget, std::slice::from_ref(&streams));
    Maps::fed(&streams).assert_right(&comparison, budget);
    let found = difference(comparison);
    assert_eq!((found.only_in_legacy, found.extent, found.samples.len()), (50, Extent::Whole, 50));
    assert_eq!(passes, 100);
}

#[test]
fn bounds_of_zero_are_bounds_of_one_where_nothing_could_be_found_otherwise() {
    assert_eq!(
        ComparisonBudget::default().with_differing_messages(0),
        ComparisonBudget::default().with_differing_messages(1)
    );
    assert_eq!(ComparisonBudget::default().with_passes(0), ComparisonBudget::default().with_passes(1));
}

#[test]
fn passes_that_are_used_up_leave_a_part_of_the_difference() {
    let streams: Vec<_> = (0..10).map(|number| One(Flow::Legacy, number)).collect();
    for (passes, found) in [(1, 0), (2, 4), (3, 4), (4, 8), (5, 8), (6, 10), (7, 10)] {
        let budget = Budget { differing_messages: 4, passes, samples: 100, ..AMPLE };
        let (comparison, made) = feed_until_done(KEY, budget, std::slice::from_ref(&streams));
        Maps::fed(&streams).assert_right(&comparison, budget);
        let difference = difference(comparison);
        assert_eq!(difference.messages(), found, "{passes} passes");
        let (extent, needed) = if passes < 6 { (Extent::Part, passes) } else { (Extent::Whole, 6) };
        assert_eq!((difference.extent, made), (extent, needed));
    }
}

#[test]
fn a_flow_above_the_limit_is_refused_and_one_at_the_limit_is_not() {
    let budget = Budget { messages: 3, ..AMPLE };
    let three: Vec<_> = (0..3).map(numbered).collect();
    let four: Vec<_> = (0..4).map(numbered).collect();
    let compared =
        |legacy: &[Mail], dedupe: &[Mail]| compare_streams(&KEY, &budget.into(), || legacy, || dedupe);
    assert_eq!(compared(&three, &three), Comparison::Identical { messages: 3 });
    assert_eq!(compared(&four, &four), Comparison::Refused { flow: Flow::Legacy, most: 3 });
    assert_eq!(compared(&four, &three), Comparison::Refused { flow: Flow::Legacy, most: 3 });
    assert_eq!(compared(&three, &four), Comparison::Refused { flow: Flow::Dedupe, most: 3 });

    let mut comparator = Comparator::<(Mail, usize)>::new(KEY, budget.into());
    for mail in &three {
        comparator.feed(Flow::Dedupe, mail);
    }
    assert!(!comparator.is_refused());
    comparator.feed(Flow::Dedupe, &three[0]);
    assert!(comparator.is_refused());
}

/// A message that is held until the other flow sends it too can push others out of the first slice, and
/// nothing out there differs in the end: then no pass is lost on it, and the difference is whole.
#[test]
fn a_difference_is_whole_as_soon_as_the_rest_agrees() {
    for different in 0..20 {
        let mut streams: Vec<Fed> = (0..20).map(|number| One(Flow::Legacy, number)).collect();
        streams.extend((0..20).filter(|number| *number != different).map(|number| One(Flow::Dedupe, number)));
        let budget = Budget { differing_messages: 8, passes: u32::MAX, ..AMPLE };
        let (comparison, passes) = feed_until_done(KEY, budget, std::slice::from_ref(&streams));
        let (found, extent) = match comparison {
            Comparison::Different(found) => (found.only_in_legacy, found.extent),
            other => panic!("{other:?}"),
        };
        assert_eq!((found, extent), (1, Extent::Whole));
        // Empty slices before it cost one pass each, its own two, and those after it none.
        let (again, _) = feed_until_done(KEY, Budget { passes, ..budget }, std::slice::from_ref(&streams));
        assert_eq!(difference(again).extent, Extent::Whole, "{passes} passes are enough");
        let (cut, _) = feed_until_done(KEY, Budget { passes: passes - 1, ..budget }, &[streams]);
        assert_eq!((difference(cut.clone()).messages(), difference(cut).extent), (0, Extent::Part));
    }
}

/// [`u64::MAX`] is what is counted where there are that many or more, so it can't be allowed.
#[test]
fn a_limit_is_at_most_one_below_what_can_be_counted() {
    let budget = |most| ComparisonBudget::default().with_messages(most);
    assert_eq!(budget(u64::MAX), budget(u64::MAX - 1));
    assert_eq!(budget(u64::MAX).messages(), u64::MAX - 1);
    assert_eq!(budget(u64::MAX - 2).messages(), u64::MAX - 2);
}

/// A stream that never ends is read no further than to one message above the limit.
#[test]
fn a_refused_stream_is_not_read_to_its_end() {
    let budget = Budget { messages: 1_000, ..AMPLE };
    let comparison = compare_streams(&KEY, &budget.into(), || (0..).map(numbered), || [numbered(0)]);
    assert_eq!(comparison, Comparison::Refused { flow: Flow::Legacy, most: 1_000 });
}

/// An iterator may go on after it has said that it ended; that is no part of the stream.
#[test]
fn what_comes_after_the_end_of_a_stream_is_not_read() {
    let with_a_gap = |numbers: [Option<u32>; 3]| {
        let mut numbers = numbers.into_iter();
        std::iter::from_fn(move || numbers.next().flatten().map(numbered))
    };
    let ended = || with_a_gap([Some(1), None, Some(2)]);
    let found = difference(compare_streams(&KEY, &AMPLE.into(), ended, || (1..3).map(numbered)));
    assert_eq!((found.legacy, found.dedupe, found.only_in_dedupe), (1, 2, 1));
    let whole = || (1..4).map(numbered);
    let found = difference(compare_streams(&KEY, &AMPLE.into(), ended, whole));
    assert_eq!((found.legacy, found.dedupe, found.only_in_dedupe), (1, 3, 2));
    let found = difference(compare_streams(&KEY, &AMPLE.into(), whole, ended));
    assert_eq!((found.legacy, found.dedupe, found.only_in_legacy), (3, 1, 2));
}

/// Streams that are made anew for each pass may come out different, and even the same.
#[test]
fn streams_that_become_the_same_stay_different() {
    let mut pass = 0;
    let legacy = || {
        pass += 1;
        vec![numbered(if pass == 1 { 1 } else { 2 })]
    };
    let found = difference(compare_streams(&KEY, &AMPLE.into(), legacy, || vec![numbered(2)]));
    assert_eq!((found.messages(), found.extent, found.samples.len()), (0, Extent::Part, 0));
    assert_eq!(pass, 2);
}
