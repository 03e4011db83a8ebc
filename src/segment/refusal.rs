//! Why a destination gets no call.

use core::fmt;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::input::destination::Destination;
use crate::label::labels;
use crate::segment::json_size::Uncountable;

/// Destinations of an event that get no call, or not this one, and why.
///
/// The text names the destinations and what is missing, and never an external ID's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal<'a> {
    pub(super) destinations: &'a [&'a Destination],
    pub(super) reason: RefusalReason,
}

/// What can't be sent so that destinations understand it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RefusalReason {
    /// The computation has no class.
    ClassMissing,
    /// The computation's class is no audience, no trait and no journey step.
    UnknownClass,
    /// The computation has no key, and so the membership no name.
    KeyMissing,
    /// The computation's key is the name of something else in a call, such as `email`.
    ForbiddenKey,
    /// The update doesn't say when it was computed, and the caller gave no time.
    TimeMissing,
    /// The trait has a value, and the caller gave none, or `null`, which would remove it.
    ValueMissing,
    /// What the caller gave can't be written as JSON.
    UnwritableValue,
    /// The destination is not among the settings.
    SettingsMissing,
    /// The destination has no name, by which a call could be routed to it.
    NameMissing,
    /// The destination's name means all destinations.
    ForbiddenName,
    /// Another destination of the computation has the same name: a call can't tell them apart.
    NameNotUnique,
    /// The destination keeps a list, of which there are members and no values.
    TraitForList,
    /// The sender would be given no ID that could be an address: all are encoded.
    OnlyEncodedIds,
    /// The call has [`MAX_CALL_SIZE`](super::MAX_CALL_SIZE) bytes of JSON or more.
    TooLarge,
}

impl<'a> Refusal<'a> {
    /// The destinations, by id: at least one.
    pub fn destinations(&self) -> &'a [&'a Destination] {
        self.destinations
    }

    /// Why.
    pub fn reason(&self) -> RefusalReason {
        self.reason
    }
}

labels!(RefusalReason {
        ClassMissing => "class_missing",
        UnknownClass => "unknown_class",
        KeyMissing => "key_missing",
        ForbiddenKey => "forbidden_key",
        TimeMissing => "time_missing",
        ValueMissing => "value_missing",
        UnwritableValue => "unwritable_value",
        SettingsMissing => "settings_missing",
        NameMissing => "name_missing",
        ForbiddenName => "forbidden_name",
        NameNotUnique => "name_not_unique",
        TraitForList => "trait_for_list",
        OnlyEncodedIds => "only_encoded_ids",
        TooLarge => "too_large",
});

impl RefusalReason {
    const fn explanation(self) -> &'static str {
        match self {
            Self::ClassMissing => "the computation's `class` is missing",
            Self::UnknownClass => {
                "the computation's `class` is none of `audience`, `trait`, `computed_trait`, `sql_trait` and \
                 `journey_step`"
            }
            Self::KeyMissing => "the computation's `key` is missing",
            Self::ForbiddenKey => "the computation's `key` is empty, or means something else in a call",
            Self::TimeMissing => "`computed_at` is missing, and no other time was given",
            Self::ValueMissing => "the value of the trait is missing",
            Self::UnwritableValue => "what was given to be written can't be written as JSON",
            Self::SettingsMissing => "the settings say nothing about the destination",
            Self::NameMissing => "the destination's `name` is missing, and calls are routed by it",
            Self::ForbiddenName => "the destination's `name` means all destinations",
            Self::NameNotUnique => "another destination of the computation has the same `name`",
            Self::TraitForList => "a list has members, and a trait has values",
            Self::OnlyEncodedIds => "every external ID is encoded, and a sender needs an address",
            Self::TooLarge => "the call would have 32 KB or more",
        }
    }
}

impl From<Uncountable> for RefusalReason {
    fn from(_: Uncountable) -> Self {
        Self::UnwritableValue
    }
}

impl fmt::Display for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no call to ")?;
        for (index, destination) in self.destinations.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}`{}`", destination.id().escape_debug())?;
        }
        write!(f, ": {}", self.reason.explanation())
    }
}

/// The destinations, as ids, and the reason.
impl Serialize for Refusal<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Refusal", 2)?;
        object.serialize_field("destinations", &Ids(self.destinations))?;
        object.serialize_field("reason", &self.reason)?;
        object.end()
    }
}

struct Ids<'a>(&'a [&'a Destination]);

impl Serialize for Ids<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|destination| destination.id()))
    }
}
