//! The comparator against two maps: what a comparison without any bound on its memory would say.

use std::collections::BTreeMap;

use idgroup::Flow;
use idgroup::compare::{
    Comparator, Comparison, ComparisonBudget, ComparisonKey, Copies, Difference, Encoder, Extent, Message,
    NextStep, Sample, compare_streams,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

const KEY: ComparisonKey = ComparisonKey::new([7; 16]);

/// A message of so many parts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Mail(Vec<String>);

impl Message for Mail {
    type Sample = (Mail, usize);

    fn encode(&self, encoder: &mut Encoder) {
        encoder.number(self.0.len() as u64);
        self.0.iter().for_each(|part| {
            encoder.part(part);
        });
    }

    fn sample(&self, most_bytes: usize) -> (Mail, usize) {
        (self.clone(), most_bytes)
    }
}

fn mail(parts: &[&str]) -> Mail {
    Mail(parts.iter().map(ToString::to_string).collect())
}

fn numbered(number: u32) -> Mail {
    Mail(vec![number.to_string()])
}

/// What is fed: a message of one flow, or one of each at once.
#[derive(Clone, Copy, Debug)]
enum Fed {
    One(Flow, u32),
    Both(u32, u32),
}

use Fed::{Both, One};

/// The two maps: how often each flow has each message.
#[derive(Debug, Default)]
struct Maps {
    legacy: BTreeMap<Mail, u64>,
    dedupe: BTreeMap<Mail, u64>,
}

impl Maps {
    fn of(legacy: impl IntoIterator<Item = Mail>, dedupe: impl IntoIterator<Item = Mail>) -> Self {
        let mut maps = Self::default();
        legacy.into_iter().for_each(|mail| *maps.legacy.entry(mail).or_default() += 1);
        dedupe.into_iter().for_each(|mail| *maps.dedupe.entry(mail).or_default() += 1);
        maps
    }

    fn fed(streams: &[Fed]) -> Self {
        let of_flow = |wanted| {
            streams.iter().filter_map(move |fed| match *fed {
                One(flow, number) => (flow == wanted).then_some(number),
                Both(legacy, dedupe) => Some(if wanted == Flow::Legacy { legacy } else { dedupe }),
            })
        };
        Self::of(of_flow(Flow::Legacy).map(numbered), of_flow(Flow::Dedupe).map(numbered))
    }

    fn totals(&self) -> (u64, u64) {
        (self.legacy.values().sum(), self.dedupe.values().sum())
    }

    fn differing(&self) -> BTreeMap<Mail, Copies> {
        let mut differing = BTreeMap::<Mail, Copies>::new();
        for (mail, &copies) in &self.legacy {
            differing.entry(mail.clone()).or_default().legacy = copies;
        }
        for (mail, &copies) in &self.dedupe {
            differing.entry(mail.clone()).or_default().dedupe = copies;
        }
        differing.retain(|_, copies| copies.legacy != copies.dedupe);
        differing
    }

    /// How many messages differ, by the name of how they do.
    fn kinds(&self) -> [u64; 3] {
        let differing = self.differing();
        let count = |of: fn(&Copies) -> bool| differing.values().filter(|copies| of(copies)).count() as u64;
        [
            count(|copies| copies.dedupe == 0),
            count(|copies| copies.legacy == 0),
            count(|copies| copies.legacy > 0 && copies.dedupe > 0),
        ]
    }

    #[track_caller]
    fn assert_right(&self, comparison: &Comparison<(Mail, usize)>, budget: Budget) {
        let (legacy, dedupe) = self.totals();
        let differing = self.differing();
        match comparison {
            Comparison::Refused { flow, most } => {
                assert_eq!(*most, budget.messages);
                let expected = if legacy > *most { Flow::Legacy } else { Flow::Dedupe };
                assert_eq!(*flow, expected);
                assert!(legacy.max(dedupe) > *most);
            }
            Comparison::Identical { messages } => {
                assert!(differing.is_empty(), "{self:?}");
                assert_eq!((*messages, *messages), (legacy, dedupe));
                assert!(legacy <= budget.messages);
            }
            Comparison::Different(difference) => {
                assert!(!differing.is_empty());
                assert!(legacy.max(dedupe) <= budget.messages);
                assert_eq!((difference.legacy, difference.dedupe), (legacy, dedupe));
                let found =
                    [difference.only_in_legacy, difference.only_in_dedupe, difference.in_different_numbers];
                match difference.extent {
                    Extent::Whole => assert_eq!(found, self.kinds()),
                    Extent::Part => {
                        assert!(found.iter().zip(self.kinds()).all(|(found, all)| *found <= all));
                    }
                }
                assert_eq!(difference.messages(), found.iter().sum::<u64>());
                let as_many = difference.messages().min(budget.samples as u64);
                assert_eq!(difference.samples.len() as u64, as_many);
                let mut sampled = Vec::new();
                for Sample { message: (mail, most_bytes), copies } in &difference.samples {
                    assert_eq!(differing.get(mail), Some(copies));
                    assert_eq!(*most_bytes, budget.sample_bytes);
                    sampled.push(mail);
                }
                sampled.sort();
                sampled.dedup();
                assert_eq!(sampled.len(), difference.samples.len(), "a message is sampled once");
            }
            Comparison::CutShort { .. } => panic!("nothing was cut short"),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Budget {
    differing_messages: usize,
    samples: usize,
    sample_bytes: usize,
    passes: u32,
    messages: u64,
}

const AMPLE: Budget =
    Budget { differing_messages: 1 << 20, samples: 16, sample_bytes: 64, passes: 32, messages: u64::MAX };

impl From<Budget> for ComparisonBudget {
    fn from(budget: Budget) -> Self {
        Self::default()
            .differing_messages(budget.differing_messages)
            .samples(budget.samples)
            .sample_bytes(budget.sample_bytes)
            .passes(budget.passes)
            .messages(budget.messages)
    }
}

type Outcome = Comparison<(Mail, usize)>;

fn feed(comparator: &mut Comparator<(Mail, usize)>, streams: &[Fed]) {
    for fed in streams {
        match *fed {
            One(flow, number) => comparator.feed(flow, &numbered(number)),
            Both(legacy, dedupe) => comparator.feed_both(&numbered(legacy), &numbered(dedupe)),
        }
    }
}

/// Feeds the streams, in another order for each pass, until there is an outcome. Says how many
/// passes that took.
fn feed_until_done(key: ComparisonKey, budget: Budget, orders: &[Vec<Fed>]) -> (Outcome, u32) {
    let mut comparator = Comparator::new(key, budget.into());
    for (pass, streams) in (1..).zip(orders.iter().cycle()) {
        feed(&mut comparator, streams);
        comparator = match comparator.end_of_streams() {
            NextStep::FeedAgain(again) => again,
            NextStep::Done(comparison) => return (comparison, pass),
        };
    }
    unreachable!("there is at least one order")
}

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
        if let (Comparison::Identical { messages: 1.. }, _) = feed_until_done(KEY, budget, &orders) {
            *seen.entry("identical, with messages").or_default() += 1;
        }
    }
    println!("{seen:?}");
    assert_eq!(seen.len(), 7, "{seen:?}");
    assert!(seen.values().all(|&times| times >= 10), "{seen:?}");
}

fn compared(legacy: &[Mail], dedupe: &[Mail]) -> Outcome {
    compare_streams(&KEY, &AMPLE.into(), || legacy, || dedupe)
}

#[track_caller]
fn difference(comparison: Outcome) -> Difference<(Mail, usize)> {
    match comparison {
        Comparison::Different(difference) => difference,
        other => panic!("not different: {other:?}"),
    }
}

#[test]
fn two_copies_of_one_message_are_not_two_copies_of_another() {
    let (a, b) = (mail(&["a"]), mail(&["b"]));
    let found = difference(compared(&[a.clone(), a.clone()], &[b.clone(), b.clone()]));
    assert_eq!((found.legacy, found.dedupe), (2, 2));
    assert_eq!((found.only_in_legacy, found.only_in_dedupe, found.in_different_numbers), (1, 1, 0));
    let mut samples: Vec<_> = found.samples.into_iter().map(|s| (s.message.0, s.copies)).collect();
    samples.sort_by(|(a, _), (b, _)| a.cmp(b));
    assert_eq!(samples, [(a, Copies { legacy: 2, dedupe: 0 }), (b, Copies { legacy: 0, dedupe: 2 })]);
    assert_eq!(found.extent, Extent::Whole);
}

/// A sum of 2^16 copies loses 16 of its 128 bits, and no more.
#[test]
fn copies_by_a_power_of_two_do_not_cancel() {
    let (a, b) = (mail(&["a"]), mail(&["b"]));
    let copies = 65_536;
    let many = |mail: &Mail| vec![mail.clone(); copies];
    let found = difference(compared(&many(&a), &many(&b)));
    assert_eq!((found.legacy, found.dedupe), (65_536, 65_536));
    assert_eq!((found.only_in_legacy, found.only_in_dedupe, found.in_different_numbers), (1, 1, 0));
    let copies: Vec<_> = found.samples.iter().map(|sample| sample.copies).collect();
    assert!(copies.contains(&Copies { legacy: 65_536, dedupe: 0 }));
    assert!(copies.contains(&Copies { legacy: 0, dedupe: 65_536 }));
    assert!(compared(&many(&a), &many(&a)).is_identical());
}

#[test]
fn where_one_part_ends_and_the_next_begins_is_a_part_of_a_message() {
    assert!(!compared(&[mail(&["x0", "y"])], &[mail(&["x", "0y"])]).is_identical());
    assert!(!compared(&[mail(&["x", ""])], &[mail(&["", "x"])]).is_identical());
    assert!(!compared(&[mail(&[""])], &[mail(&[])]).is_identical());
    assert!(!compared(&[mail(&["\0\0\0\0\0\0\0\0"])], &[mail(&["", ""])]).is_identical());
    assert!(compared(&[mail(&["x0", "y"])], &[mail(&["x0", "y"])]).is_identical());
}

/// Short parts are gathered before they are hashed, and long ones are not: wherever that changes,
/// no byte of a message gets lost, and what follows still counts.
#[test]
fn long_messages_are_compared_to_their_last_byte() {
    for length in (0..8).chain(220..270).chain([500, 512, 600, 5_000]) {
        let long = "x".repeat(length);
        let message = mail(&["a", &long, "b"]);
        let same = |other: &[&str]| compared(std::slice::from_ref(&message), &[mail(other)]).is_identical();
        assert!(same(&["a", &long, "b"]), "{length}");
        assert!(!same(&["c", &long, "b"]), "{length}");
        assert!(!same(&["a", &long, "c"]), "{length}");
        assert!(!same(&["a", &format!("{long}x"), "b"]), "{length}");
        assert!(!same(&["a", &long.replacen('x', "y", 1), "b"]) || length == 0, "{length}");
    }
}

/// Equal sums are not enough: the hash of a message could be anything, 0 included.
#[test]
fn a_number_of_messages_is_a_part_of_the_verdict() {
    let a = mail(&["a"]);
    let found = difference(compared(&[], std::slice::from_ref(&a)));
    assert_eq!((found.legacy, found.dedupe, found.only_in_dedupe), (0, 1, 1));
    let found = difference(compared(&[a.clone(), a.clone(), a.clone()], &[a.clone(), a]));
    assert_eq!((found.legacy, found.dedupe, found.in_different_numbers), (3, 2, 1));
    assert_eq!(found.samples[0].copies, Copies { legacy: 3, dedupe: 2 });
    assert_eq!(compared(&[], &[]), Comparison::Identical { messages: 0 });
}

/// Of two messages the sum of whose hashes is known another pair with the same sum could be made;
/// who does not know the key knows no sum. Nothing but the order of samples shows it.
#[test]
fn the_key_takes_part_in_the_hash() {
    let messages: Vec<_> = (0..16).map(numbered).collect();
    let order = |key| -> Vec<Mail> {
        let budget = AMPLE.into();
        let found = difference(compare_streams(
            &ComparisonKey::new(key),
            &budget,
            || &messages,
            || -> [Mail; 0] { [] },
        ));
        found.samples.into_iter().map(|sample| sample.message.0).collect()
    };
    assert_eq!(order([7; 16]), order([7; 16]));
    for position in 0..16 {
        let mut other = [7; 16];
        other[position] = 8;
        assert_ne!(order([7; 16]), order(other), "byte {position} of the key");
    }
}

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
    let budget = ComparisonBudget::default().differing_messages(1);
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
        ComparisonBudget::default().differing_messages(0),
        ComparisonBudget::default().differing_messages(1)
    );
    assert_eq!(ComparisonBudget::default().passes(0), ComparisonBudget::default().passes(1));
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

#[test]
fn outcomes_and_differences_have_names() {
    let identical = Comparison::<()>::Identical { messages: 1 };
    let cut_short = Comparison::<()>::CutShort { legacy: 1, dedupe: 1 };
    let refused = Comparison::<()>::Refused { flow: Flow::Legacy, most: 1 };
    let different = compared(&[mail(&["a"])], &[]);
    assert_eq!((identical.as_str(), identical.is_identical()), ("identical", true));
    assert_eq!((cut_short.as_str(), cut_short.is_identical()), ("cut_short", false));
    assert_eq!((refused.as_str(), refused.is_identical()), ("refused", false));
    assert_eq!((different.as_str(), different.is_identical()), ("different", false));
    assert_eq!(Copies { legacy: 2, dedupe: 0 }.as_str(), "only_in_legacy");
    assert_eq!(Copies { legacy: 0, dedupe: 2 }.as_str(), "only_in_dedupe");
    assert_eq!(Copies { legacy: 1, dedupe: 2 }.as_str(), "in_different_numbers");
    assert_eq!((Flow::Legacy.to_string(), Flow::Dedupe.to_string()), ("legacy".into(), "dedupe".into()));
    assert_eq!(serde_json::to_string(&[Flow::Legacy, Flow::Dedupe]).unwrap(), r#"["legacy","dedupe"]"#);
}

#[test]
fn debug_shows_no_key_and_no_message() {
    struct Shown;

    impl Message for Shown {
        type Sample = ();

        fn encode(&self, encoder: &mut Encoder) {
            encoder.part("a@example.com");
            assert_eq!(format!("{encoder:?}"), "Encoder { .. }");
        }

        fn sample(&self, _: usize) {}
    }

    assert_eq!(format!("{:?}", ComparisonKey::new([77; 16])), "ComparisonKey { .. }");
    assert!(compare_streams(&KEY, &AMPLE.into(), || [Shown], || [Shown]).is_identical());
}
