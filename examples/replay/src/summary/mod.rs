//! What a replay came to, in numbers.

pub mod change_tables;
pub mod changes;
pub mod gaps;
pub mod look_alikes;
pub mod numbers;
pub mod tally;

use std::fmt;
use std::time::Instant;

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};
use idgroup::compare::ComparisonOutcome;
use idgroup::{Counts, DropReason, Flow, Verdict};

use change_tables::ChangeTables;
use changes::Change;
use numbers::{grouped, size};
use tally::{Amount, Differences, Tally};

use crate::options::{Mode, Options};

pub struct Summary {
    began: Instant,
    flows: Flows,
    has_slow_lane: bool,
    has_calls: bool,
    pub tally: Tally,
}

/// Which flows there are numbers of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Flows {
    Dedupe,
    Legacy,
    Both,
    Routed,
    /// The dedupe flow, with each of two settings.
    Previewed,
}

/// How wide sentences may run.
const COLUMNS: u16 = 100;

pub type Rows = Vec<(String, u64)>;

impl Summary {
    pub fn new(options: &Options) -> Self {
        let flows = match &options.mode {
            Mode::Events
            | Mode::Explanations(_)
            | Mode::ExplanationsForPeople(_)
            | Mode::SegmentCalls { .. } => Flows::Dedupe,
            Mode::LegacyEvents => Flows::Legacy,
            Mode::Shadow { .. } => Flows::Both,
            Mode::Rollout { .. } => Flows::Routed,
            Mode::Preview { .. } => Flows::Previewed,
        };
        let has_slow_lane = options.slow.is_some();
        let has_calls = matches!(options.mode, Mode::SegmentCalls { .. });
        Self { began: Instant::now(), flows, has_slow_lane, has_calls, tally: Tally::default() }
    }

    pub fn flows(&self) -> Flows {
        self.flows
    }

    /// How much was replayed, and how fast.
    pub fn pace(&self) -> String {
        let elapsed = self.began.elapsed();
        let per_second = |count: u64| u128::from(count) * 1_000_000_000 / elapsed.as_nanos().max(1);
        format!(
            "{} update{}, {}, in {elapsed:.1?}: {} updates/s, {}/s",
            grouped(self.tally.updates.into()),
            if self.tally.updates == 1 { "" } else { "s" },
            size(self.tally.bytes.into()),
            grouped(per_second(self.tally.updates)),
            size(per_second(self.tally.bytes)),
        )
    }

    /// What was counted, with reasons below what they are the reasons of.
    pub fn rows(&self) -> Rows {
        let tally = &self.tally;
        let mut rows = Vec::new();
        match self.flows {
            Flows::Dedupe => {
                add_amount("", &tally.sent, &mut rows);
                if self.has_calls {
                    self.add_calls(&mut rows);
                }
                add_verdicts("", &tally.counts, &mut rows);
            }
            Flows::Legacy => add_amount("", &tally.sent, &mut rows),
            Flows::Both => {
                add_amount("legacy ", &tally.legacy, &mut rows);
                add_amount("dedupe ", &tally.sent, &mut rows);
                add_verdicts("dedupe ", &tally.counts, &mut rows);
            }
            Flows::Routed => {
                self.add_routes(&mut rows);
                add_amount("", &tally.sent, &mut rows);
                // Of the flow wherever it ran, whether or not its events were sent.
                add_verdicts("dedupe ", &tally.counts, &mut rows);
            }
            Flows::Previewed => {
                add_amount("current ", &tally.sent, &mut rows);
                add_verdicts("current ", &tally.counts, &mut rows);
                add_amount("new ", &tally.previewed.sent, &mut rows);
                add_verdicts("new ", &tally.previewed.counts, &mut rows);
                self.add_changes(&mut rows);
            }
        }
        self.add_comparisons(&mut rows);
        rows.extend(tally.named().map(|(label, count)| (label.into(), count)));
        if tally.updates_without_destinations > 0 {
            rows.push(("updates without destinations".into(), tally.updates_without_destinations));
        }
        if self.has_slow_lane {
            rows.push(("slow updates".into(), tally.slow_updates));
        }
        rows.push(("rejected lines".into(), tally.rejected));
        rows
    }

