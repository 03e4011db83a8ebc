//! What a comparison says, by two maps: what it would say without any bound on its memory.

use std::collections::BTreeMap;

use idgroup::Flow;
use idgroup::compare::{
    Comparator, Comparison, ComparisonBudget, ComparisonKey, Copies, Difference, Encoder, Extent, Message,
    NextStep, Sample, compare_streams,
};

use Fed::{Both, One};

pub const KEY: ComparisonKey = ComparisonKey::new([7; 16]);

/// A message of so many parts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mail(pub Vec<String>);

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

pub fn mail(parts: &[&str]) -> Mail {
    Mail(parts.iter().map(ToString::to_string).collect())
}

pub fn numbered(number: u32) -> Mail {
    Mail(vec![number.to_string()])
}

/// What is fed: a message of one flow, or one of each at once.
#[derive(Clone, Copy, Debug)]
pub enum Fed {
    One(Flow, u32),
    Both(u32, u32),
}

/// The two maps: how often each flow has each message.
#[derive(Debug, Default)]
pub struct Maps {
    pub legacy: BTreeMap<Mail, u64>,
    pub dedupe: BTreeMap<Mail, u64>,
}

impl Maps {
    pub fn of(legacy: impl IntoIterator<Item = Mail>, dedupe: impl IntoIterator<Item = Mail>) -> Self {
        let mut maps = Self::default();
        legacy.into_iter().for_each(|mail| *maps.legacy.entry(mail).or_default() += 1);
        dedupe.into_iter().for_each(|mail| *maps.dedupe.entry(mail).or_default() += 1);
        maps
    }

    pub fn fed(streams: &[Fed]) -> Self {
        let of_flow = |wanted| {
            streams.iter().filter_map(move |fed| match *fed {
                One(flow, number) => (flow == wanted).then_some(number),
                Both(legacy, dedupe) => Some(if wanted == Flow::Legacy { legacy } else { dedupe }),
            })
        };
        Self::of(of_flow(Flow::Legacy).map(numbered), of_flow(Flow::Dedupe).map(numbered))
    }

    pub fn totals(&self) -> (u64, u64) {
        (self.legacy.values().sum(), self.dedupe.values().sum())
    }

    pub fn differing(&self) -> BTreeMap<Mail, Copies> {
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
    pub fn kinds(&self) -> [u64; 3] {
        let differing = self.differing();
        let count = |of: fn(&Copies) -> bool| differing.values().filter(|copies| of(copies)).count() as u64;
        [
            count(|copies| copies.dedupe == 0),
            count(|copies| copies.legacy == 0),
            count(|copies| copies.legacy > 0 && copies.dedupe > 0),
        ]
    }

    #[track_caller]
    pub fn assert_right(&self, comparison: &Comparison<(Mail, usize)>, budget: Budget) {
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
                assert!(differing.is_empty() && *messages > 0, "{self:?}");
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
                        assert_ne!(found, self.kinds(), "there is more");
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
            Comparison::NothingToCompare => assert_eq!((legacy, dedupe), (0, 0)),
            other => panic!("nothing was cut short: {other:?}"),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Budget {
    pub differing_messages: usize,
    pub samples: usize,
    pub sample_bytes: usize,
    pub passes: u32,
    pub messages: u64,
}

pub const AMPLE: Budget =
    Budget { differing_messages: 1 << 20, samples: 16, sample_bytes: 64, passes: 32, messages: u64::MAX };

impl From<Budget> for ComparisonBudget {
    fn from(budget: Budget) -> Self {
        Self::default()
            .with_differing_messages(budget.differing_messages)
            .with_samples(budget.samples)
            .with_sample_bytes(budget.sample_bytes)
            .with_passes(budget.passes)
            .with_messages(budget.messages)
    }
}

pub type Outcome = Comparison<(Mail, usize)>;

pub fn feed(comparator: &mut Comparator<(Mail, usize)>, streams: &[Fed]) {
    for fed in streams {
        match *fed {
            One(flow, number) => comparator.feed(flow, &numbered(number)),
            Both(legacy, dedupe) => comparator.feed_both(&numbered(legacy), &numbered(dedupe)),
        }
    }
}

/// Feeds the streams, in another order for each pass, until there is an outcome. Says how many
/// passes that took.
pub fn feed_until_done(key: ComparisonKey, budget: Budget, orders: &[Vec<Fed>]) -> (Outcome, u32) {
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

pub fn compared(legacy: &[Mail], dedupe: &[Mail]) -> Outcome {
    compare_streams(&KEY, &AMPLE.into(), || legacy, || dedupe)
}

#[track_caller]
pub fn difference(comparison: Outcome) -> Difference<(Mail, usize)> {
    match comparison {
        Comparison::Different(difference) => difference,
        other => panic!("not different: {other:?}"),
    }
}
