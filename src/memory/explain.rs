//! Explanations of decisions with memories: what was decided, and what the memory said.

use core::fmt;
use core::iter::FusedIterator;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::decide::explain::{DestinationVerdict, write_joined, write_update};
use crate::decide::judgement::selection;
use crate::decide::verdict::{DropReason, Verdict};
use crate::event::selected_ids::{Positions, SelectedIds};
use crate::input::destination::Destination;
use crate::input::external_id::ExternalId;
use crate::input::name_digest::NameDigest;
use crate::input::trigger::{MergedProfile, Trigger};
use crate::input::update::ProfileUpdate;
use crate::memory::decide::MemoryDecision;
use crate::memory::outcome::{EVERY_MEMBER_HAS_AN_OUTCOME, Outcome};
use crate::memory::repeat::FirstIds;
use crate::memory::settled::{Settled, SettledBy};

/// Why each destination is sent what a [`MemoryDecision`] sends it, or nothing.
///
/// Serialises to the list of its verdicts. The text form is for people, and names types and never an
/// ID's value.
#[derive(Clone, Copy)]
#[must_use = "an explanation is to be read"]
pub struct MemoryExplanation<'e, 'a>(&'e MemoryDecision<'a>);

/// The verdicts of a [`MemoryExplanation`], by the destination's id.
#[derive(Clone)]
pub struct MemoryVerdicts<'e, 'a> {
    decision: &'e MemoryDecision<'a>,
    next: usize,
}

/// What was decided about one destination, and what the memory said about it.
///
/// Serialises to `{"update_id","destination","verdict","drop_reason","repeat","external_ids","settled"}`;
/// its text form is for people, and names types and never an ID's value.
#[derive(Clone)]
pub struct MemoryVerdict<'e, 'a> {
    decided: DestinationVerdict<'a>,
    is_repeat: bool,
    settled: Option<&'e Settled>,
}

impl<'e, 'a> MemoryExplanation<'e, 'a> {
    pub(super) fn new(decision: &'e MemoryDecision<'a>) -> Self {
        Self(decision)
    }

    /// The update.
    pub fn update(&self) -> &'a ProfileUpdate {
        self.0.update()
    }

    /// The verdicts, by the destination's id.
    pub fn iter(&self) -> MemoryVerdicts<'e, 'a> {
        MemoryVerdicts { decision: self.0, next: 0 }
    }

    /// The verdict about the destination with this id. Costs binary searches.
    pub fn of(&self, destination_id: &str) -> Option<MemoryVerdict<'e, 'a>> {
        self.0.verdict_at(self.0.destinations.position(destination_id)?)
    }
}

impl<'a> MemoryDecision<'a> {
    fn verdict_at(&self, position: usize) -> Option<MemoryVerdict<'_, 'a>> {
        let destination = self.destinations.as_slice().get(position)?;
        let setting = *self.destinations.settings().of_destination().get(position)?;
        let outcomes = self.outcomes.get(setting)?;
        let setting = self.destinations.settings().distinct().get(setting)?;
        let place = setting.members.binary_search(&position);
        debug_assert!(place.is_ok(), "{EVERY_MEMBER_HAS_AN_OUTCOME}");
        let outcome = outcomes.of_member(place.ok()?)?;
        let listed = self.update().external_ids();
        let (verdict, is_repeat) = (outcome.verdict(), matches!(outcome, Outcome::Repeat(_)));
        let external_ids = match outcome {
            Outcome::Judged(Verdict::Drop(_)) => SelectedIds::none(),
            Outcome::Repeat(FirstIds::These(ids)) => {
                SelectedIds::new(listed, Positions::of(ids.iter().copied(), listed))
            }
            Outcome::Judged(_) | Outcome::Repeat(FirstIds::AsChosenNow) => {
                SelectedIds::new(listed, selection(self.update(), &setting.choice, &self.chosen))
            }
        };
        let said = is_repeat || verdict == Verdict::Drop(DropReason::AlreadyMessaged);
        let digest = self.destinations.digests().get(position)?;
        let settled = if said { self.own().settled_by_digest(*digest) } else { None };
        debug_assert!(settled.is_some() == said, "what is settled stays so within a decision");
        let decided = DestinationVerdict { update: self.update(), destination, verdict, external_ids };
        Some(MemoryVerdict { decided, is_repeat, settled })
    }
}

impl<'e, 'a> Iterator for MemoryVerdicts<'e, 'a> {
    type Item = MemoryVerdict<'e, 'a>;

    fn next(&mut self) -> Option<MemoryVerdict<'e, 'a>> {
        let verdict = self.decision.verdict_at(self.next)?;
        self.next = self.next.saturating_add(1);
        Some(verdict)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.decision.destinations.len().saturating_sub(self.next);
        (left, Some(left))
    }
}