    fn add_changes(&self, rows: &mut Rows) {
        let changes = &self.tally.changes;
        rows.push(("updates that change".into(), changes.updates()));
        let counts =
            Change::ALL.map(|change| (format!("  messages {}", change.as_str()), changes.count(change)));
        rows.extend(counts);
    }

    fn add_calls(&self, rows: &mut Rows) {
        let calls = &self.tally.calls;
        rows.push(("calls".into(), calls.printed));
        rows.push(("calls refused, by destination".into(), calls.refused()));
        rows.extend(calls.refusals().map(|(reason, count)| (format!("  {reason}"), count)));
    }

    fn add_routes(&self, rows: &mut Rows) {
        for flow in [Flow::Legacy, Flow::Dedupe] {
            let routes = self.tally.routes_to(flow);
            rows.push((format!("updates to {flow}"), routes.clone().map(|(_, count)| count).sum()));
            rows.extend(routes.map(|(reason, count)| (format!("  {reason}"), count)));
        }
    }

    fn add_comparisons(&self, rows: &mut Rows) {
        let counts = &self.tally.counts;
        let identical = counts.comparison(ComparisonOutcome::Identical);
        if self.flows != Flows::Both && identical + self.tally.not_identical() == 0 {
            return;
        }
        rows.push(("comparison identical".into(), identical));
        rows.push(("comparison different".into(), counts.comparison(ComparisonOutcome::Different)));
        let Differences { only_in_legacy, only_in_dedupe, in_different_numbers, updates_in_part } =
            self.tally.difference;
        for (label, count) in [
            ("  messages only_in_legacy", only_in_legacy),
            ("  messages only_in_dedupe", only_in_dedupe),
            ("  messages in_different_numbers", in_different_numbers),
            ("  updates with more, not counted", updates_in_part),
            ("comparison nothing_to_compare", counts.comparison(ComparisonOutcome::NothingToCompare)),
            ("comparison cut_short", counts.comparison(ComparisonOutcome::CutShort)),
            ("comparison refused", counts.comparison(ComparisonOutcome::Refused)),
        ] {
            if count > 0 {
                rows.push((label.into(), count));
            }
        }
    }
}

fn add_verdicts(of_flow: &str, counts: &Counts, rows: &mut Rows) {
    let reasons = DropReason::ALL.map(|reason| (reason, counts.dropped(reason)));
    let dropped = reasons.iter().map(|(_, count)| count).sum();
    for (verdict, count) in [
        ("send_all", counts.verdict(Verdict::SendAll)),
        ("send_some", counts.verdict(Verdict::SendSome)),
        ("drop", dropped),
    ] {
        rows.push((format!("{of_flow}verdict {verdict}"), count));
    }
    let with_count = reasons.into_iter().filter(|(_, count)| *count > 0);
    rows.extend(with_count.map(|(reason, count)| (format!("  {reason}"), count)));
}

fn add_amount(of_flow: &str, amount: &Amount, rows: &mut Rows) {
    rows.push((format!("{of_flow}events"), amount.events));
    rows.push((format!("{of_flow}outbound messages"), amount.outbound_messages));
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.pace())?;
        let mut table = Table::new();
        table.load_style(NOTHING);
        for (label, count) in self.rows() {
            let count = Cell::new(grouped(count.into())).set_alignment(CellAlignment::Right);
            table.add_row([Cell::new(label), count]);
        }
        if let Some(labels) = table.column_mut(0) {
            labels.set_padding((0, 2));
        }
        if let Some(counts) = table.column_mut(1) {
            counts.set_padding((0, 0));
        }
        writeln!(f, "{table}")?;
        write!(f, "{}", ChangeTables(&self.tally.changes))?;
        let sentences = gaps::sentences(&self.tally.counts, &self.tally.look_alikes);
        if sentences.is_empty() {
            return Ok(());
        }
        writeln!(f, "How far the promise of one message per stay reaches with this data:")?;
        let mut table = Table::new();
        table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(COLUMNS);
        sentences.into_iter().for_each(|sentence| {
            table.add_row(["-".to_owned(), sentence]);
        });
        writeln!(f, "{}", table.trim_fmt())
    }
}
