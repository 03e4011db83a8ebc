//! The events of either flow.

use idgroup::{Lane, decide_legacy_with, decide_with};

use super::{Given, Making, Task};

/// Prints the events of the dedupe flow.
pub struct Events;

/// Prints the events of the legacy flow.
pub struct LegacyEvents;

impl Task for Events {
    fn decide(&mut self, given: Given<'_>, made: &mut Making<'_>) -> Lane {
        let Given { update, destinations, .. } = given;
        let events = decide_with(update, destinations, &mut made.counts);
        if made.lane_of(&events) == Lane::Slow {
            return Lane::Slow;
        }
        made.send(&events);
        events.iter().for_each(|event| made.print(event));
        Lane::Fast
    }
}

impl Task for LegacyEvents {
    fn decide(&mut self, given: Given<'_>, made: &mut Making<'_>) -> Lane {
        let Given { update, destinations, .. } = given;
        let events = decide_legacy_with(update, destinations, &mut made.counts);
        if made.lane_of(&events) == Lane::Slow {
            return Lane::Slow;
        }
        made.send(&events);
        events.iter().for_each(|event| made.print(event));
        Lane::Fast
    }
}
