//! Writes what was decided about an update.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use idgroup::{Amplification, IdGroupEvent, Lane, MessageId, ProfileUpdate, Routed};
use rdkafka::message::{Header, OwnedHeaders};

use crate::call_sizes;
use crate::calls::Calls;
use crate::deciding::{Known, takes_long};
use crate::kafka::Shared;
use crate::outcome::Outcome;
use crate::sink::Sink;

/// The names of an event's fields, and what has a length of its own in them.
const FIXED_PARTS: usize = 1_024;
/// Enough for most events, so that they are not moved while they grow.
const USUAL_EVENT: usize = 768;
/// The headers of a message, and what its batch takes.
const AROUND_EVENT: usize = 256;

pub struct Sending {
    calls: Calls,
    shared: Shared,
}

impl Sending {
    pub fn new(shared: &Shared) -> Self {
        Self { calls: Calls::new(shared), shared: shared.clone() }
    }

    /// Whether topics take everything that an update is sent as: asked before any of it counts as sent.
    pub fn check(
        &self,
        sink: &Sink,
        outcome: &Outcome,
        known: &Known<'_>,
        routed: &Routed<'_>,
    ) -> Result<(), String> {
        let update = outcome.record.bytes();
        match &known.called {
            Some(called) => call_sizes::check(known, called, update, &routed.events, sink.limits),
            None => {
                let largest = sink.limits.message.min(sink.limits.batch);
                routed.events.iter().try_for_each(|event| fits(event, update.len(), largest))
            }
        }
    }

    /// Hands over everything that an update is sent as, in its order.
    pub async fn send(
        &self,
        sink: &Sink,
        outcome: &Arc<Outcome>,
        known: &Known<'_>,
        routed: &Routed<'_>,
    ) -> Result<()> {
        let Known { update, .. } = known;
        let Shared { metrics, pipeline, .. } = &self.shared;
        let amplification = Amplification::of(&routed.events);
        let lane = amplification.lane(pipeline.slow_above);
        let labels = [routed.route.sends().as_str(), lane.as_str()];
        metrics.events.with_label_values(&labels).inc_by(routed.events.len() as u64);
        metrics.messages.inc_by(amplification.outbound_messages());
        let result = match routed.events.is_empty() {
            true => "nothing_to_send",
            false => "sent",
        };
        match &known.called {
            Some(called) => self.calls.send(sink, outcome, known, called, &routed.events, lane).await?,
            None => self.events(sink, outcome, update, &routed.events, lane).await?,
        }
        metrics.updates.with_label_values(&["sync", result]).inc();
        Ok(())
    }

    async fn events(
        &self,
        sink: &Sink,
        outcome: &Arc<Outcome>,
        update: &ProfileUpdate,
        events: &[IdGroupEvent<'_>],
        lane: Lane,
    ) -> Result<()> {
        let Shared { metrics, pipeline, .. } = &self.shared;
        let began = Instant::now();
        let events = match takes_long(update, outcome.record.bytes().len()) {
            true => tokio::task::block_in_place(|| serialise(events)),
            false => serialise(events),
        };
        metrics.time("serialise", began);
        let began = Instant::now();
        let topic = match lane {
            Lane::Fast => &pipeline.outbound_events,
            Lane::Slow => &pipeline.outbound_events_slow,
        };
        let computed_at = update.computed_at().map(|time| time.to_string());
        for (message_id, event) in events {
            let headers = headers(message_id, computed_at.as_deref());
            let key = Some(update.profile_id().as_bytes());
            sink.send(outcome, topic, key, Some(event), headers).await?;
        }
        metrics.time("hand_over", began);
        Ok(())
    }
}

/// Whether the message of an event has no more bytes than these.
fn fits(event: &IdGroupEvent<'_>, update_bytes: usize, largest: usize) -> Result<(), String> {
    if at_most(event, update_bytes) + AROUND_EVENT <= largest {
        return Ok(());
    }
    let mut length = Length(0);
    serde_json::to_writer(&mut length, event).expect("strings and lists of them are always JSON");
    match length.0 + event.profile_id().len() + AROUND_EVENT <= largest {
        true => Ok(()),
        false => {
            Err(format!("an output is refused: an event of {} bytes is more than a topic takes", length.0))
        }
    }
}

/// How long an event of an update of so many bytes can be, with its key, without a look at its IDs: it repeats what
/// its update says, in less than three times as many bytes, and names destinations.
fn at_most(event: &IdGroupEvent<'_>, update_bytes: usize) -> usize {
    let names: usize = event.destinations().iter().map(|to| 6 * to.id().len() + 3).sum();
    3 * update_bytes + names + FIXED_PARTS
}

/// Counts what is written.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn serialise(events: &[IdGroupEvent<'_>]) -> Vec<(MessageId, Vec<u8>)> {
    let event = |event: &IdGroupEvent<'_>| {
        let mut json = Vec::with_capacity(USUAL_EVENT);
        serde_json::to_writer(&mut json, event).expect("strings and lists of them are always JSON");
        (event.message_id(), json)
    };
    events.iter().map(event).collect()
}

