//! What a replay came to, in numbers.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use idgroup::compare::{Comparison, ComparisonOutcome, Extent, OutboundSample};
use idgroup::{Amplification, Counts, DropReason, Flow, IdGroupEvent, Route, RouteReason, Verdict};

use crate::numbers::{grouped, size};
use crate::task::Task;

pub struct Summary {
    began: Instant,
    flows: Flows,
    has_slow_lane: bool,
    /// With the ends of lines.
    pub bytes: u64,
    pub updates: u64,
    /// Of the updates, those of a computation without destinations.
    pub updates_without_destinations: u64,
    /// Of the updates, those that were set aside; they are in no number below.
    pub slow_updates: u64,
    sent: Amount,
    /// Of the legacy flow, where both flows are counted.
    legacy: Amount,
    routes: BTreeMap<(Flow, RouteReason), u64>,
    counts: Counts,
    difference: Differences,
    pub rejected_lines: u64,
}

/// Which flows there are numbers of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flows {
    Dedupe,
    Legacy,
    Both,
    Routed,
}

#[derive(Default)]
struct Amount {
    events: u64,
    outbound_messages: u64,
}

/// Of all updates that differ, how many messages do.
#[derive(Default)]
struct Differences {
    only_in_legacy: u64,
    only_in_dedupe: u64,
    in_different_numbers: u64,
    /// How many updates have more that differs than was counted.
    updates_in_part: u64,
}

impl Summary {
    pub fn new(task: &Task, has_slow_lane: bool) -> Self {
        Self {
            began: Instant::now(),
            flows: match task {
                Task::Events | Task::Explanations => Flows::Dedupe,
                Task::LegacyEvents => Flows::Legacy,
                Task::Shadow(_) => Flows::Both,
                Task::Rollout(_) => Flows::Routed,
            },
            has_slow_lane,
            bytes: 0,
            updates: 0,
            updates_without_destinations: 0,
            slow_updates: 0,
            sent: Amount::default(),
            legacy: Amount::default(),
            routes: BTreeMap::new(),
            counts: Counts::default(),
            difference: Differences::default(),
            rejected_lines: 0,
        }
    }

