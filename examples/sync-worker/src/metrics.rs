//! What is counted and timed, for Prometheus. Labels have few values, and never an ID.

use std::time::Instant;

use anyhow::Result;
use idgroup::compare::ComparisonOutcome;
use idgroup::segment::RefusalReason;
use idgroup::{DropReason, Membership, Observer, Route, Step, TriggerReason, Verdict};
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use crate::labelled::Labelled;

type Counters<const N: usize> = Labelled<N, IntCounter>;
type Histograms<const N: usize> = Labelled<N, Histogram>;

pub struct Metrics {
    registry: Registry,
    /// Updates that a stage has read, by what became of them.
    pub updates: Counters<2>,
    pub triggers: Counters<2>,
    pub routes: Counters<2>,
    pub verdicts: Counters<1>,
    pub drops: Counters<1>,
    /// Events written, by topic.
    pub events: Counters<2>,
    /// Outbound messages that the events stand for.
    pub messages: IntCounter,
    pub comparisons: Counters<1>,
    /// Memories, by what was done with them.
    pub memories: Counters<1>,
    /// Updates whose messages were sent again as they were the first time.
    pub repeats: IntCounter,
    /// Tries that failed and are made again, by what was tried.
    pub retries: Counters<1>,
    pub restarts: Counters<1>,
    /// Transactions that were aborted, and what was in them tried again.
    pub aborts: Counters<1>,
    /// Partitions that do not go on where they were committed.
    pub offset_resets: Counters<1>,
    /// Updates that were gone before they could be read.
    pub expired: Counters<1>,
    pub lag: IntGaugeVec,
    pub in_flight: IntGaugeVec,
    pub rollout_share: IntGaugeVec,
    /// Calls of the last stage, by what became of them.
    pub calls: Counters<1>,
    /// Calls that the sync worker can't write, by reason.
    pub calls_refused: Counters<1>,
    /// Batches that were posted, by what the answer means.
    pub posts: Counters<1>,
    pub post_seconds: Histogram,
    /// Deliveries whose calls wait in the database.
    pub parked: IntGauge,
    /// How long the longest parked of them has been.
    pub parked_seconds: IntGauge,
    pub step_seconds: Histograms<2>,
    /// From the time that Kafka has for an update to the acknowledgement of all that came of it.
    pub update_seconds: Histograms<1>,
    /// From the read of an update to that acknowledgement.
    pub stage_seconds: Histograms<1>,
    /// The library's steps, looked up once.
    decision_steps: Vec<(Step, Histogram)>,
}

