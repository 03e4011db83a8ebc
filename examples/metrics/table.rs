//! The times as a table: both flows and their comparison one below the other.

use std::fmt::Write;

use hdrhistogram::Histogram;
use idgroup::{Flow, Step};

use crate::stopwatch::{DEDUPE_STEPS, Stopwatch};

const PERCENTILES: [(&str, f64); 4] = [("P50", 0.50), ("P95", 0.95), ("P99", 0.99), ("max", 1.0)];

pub fn of(stopwatch: &Stopwatch) -> String {
    let mut table = format!("{:20}{:>10}", "step", "count");
    for (name, _) in PERCENTILES {
        write!(table, " {name:>11}").expect("a string takes everything");
    }
    table.push('\n');
    add_row(&mut table, Step::Legacy.as_str(), stopwatch.of_step(Step::Legacy));
    add_row(&mut table, Flow::Dedupe.as_str(), stopwatch.of_dedupe());
    for step in DEDUPE_STEPS {
        add_row(&mut table, &format!("  {step}"), stopwatch.of_step(step));
    }
    add_row(&mut table, Step::Compare.as_str(), stopwatch.of_step(Step::Compare));
    table
}

fn add_row(table: &mut String, name: &str, times: &Histogram<u64>) {
    write!(table, "{name:20}{:>10}", times.len()).expect("a string takes everything");
    for (_, quantile) in PERCENTILES {
        write!(table, " {:>11}", microseconds(times.value_at_quantile(quantile)))
            .expect("a string takes everything");
    }
    table.push('\n');
}

fn microseconds(nanoseconds: u64) -> String {
    format!("{}.{:02} µs", nanoseconds / 1_000, nanoseconds % 1_000 / 10)
}
