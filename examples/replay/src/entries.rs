//! A JSON object from name to value, in a file.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::path::Path;

use serde::de::{DeserializeOwned, DeserializeSeed, Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::failure::Failure;
use crate::files;
use crate::reading::unusable::OfText;

/// What such a file is about, for people.
pub struct Subject {
    /// What all values are together, such as `the destinations`.
    pub all: &'static str,
    /// What a name is the name of, such as `computation`.
    pub named: &'static str,
    pub expected: &'static str,
}

/// Reads the object, each name of which must be there once.
pub fn read<V: DeserializeOwned>(path: &Path, subject: &Subject) -> Result<HashMap<String, V>, Failure> {
    let text = files::read(path)?;
    let mut reading = None;
    parse(&text, subject, &mut reading).map_err(|error| {
        let unusable = match reading {
            Some(name) => format!("{} of {} `{}`", subject.all, subject.named, name.escape_debug()),
            None => subject.all.into(),
        };
        Failure::new(format!("can't use {unusable} in `{}`: {}", path.display(), OfText(&error)))
    })
}

/// `reading` is left at the name that failed, if one did.
fn parse<V: DeserializeOwned>(
    text: &[u8],
    subject: &Subject,
    reading: &mut Option<String>,
) -> serde_json::Result<HashMap<String, V>> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let entries = Entries { subject, reading, value: PhantomData }.deserialize(&mut json)?;
    json.end()?;
    Ok(entries)
}

/// Reads the object by hand: a map would let the last of two entries of a name win.
struct Entries<'r, V> {
    subject: &'r Subject,
    reading: &'r mut Option<String>,
    value: PhantomData<V>,
}

impl<'de, V: Deserialize<'de>> DeserializeSeed<'de> for Entries<'_, V> {
    type Value = HashMap<String, V>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, V: Deserialize<'de>> Visitor<'de> for Entries<'_, V> {
    type Value = HashMap<String, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.subject.expected)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut entries = HashMap::new();
        while let Some(name) = object.next_key::<String>()? {
            *self.reading = Some(name.clone());
            let value = object.next_value()?;
            if entries.insert(name, value).is_some() {
                return Err(A::Error::custom(format_args!("the {} was listed before", self.subject.named)));
            }
            *self.reading = None;
        }
        Ok(entries)
    }
}