impl ExactSizeIterator for MemoryVerdicts<'_, '_> {}

impl FusedIterator for MemoryVerdicts<'_, '_> {}

impl<'e, 'a> IntoIterator for &MemoryExplanation<'e, 'a> {
    type Item = MemoryVerdict<'e, 'a>;
    type IntoIter = MemoryVerdicts<'e, 'a>;

    fn into_iter(self) -> MemoryVerdicts<'e, 'a> {
        self.iter()
    }
}

impl<'e, 'a> MemoryVerdict<'e, 'a> {
    /// The update's id.
    pub fn update_id(&self) -> &'a str {
        self.decided.update_id()
    }

    /// The destination.
    pub fn destination(&self) -> &'a Destination {
        self.decided.destination
    }

    /// The verdict.
    pub fn verdict(&self) -> Verdict {
        self.decided.verdict
    }

    /// Whether it is sent what this very update was sent as before.
    pub fn is_repeat(&self) -> bool {
        self.is_repeat
    }

    /// The external IDs that are sent: none for a [`Verdict::Drop`].
    pub fn external_ids(&self) -> &SelectedIds<'a> {
        &self.decided.external_ids
    }

    /// What the memory said, where that decided: of a repeat, and of what was already messaged.
    pub fn settled(&self) -> Option<&'e Settled> {
        self.settled
    }

    /// The profile with this digest, if the update names it.
    fn profile_named(&self, digest: NameDigest) -> Option<&'a str> {
        let update = self.decided.update;
        let stated = match update.trigger() {
            Trigger::ProfileMerge(profiles) => profiles.as_slice(),
            _ => &[],
        };
        let stated = stated.iter().map(MergedProfile::profile_id);
        [update.profile_id()].into_iter().chain(stated).find(|id| NameDigest::of_profile(id) == digest)
    }

    fn write_settled(&self, settled: &Settled, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "; settled at {}", settled.at())?;
        match settled.by() {
            SettledBy::Message(message) if message.update() == NameDigest::of_update(self.update_id()) => {
                match self.is_repeat {
                    true => f.write_str(" by this very update"),
                    false => f.write_str(
                        " by this very update, of which an external ID that it was sent to is no longer listed",
                    ),
                }
            }
            SettledBy::Message(message) => write!(f, " by a message of update {}", message.update()),
            SettledBy::HandOver { profile } => match self.profile_named(*profile) {
                Some(name) => write!(f, " by a merge into profile {}", name.escape_debug()),
                None => write!(f, " by a merge into profile {profile}"),
            },
            SettledBy::Assumption => f.write_str(
                " by assumption, because the profile may have been messaged before there was a memory of it",
            ),
        }
    }
}

impl fmt::Display for MemoryExplanation<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_update(f, self.update())?;
        writeln!(f, ", with a memory")?;
        self.iter().try_for_each(|verdict| writeln!(f, "  {verdict}"))
    }
}

impl fmt::Display for MemoryVerdict<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_repeat {
            let (sent, known) = (self.external_ids().len(), self.decided.update.external_ids().len());
            let types = self.external_ids().iter().map(ExternalId::id_type);
            write!(f, "{} is sent again {sent} of {known} external IDs, ", self.destination())?;
            f.write_str("those of the first time, of type ")?;
            write_joined(f, types)?;
        } else {
            write!(f, "{}", self.decided)?;
        }
        self.settled.map_or(Ok(()), |settled| self.write_settled(settled, f))
    }
}

impl fmt::Debug for MemoryExplanation<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Names the update, and does not print it once per destination.
impl fmt::Debug for MemoryVerdict<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryVerdict")
            .field("update_id", &self.update_id())
            .field("destination", self.destination())
            .field("verdict", &self.verdict())
            .field("is_repeat", &self.is_repeat)
            .field("external_ids", &self.external_ids().len())
            .field("settled", &self.settled)
            .finish()
    }
}

impl fmt::Debug for MemoryVerdicts<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl Serialize for MemoryExplanation<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl Serialize for MemoryVerdict<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("MemoryVerdict", 7)?;
        object.serialize_field("update_id", self.update_id())?;
        object.serialize_field("destination", self.destination().id())?;
        object.serialize_field("verdict", self.verdict().as_str())?;
        object.serialize_field("drop_reason", &self.verdict().drop_reason())?;
        object.serialize_field("repeat", &self.is_repeat)?;
        object.serialize_field("external_ids", self.external_ids())?;
        object.serialize_field("settled", &self.settled)?;
        object.end()
    }
}
