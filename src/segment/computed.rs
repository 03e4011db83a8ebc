//! What was computed, in the terms of a call.

use crate::event::IdGroupEvent;
use crate::input::membership::Membership;
use crate::segment::refusal::RefusalReason;
use crate::segment::supplied::Supplied;
use crate::segment::text::{ShortText, milliseconds};

/// The part of a call that says what was computed, the same for all calls of an event.
#[derive(Clone, Copy)]
pub(super) struct Computed<'a> {
    pub(super) class: Class,
    pub(super) id: &'a str,
    pub(super) key: &'a str,
    pub(super) membership: Membership,
    pub(super) space_id: &'a str,
    pub(super) timestamp: ShortText<24>,
}

/// The kinds of computations that destinations know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Audience,
    JourneyStep,
    Trait,
}

/// Fields of calls that mean something else: a membership under such a name would be taken for it.
const FORBIDDEN_KEYS: [&str; 6] = ["", "__proto__", "audience_key", "email", "phone", "trait_key"];

impl<'a> Computed<'a> {
    pub(super) fn new<V: ?Sized, P>(
        event: &'a IdGroupEvent<'_>,
        supplied: &Supplied<'_, V, P>,
    ) -> Result<Self, RefusalReason> {
        let computation = event.computation();
        let class = Class::from_name(computation.class().ok_or(RefusalReason::ClassMissing)?)
            .ok_or(RefusalReason::UnknownClass)?;
        let key = computation.key().ok_or(RefusalReason::KeyMissing)?;
        if FORBIDDEN_KEYS.contains(&key) {
            return Err(RefusalReason::ForbiddenKey);
        }
        let timestamp = event.computed_at().or(supplied.timestamp).ok_or(RefusalReason::TimeMissing)?;
        let id = match class {
            // Destinations that go by the id and those that go by the key must find the same step.
            Class::JourneyStep => key,
            Class::Audience | Class::Trait => computation.id(),
        };
        Ok(Self {
            class,
            id,
            key,
            membership: event.membership(),
            space_id: event.space_id(),
            timestamp: milliseconds(timestamp),
        })
    }

    /// Whether the calls say a value that the caller supplies, and not one that follows from the membership.
    pub(super) fn has_value(&self) -> bool {
        self.class == Class::Trait && self.membership == Membership::In
    }

    /// The name of the event of a `track`, which always agrees with the membership.
    pub(super) fn event_name(&self) -> &'static str {
        match (self.class, self.membership) {
            (Class::Trait, _) => "Trait Computed",
            (Class::Audience | Class::JourneyStep, Membership::In) => "Audience Entered",
            (Class::Audience | Class::JourneyStep, Membership::Out) => "Audience Exited",
        }
    }

    /// The name of the property that holds the key.
    pub(super) fn key_property(&self) -> &'static str {
        match self.class {
            Class::Trait => "trait_key",
            Class::Audience | Class::JourneyStep => "audience_key",
        }
    }
}

impl Class {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "audience" => Some(Self::Audience),
            "journey_step" => Some(Self::JourneyStep),
            // How a trait is computed makes no difference to who receives its value.
            "trait" | "computed_trait" | "sql_trait" => Some(Self::Trait),
            _ => None,
        }
    }

    /// The name in a call.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Audience => "audience",
            Self::JourneyStep => "journey_step",
            Self::Trait => "trait",
        }
    }
}
