//! Rollout: which customers the dedupe flow runs for, and whose events come from it.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;

use crate::digest::Digest;
use crate::input::error::{InputError, Problem};
use crate::input::read::field::{Field, non_empty};
use crate::input::read::object::{RefusingUnknown, object};
use crate::input::read::shape::{List, NonEmptyText, Number, Switch, Text};
use crate::input::read::{Read, deserialize_by_read};
use crate::input::update::ProfileUpdate;
use crate::release::route::{Comparing, Route, RouteReason};
use serde::Serialize;

/// How far the dedupe flow has been rolled out.
///
/// A total function of this configuration and the space: no clock, no randomness. The default runs
/// the legacy flow alone, for everybody.
///
/// | the flag admits the space | the gate is open | runs | compares | sends |
/// |---|---|---|---|---|
/// | no | – | legacy | no | legacy |
/// | yes | no | both | if `compare` is on | legacy |
/// | yes | yes | dedupe, and legacy if `compare` is on | if `compare` is on | dedupe |
///
/// With the gate closed the dedupe flow runs all the same, so that its cost is seen before anything
/// depends on it.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use idgroup::{Comparing, Flag, Flow, Gate, Rollout, Share};
///
/// let from_code = Rollout::new(Flag::new("dedupe", Share::from_basis_points(2_500)?)?)
///     .with_gate(Gate::closed().opened_for_tier("beta")?.blocked_for_space("spa_bank")?)
///     .with_comparing(Comparing::On);
/// let from_json: Rollout = serde_json::from_str(
///     r#"{"flag":{"name":"dedupe","share_basis_points":2500},
///         "gate":{"tiers":["beta"],"blocked_spaces":["spa_bank"]},
///         "compare":true}"#,
/// )?;
/// assert_eq!(from_code, from_json);
///
/// let route = from_json.route("spa_bank", Some("beta"));
/// assert_eq!(route.sends(), Flow::Legacy);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rollout {
    flag: Flag,
    gate: Gate,
    #[serde(rename = "compare")]
    comparing: Comparing,
}

/// The share of all spaces for which the dedupe flow runs at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Flag {
    name: Box<str>,
    #[serde(rename = "share_basis_points")]
    share: Share,
}

/// A part of all spaces, in basis points: hundredths of a percent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Share(u16);

/// The customers whose events may come from the dedupe flow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Gate {
    tiers: BTreeSet<Box<str>>,
    spaces: BTreeSet<Box<str>>,
    blocked_spaces: BTreeSet<Box<str>>,
}

impl Rollout {
    /// A rollout with the gate closed and no comparison.
    pub fn new(flag: Flag) -> Self {
        Self { flag, ..Self::default() }
    }

    /// The same rollout with this gate.
    pub fn with_gate(self, gate: Gate) -> Self {
        Self { gate, ..self }
    }

    /// The same rollout with the comparison on or off.
    pub fn with_comparing(self, comparing: Comparing) -> Self {
        Self { comparing, ..self }
    }

    /// The flag.
    pub fn flag(&self) -> &Flag {
        &self.flag
    }

    /// The gate.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Whether both flows are compared, where both could run.
    pub fn comparing(&self) -> Comparing {
        self.comparing
    }

    /// What to do for a space whose customer is in this tier, if in any.
    pub fn route(&self, space_id: &str, tier: Option<&str>) -> Route {
        let reason = match () {
            () if !self.flag.admits(space_id) => RouteReason::NotAdmitted,
            () if self.gate.blocked_spaces.contains(space_id) => RouteReason::SpaceBlocked,
            () if self.gate.spaces.contains(space_id) => RouteReason::SpaceOpen,
            () if tier.is_some_and(|tier| self.gate.tiers.contains(tier)) => RouteReason::TierOpen,
            () => RouteReason::GateClosed,
        };
        Route::new(reason, self.comparing)
    }

    /// What to do for an update of a customer in this tier, if in any.
    pub fn route_update(&self, update: &ProfileUpdate, tier: Option<&str>) -> Route {
        self.route(update.space_id(), tier)
    }
}

impl Share {
    /// Nothing: shuts the whole dedupe path off.
    pub const NONE: Self = Self(0);
    /// All spaces.
    pub const ALL: Self = Self(10_000);

    /// A share of so many basis points, 0 to 10,000.
    ///
    /// # Errors
    ///
    /// More than 10,000.
    pub fn from_basis_points(basis_points: u16) -> Result<Self, InputError> {
        Self::checked(basis_points.into())
    }

    /// The share in basis points, 0 to 10,000.
    pub fn basis_points(self) -> u16 {
        self.0
    }

    fn checked(basis_points: i128) -> Result<Self, InputError> {
        match u16::try_from(basis_points).map(Self) {
            Ok(share) if share <= Self::ALL => Ok(share),
            _ => {
                let expected = (Self::NONE.0.into(), Self::ALL.0.into());
                Err(InputError::new(SHARE, Problem::OutOfRange { value: basis_points, expected }))
            }
        }
    }
}

/// The field names the unit, so that nobody has to guess it.
const SHARE: &str = "share_basis_points";

