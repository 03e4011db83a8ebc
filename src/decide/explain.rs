//! Explanations: for each destination, what was decided and why.

use core::fmt;
use core::iter::{FusedIterator, Zip};
use core::slice;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::decide::destinations::Destinations;
use crate::decide::judgement::Judgement;
use crate::decide::verdict::Verdict;
use crate::event::selected_ids::SelectedIds;
use crate::input::destination::Destination;
use crate::input::external_id::ExternalId;
use crate::input::id_choice::IdStrategy;
use crate::input::membership::Membership;
use crate::input::update::ProfileUpdate;
use crate::observe::Observer;

/// Why each destination is sent what [`decide`](crate::decide) sends it, or nothing.
///
/// From the same code path as the events, so that the two cannot disagree.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use idgroup::{explain, Destination, Destinations, DropReason, ProfileUpdate, Verdict};
///
/// let update: ProfileUpdate = serde_json::from_str(
///     r#"{"id":"upd_1","space_id":"spa_1","profile_id":"use_1","computation":{"id":"aud_1"},
///         "membership":"in","trigger":{"reason":"value_changed"},
///         "external_ids":[{"type":"user_id","id":"42"}]}"#,
/// )?;
/// let destinations = Destinations::new([Destination::new("dst_1")?.deduping_on(["email"])?])?;
///
/// let explanation = explain(&update, &destinations);
/// let sendgrid = explanation.of("dst_1").unwrap();
/// assert_eq!(sendgrid.verdict(), Verdict::Drop(DropReason::NoRelevantExternalId));
/// assert_eq!(
///     explanation.to_string(),
///     "update upd_1 (value_changed, in) of profile use_1 in computation aud_1\n  \
///      dst_1 is sent nothing, no_relevant_external_id: when the update was computed, the profile \
///      had no external ID of a type that the destination dedupes on (email)\n",
/// );
/// # Ok(())
/// # }
/// ```
pub fn explain<'a>(update: &'a ProfileUpdate, destinations: &'a Destinations) -> Explanation<'a> {
    explain_with(update, destinations, &mut ())
}

/// The same explanation as [`explain`], watched.
pub fn explain_with<'a, O: Observer + ?Sized>(
    update: &'a ProfileUpdate,
    destinations: &'a Destinations,
    observer: &mut O,
) -> Explanation<'a> {
    let mut judgement = Judgement::new(update, destinations);
    judgement.judge(observer);
    Explanation::new(judgement)
}

/// One verdict per destination, each destination exactly once.
///
/// Serialises to the list of its verdicts. The text form is for people, and names types and never an
/// ID's value.
#[derive(Clone)]
#[must_use = "an explanation is to be read"]
pub struct Explanation<'a>(Judgement<'a>);

/// The verdicts of an [`Explanation`], by the destination's id.
#[derive(Clone)]
pub struct DestinationVerdicts<'e, 'a> {
    judgement: &'e Judgement<'a>,
    destinations: Zip<slice::Iter<'a, Destination>, slice::Iter<'a, usize>>,
}

/// What was decided about one destination.
///
/// Serialises to `{"update_id","destination","verdict","drop_reason","external_ids"}`; its text form
/// is for people, and names types and never an ID's value.
#[derive(Clone, PartialEq, Eq)]
pub struct DestinationVerdict<'a> {
    pub(crate) update: &'a ProfileUpdate,
    pub(crate) destination: &'a Destination,
    pub(crate) verdict: Verdict,
    pub(crate) external_ids: SelectedIds<'a>,
}

impl<'a> Explanation<'a> {
    pub(super) fn new(judgement: Judgement<'a>) -> Self {
        Self(judgement)
    }

    /// The update.
    pub fn update(&self) -> &'a ProfileUpdate {
        self.0.update
    }

    /// The verdicts, by the destination's id.
    pub fn iter(&self) -> DestinationVerdicts<'_, 'a> {
        let destinations = self.0.destinations;
        DestinationVerdicts {
            judgement: &self.0,
            destinations: destinations.as_slice().iter().zip(destinations.settings().of_destination()),
        }
    }

    /// The verdict about the destination with this id. Costs a binary search.
    pub fn of(&self, destination_id: &str) -> Option<DestinationVerdict<'a>> {
        self.iter().nth(self.0.destinations.position(destination_id)?)
    }
}

impl<'a> Iterator for DestinationVerdicts<'_, 'a> {
    type Item = DestinationVerdict<'a>;

    fn next(&mut self) -> Option<DestinationVerdict<'a>> {
        self.nth(0)
    }

    fn nth(&mut self, skipped: usize) -> Option<DestinationVerdict<'a>> {
        let (destination, &setting) = self.destinations.nth(skipped)?;
        let (verdict, external_ids) = self.judgement.of_setting(setting)?;
        Some(DestinationVerdict { update: self.judgement.update, destination, verdict, external_ids })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.destinations.size_hint()
    }
}

impl ExactSizeIterator for DestinationVerdicts<'_, '_> {}

impl FusedIterator for DestinationVerdicts<'_, '_> {}

impl<'e, 'a> IntoIterator for &'e Explanation<'a> {
    type Item = DestinationVerdict<'a>;
    type IntoIter = DestinationVerdicts<'e, 'a>;

