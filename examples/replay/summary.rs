//! What a replay came to, in numbers.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use idgroup::{ExternalId, IdGroupEvent, Observer, Verdict};

pub struct Summary {
    began: Instant,
    /// With the ends of lines.
    pub bytes: u64,
    pub updates: u64,
    /// Of the updates, those of a computation without destinations.
    pub updates_without_destinations: u64,
    events: u64,
    outbound_messages: u64,
    verdicts: BTreeMap<Verdict, u64>,
    pub rejected_lines: u64,
}

impl Summary {
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            bytes: 0,
            updates: 0,
            updates_without_destinations: 0,
            events: 0,
            outbound_messages: 0,
            verdicts: BTreeMap::new(),
            rejected_lines: 0,
        }
    }

    pub fn count_events(&mut self, events: &[IdGroupEvent<'_>]) {
        self.events += events.len() as u64;
        for event in events {
            self.outbound_messages = self.outbound_messages.saturating_add(outbound_messages(event));
        }
    }

    /// How much was replayed, and how fast.
    pub fn pace(&self) -> String {
        let elapsed = self.began.elapsed();
        let per_second = |count: u64| u128::from(count) * 1_000_000_000 / elapsed.as_nanos().max(1);
        format!(
            "{} updates, {}, in {elapsed:.1?}: {} updates/s, {}/s",
            grouped(self.updates.into()),
            size(self.bytes.into()),
            grouped(per_second(self.updates)),
            size(per_second(self.bytes)),
        )
    }

    fn dropped(&self) -> u64 {
        let drops = self.verdicts.iter().filter(|(verdict, _)| verdict.drop_reason().is_some());
        drops.map(|(_, count)| count).sum()
    }

    /// What was counted, with reasons below what they are the reasons of.
    fn counts(&self) -> Vec<(String, u64)> {
        let of = |verdict| self.verdicts.get(&verdict).copied().unwrap_or(0);
        let mut counts = vec![
            ("events".into(), self.events),
            ("outbound messages".into(), self.outbound_messages),
            ("verdict send_all".into(), of(Verdict::SendAll)),
            ("verdict send_some".into(), of(Verdict::SendSome)),
            ("verdict drop".into(), self.dropped()),
        ];
        for (verdict, &count) in &self.verdicts {
            if let Some(reason) = verdict.drop_reason() {
                counts.push((format!("  {reason}"), count));
            }
        }
        if self.updates_without_destinations > 0 {
            counts.push(("updates without destinations".into(), self.updates_without_destinations));
        }
        counts.push(("rejected lines".into(), self.rejected_lines));
        counts
    }
}

/// One for each combination of the event's IDs, one ID of each type.
fn outbound_messages(event: &IdGroupEvent<'_>) -> u64 {
    let mut combinations: u64 = 1;
    let mut of_type: u64 = 0;
    let mut last_type = None;
    for id_type in event.id_group().external_ids().iter().map(ExternalId::id_type) {
        if last_type == Some(id_type) {
            of_type += 1;
        } else {
            combinations = combinations.saturating_mul(of_type.max(1));
            (last_type, of_type) = (Some(id_type), 1);
        }
    }
    combinations.saturating_mul(of_type)
}

impl Observer for Summary {
    fn verdict_reached(&mut self, verdict: Verdict, destinations: usize) {
        *self.verdicts.entry(verdict).or_default() += destinations as u64;
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.pace())?;
        let counts: Vec<(String, String)> =
            self.counts().into_iter().map(|(label, count)| (label, grouped(count.into()))).collect();
        let label_width = counts.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
        let count_width = counts.iter().map(|(_, count)| count.len()).max().unwrap_or(0);
        counts
            .iter()
            .try_for_each(|(label, count)| writeln!(f, "{label:label_width$}  {count:>count_width$}"))
    }
}

/// With a comma before every three digits.
fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// In megabytes, or kilobytes if there is not one of them, with one digit after the point.
fn size(bytes: u128) -> String {
    let (unit, name) = if bytes < 1_000_000 { (1_000, "kB") } else { (1_000_000, "MB") };
    let tenths = bytes * 10 / unit;
    format!("{}.{} {name}", grouped(tenths / 10), tenths % 10)
}
