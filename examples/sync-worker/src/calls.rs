//! Writes what was decided about an update as Segment calls, one a record.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use idgroup::segment::{Call, Refusal, RefusalReason, Routes, Supplied};
use idgroup::{Destination, IdGroupEvent, Lane, ProfileUpdate};
use rdkafka::message::OwnedHeaders;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::call_settings::{Called, Group};
use crate::deciding::Known;
use crate::deliver::record_headers;
use crate::kafka::Shared;
use crate::outcome::Outcome;
use crate::sink::Sink;

/// After so many calls others get their turn: the stage has to say that it lives.
const BETWEEN_TURNS: usize = 64;
/// How much is said of an update's refused calls.
const LONGEST_REASONS: usize = 1_024;

pub struct Calls {
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
    pub fn new(shared: &Shared) -> Self {
        Self { shared: shared.clone() }
    }

    /// Hands over all calls of an update, each made when it is its turn, since there may be more than
    /// memory holds. Of what can't be written the update is a dead letter.
    pub async fn send(
        &self,
        sink: &Sink,
        outcome: &Arc<Outcome>,
        known: &Known<'_>,
        called: &Called,
        events: &[IdGroupEvent<'_>],
        lane: Lane,
    ) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let Shared { metrics, pipeline, .. } = &self.shared;
        let Known { update, destinations, .. } = known;
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
        let supplied = computed.supplied(&personas);
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
        let headers = self.headers(call, group);
        let key = Some(self.update.profile_id().as_bytes());
        self.count += 1;
        if self.count.is_multiple_of(BETWEEN_TURNS) {
            tokio::task::yield_now().await;
        }
        self.sink.send(self.outcome, self.topic, key, Some(payload), headers).await
    }

    fn headers<V, P>(&self, call: &Call<'_, V, P>, group: &Group) -> OwnedHeaders {
        let message_id = call.message_id().to_string();
        let ids = destination_ids(call.destinations());
        let computation = self.update.computation().id();
        let (delivery, computed_at) = (group.delivery.as_deref(), self.computed_at.as_deref());
        record_headers(headers(&*message_id, &*ids, computation, delivery, computed_at))
    }
}

/// What is needed to deliver a call without reading it, by name.
pub fn headers<'n, T>(
    message_id: T,
    destinations: T,
    computation: T,
    delivery: Option<T>,
    computed_at: Option<T>,
) -> impl Iterator<Item = (&'n str, T)> {
    let required = [("message_id", message_id), ("destinations", destinations), ("computation", computation)];
    let delivery = delivery.map(|delivery| ("delivery", delivery));
    let computed_at = computed_at.map(|time| ("computed_at", time));
    required.into_iter().chain(delivery).chain(computed_at)
}

/// The ids of destinations, as a header has them.
pub fn destination_ids(destinations: &[&Destination]) -> String {
    let ids: Vec<&str> = destinations.iter().map(|destination| destination.id()).collect();
    serde_json::to_string(&ids).expect("lists of strings are always JSON")
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
pub struct Computed {
    value: Option<Value>,
    others: BTreeMap<String, Value>,
}

impl Computed {
    pub fn of(update: &[u8]) -> Self {
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
    pub fn personas(&self) -> Vec<(&str, &Value)> {
        self.others.iter().map(|(name, value)| (name.as_str(), value)).collect()
    }

    /// What calls are given.
    pub fn supplied<'a>(&'a self, personas: &'a [(&'a str, &'a Value)]) -> Supplied<'a, Value, &'a Value> {
        Supplied::default().with_value(self.value.as_ref()).with_personas(personas)
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
