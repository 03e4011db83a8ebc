//! Which flow each update goes to.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use idgroup::compare::ComparisonBudget;
use idgroup::{Counts, Destinations, ProfileUpdate, Release, Rollout, Routed};

use crate::comparison_key::random_comparison_key;
use crate::entries::{self, Subject};
use crate::failure::Failure;
use crate::unusable::OfText;

const TIERS: Subject =
    Subject { all: "the tier", named: "space", expected: "an object from space id to tier" };

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

    pub fn decide<'a>(
        &self,
        update: &'a ProfileUpdate,
        destinations: &'a Destinations,
        counts: &mut Counts,
    ) -> Routed<'a> {
        let tier = self.tier_of_space.get(update.space_id()).map(String::as_str);
        self.release.decide_with(update, tier, destinations, counts)
    }
}

fn read_rollout(path: &Path) -> Result<Rollout, Failure> {
    let text = fs::read(path).map_err(|error| Failure::of_file("read", path, &error))?;
    serde_json::from_slice(&text).map_err(|error| {
        Failure::new(format!("can't use the rollout in `{}`: {}", path.display(), OfText(&error)))
    })
}