impl Metrics {
    pub fn new() -> Result<Self> {
        let registry = Registry::new();
        let step_seconds = histogram(
            &registry,
            "idgroup_step_seconds",
            "how long each step took, by step and flow",
            &["step", "flow"],
            -7,
        )?;
        let decision_steps = Step::ALL
            .map(|step| (step, step_seconds.with_label_values(&[step.as_str(), flow_of(step)])))
            .into();
        let metrics = Self {
            updates: counter(&registry, "idgroup_updates_total", "updates read", &["stage", "result"])?,
            triggers: counter(
                &registry,
                "idgroup_triggers_total",
                "updates that the dedupe flow decided about",
                &["reason", "membership"],
            )?,
            routes: counter(&registry, "idgroup_routes_total", "updates routed", &["reason", "sends"])?,
            verdicts: counter(
                &registry,
                "idgroup_verdicts_total",
                "destinations by the dedupe flow's verdict",
                &["verdict"],
            )?,
            drops: counter(
                &registry,
                "idgroup_drops_total",
                "destinations that the dedupe flow sends nothing",
                &["reason"],
            )?,
            events: counter(&registry, "idgroup_events_total", "events written", &["flow", "lane"])?,
            messages: {
                let messages = IntCounter::new(
                    "idgroup_messages_total",
                    "outbound messages that the written events stand for",
                )?;
                registry.register(Box::new(messages.clone()))?;
                messages
            },
            comparisons: counter(
                &registry,
                "idgroup_comparisons_total",
                "shadow comparisons by outcome",
                &["outcome"],
            )?,
            memories: counter(&registry, "idgroup_memories_total", "memories read and kept", &["what"])?,
            repeats: {
                let help = "updates whose messages were sent again as they were the first time";
                let repeats = IntCounter::new("idgroup_repeats_total", help)?;
                registry.register(Box::new(repeats.clone()))?;
                repeats
            },
            retries: counter(
                &registry,
                "idgroup_retries_total",
                "tries that failed and were repeated",
                &["of"],
            )?,
            restarts: counter(&registry, "idgroup_stage_restarts_total", "stages begun anew", &["stage"])?,
            aborts: counter(
                &registry,
                "idgroup_transactions_aborted_total",
                "transactions that were aborted and tried again",
                &["stage"],
            )?,
            offset_resets: counter(
                &registry,
                "idgroup_offset_resets_total",
                "partitions that do not go on where they were committed",
                &["stage"],
            )?,
            expired: counter(
                &registry,
                "idgroup_updates_expired_total",
                "updates that were gone before they were read",
                &["stage"],
            )?,
            lag: gauge(
                &registry,
                "idgroup_lag",
                "updates not yet read or not yet done",
                &["stage", "partition"],
            )?,
            in_flight: gauge(&registry, "idgroup_in_flight", "updates under way", &["stage"])?,
            rollout_share: gauge(
                &registry,
                "idgroup_rollout_share",
                "the flag's share in basis points",
                &["flag"],
            )?,
            update_seconds: histogram(
                &registry,
                "idgroup_update_seconds",
                "from an update's time in Kafka to its outputs' acknowledgement",
                &["stage"],
                -4,
            )?,
            stage_seconds: histogram(
                &registry,
                "idgroup_stage_seconds",
                "from the read of an update to its outputs' acknowledgement",
                &["stage"],
                -4,
            )?,
            calls: counter(&registry, "idgroup_calls_total", "calls to deliver", &["result"])?,
            calls_refused: counter(
                &registry,
                "idgroup_calls_refused_total",
                "calls that were not written, by destination",
                &["reason"],
            )?,
            posts: counter(&registry, "idgroup_posts_total", "batches posted", &["answer"])?,
            post_seconds: histogram(
                &registry,
                "idgroup_post_seconds",
                "from a post to its answer, or to the end of patience",
                &[],
                -4,
            )?
            .with_label_values(&[]),
            parked: single(&registry, "idgroup_parked_deliveries", "deliveries whose calls wait")?,
            parked_seconds: single(&registry, "idgroup_parked_seconds", "since when the oldest waits")?,
            step_seconds,
            decision_steps,
            registry,
        };
        metrics.begin_at_zero();
        Ok(metrics)
    }

    /// What should never happen is counted from the start: a counter that begins at one has not risen.
    fn begin_at_zero(&self) {
        for result in ["delivered", "repeat", "refused", "parked"] {
            self.calls.with_label_values(&[result]);
        }
        for reason in RefusalReason::ALL {
            self.calls_refused.with_label_values(&[reason.as_str()]);
        }
        for answer in ["taken", "refused", "uncertain", "passing", "lasting"] {
            self.posts.with_label_values(&[answer]);
        }
        for stage in ["identify", "sync", "deliver", "deliver-slow"] {
            self.updates.with_label_values(&[stage, "dead_letter"]);
            for counter in [&self.restarts, &self.aborts, &self.offset_resets, &self.expired] {
                counter.with_label_values(&[stage]);
            }
        }
        for outcome in ["identical", "different", "cut_short", "refused"] {
            self.comparisons.with_label_values(&[outcome]);
        }
        for of in [
            "looking up external IDs",
            "looking up destinations",
            "looking up tiers",
            "looking up call settings",
            "keeping memories",
            "changes",
            "looking up deliveries",
            "posting calls",
            "parking calls",
            "parked calls",
            "claiming calls",
        ] {
            self.retries.with_label_values(&[of]);
        }
    }

