//! The decision: from an update and its destinations to events.

pub(crate) mod destinations;
pub(crate) mod explain;
pub(crate) mod grouping;
pub(crate) mod judgement;
pub(crate) mod latest_id;
pub(crate) mod settings;
pub(crate) mod trigger_filter;
pub(crate) mod verdict;

use alloc::vec::Vec;
use core::fmt;

use crate::decide::destinations::Destinations;
use crate::decide::explain::Explanation;
use crate::decide::judgement::Judgement;
use crate::event::IdGroupEvent;
use crate::input::update::ProfileUpdate;
use crate::observe::{Observer, Step};

/// What an update is sent as: one event for each distinct set of external IDs, by the id of its
/// first destination; none if nothing is sent.
///
/// Deterministic, and independent of the order in which IDs and destinations were given.
///
/// The cost grows with the number of the update's IDs, and of *distinct* `dedupes_on` settings and the
/// types that they name; a destination more with a setting that others have costs next to nothing.
#[must_use = "a decision does nothing by itself: send its events"]
pub fn decide<'a>(update: &'a ProfileUpdate, destinations: &'a Destinations) -> Vec<IdGroupEvent<'a>> {
    decide_with(update, destinations, &mut ())
}

/// The same decision as [`decide`], watched.
#[must_use = "a decision does nothing by itself: send its events"]
pub fn decide_with<'a, O: Observer + ?Sized>(
    update: &'a ProfileUpdate,
    destinations: &'a Destinations,
    observer: &mut O,
) -> Vec<IdGroupEvent<'a>> {
    let mut judgement = Judgement::new(update, destinations);
    judgement.judge(observer);
    group(&judgement, observer)
}

fn group<'a, O: Observer + ?Sized>(judgement: &Judgement<'a>, observer: &mut O) -> Vec<IdGroupEvent<'a>> {
    observer.step_began(Step::GroupIds);
    let events = judgement.events();
    for event in &events {
        observer.group_formed(event.id_group().external_ids().len(), event.destinations().len());
    }
    observer.step_ended(Step::GroupIds);
    events
}

/// The whole answer about an update, judged once: what is sent, and for each destination why.
///
/// [`decide`] gives its events alone, and [`explain`](crate::explain) its explanation alone.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use idgroup::{Computation, Destination, Destinations, ExternalId, Membership, ProfileUpdate, Trigger};
/// # let update = ProfileUpdate::builder().id("upd_1").space_id("spa_1").profile_id("use_1")
/// #     .computation(Computation::new("aud_1")?).membership(Membership::In).trigger(Trigger::ValueChanged)
/// #     .external_id(ExternalId::new("email", "a@example.com")?).build()?;
/// # let destinations = Destinations::new([Destination::new("dst_1")?])?;
/// use idgroup::{Decision, Verdict};
///
/// let decision = Decision::of(&update, &destinations);
/// assert_eq!(decision.events().len(), 1);
/// assert_eq!(decision.explanation().of("dst_1").unwrap().verdict(), Verdict::SendAll);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a decision does nothing by itself: send its events"]
pub struct Decision<'a> {
    explanation: Explanation<'a>,
    events: Vec<IdGroupEvent<'a>>,
}

impl<'a> Decision<'a> {
    /// The decision about this update. Costs what [`decide`] costs.
    pub fn of(update: &'a ProfileUpdate, destinations: &'a Destinations) -> Self {
        Self::of_with(update, destinations, &mut ())
    }

    /// The same decision as [`of`](Self::of), watched.
    pub fn of_with<O: Observer + ?Sized>(
        update: &'a ProfileUpdate,
        destinations: &'a Destinations,
        observer: &mut O,
    ) -> Self {
        let mut judgement = Judgement::new(update, destinations);
        judgement.judge(observer);
        let events = group(&judgement, observer);
        Self { explanation: Explanation::new(judgement), events }
    }

    /// What is sent: what [`decide`] gives.
    pub fn events(&self) -> &[IdGroupEvent<'a>] {
        &self.events
    }

    /// What is sent, without the explanation.
    pub fn into_events(self) -> Vec<IdGroupEvent<'a>> {
        self.events
    }

    /// What was decided about each destination, and why.
    pub fn explanation(&self) -> &Explanation<'a> {
        &self.explanation
    }
}

impl fmt::Debug for Decision<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decision")
            .field("events", &self.events)
            .field("explanation", &self.explanation)
            .finish()
    }
}
