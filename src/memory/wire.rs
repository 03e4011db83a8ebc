//! Memories in the formats of serde: an object in formats for people, the compact bytes in all others.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use smallvec::SmallVec;

use crate::input::error::{InputError, Problem};
use crate::input::membership::Membership;
use crate::input::name_digest::NameDigest;
use crate::input::read::field::Field;
use crate::input::read::object::{IgnoringUnknown, object};
use crate::input::read::shape::{List, Number, Text};
use crate::input::read::{Read, deserialize_by_read};
use crate::memory::Memory;
use crate::memory::settled::{SentMessage, Settled, SettledBy};

const VERSION: u8 = 1;

impl SettledBy {
    const NAMES: &'static [&'static str] = &["message", "hand_over", "assumption"];

    /// The name on the wire: `message`, `hand_over` or `assumption`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Message(_) => "message",
            Self::HandOver { .. } => "hand_over",
            Self::Assumption => "assumption",
        }
    }
}

impl Serialize for Memory {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.serialize_bytes(&self.to_bytes());
        }
        let mut object = serializer.serialize_struct("Memory", 4)?;
        object.serialize_field("version", &VERSION)?;
        object.serialize_field("membership", &self.membership)?;
        object.serialize_field("since", &self.since)?;
        object.serialize_field("settled", &self.settled)?;
        object.end()
    }
}

/// `{"destination","at","by"}`, and `"update","external_ids"` of a message, `"profile"` of a hand-over.
impl Serialize for Settled {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let more = match self.by {
            SettledBy::Message(_) => 2,
            SettledBy::HandOver { .. } => 1,
            SettledBy::Assumption => 0_usize,
        };
        let mut object = serializer.serialize_struct("Settled", more.saturating_add(3))?;
        object.serialize_field("destination", &self.destination)?;
        object.serialize_field("at", &self.at)?;
        object.serialize_field("by", self.by.as_str())?;
        match &self.by {
            SettledBy::Message(message) => {
                object.serialize_field("update", &message.update)?;
                object.serialize_field("external_ids", message.external_ids())?;
            }
            SettledBy::HandOver { profile } => object.serialize_field("profile", profile)?,
            SettledBy::Assumption => {}
        }
        object.end()
    }
}

impl<'de> Deserialize<'de> for Memory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.is_human_readable() {
            true => Memory::read(deserializer),
            false => deserializer.deserialize_bytes(Compact),
        }
    }
}

/// Reads the compact bytes, also where a format has them as a list of numbers.
struct Compact;

impl<'de> Visitor<'de> for Compact {
    type Value = Memory;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes of a memory")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Memory, E> {
        Memory::from_bytes(bytes).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Memory, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = list.next_element::<u8>()? {
            bytes.push(byte);
        }
        self.visit_bytes(&bytes)
    }
}

object! {
    RawMemory<'de>: IgnoringUnknown {
        "version" => version: Number,
        "membership" => membership: Text<'de>,
        "since" => since: Text<'de>,
        "settled" => settled: List<Settled>,
    }
}

object! {
    RawSettled<'de>: IgnoringUnknown {
        "destination" => destination: Text<'de>,
        "at" => at: Text<'de>,
        "by" => by: Text<'de>,
        "update" => update: Text<'de>,
        "external_ids" => external_ids: List<ReadDigest>,
        "profile" => profile: Text<'de>,
    }
}

impl<'de> Read<'de> for Memory {
    type Raw = Field<RawMemory<'de>>;

    fn check(raw: Self::Raw) -> Result<Self, InputError> {
        let raw = raw.value()?;
        let Number(version) = raw.version.required("version")?;
        if version != i128::from(VERSION) {
            let expected = (VERSION.into(), VERSION.into());
            return Err(InputError::new("version", Problem::OutOfRange { value: version, expected }));
        }
        let membership = match raw.membership.optional("membership")? {
            Some(Text(name)) => Some(Membership::from_name("membership", &name)?),
            None => None,
        };
        let since = raw.since.timestamp("since")?;
        match (membership, since) {
            (Some(Membership::Out), None) => return Err(InputError::new("since", Problem::Missing)),
            (None, Some(_)) => return Err(InputError::new("membership", Problem::Missing)),
            _ => {}
        }
        let settled = raw.settled.required_list("settled")?;
        Ok(Self { membership, since, settled: by_destination(settled)? })
    }
}

fn by_destination(mut settled: Vec<Settled>) -> Result<Vec<Settled>, InputError> {
    settled.sort_by_key(|settled| settled.destination);
    let twice = |pair: &[Settled]| match pair {
        [a, b] if a.destination == b.destination => Some(a.destination),
        _ => None,
    };
    match settled.windows(2).find_map(twice) {
        Some(destination) => {
            let value = destination.to_string().into();
            Err(InputError::new("settled", Problem::Duplicate { value }))
        }
        None => Ok(settled),
    }
}

impl<'de> Read<'de> for Settled {
    type Raw = Field<RawSettled<'de>>;

    fn check(raw: Self::Raw) -> Result<Self, InputError> {
        let raw = raw.value()?;
        let destination = raw.destination.parsed("destination")?;
        let at = raw.at.timestamp("at")?.ok_or_else(|| InputError::new("at", Problem::Missing))?;
        let Text(by) = raw.by.required("by")?;
        let by = match &*by {
            "message" => {
                let ids = raw.external_ids.required_list("external_ids")?;
                let ids: SmallVec<[NameDigest; 2]> = ids.into_iter().map(|ReadDigest(id)| id).collect();
                if ids.is_empty() {
                    return Err(InputError::new("external_ids", Problem::Empty));
                }
                SettledBy::Message(SentMessage::new(raw.update.parsed("update")?, ids))
            }
            "hand_over" => SettledBy::HandOver { profile: raw.profile.parsed("profile")? },
            "assumption" => SettledBy::Assumption,
            _ => return Err(InputError::unknown("by", &by, SettledBy::NAMES)),
        };
        Ok(Self { destination, at, by })
    }
}

deserialize_by_read!(Settled);

/// A digest as an element of a list.
pub(crate) struct ReadDigest(NameDigest);

impl<'de> Read<'de> for ReadDigest {
    type Raw = Field<Text<'de>>;

    fn check(raw: Self::Raw) -> Result<Self, InputError> {
        raw.value()?.0.parse().map(Self)
    }
}