impl Flag {
    /// A flag that admits a share of all spaces.
    ///
    /// # Errors
    ///
    /// An empty name.
    pub fn new<'a>(name: impl Into<Cow<'a, str>>, share: Share) -> Result<Self, InputError> {
        Ok(Self { name: non_empty("name", name)?, share })
    }

    /// The name, which makes this flag's choice of spaces independent of other flags'.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The share of all spaces that it admits.
    pub fn share(&self) -> Share {
        self.share
    }

    /// Whether this flag admits the space: always the same answer, and a larger share admits more
    /// spaces and never others. Costs a hash of both names.
    pub fn admits(&self, space_id: &str) -> bool {
        let hash =
            Digest::first_half_of("idgroup/rollout/1", |digest| _ = digest.text(&self.name).text(space_id));
        let place = hash.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        // The place of the space in 0..10,000, in proportion to its place among all 2^64.
        let basis_point = u128::from(place).wrapping_mul(Share::ALL.0.into()) >> 64;
        basis_point < self.share.0.into()
    }
}

impl Default for Flag {
    /// Admits no space.
    fn default() -> Self {
        Self { name: "dedupe".into(), share: Share::NONE }
    }
}

impl Gate {
    /// A gate that is closed for everybody.
    pub fn closed() -> Self {
        Self::default()
    }

    /// The tiers whose customers the gate is open for, in order.
    pub fn tiers(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.tiers.iter().map(|tier| &**tier)
    }

    /// The spaces that the gate is open for, in order.
    pub fn spaces(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.spaces.iter().map(|space_id| &**space_id)
    }

    /// The spaces that the gate is closed for whatever else it says, in order.
    pub fn blocked_spaces(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.blocked_spaces.iter().map(|space_id| &**space_id)
    }

    /// The same gate, open for customers in this tier.
    ///
    /// # Errors
    ///
    /// An empty tier.
    pub fn opened_for_tier<'a>(mut self, tier: impl Into<Cow<'a, str>>) -> Result<Self, InputError> {
        self.tiers.insert(non_empty("tiers", tier)?);
        Ok(self)
    }

    /// The same gate, open for this space.
    ///
    /// # Errors
    ///
    /// An empty space id.
    pub fn opened_for_space<'a>(mut self, space_id: impl Into<Cow<'a, str>>) -> Result<Self, InputError> {
        self.spaces.insert(non_empty("spaces", space_id)?);
        Ok(self)
    }

    /// The same gate, closed for this space whatever else it says.
    ///
    /// # Errors
    ///
    /// An empty space id.
    pub fn blocked_for_space<'a>(mut self, space_id: impl Into<Cow<'a, str>>) -> Result<Self, InputError> {
        self.blocked_spaces.insert(non_empty("blocked_spaces", space_id)?);
        Ok(self)
    }
}

object! {
    RawRollout<'de>: RefusingUnknown {
        "flag" => flag: RawFlag<'de>,
        "gate" => gate: RawGate<'de>,
        "compare" => compare: Switch,
    }
}

object! {
    RawFlag<'de>: RefusingUnknown {
        "name" => name: Text<'de>,
        "share_basis_points" => share: Number,
    }
}

object! {
    RawGate<'de>: RefusingUnknown {
        "tiers" => tiers: List<NonEmptyText>,
        "spaces" => spaces: List<NonEmptyText>,
        "blocked_spaces" => blocked_spaces: List<NonEmptyText>,
    }
}

impl<'de> Read<'de> for Rollout {
    type Raw = Field<RawRollout<'de>>;

    fn check(raw: Self::Raw) -> Result<Self, InputError> {
        let raw = raw.value()?;
        raw.unknown_fields.refuse()?;
        Ok(Self {
            flag: raw.flag.read_required("flag")?,
            gate: raw.gate.read_optional("gate")?.unwrap_or_default(),
            comparing: raw.compare.read_optional("compare")?.unwrap_or_default(),
        })
    }
}

impl<'de> Read<'de> for Flag {
    type Raw = Field<RawFlag<'de>>;

    fn check(raw: Self::Raw) -> Result<Self, InputError> {
        let raw = raw.value()?;
        raw.unknown_fields.refuse()?;
        let name = non_empty("name", raw.name.required("name")?.0)?;
        Ok(Self { name, share: Share::checked(raw.share.required(SHARE)?.0)? })
    }
}

impl<'de> Read<'de> for Gate {
    type Raw = Field<RawGate<'de>>;

    fn check(raw: Self::Raw) -> Result<Self, InputError> {
        let raw = raw.value()?;
        raw.unknown_fields.refuse()?;
        let set = |field: Field<List<NonEmptyText>>, name| {
            let names = field.list(name)?.unwrap_or_default();
            Ok(names.into_iter().map(|NonEmptyText(name)| name).collect())
        };
        Ok(Self {
            tiers: set(raw.tiers, "tiers")?,
            spaces: set(raw.spaces, "spaces")?,
            blocked_spaces: set(raw.blocked_spaces, "blocked_spaces")?,
        })
    }
}

impl<'de> Read<'de> for Share {
    type Raw = Field<Number>;

    fn check(raw: Self::Raw) -> Result<Self, InputError> {
        Self::checked(raw.value()?.0)
    }
}

deserialize_by_read!(Rollout, Flag, Gate, Share);

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn what_a_rollout_is_made_of_is_read_by_itself() {
        for (json, comparing) in [("true", Comparing::On), ("false", Comparing::Off)] {
            assert_eq!(serde_json::from_str::<Comparing>(json).unwrap(), comparing);
            assert_eq!(serde_json::to_string(&comparing).unwrap(), json);
        }
        for share in [Share::NONE, Share::ALL] {
            let json = serde_json::to_string(&share).unwrap();
            assert_eq!(serde_json::from_str::<Share>(&json).unwrap(), share);
        }
        let refused = |json| serde_json::from_str::<Share>(json).unwrap_err().to_string();
        assert_eq!(refused("10001"), "`share_basis_points` is 10001, expected 0 to 10000");
        assert!(serde_json::from_str::<Comparing>("\"on\"").is_err());
    }
}