    fn into_iter(self) -> DestinationVerdicts<'e, 'a> {
        self.iter()
    }
}

impl<'a> DestinationVerdict<'a> {
    /// The update's id.
    pub fn update_id(&self) -> &'a str {
        self.update.id()
    }

    /// The destination.
    pub fn destination(&self) -> &'a Destination {
        self.destination
    }

    /// The verdict.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The external IDs that are sent: none for a [`Verdict::Drop`].
    pub fn external_ids(&self) -> &SelectedIds<'a> {
        &self.external_ids
    }
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_update(f, self.update())?;
        writeln!(f)?;
        self.iter().try_for_each(|verdict| writeln!(f, "  {verdict}"))
    }
}

impl fmt::Display for DestinationVerdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is sent ", self.destination)?;
        let known = self.update.external_ids().len();
        match self.verdict {
            Verdict::SendAll if known == 1 => f.write_str("the only external ID"),
            Verdict::SendAll => write!(f, "all {known} external IDs"),
            Verdict::SendSome => {
                match known {
                    1 => f.write_str("the only external ID")?,
                    _ => write!(f, "{} of {known} external IDs", self.external_ids.len())?,
                }
                self.write_choice(f)
            }
            Verdict::Drop(reason) => {
                write!(f, "nothing, {reason}: {}", reason.meaning())?;
                match (self.destination.dedupes_on(), self.destination.id_strategies()) {
                    (Some(types), _) => write_in_parentheses(f, types),
                    (None, Some(strategies)) => write_in_parentheses(f, strategies.map(|(name, _)| name)),
                    (None, None) => Ok(()),
                }
            }
        }
    }
}

impl DestinationVerdict<'_> {
    /// Which of each type the IDs are, by strategy, and that they have consent.
    fn write_choice(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for strategy in IdStrategy::ALL {
            let mut types = self.types_chosen_by(strategy).peekable();
            if types.peek().is_some() {
                let which = match strategy {
                    IdStrategy::Latest => "the latest",
                    IdStrategy::First => "the first",
                    IdStrategy::All => "all",
                };
                write!(f, ", {which} of type ")?;
                write_joined(f, types)?;
            }
        }
        match (self.destination.consent(), self.update.membership()) {
            (Some(_), Membership::In) => f.write_str(", with consent"),
            (Some(_), Membership::Out) | (None, _) => Ok(()),
        }
    }

    /// The types, each once, of which this strategy chose what is sent. An exit takes back all of a type.
    fn types_chosen_by(&self, strategy: IdStrategy) -> impl Iterator<Item = &str> {
        let is_exit = self.destination.dedupes_on().is_none() && self.update.membership() == Membership::Out;
        let chose = move |id_type: &str| match self.destination.strategies() {
            Some(_) if is_exit => Some(IdStrategy::All),
            Some(strategies) => {
                let of_type = strategies.binary_search_by(|(known, _)| (**known).cmp(id_type)).ok();
                let of_type = of_type.and_then(|at| strategies.get(at)).map(|(_, strategy)| *strategy);
                Some(of_type.unwrap_or_default())
            }
            None => self.destination.dedupes_on().is_some().then_some(IdStrategy::Latest),
        };
        let mut last = None;
        let types = self.external_ids.iter().map(ExternalId::id_type);
        let types = types.filter(move |id_type| last.replace(*id_type) != Some(*id_type));
        types.filter(move |id_type| chose(id_type) == Some(strategy))
    }
}

/// What an explanation begins with: which update it is of.
pub(crate) fn write_update(f: &mut fmt::Formatter<'_>, update: &ProfileUpdate) -> fmt::Result {
    write!(
        f,
        "update {} ({}, {}) of profile {} in computation {}",
        update.id().escape_debug(),
        update.trigger().reason(),
        update.membership(),
        update.profile_id().escape_debug(),
        update.computation().id().escape_debug(),
    )
}

fn write_in_parentheses<'t>(f: &mut fmt::Formatter<'_>, names: impl Iterator<Item = &'t str>) -> fmt::Result {
    f.write_str(" (")?;
    write_joined(f, names)?;
    f.write_str(")")
}

pub(crate) fn write_joined<'t>(
    f: &mut fmt::Formatter<'_>,
    mut names: impl Iterator<Item = &'t str>,
) -> fmt::Result {
    write!(f, "{}", names.next().unwrap_or_default().escape_debug())?;
    names.try_for_each(|name| write!(f, ", {}", name.escape_debug()))
}

impl fmt::Debug for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Names the update, and does not print it once per destination.
impl fmt::Debug for DestinationVerdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DestinationVerdict")
            .field("update_id", &self.update_id())
            .field("destination", &self.destination)
            .field("verdict", &self.verdict)
            .field("external_ids", &self.external_ids.len())
            .finish()
    }
}

impl fmt::Debug for DestinationVerdicts<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl Serialize for Explanation<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl Serialize for DestinationVerdict<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("DestinationVerdict", 5)?;
        object.serialize_field("update_id", self.update_id())?;
        object.serialize_field("destination", self.destination.id())?;
        object.serialize_field("verdict", self.verdict.as_str())?;
        object.serialize_field("drop_reason", &self.verdict.drop_reason())?;
        object.serialize_field("external_ids", &self.external_ids)?;
        object.end()
    }
}
