//! The recorded updates that come with the library, each with its destinations.

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use idgroup::{Destinations, ProfileUpdate};

pub struct Recording {
    updates: Vec<ProfileUpdate>,
    by_computation: HashMap<String, Destinations>,
}

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/pipeline");

impl Recording {
    pub fn read() -> Result<Self, Box<dyn Error>> {
        let by_computation: HashMap<String, Destinations> =
            serde_json::from_slice(&fs::read(Path::new(FOLDER).join("destinations.json"))?)?;
        let lines = fs::read(Path::new(FOLDER).join("updates.ndjson"))?;
        // Some lines are bad, as some always are; the replay shows what to do about them.
        let updates = lines.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
        Ok(Self { updates: updates.collect(), by_computation })
    }

    /// The updates of computations that are connected to anything.
    pub fn updates(&self) -> impl Iterator<Item = (&ProfileUpdate, &Destinations)> {
        self.updates.iter().filter_map(|update| {
            let destinations = self.by_computation.get(update.computation().id())?;
            (!destinations.is_empty()).then_some((update, destinations))
        })
    }
}
