//! What is run, compared and sent for a space, and why.

use serde::{Serialize, Serializer};

use crate::input::error::InputError;
use crate::input::read::field::Field;
use crate::input::read::shape::Switch;
use crate::input::read::{Read, deserialize_by_read};
use crate::label::labels;
use crate::release::flow::Flow;

/// What to run for a space, what to compare, what to send, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    reason: RouteReason,
    comparing: Comparing,
}

/// Whether both flows are compared, where both could run. A switch of its own, because the cost
/// of comparing grows with the number of messages and not with the number of updates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Comparing {
    /// Both flows run, and their messages are compared.
    On,
    /// No comparison.
    #[default]
    Off,
}

/// Why a space is routed as it is: a label for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RouteReason {
    /// The flag does not admit the space.
    NotAdmitted,
    /// The space is admitted, and blocked from sending.
    SpaceBlocked,
    /// The space is admitted, and neither it nor its tier may send.
    GateClosed,
    /// The space may send from the dedupe flow.
    SpaceOpen,
    /// The space's tier may send from the dedupe flow.
    TierOpen,
}

impl Route {
    pub(super) fn new(reason: RouteReason, comparing: Comparing) -> Self {
        Self { reason, comparing }
    }

    /// Why.
    pub fn reason(self) -> RouteReason {
        self.reason
    }

    /// Whether a flow is to be run.
    pub fn runs(self, flow: Flow) -> bool {
        match flow {
            Flow::Legacy => !self.reason.is_open() || self.comparing == Comparing::On,
            Flow::Dedupe => self.reason != RouteReason::NotAdmitted,
        }
    }

    /// Whether both flows are to be compared.
    pub fn compares(self) -> bool {
        self.reason != RouteReason::NotAdmitted && self.comparing == Comparing::On
    }

    /// The flow whose events are to be sent.
    pub fn sends(self) -> Flow {
        match self.reason.is_open() {
            true => Flow::Dedupe,
            false => Flow::Legacy,
        }
    }
}

labels!(RouteReason {
    NotAdmitted => "not_admitted",
    SpaceBlocked => "space_blocked",
    GateClosed => "gate_closed",
    SpaceOpen => "space_open",
    TierOpen => "tier_open",
});

impl RouteReason {
    const fn is_open(self) -> bool {
        matches!(self, Self::SpaceOpen | Self::TierOpen)
    }
}

impl<'de> Read<'de> for Comparing {
    type Raw = Field<Switch>;

    fn check(raw: Self::Raw) -> Result<Self, InputError> {
        match raw.value()? {
            Switch(true) => Ok(Self::On),
            Switch(false) => Ok(Self::Off),
        }
    }
}

deserialize_by_read!(Comparing);

/// As it stands in a rollout: true or false.
impl Serialize for Comparing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(*self == Self::On)
    }
}
