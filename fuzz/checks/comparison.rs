//! From bytes to two streams of messages and a budget, to a comparison, beside two maps.

use std::collections::BTreeMap;

use idgroup::Flow;
use idgroup::compare::{
    Comparator, Comparison, ComparisonBudget, ComparisonKey, Copies, Difference, Encoder, Extent, Message,
    NextStep, compare_streams,
};

/// A message of any number of parts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Parts(Vec<Vec<u8>>);

impl Message for Parts {
    type Sample = Self;

    fn encode(&self, encoder: &mut Encoder) {
        encoder.number(self.0.len() as u64);
        self.0.iter().for_each(|part| {
            encoder.part(part);
        });
    }

    fn sample(&self, _: usize) -> Self {
        self.clone()
    }
}

/// Two streams, in the order in which they are fed, and what comparing them may cost.
struct Input {
    messages: Vec<(Flow, Parts)>,
    differing_messages: usize,
    samples: usize,
    passes: u32,
    most: Option<u64>,
}

/// Four bytes are the budget; then come messages: a byte says of which flow or flows a message is,
/// and of how many parts, and each part has a byte for its length and its bytes.
fn read(bytes: &[u8]) -> Input {
    let mut bytes = bytes.iter().copied();
    let mut next = || bytes.next().unwrap_or_default();
    let (differing_messages, samples) = (next().into(), usize::from(next() % 32));
    let passes = next().into();
    let most = match next() {
        0..=127 => None,
        most => Some(u64::from(most) - 128),
    };
    let mut messages = Vec::new();
    while let Some(head) = bytes.next() {
        let part = |_| {
            let length = match bytes.next().unwrap_or_default() {
                // Around the size of a buffer, and above it.
                length @ 240.. => 16 + usize::from(length),
                length => usize::from(length % 8),
            };
            (0..length).map(|_| bytes.next().unwrap_or_default()).collect()
        };
        let message = Parts((0..head >> 2 & 3).map(part).collect());
        match head & 3 {
            0 | 1 => messages.extend([Flow::Legacy, Flow::Dedupe].map(|flow| (flow, message.clone()))),
            2 => messages.push((Flow::Legacy, message)),
            _ => messages.push((Flow::Dedupe, message)),
        }
    }
    Input { messages, differing_messages, samples, passes, most }
}

/// `bytes` are the messages of both flows and a budget.
pub fn check(bytes: &[u8]) {
    let input = read(bytes);
    let budget = ComparisonBudget::default()
        .with_differing_messages(input.differing_messages)
        .with_samples(input.samples)
        .with_passes(input.passes)
        .with_messages(input.most.unwrap_or(u64::MAX));
    let key = ComparisonKey::new(*b"sixteen random b");
    let of = |flow| input.messages.iter().filter(move |(of, _)| *of == flow).map(|(_, message)| message);

    let in_step = compare_streams(&key, &budget, || of(Flow::Legacy), || of(Flow::Dedupe));
    check_against_two_maps(&input, &in_step);

    let mut comparator = Comparator::new(key.clone(), budget);
    let as_they_come = loop {
        input.messages.iter().for_each(|(flow, message)| comparator.feed(*flow, message));
        match comparator.end_of_streams() {
            NextStep::FeedAgain(again) => comparator = again,
            NextStep::Done(comparison) => break comparison,
        }
    };
    check_against_two_maps(&input, &as_they_come);

    let mut cut_short = Comparator::new(key, budget);
    input.messages.iter().for_each(|(flow, message)| cut_short.feed(*flow, message));
    assert!(matches!(cut_short.give_up(), Comparison::CutShort { .. }));
}

/// The way that holds every message in memory.
fn check_against_two_maps(input: &Input, comparison: &Comparison<Parts>) {
    let mut copies = BTreeMap::<&Parts, Copies>::new();
    let mut totals = Copies::default();
    for (flow, message) in &input.messages {
        for copies in [copies.entry(message).or_default(), &mut totals] {
            match flow {
                Flow::Legacy => copies.legacy += 1,
                Flow::Dedupe => copies.dedupe += 1,
            }
        }
    }
    copies.retain(|_, copies| copies.legacy != copies.dedupe);

    let most = input.most.unwrap_or(u64::MAX - 1);
    match comparison {
        Comparison::Refused { flow: Flow::Legacy, most: of_budget } => {
            assert_eq!(*of_budget, most);
            assert!(totals.legacy > most);
        }
        Comparison::Refused { flow: Flow::Dedupe, most: of_budget } => {
            assert_eq!(*of_budget, most);
            assert!(totals.dedupe > most);
        }
        _ if totals.legacy.max(totals.dedupe) > most => panic!("not refused: {comparison:?}"),
        Comparison::Identical { messages } => {
            assert!(copies.is_empty() && *messages > 0, "{copies:?}");
            assert_eq!((*messages, *messages), (totals.legacy, totals.dedupe));
        }
        Comparison::Different(difference) => check_difference(input, totals, &copies, difference),
        Comparison::NothingToCompare => assert!(input.messages.is_empty()),
        other => panic!("cut short by nobody: {other:?}"),
    }
}

fn check_difference(
    input: &Input,
    totals: Copies,
    differing: &BTreeMap<&Parts, Copies>,
    difference: &Difference<Parts>,
) {
    assert!(!differing.is_empty(), "nothing differs");
    assert_eq!((difference.legacy, difference.dedupe), (totals.legacy, totals.dedupe));
    let count = |kind: &str| differing.values().filter(|copies| copies.as_str() == kind).count() as u64;
    let expected = ["only_in_legacy", "only_in_dedupe", "in_different_numbers"].map(count);
    let found = [difference.only_in_legacy, difference.only_in_dedupe, difference.in_different_numbers];
    match difference.extent {
        Extent::Whole => assert_eq!(found, expected),
        Extent::Part => {
            assert!(found.iter().zip(expected).all(|(found, expected)| *found <= expected));
            assert_ne!(found, expected, "there is more");
        }
    }
    assert_eq!(difference.messages(), found.iter().sum::<u64>());
    assert_eq!(difference.samples.len() as u64, difference.messages().min(input.samples as u64));
    let mut samples: Vec<_> = difference.samples.iter().map(|sample| &sample.message).collect();
    samples.sort();
    samples.dedup();
    assert_eq!(samples.len(), difference.samples.len(), "a sample twice");
    for sample in &difference.samples {
        assert_eq!(differing.get(&sample.message), Some(&sample.copies));
    }
}
