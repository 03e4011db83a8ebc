//! Which destinations are connected to which computation.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::Path;

use idgroup::{Destinations, ProfileUpdate};
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, Visitor};

use crate::failure::Failure;
use crate::unusable::OfText;

#[derive(Default)]
pub struct Connections {
    by_computation: HashMap<String, Destinations>,
    /// Of every other computation.
    none: Destinations,
}

impl Connections {
    /// From an object from computation id to list of destinations.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = fs::read(path).map_err(|error| Failure::of_file("read", path, &error))?;
        let mut reading = None;
        Self::parse(&text, &mut reading).map_err(|error| {
            let unusable = match reading {
                Some(id) => format!("the destinations of computation `{}`", id.escape_debug()),
                None => "the destinations".into(),
            };
            Failure::new(format!("can't use {unusable} in `{}`: {}", path.display(), OfText(&error)))
        })
    }

    /// `reading` is left at the computation that failed, if one did.
    fn parse(text: &[u8], reading: &mut Option<String>) -> serde_json::Result<Self> {
        let mut json = serde_json::Deserializer::from_slice(text);
        let connections = ByComputation { reading }.deserialize(&mut json)?;
        json.end()?;
        Ok(connections)
    }

    pub fn of(&self, update: &ProfileUpdate) -> &Destinations {
        self.by_computation.get(update.computation().id()).unwrap_or(&self.none)
    }
}

/// Reads the object by hand: a map would let the last of two entries of a computation win.
struct ByComputation<'r> {
    reading: &'r mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for ByComputation<'_> {
    type Value = Connections;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Connections, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ByComputation<'_> {
    type Value = Connections;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object from computation id to list of destinations")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Connections, A::Error> {
        let mut connections = Connections::default();
        while let Some(id) = object.next_key::<String>()? {
            *self.reading = Some(id.clone());
            let destinations = object.next_value()?;
            if connections.by_computation.insert(id, destinations).is_some() {
                return Err(A::Error::custom("the computation was listed before"));
            }
            *self.reading = None;
        }
        Ok(connections)
    }
}
