//! An observer with a clock.

use std::time::Instant;

use hdrhistogram::Histogram;
use idgroup::{Observer, Step};

/// Times each step, and for each update the steps of the dedupe flow together, in nanoseconds.
pub struct Stopwatch {
    began: Instant,
    of_steps: [Histogram<u64>; Step::ALL.len()],
    of_dedupe: Histogram<u64>,
    /// Of the update that is being decided.
    dedupe_nanoseconds: u64,
}

/// From one nanosecond to a minute, within one per cent.
const LONGEST: u64 = 60_000_000_000;
const DIGITS: u8 = 2;

/// The steps that the dedupe flow consists of.
pub const DEDUPE_STEPS: [Step; 3] = [Step::SelectLatest, Step::FilterByTrigger, Step::GroupIds];

impl Stopwatch {
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            of_steps: Step::ALL.map(|_| histogram()),
            of_dedupe: histogram(),
            dedupe_nanoseconds: 0,
        }
    }

    /// The library does not say when it is done with an update: whoever calls it knows.
    pub fn update_ended(&mut self) {
        self.of_dedupe.saturating_record(self.dedupe_nanoseconds);
        self.dedupe_nanoseconds = 0;
    }

    pub fn updates(&self) -> u64 {
        self.of_dedupe.len()
    }

    /// The times of a step.
    pub fn of_step(&self, step: Step) -> &Histogram<u64> {
        &self.of_steps[position(step)]
    }

    /// The times of the dedupe flow: the sum of its steps, update by update.
    pub fn of_dedupe(&self) -> &Histogram<u64> {
        &self.of_dedupe
    }
}

impl Observer for Stopwatch {
    fn step_began(&mut self, _: Step) {
        self.began = Instant::now();
    }

    fn step_ended(&mut self, step: Step) {
        let nanoseconds = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.of_steps[position(step)].saturating_record(nanoseconds);
        if DEDUPE_STEPS.contains(&step) {
            self.dedupe_nanoseconds = self.dedupe_nanoseconds.saturating_add(nanoseconds);
        }
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST, DIGITS).expect("the bounds are in order")
}

fn position(step: Step) -> usize {
    Step::ALL.iter().position(|known| *known == step).expect("`Step::ALL` has every step")
}
