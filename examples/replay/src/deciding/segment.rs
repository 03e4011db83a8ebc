//! The events as the calls that Segment's destinations understand.

use std::fmt::Write;
use std::ops::ControlFlow;
use std::path::Path;

use idgroup::segment::{CallSettings, Refusal, Routes, Supplied};
use idgroup::{IdGroupEvent, Lane, decide_with};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Given, Making, Task};
use crate::failure::Failure;
use crate::files;
use crate::reading::unusable::OfText;
use crate::writing::rejects;

/// Prints the calls of the dedupe flow's events, and sets aside updates of which some are refused.
pub struct SegmentCalls(CallSettings);

impl SegmentCalls {
    pub fn read(settings: &Path) -> Result<Self, Failure> {
        let text = files::read(settings)?;
        serde_json::from_slice(&text).map(Self).map_err(|error| {
            let path = settings.display();
            Failure::new(format!("can't use the settings in `{path}`: {}", OfText(&error)))
        })
    }
}

impl Task for SegmentCalls {
    fn decide(&mut self, given: Given<'_>, made: &mut Making<'_>) -> Lane {
        let Given { update, line, origin, destinations } = given;
        let events = decide_with(update, destinations, &mut made.counts);
        if made.lane_of(&events) == Lane::Slow {
            return Lane::Slow;
        }
        made.tally.sent.add(&events);
        if events.is_empty() {
            return Lane::Fast;
        }
        let routes = Routes::new(destinations, &self.0);
        let computed = Computed::of(line);
        let personas = computed.personas();
        let supplied = Supplied::default().with_value(computed.value.as_ref()).with_personas(&personas);
        let mut reasons = String::new();
        for event in &events {
            if print_calls(event, &routes, supplied, &mut reasons, made).is_break() {
                break;
            }
        }
        if !reasons.is_empty() {
            rejects::write_refused(made.rejects, origin, reasons, line);
        }
        Lane::Fast
    }
}

/// Prints the calls one by one: there may be more than memory holds.
fn print_calls(
    event: &IdGroupEvent<'_>,
    routes: &Routes<'_>,
    supplied: Supplied<'_, Value, &Value>,
    reasons: &mut String,
    made: &mut Making<'_>,
) -> ControlFlow<()> {
    let calls = routes.calls(event, supplied);
    // Calls of the same destinations come one after the other, so that as many refusals are said once.
    let mut last: Option<Refusal<'_>> = None;
    for call in calls.iter() {
        match call {
            Ok(call) => {
                made.tally.calls.printed += 1;
                made.print_one_of_many(&call)?;
            }
            Err(refusal) => {
                made.tally.calls.refuse(&refusal);
                if last != Some(refusal) {
                    let separator = if reasons.is_empty() { "" } else { "; " };
                    write!(reasons, "{separator}{refusal}").expect("text takes all that is written to it");
                }
                last = Some(refusal);
            }
        }
    }
    ControlFlow::Continue(())
}

/// What the update's line says of its computation that is no part of a decision.
#[derive(Default)]
struct Computed {
    value: Option<Value>,
    others: Map<String, Value>,
}

impl Computed {
    fn of(line: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Line {
            computation: Map<String, Value>,
        }
        // An update could be read from the line, and so it is an object that has such an object.
        let Ok(Line { computation: mut others }) = serde_json::from_slice(line) else {
            return Self::default();
        };
        let value = others.remove("value");
        others.retain(|name, _| !["id", "class", "key"].contains(&name.as_str()));
        Self { value, others }
    }

    /// The fields that are passed through.
    fn personas(&self) -> Vec<(&str, &Value)> {
        self.others.iter().map(|(name, value)| (name.as_str(), value)).collect()
    }
}