    /// All metrics in Prometheus' text format.
    pub fn render(&self) -> String {
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }

    /// Times a step of the pipeline around the decision.
    pub fn time(&self, step: &'static str, began: Instant) {
        self.step_seconds.with_label_values(&[step, "pipeline"]).observe(began.elapsed().as_secs_f64());
    }
}

fn counter<const N: usize>(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str; N],
) -> Result<Counters<N>> {
    let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(counter.clone()))?;
    Ok(Labelled::new(move |labels| counter.with_label_values(labels)))
}

fn gauge(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec> {
    let gauge = IntGaugeVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}

fn single(registry: &Registry, name: &str, help: &str) -> Result<IntGauge> {
    let gauge = IntGauge::new(name, help)?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}

/// Four buckets per decade, up to a hundred seconds.
fn histogram<const N: usize>(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str; N],
    from_exponent: i32,
) -> Result<Histograms<N>> {
    let decades = from_exponent..2;
    let buckets = decades.flat_map(|exponent| [1.0, 1.8, 3.2, 5.6].map(|step| step * 10_f64.powi(exponent)));
    let histogram = HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.collect()), labels)?;
    registry.register(Box::new(histogram.clone()))?;
    Ok(Labelled::new(move |labels| histogram.with_label_values(labels)))
}

fn flow_of(step: Step) -> &'static str {
    match step {
        Step::Legacy => "legacy",
        Step::Compare => "both",
        _ => "dedupe",
    }
}

/// Hears one decision, with a clock.
pub struct DecisionWatch<'m> {
    metrics: &'m Metrics,
    began: Option<Instant>,
}

impl<'m> DecisionWatch<'m> {
    pub fn new(metrics: &'m Metrics) -> Self {
        Self { metrics, began: None }
    }
}

impl Observer for DecisionWatch<'_> {
    fn update_routed(&mut self, route: Route) {
        let labels = [route.reason().as_str(), route.sends().as_str()];
        self.metrics.routes.with_label_values(&labels).inc();
    }

    fn update_arrived(&mut self, reason: TriggerReason, membership: Membership) {
        self.metrics.triggers.with_label_values(&[reason.as_str(), membership.as_str()]).inc();
    }

    fn step_began(&mut self, _step: Step) {
        self.began = Some(Instant::now());
    }

    fn step_ended(&mut self, step: Step) {
        let Some(began) = self.began.take() else { return };
        if let Some((_, histogram)) = self.metrics.decision_steps.iter().find(|(known, _)| *known == step) {
            histogram.observe(began.elapsed().as_secs_f64());
        }
    }

    fn verdict_reached(&mut self, verdict: Verdict, destinations: usize) {
        self.metrics.verdicts.with_label_values(&[verdict.as_str()]).inc_by(destinations as u64);
        if let Some(reason) = verdict.drop_reason().map(DropReason::as_str) {
            self.metrics.drops.with_label_values(&[reason]).inc_by(destinations as u64);
        }
    }

    fn comparison_made(&mut self, outcome: ComparisonOutcome) {
        self.metrics.comparisons.with_label_values(&[outcome.as_str()]).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_decision_does_is_counted_and_timed() {
        let metrics = Metrics::new().unwrap();
        let mut watch = DecisionWatch::new(&metrics);
        watch.step_began(Step::GroupIds);
        watch.step_ended(Step::GroupIds);
        watch.verdict_reached(Verdict::Drop(DropReason::Exited), 3);
        let text = metrics.render();
        assert!(text.contains(r#"idgroup_drops_total{reason="exited"} 3"#), "{text}");
        assert!(text.contains(r#"idgroup_updates_expired_total{stage="sync"} 0"#), "{text}");
        assert!(text.contains(r#"idgroup_step_seconds_count{flow="dedupe",step="group_ids"} 1"#), "{text}");
    }
}
