//! Which flow each update goes to.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use idgroup::compare::ComparisonBudget;
use idgroup::{Lane, Release, Rollout};

use super::comparison_key::random_comparison_key;
use super::{Given, Making, Task};
use crate::entries::{self, Subject};
use crate::failure::Failure;
use crate::files;
use crate::reading::unusable::OfText;

const TIERS: Subject =
    Subject { all: "the tier", named: "space", expected: "an object from space id to tier" };

/// Prints the events of the flow that each update is routed to.
pub struct Routing {
    release: Release,
    tier_of_space: HashMap<String, String>,
}

impl Routing {
    pub fn read(rollout: &Path, tiers: Option<&Path>, budget: ComparisonBudget) -> Result<Self, Failure> {
        let release = Release::new(read_rollout(rollout)?, random_comparison_key()).with_budget(budget);
        let tier_of_space = match tiers {
            Some(path) => entries::read(path, &TIERS)?,
            None => HashMap::new(),
        };
        Ok(Self { release, tier_of_space })
    }
}

impl Task for Arc<Routing> {
    /// The comparison is bounded by as many messages as the fast lane.
    fn decide(&mut self, given: Given<'_>, made: &mut Making<'_>) -> Lane {
        let Given { update, destinations, .. } = given;
        let tier = self.tier_of_space.get(update.space_id()).map(String::as_str);
        let routed = self.release.decide_with(update, tier, destinations, &mut made.counts);
        if made.lane_of(&routed.events) == Lane::Slow {
            return Lane::Slow;
        }
        made.tally.add_route(routed.route);
        made.send(&routed.events);
        if let Some(comparison) = &routed.comparison {
            made.tally.difference.add(comparison);
        }
        routed.events.iter().for_each(|event| made.print(event));
        Lane::Fast
    }
}

fn read_rollout(path: &Path) -> Result<Rollout, Failure> {
    let text = files::read(path)?;
    serde_json::from_slice(&text).map_err(|error| {
        Failure::new(format!("can't use the rollout in `{}`: {}", path.display(), OfText(&error)))
    })
}