/// What receivers tell repeats and order by, without reading the event.
fn headers(message_id: MessageId, computed_at: Option<&str>) -> OwnedHeaders {
    let message_id = message_id.to_string();
    let headers = OwnedHeaders::new_with_capacity(2);
    let headers = headers.insert(Header { key: "message_id", value: Some(&message_id) });
    match computed_at {
        Some(time) => headers.insert(Header { key: "computed_at", value: Some(time) }),
        None => headers,
    }
}

#[cfg(test)]
mod tests {
    use idgroup::{Destinations, decide};

    use super::*;

    /// The shortest JSON that makes long events: names of one byte, IDs that are almost nothing but what is
    /// added to them, escapes, and destinations whose ids are all escapes.
    #[test]
    fn an_event_is_never_longer_than_its_update_lets_expect() {
        let mut longest = 0.0_f64;
        for ids in [1, 10, 1_000] {
            for id in ["", "\\u0001\\\"é"] {
                let ids: Vec<String> =
                    (0..ids).map(|n| format!(r#"{{"type":"t","id":"{n}{id}"}}"#)).collect();
                let json = format!(
                    r#"{{"id":"u","space_id":"s","profile_id":"p{id}","computation":{{"id":"c"}},"membership":"in","trigger":{{"reason":"value_changed"}},"external_ids":[{}]}}"#,
                    ids.join(",")
                );
                let update: ProfileUpdate = serde_json::from_str(&json).unwrap();
                let destinations = r#"[{"id":"\u0001\u0002"},{"id":"é\""}]"#;
                let destinations: Destinations = serde_json::from_str(destinations).unwrap();
                for event in decide(&update, &destinations) {
                    let length = serde_json::to_vec(&event).unwrap().len();
                    let bound = at_most(&event, json.len());
                    assert!(length + event.profile_id().len() <= bound, "{length} of {bound}");
                    longest = longest.max(length as f64 / json.len() as f64);
                }
            }
        }
        assert!(longest > 2.0, "the worst is not among them: {longest}");
    }

    #[test]
    fn an_event_fits_to_the_byte() {
        let json = r#"{"id":"u","space_id":"s","profile_id":"profile","computation":{"id":"c"},"membership":"in","trigger":{"reason":"value_changed"},"external_ids":[{"type":"t","id":"i"}]}"#;
        let update: ProfileUpdate = serde_json::from_str(json).unwrap();
        let destinations: Destinations = serde_json::from_str(r#"[{"id":"d"}]"#).unwrap();
        let [event] = &decide(&update, &destinations)[..] else { panic!("one event") };
        let length = serde_json::to_vec(event).unwrap().len() + "profile".len() + AROUND_EVENT;
        assert_eq!(fits(event, json.len(), length), Ok(()));
        let error = fits(event, json.len(), length - 1).unwrap_err();
        assert!(error.ends_with("bytes is more than a topic takes"), "{error}");
    }
}
