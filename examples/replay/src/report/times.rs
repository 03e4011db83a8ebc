//! How many updates there were when, in a bounded number of periods.

use std::collections::BTreeMap;

use idgroup::Timestamp;

/// A picture has room for no more.
const PERIODS: usize = 48;

/// In milliseconds; each is a multiple of the one before: a minute, a quarter of an hour, 1 and 6 hours,
/// a day, a week, 4 weeks, and so on until all years that there are take few enough.
const WIDTHS: [i64; 10] = [
    60_000,
    900_000,
    3_600_000,
    21_600_000,
    86_400_000,
    604_800_000,
    2_419_200_000,
    31_449_600_000,
    314_496_000_000,
    9_434_880_000_000,
];

/// Periods that updates fall into. They become wider as they become many, so that the same updates come
/// to the same periods in whatever order and parts they are added.
#[derive(Default)]
pub struct Times {
    /// Among the widths.
    width: usize,
    periods: BTreeMap<i64, Period>,
    /// Updates that do not say when they were computed.
    pub unknown: u64,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Period {
    pub updates: u64,
    pub messages: u64,
}

impl Times {
    pub fn add(&mut self, computed_at: Option<Timestamp>, messages: u64) {
        match computed_at {
            Some(time) => {
                let period = time.unix_milliseconds().div_euclid(WIDTHS[self.width]);
                self.periods.entry(period).or_default().merge(Period { updates: 1, messages });
                self.widen();
            }
            None => self.unknown += 1,
        }
    }

    pub fn merge(&mut self, other: &Self) {
        self.unknown += other.unknown;
        self.widen_to(self.width.max(other.width));
        let factor = WIDTHS[self.width] / WIDTHS[other.width];
        for (period, more) in &other.periods {
            self.periods.entry(period.div_euclid(factor)).or_default().merge(*more);
        }
        self.widen();
    }

    /// The start of each period that has updates, and what it has.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Timestamp, Period)> + '_ {
        self.periods.iter().map(|(period, counts)| {
            let start = Timestamp::from_unix_milliseconds(period * WIDTHS[self.width]);
            (start.unwrap_or(Timestamp::MIN), *counts)
        })
    }

    /// How long each period is.
    pub fn width(&self) -> String {
        let minutes = WIDTHS[self.width] / 60_000;
        match minutes {
            1 => "a minute".into(),
            15 => "15 minutes".into(),
            60 => "an hour".into(),
            360 => "6 hours".into(),
            1_440 => "a day".into(),
            _ => format!("{} days", minutes / 1_440),
        }
    }

    fn widen(&mut self) {
        while self.periods.len() > PERIODS && self.width + 1 < WIDTHS.len() {
            self.widen_to(self.width + 1);
        }
    }

    fn widen_to(&mut self, width: usize) {
        let factor = WIDTHS[width] / WIDTHS[self.width];
        if factor > 1 {
            for (period, counts) in std::mem::take(&mut self.periods) {
                self.periods.entry(period.div_euclid(factor)).or_default().merge(counts);
            }
            self.width = width;
        }
    }
}

impl Period {
    fn merge(&mut self, other: Self) {
        self.updates += other.updates;
        self.messages = self.messages.saturating_add(other.messages);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_periods_come_of_any_parts() {
        let time = |number: i64| Timestamp::from_unix_milliseconds(number * 7_000_000 - 90_000_000).ok();
        let mut whole = Times::default();
        let mut parts = Times::default();
        for start in [200, 0, 100] {
            let mut part = Times::default();
            for number in start..start + 100 {
                part.add(time(number), 2);
                whole.add(time(number), 2);
            }
            parts.merge(&part);
        }
        assert!(whole.iter().eq(parts.iter()));
        assert!((2..=PERIODS).contains(&whole.iter().len()));
        assert_eq!(whole.width(), "a day");
        assert_eq!(whole.iter().map(|(_, period)| period.messages).sum::<u64>(), 600);
    }

    #[test]
    fn all_times_that_there_are_take_few_periods() {
        let mut times = Times::default();
        let (first, last) = (Timestamp::MIN.unix_milliseconds(), Timestamp::MAX.unix_milliseconds());
        let step = (last - first) / 5_000;
        (0..=5_000)
            .for_each(|number| times.add(Timestamp::from_unix_milliseconds(first + number * step).ok(), 1));
        assert!(times.iter().len() <= PERIODS, "{}", times.iter().len());
        assert_eq!(times.iter().map(|(_, period)| period.updates).sum::<u64>(), 5_001);
    }
}
