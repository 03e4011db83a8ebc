//! Which destinations are connected to which computation.

use std::collections::HashMap;
use std::path::Path;

use idgroup::{Destinations, ProfileUpdate};

use crate::entries::{self, Subject};
use crate::failure::Failure;

const SUBJECT: Subject = Subject {
    all: "the destinations",
    named: "computation",
    expected: "an object from computation id to list of destinations",
};

pub struct Connections {
    by_computation: HashMap<String, Destinations>,
    /// Of every other computation.
    none: Destinations,
}

impl Connections {
    /// From an object from computation id to list of destinations.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        Ok(Self { by_computation: entries::read(path, &SUBJECT)?, none: Destinations::default() })
    }

    /// The same, from a text that is known to be good.
    pub fn of_text(text: &str) -> Self {
        let by_computation = serde_json::from_str(text).expect("a fixture that tests read, too");
        Self { by_computation, none: Destinations::default() }
    }

    /// How many destinations the computation has that has the most.
    pub fn most(&self) -> usize {
        self.by_computation.values().map(Destinations::len).max().unwrap_or(0)
    }

    /// The destinations of each computation that is listed, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Destinations)> {
        self.by_computation.iter().map(|(computation, destinations)| (&**computation, destinations))
    }

    /// Those of the computation with this id.
    pub fn of_computation(&self, id: &str) -> &Destinations {
        self.by_computation.get(id).unwrap_or(&self.none)
    }

    pub fn of(&self, update: &ProfileUpdate) -> &Destinations {
        self.of_computation(update.computation().id())
    }
}
