//! Writes what was decided about an update as Segment calls, one a record.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use idgroup::segment::{Call, Refusal, RefusalReason, Routes, Supplied};
use idgroup::{Destinations, IdGroupEvent, Lane, ProfileUpdate};
use rdkafka::message::OwnedHeaders;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::call_settings::Group;
use crate::catalog::Catalog;
use crate::deliver::record_headers;
use crate::kafka::Shared;
use crate::outcome::Outcome;
use crate::retry::until_done;
use crate::sink::Sink;

/// After so many calls others get their turn: the stage has to say that it lives.
const BETWEEN_TURNS: usize = 64;
/// How much is said of an update's refused calls.
const LONGEST_REASONS: usize = 1_024;

pub struct Calls {
    catalog: Arc<Catalog>,
    shared: Shared,
}

/// What all calls of an update have in common.
struct Written<'a> {
    sink: &'a Sink,
    outcome: &'a Arc<Outcome>,
    update: &'a ProfileUpdate,
    topic: &'a str,
    computed_at: Option<String>,
    count: usize,
    /// Why some calls are not written.
    reasons: String,
}

impl Calls {
    pub fn new(catalog: Arc<Catalog>, shared: &Shared) -> Self {
        Self { catalog, shared: shared.clone() }
    }

    /// Hands over all calls of an update, each made when it is its turn, since there may be more than
    /// memory holds. Of what can't be written the update is a dead letter.
    pub async fn send(
        &self,
        sink: &Sink,
        outcome: &Arc<Outcome>,
        update: &ProfileUpdate,
        destinations: &Destinations,
        events: &[IdGroupEvent<'_>],
        lane: Lane,
    ) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let Shared { metrics, health, pipeline } = &self.shared;
        let computation = update.computation().id();
        let look_up = || self.catalog.call_settings(computation);
        let called = until_done("looking up call settings", metrics, health, look_up).await;
        let groups = match &*called.0 {
            Ok(groups) => groups,
            Err(error) => return sink.dead_letter(outcome, error).await,
        };
        let began = Instant::now();
        let mut written = Written {
            sink,
            outcome,
            update,
            topic: match lane {
                Lane::Fast => &pipeline.outbound_calls,
                Lane::Slow => &pipeline.outbound_calls_slow,
            },
            computed_at: update.computed_at().map(|time| time.to_string()),
            count: 0,
            reasons: String::new(),
        };
        let computed = Computed::of(outcome.record.bytes());
        let personas = computed.personas();
        let supplied = Supplied::default().with_value(computed.value.as_ref()).with_personas(&personas);
        for group in groups {
            let routes = Routes::new(destinations, &group.settings);
            for event in events {
                self.write(&mut written, event, &routes, supplied, group, groups).await?;
            }
        }
        metrics.time("hand_over", began);
        match written.reasons.is_empty() {
            true => Ok(()),
            false => sink.dead_letter(outcome, &written.reasons).await,
        }
    }

    async fn write(
        &self,
        written: &mut Written<'_>,
        event: &IdGroupEvent<'_>,
        routes: &Routes<'_>,
        supplied: Supplied<'_, Value, &Value>,
        group: &Group,
        groups: &[Group],
    ) -> Result<()> {
        let calls = routes.calls(event, supplied);
        // Calls of the same destinations come one after the other, so that as many refusals are said once.
        let mut last: Option<Refusal<'_>> = None;
        for call in calls.iter() {
            match call {
                Ok(call) => written.hand_over(&call, group).await?,
                Err(refusal) if !is_about(&refusal, group, groups) => (),
                Err(refusal) => {
                    let count = refusal.destinations().len() as u64;
                    let reason = [refusal.reason().as_str()];
                    self.shared.metrics.calls_refused.with_label_values(&reason).inc_by(count);
                    if last != Some(refusal) && written.reasons.len() < LONGEST_REASONS {
                        let separator = if written.reasons.is_empty() { "" } else { "; " };
                        write!(written.reasons, "{separator}{refusal}")?;
                    }
                    last = Some(refusal);
                }
            }
        }
        Ok(())
    }
}

impl Written<'_> {
    async fn hand_over<V: Serialize, P: Serialize>(
        &mut self,
        call: &Call<'_, V, P>,
        group: &Group,
    ) -> Result<()> {
        let payload = serde_json::to_vec(call)?;
        let headers = self.headers(call, group)?;
        let key = Some(self.update.profile_id().as_bytes());
        self.count += 1;
        if self.count.is_multiple_of(BETWEEN_TURNS) {
            tokio::task::yield_now().await;
        }
        self.sink.send(self.outcome, self.topic, key, Some(payload), headers).await
    }

    /// What is needed to deliver a call without reading it.
    fn headers<V, P>(&self, call: &Call<'_, V, P>, group: &Group) -> Result<OwnedHeaders> {
        let message_id = call.message_id().to_string();
        let ids: Vec<&str> = call.destinations().iter().map(|destination| destination.id()).collect();
        let ids = serde_json::to_string(&ids)?;
        let required = [
            ("message_id", &*message_id),
            ("destinations", &*ids),
            ("computation", self.update.computation().id()),
        ];
        let delivery = group.delivery.as_deref().map(|delivery| ("delivery", delivery));
        let computed_at = self.computed_at.as_deref().map(|time| ("computed_at", time));
        Ok(record_headers(required.into_iter().chain(delivery).chain(computed_at)))
    }
}

/// Whether a refusal is this group's to tell: each is said once. A destination that has settings is in a
/// group, and missing in the others.
fn is_about(refusal: &Refusal<'_>, group: &Group, groups: &[Group]) -> bool {
    let has_settings = |id: &str| groups.iter().any(|group| group.settings.get(id).is_some());
    match (&group.delivery, refusal.reason(), refusal.destinations()) {
        (None, RefusalReason::SettingsMissing, missing) => {
            missing.iter().any(|destination| !has_settings(destination.id()))
        }
        // What is wrong with all destinations is said once.
        (None, _, [only]) => !groups.iter().any(|group| group.delivery.as_deref() == Some(only.id())),
        (None, _, _) => true,
        (Some(own), reason, [only]) => reason != RefusalReason::SettingsMissing && only.id() == own,
        (Some(_), _, _) => false,
    }
}

/// What the update says of its computation that is no part of a decision.
#[derive(Default)]
struct Computed {
    value: Option<Value>,
    others: BTreeMap<String, Value>,
}

impl Computed {
    fn of(update: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Update {
            computation: Map<String, Value>,
        }
        // An update could be read from it, and so it is an object that has such an object.
        let Ok(Update { mut computation }) = serde_json::from_slice(update) else { return Self::default() };
        let value = computation.remove("value");
        let is_other = |(name, _): &(String, Value)| !["id", "class", "key"].contains(&name.as_str());
        Self { value, others: computation.into_iter().filter(is_other).collect() }
    }

    /// The fields that are passed through.
    fn personas(&self) -> Vec<(&str, &Value)> {
        self.others.iter().map(|(name, value)| (name.as_str(), value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_calls_say_beyond_a_decision_is_passed_through() {
        let update = br#"{"computation":{"id":"a","class":"trait","key":"k","value":450,"journey":{"n":1}}}"#;
        let computed = Computed::of(update);
        assert_eq!(computed.value, Some(450.into()));
        assert_eq!(computed.personas(), [("journey", &serde_json::json!({"n": 1}))]);
        assert_eq!(Computed::of(b"{}").value, None);
    }
}