    pub fn count_sent(&mut self, events: &[IdGroupEvent<'_>]) {
        self.sent.add(events);
    }

    pub fn count_both(&mut self, legacy: &[IdGroupEvent<'_>], dedupe: &[IdGroupEvent<'_>]) {
        self.legacy.add(legacy);
        self.sent.add(dedupe);
    }

    pub fn count_route(&mut self, route: Route) {
        *self.routes.entry((route.sends(), route.reason())).or_default() += 1;
    }

    /// What was heard while an update was decided.
    pub fn count(&mut self, counts: &Counts) {
        self.counts.merge(counts);
    }

    pub fn count_difference(&mut self, comparison: &Comparison<OutboundSample>) {
        if let Comparison::Different(found) = comparison {
            let sum = &mut self.difference;
            sum.only_in_legacy = sum.only_in_legacy.saturating_add(found.only_in_legacy);
            sum.only_in_dedupe = sum.only_in_dedupe.saturating_add(found.only_in_dedupe);
            sum.in_different_numbers = sum.in_different_numbers.saturating_add(found.in_different_numbers);
            sum.updates_in_part += u64::from(found.extent == Extent::Part);
        }
    }

    /// Of how many updates it is not known that both flows are the same, though they were compared.
    pub fn not_identical(&self) -> u64 {
        let known = [ComparisonOutcome::Identical, ComparisonOutcome::NothingToCompare];
        let others = ComparisonOutcome::ALL.into_iter().filter(|outcome| !known.contains(outcome));
        others.map(|outcome| self.counts.comparison(outcome)).sum()
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

    /// What was counted, with reasons below what they are the reasons of.
    fn rows(&self) -> Vec<(String, u64)> {
        let mut rows = Vec::new();
        match self.flows {
            Flows::Dedupe => {
                self.sent.add_rows("", &mut rows);
                self.add_verdicts("", &mut rows);
            }
            Flows::Legacy => self.sent.add_rows("", &mut rows),
            Flows::Both => {
                self.legacy.add_rows("legacy ", &mut rows);
                self.sent.add_rows("dedupe ", &mut rows);
                self.add_verdicts("dedupe ", &mut rows);
            }
            Flows::Routed => {
                self.add_routes(&mut rows);
                self.sent.add_rows("", &mut rows);
                // Of the flow wherever it ran, whether or not its events were sent.
                self.add_verdicts("dedupe ", &mut rows);
            }
        }
        self.add_comparisons(&mut rows);
        if self.updates_without_destinations > 0 {
            rows.push(("updates without destinations".into(), self.updates_without_destinations));
        }
        if self.has_slow_lane {
            rows.push(("slow updates".into(), self.slow_updates));
        }
        rows.push(("rejected lines".into(), self.rejected_lines));
        rows
    }

    fn add_verdicts(&self, of_flow: &str, rows: &mut Vec<(String, u64)>) {
        let reasons = DropReason::ALL.map(|reason| (reason, self.counts.dropped(reason)));
        let dropped = reasons.iter().map(|(_, count)| count).sum();
        for (verdict, count) in [
            ("send_all", self.counts.verdict(Verdict::SendAll)),
            ("send_some", self.counts.verdict(Verdict::SendSome)),
            ("drop", dropped),
        ] {
            rows.push((format!("{of_flow}verdict {verdict}"), count));
        }
        let with_count = reasons.into_iter().filter(|(_, count)| *count > 0);
        rows.extend(with_count.map(|(reason, count)| (format!("  {reason}"), count)));
    }

    fn add_routes(&self, rows: &mut Vec<(String, u64)>) {
        for flow in [Flow::Legacy, Flow::Dedupe] {
            let routes = self.routes.iter().filter(|((sends, _), _)| *sends == flow);
            rows.push((format!("updates to {flow}"), routes.clone().map(|(_, count)| count).sum()));
            rows.extend(routes.map(|((_, reason), &count)| (format!("  {reason}"), count)));
        }
    }

    fn add_comparisons(&self, rows: &mut Vec<(String, u64)>) {
        let identical = self.counts.comparison(ComparisonOutcome::Identical);
        if self.flows != Flows::Both && identical + self.not_identical() == 0 {
            return;
        }
        rows.push(("comparison identical".into(), identical));
        rows.push(("comparison different".into(), self.counts.comparison(ComparisonOutcome::Different)));
        let Differences { only_in_legacy, only_in_dedupe, in_different_numbers, updates_in_part } =
            self.difference;
        for (label, count) in [
            ("  messages only_in_legacy", only_in_legacy),
            ("  messages only_in_dedupe", only_in_dedupe),
            ("  messages in_different_numbers", in_different_numbers),
            ("  updates with more, not counted", updates_in_part),
            ("comparison nothing_to_compare", self.counts.comparison(ComparisonOutcome::NothingToCompare)),
            ("comparison cut_short", self.counts.comparison(ComparisonOutcome::CutShort)),
            ("comparison refused", self.counts.comparison(ComparisonOutcome::Refused)),
        ] {
            if count > 0 {
                rows.push((label.into(), count));
            }
        }
    }
}

impl Amount {
    fn add(&mut self, events: &[IdGroupEvent<'_>]) {
        let amplification = Amplification::of(events);
        self.events += amplification.groups() as u64;
        self.outbound_messages = self.outbound_messages.saturating_add(amplification.outbound_messages());
    }

    fn add_rows(&self, of_flow: &str, rows: &mut Vec<(String, u64)>) {
        rows.push((format!("{of_flow}events"), self.events));
        rows.push((format!("{of_flow}outbound messages"), self.outbound_messages));
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.pace())?;
        let rows: Vec<(String, String)> =
            self.rows().into_iter().map(|(label, count)| (label, grouped(count.into()))).collect();
        let label_width = rows.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
        let count_width = rows.iter().map(|(_, count)| count.len()).max().unwrap_or(0);
        rows.iter().try_for_each(|(label, count)| writeln!(f, "{label:label_width$}  {count:>count_width$}"))
    }
}
