//! Writes what was decided about an update.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use idgroup::{Amplification, Destinations, IdGroupEvent, Lane, MessageId, ProfileUpdate, Routed};
use rdkafka::message::{Header, OwnedHeaders};

use crate::calls::Calls;
use crate::catalog::Catalog;
use crate::cli::OutboundAs;
use crate::deciding::takes_long;
use crate::kafka::Shared;
use crate::outcome::Outcome;
use crate::sink::Sink;

/// The names of an event's fields, and what has a length of its own in them.
const FIXED_PARTS: usize = 1_024;
/// The headers of a message, and what its batch takes.
const AROUND_EVENT: usize = 256;

pub struct Sending {
    calls: Calls,
    shared: Shared,
}

impl Sending {
    pub fn new(catalog: Arc<Catalog>, shared: &Shared) -> Self {
        Self { calls: Calls::new(catalog, shared), shared: shared.clone() }
    }

    /// Whether topics take everything that an update is sent as: asked before any of it counts as sent.
    pub fn check(&self, sink: &Sink, outcome: &Outcome, routed: &Routed<'_>) -> Result<(), String> {
        for event in &routed.events {
            // An event repeats what its update says, and names destinations. Where that is little, it is not
            // measured.
            let names: usize = event.destinations().iter().map(|to| 6 * to.id().len() + 3).sum();
            if 3 * outcome.record.bytes().len() + names + FIXED_PARTS <= sink.largest {
                continue;
            }
            let mut length = Length(0);
            serde_json::to_writer(&mut length, event).expect("strings and lists of them are always JSON");
            if length.0 + event.profile_id().len() + AROUND_EVENT > sink.largest {
                return Err(format!("an event of {} bytes is more than a topic takes", length.0));
            }
        }
        Ok(())
    }

    /// Hands over everything that an update is sent as, in its order.
    pub async fn send(
        &self,
        sink: &Sink,
        outcome: &Arc<Outcome>,
        update: &ProfileUpdate,
        destinations: &Destinations,
        routed: &Routed<'_>,
    ) -> Result<()> {
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
        match pipeline.outbound_as {
            OutboundAs::Events => self.events(sink, outcome, update, &routed.events, lane).await?,
            OutboundAs::Calls => {
                self.calls.send(sink, outcome, update, destinations, &routed.events, lane).await?;
            }
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
            Lane::Fast => &pipeline.outbound,
            Lane::Slow => &pipeline.outbound_slow,
        };
        let computed_at = update.computed_at().map(|time| time.to_string());
        for (message_id, event) in &events {
            let headers = headers(*message_id, computed_at.as_deref());
            let key = Some(update.profile_id().as_bytes());
            sink.send(outcome, topic, key, Some(event), headers).await?;
        }
        metrics.time("hand_over", began);
        Ok(())
    }
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
        let json = serde_json::to_vec(event).expect("strings and lists of them are always JSON");
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
