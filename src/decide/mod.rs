//! The decision: from an update and its destinations to events.

pub(crate) mod explain;
pub(crate) mod latest_id;
pub(crate) mod trigger_filter;
pub(crate) mod verdict;

use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::decide::latest_id::LatestIds;
use crate::decide::trigger_filter::{TriggerFilter, drops_whatever_the_ids};
use crate::decide::verdict::{DropReason, Verdict};
use crate::event::IdGroupEvent;
use crate::event::SentTo;
use crate::event::id_group::MessageIds;
use crate::event::id_group::SelectedIds;
use crate::input::destinations::Destinations;
use crate::input::destinations::Setting;
use crate::input::update::ProfileUpdate;
use crate::observe::{Observer, Step};

/// What an update is sent as: one event for each distinct set of external IDs, by the id of its
/// first destination; none if nothing is sent.
///
/// Deterministic, and independent of the order in which IDs and destinations were given.
///
/// Costs in the number of the update's IDs, and of *distinct* `dedupes_on` settings and the types that
/// they name; a destination
/// more with a setting that others have costs next to nothing.
pub fn decide<'a>(update: &'a ProfileUpdate, destinations: &'a Destinations) -> Vec<IdGroupEvent<'a>> {
    decide_with(update, destinations, &mut ())
}

/// The same decision as [`decide`], watched.
pub fn decide_with<'a, O: Observer + ?Sized>(
    update: &'a ProfileUpdate,
    destinations: &'a Destinations,
    observer: &mut O,
) -> Vec<IdGroupEvent<'a>> {
    let judgement = Judgement::new(update, destinations, observer);
    observer.step_began(Step::GroupIds);
    let events = judgement.events();
    for event in &events {
        observer.group_formed(event.id_group().external_ids().len(), event.destinations().len());
    }
    observer.step_ended(Step::GroupIds);
    events
}

/// The verdict of each distinct setting, from which both events and explanations are made.
pub(crate) struct Judgement<'a> {
    update: &'a ProfileUpdate,
    destinations: &'a Destinations,
    latest: LatestIds<'a>,
    /// In the order of the settings.
    verdicts: Vec<Verdict>,
}

impl<'a> Judgement<'a> {
    pub(crate) fn new<O: Observer + ?Sized>(
        update: &'a ProfileUpdate,
        destinations: &'a Destinations,
        observer: &mut O,
    ) -> Self {
        observer.update_arrived(update.trigger().reason(), update.membership());

        observer.step_began(Step::SelectLatest);
        let latest = match drops_whatever_the_ids(update) {
            Some(_) => LatestIds::none(),
            None => LatestIds::select(update, destinations.types()),
        };
        observer.step_ended(Step::SelectLatest);

        observer.step_began(Step::FilterByTrigger);
        let filter = TriggerFilter::new(update, destinations.types());
        let verdict_of = |setting: &Setting| {
            let verdict = match &setting.types {
                None if update.external_ids().is_empty() => Verdict::Drop(DropReason::NoExternalIds),
                None => Verdict::SendAll,
                Some(types) => match filter.refuses(types, &latest) {
                    Some(reason) => Verdict::Drop(reason),
                    None => Verdict::SendSome,
                },
            };
            observer.verdict_reached(verdict, setting.members.len());
            verdict
        };
        let verdicts = destinations.settings().iter().map(verdict_of).collect();
        observer.step_ended(Step::FilterByTrigger);
        Self { update, destinations, latest, verdicts }
    }

    pub(crate) fn update(&self) -> &'a ProfileUpdate {
        self.update
    }

    pub(crate) fn destinations(&self) -> &'a Destinations {
        self.destinations
    }

    /// The verdict about the destinations with the setting at this position, and what they are sent.
    pub(crate) fn of_setting(&self, position: usize) -> Option<(Verdict, SelectedIds<'a>)> {
        let verdict = *self.verdicts.get(position)?;
        let setting = self.destinations.settings().get(position)?;
        let external_ids = match verdict {
            Verdict::Drop(_) => SelectedIds::none(),
            Verdict::SendAll | Verdict::SendSome => self.selection(setting),
        };
        Some((verdict, external_ids))
    }

    fn events(&self) -> Vec<IdGroupEvent<'a>> {
        let settings = self.destinations.settings().iter();
        let mut sending: Vec<Sending<'a>> = settings
            .zip(&self.verdicts)
            .filter(|(_, verdict)| verdict.drop_reason().is_none())
            .map(|(setting, _)| Sending { setting, outline: self.outline(setting) })
            .collect();
        if sending.is_empty() {
            return Vec::new();
        }
        sending.sort_unstable_by(|a, b| self.cmp_selections(a, b));
        let message_ids = MessageIds::of(self.update);
        let mut events: Vec<_> = sending
            .chunk_by(|a, b| self.cmp_selections(a, b).is_eq())
            .filter_map(|group| {
                let (first, others) = group.split_first()?;
                let sent_to = match others {
                    [] => SentTo::one_setting(self.destinations, &first.setting.members),
                    _ => SentTo::merged(self.destinations, group.iter().map(|of| &*of.setting.members)),
                };
                let external_ids = self.outlined(first.setting, first.outline);
                Some(IdGroupEvent::new(self.update, &message_ids, external_ids, sent_to))
            })
            .collect();
        events.sort_unstable_by_key(|event| event.destinations().first_position());
        events
    }

    fn selection(&self, setting: &Setting) -> SelectedIds<'a> {
        self.outlined(setting, self.outline(setting))
    }

    fn outlined(&self, setting: &Setting, outline: Outline) -> SelectedIds<'a> {
        match (outline, &setting.types) {
            (Outline::All, _) | (_, None) => SelectedIds::all(self.update.id_set()),
            (Outline::LatestOf(_), Some(types)) => SelectedIds::one_of_each_type(self.latest.of_types(types)),
        }
    }

    fn outline(&self, setting: &Setting) -> Outline {
        let Some(types) = &setting.types else { return Outline::All };
        // Rotates past the last bit, to the first one.
        let bit_of = |position: usize| 1_u64.rotate_left(u32::try_from(position).unwrap_or_default());
        let present = self.latest.present(types);
        // One ID of each type: as many as there are IDs means all of them.
        match present.clone().count() == self.update.external_ids().len() {
            true => Outline::All,
            false => Outline::LatestOf(present.fold(0, |bits, position| bits | bit_of(position))),
        }
    }

    /// Equal if and only if both settings send the same IDs.
    fn cmp_selections(&self, a: &Sending<'_>, b: &Sending<'_>) -> Ordering {
        a.outline.cmp(&b.outline).then_with(|| match (a.outline, &a.setting.types, &b.setting.types) {
            (Outline::LatestOf(_), Some(a), Some(b)) if self.destinations.types().len() > OUTLINED_TYPES => {
                self.latest.present(a).cmp(self.latest.present(b))
            }
            _ => Ordering::Equal,
        })
    }
}

/// A setting whose destinations are sent something.
struct Sending<'a> {
    setting: &'a Setting,
    outline: Outline,
}

/// What a setting sends, in brief: the same for settings that send the same IDs, and compared at
/// once where their types would be compared one by one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outline {
    /// All IDs there are.
    All,
    /// The latest ID of some types: a bit for each, which types share that are so many apart in the
    /// table as there are bits.
    LatestOf(u64),
}

/// Up to so many types no two share a bit, and an outline says all.
const OUTLINED_TYPES: usize = u64::BITS as usize;
