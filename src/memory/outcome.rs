//! What each destination is sent, where it is remembered what it has been sent.

use alloc::boxed::Box;
use alloc::vec;
use core::cell::{LazyCell, OnceCell};

use smallvec::{SmallVec, smallvec};

use crate::decide::destinations::Destinations;
use crate::decide::judgement::verdict;
use crate::decide::latest_id::{ChosenIds, permits};
use crate::decide::settings::Setting;
use crate::decide::trigger_filter::{Past, TriggerFilter};
use crate::decide::verdict::{DropReason, Verdict};
use crate::event::IdGroupEvent;
use crate::input::destination::Destination;
use crate::input::external_id::ExternalId;
use crate::input::id_choice::Consent;
use crate::input::name_digest::NameDigest;
use crate::input::timestamp::Timestamp;
use crate::input::update::ProfileUpdate;
use crate::invariant;
use crate::memory::Memory;
use crate::memory::settled::{SentMessage, Settled, SettledBy};
use crate::memory::stay::Course;

/// What a destination is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// What the verdict says: all IDs, the latest of each type, or nothing.
    Judged(Verdict),
    /// What this very update was sent as the first time: the IDs at these positions, ascending.
    Repeat(SmallVec<[usize; 6]>),
}

/// What the destinations of a setting are sent.
#[derive(Clone, Debug)]
pub(super) enum Outcomes {
    /// All the same.
    Alike(Verdict),
    /// One for each of the setting's members, in their order.
    Each(Box<[Outcome]>),
}

pub(super) const EVERY_MEMBER_HAS_AN_OUTCOME: &str = "every member of a setting has an outcome";
const EVERY_MEMBER_IS_A_DESTINATION: &str = "every member of a setting is a destination";
const EVERY_DESTINATION_HAS_A_DIGEST: &str = "every destination has a digest";

impl Outcome {
    pub(super) fn verdict(&self) -> Verdict {
        match self {
            Self::Judged(verdict) => *verdict,
            Self::Repeat(_) => Verdict::SendSome,
        }
    }
}

impl Outcome {
    /// Whether a deduping destination is sent something for the first time.
    fn is_first(&self) -> bool {
        *self == Self::Judged(Verdict::SendSome)
    }
}

impl Outcomes {
    /// What the member at this position among the setting's is sent.
    pub(super) fn of_member(&self, position: usize) -> Option<Outcome> {
        match self {
            Self::Alike(verdict) => Some(Outcome::Judged(*verdict)),
            Self::Each(outcomes) => invariant::at(outcomes, position, EVERY_MEMBER_HAS_AN_OUTCOME).cloned(),
        }
    }
}

/// All that outcomes depend on.
pub(super) struct Judge<'j, 'a> {
    pub(super) update: &'a ProfileUpdate,
    pub(super) destinations: &'a Destinations,
    pub(super) own: &'j Memory,
    pub(super) course: Course,
    pub(super) filter: &'j TriggerFilter<'a>,
    pub(super) chosen: &'j ChosenIds,
}

impl Judge<'_, '_> {
    /// One for each of the settings, in their order.
    pub(super) fn outcomes(&self) -> SmallVec<[Outcomes; 8]> {
        let this_update = LazyCell::new(|| NameDigest::of_update(self.update.id()));
        let listed = Listed::new(self.update, self.destinations);
        let of = |setting: &Setting| match self.unsettled(setting) {
            verdict if setting.deduping().is_none() || self.course == Course::Silent => {
                Outcomes::Alike(verdict)
            }
            verdict => self.of_members(setting, verdict, &this_update, &listed),
        };
        self.destinations.settings().distinct().iter().map(of).collect()
    }

    /// The verdict about destinations that are not settled.
    fn unsettled(&self, setting: &Setting) -> Verdict {
        match (setting.deduping(), self.course) {
            (Some(_), Course::Superseded) => Verdict::Drop(DropReason::Superseded),
            _ => verdict(self.update, &setting.choice, self.chosen, self.filter, Past::Remembered),
        }
    }

    fn of_members(
        &self,
        setting: &Setting,
        unsettled: Verdict,
        this_update: &LazyCell<NameDigest, impl FnOnce() -> NameDigest>,
        listed: &Listed<'_>,
    ) -> Outcomes {
        let mut each: Option<Box<[Outcome]>> = None;
        let selected =
            LazyCell::new(|| listed.of_columns(setting.deduping().unwrap_or_default(), self.chosen));
        for (place, &member) in setting.members.iter().enumerate() {
            let Some(settled) = self.settled(member) else { continue };
            let outcome = match settled.message() {
                Some(message) if message.update == **this_update => {
                    match listed.first_ids(message, &selected, self.consent_of(member)) {
                        Ok(ids) => Outcome::Repeat(ids),
                        Err(reason) => Outcome::Judged(Verdict::Drop(reason)),
                    }
                }
                _ if self.course == Course::Superseded => continue,
                _ => Outcome::Judged(Verdict::Drop(DropReason::AlreadyMessaged)),
            };
            let each = each.get_or_insert_with(|| {
                vec![Outcome::Judged(unsettled); setting.members.len()].into_boxed_slice()
            });
            if let Some(slot) = each.get_mut(place) {
                *slot = outcome;
            }
        }
        each.map_or(Outcomes::Alike(unsettled), Outcomes::Each)
    }

    fn consent_of(&self, member: usize) -> Option<Consent> {
        let all = self.destinations.as_slice();
        invariant::at(all, member, EVERY_MEMBER_IS_A_DESTINATION).and_then(Destination::consent)
    }

    fn settled(&self, member: usize) -> Option<&Settled> {
        if self.own.settled.is_empty() {
            return None;
        }
        let digest = invariant::at(self.destinations.digests(), member, EVERY_DESTINATION_HAS_A_DIGEST)?;
        self.own.settled_by_digest(*digest)
    }
}

/// What is settled by sending these outcomes: the destinations that are sent something for the first time.
pub(super) struct Settling<'s, 'a> {
    pub(super) update: &'a ProfileUpdate,
    pub(super) destinations: &'a Destinations,
    pub(super) chosen: &'s ChosenIds,
    pub(super) outcomes: &'s [Outcomes],
    pub(super) events: &'s [IdGroupEvent<'a>],
    pub(super) at: Timestamp,
}

impl Settling<'_, '_> {
    /// Whether anything is.
    pub(super) fn count(&self) -> usize {
        let settings = self.destinations.settings().distinct().iter().zip(self.outcomes);
        let deduping = settings.filter(|(setting, _)| setting.deduping().is_some());
        let firsts = deduping.map(|(setting, outcomes)| match outcomes {
            Outcomes::Alike(Verdict::SendSome) => setting.members.len(),
            Outcomes::Alike(_) => 0,
            Outcomes::Each(each) => each.iter().filter(|outcome| outcome.is_first()).count(),
        });
        firsts.fold(0, usize::saturating_add)
    }

    pub(super) fn each(&self, mut settle: impl FnMut(Settled)) {
        let mut digests = IdDigests::new(self.update.external_ids(), self.events);
        let update = NameDigest::of_update(self.update.id());
        for (setting, outcomes) in self.destinations.settings().distinct().iter().zip(self.outcomes) {
            let Some(columns) = setting.deduping() else { continue };
            let first = |place: usize| match outcomes {
                Outcomes::Alike(verdict) => *verdict == Verdict::SendSome,
                Outcomes::Each(each) => each.get(place).is_some_and(Outcome::is_first),
            };
            let mut message = None;
            for (_, &member) in setting.members.iter().enumerate().filter(|&(place, _)| first(place)) {
                let message = message.get_or_insert_with(|| {
                    let positions = self.chosen.of_columns(columns, self.update.external_ids());
                    let ids = positions.filter_map(|position| digests.of(position));
                    SentMessage::new(update, ids.collect())
                });
                let digest =
                    invariant::at(self.destinations.digests(), member, EVERY_DESTINATION_HAS_A_DIGEST);
                if let Some(&destination) = digest {
                    settle(Settled { destination, at: self.at, by: SettledBy::Message(message.clone()) });
                }
            }
        }
    }
}

/// The digests of an update's IDs, each made once.
struct IdDigests<'a> {
    ids: &'a [ExternalId],
    known: SmallVec<[Option<NameDigest>; 8]>,
}

impl<'a> IdDigests<'a> {
    /// An event of one ID has its digest already.
    fn new(ids: &'a [ExternalId], events: &[IdGroupEvent<'_>]) -> Self {
        let mut known: SmallVec<_> = smallvec![None; ids.len()];
        for group in events.iter().map(IdGroupEvent::id_group) {
            let slot = group.external_ids().only_position().and_then(|position| known.get_mut(position));
            if let Some(slot) = slot {
                *slot = Some(NameDigest::of_only_id(group.hash().as_bytes()));
            }
        }
        Self { ids, known }
    }

    fn of(&mut self, position: usize) -> Option<NameDigest> {
        let (id, known) = (self.ids.get(position)?, self.known.get_mut(position)?);
        Some(*known.get_or_insert_with(|| NameDigest::of_external_id(id.key())))
    }
}

/// An update's IDs by their digests, made when they are first asked for: those of the types that some
/// destination dedupes on, and all others only if these are not enough.
struct Listed<'a> {
    update: &'a ProfileUpdate,
    destinations: &'a Destinations,
    of_types: OnceCell<ByDigest>,
    all: OnceCell<ByDigest>,
}

impl<'a> Listed<'a> {
    fn new(update: &'a ProfileUpdate, destinations: &'a Destinations) -> Self {
        Self { update, destinations, of_types: OnceCell::new(), all: OnceCell::new() }
    }

    /// Where the IDs of the first time stand among the update's, or why they are not sent again.
    fn first_ids(
        &self,
        message: &SentMessage,
        selected: &[(NameDigest, usize)],
        consent: Option<Consent>,
    ) -> Result<SmallVec<[usize; 6]>, DropReason> {
        let columns = self.destinations.settings().columns();
        let of_types =
            || self.of_types.get_or_init(|| self.such(|id| !columns.of_type(id.id_type()).is_empty()));
        // Nearly always what is selected now is what was sent then.
        let found = positions(message, selected)
            .or_else(|| positions(message, of_types()))
            .or_else(|| positions(message, self.all.get_or_init(|| self.such(|_| true))))
            .ok_or(DropReason::AlreadyMessaged)?;
        let ids = self.update.external_ids();
        let is_permitted = |&position: &usize| {
            consent.is_none_or(|consent| ids.get(position).is_some_and(|id| permits(consent, id)))
        };
        match found.iter().all(is_permitted) {
            true => Ok(found),
            false => Err(DropReason::NoConsent),
        }
    }

    /// The IDs that these columns hold.
    fn of_columns(&self, columns: &[usize], chosen: &ChosenIds) -> ByDigest {
        let ids = self.update.external_ids();
        by_digest(chosen.of_columns(columns, ids).filter_map(|position| Some((position, ids.get(position)?))))
    }

    fn such(&self, is_asked_for: impl Fn(&ExternalId) -> bool) -> ByDigest {
        by_digest(self.update.external_ids().iter().enumerate().filter(|(_, id)| is_asked_for(id)))
    }
}

/// IDs by their digests, and where each stands among the update's.
type ByDigest = SmallVec<[(NameDigest, usize); 4]>;

fn by_digest<'i>(ids: impl Iterator<Item = (usize, &'i ExternalId)>) -> ByDigest {
    let mut digests: ByDigest =
        ids.map(|(position, id)| (NameDigest::of_external_id(id.key()), position)).collect();
    digests.sort_unstable();
    digests
}

fn positions(message: &SentMessage, by_digest: &[(NameDigest, usize)]) -> Option<SmallVec<[usize; 6]>> {
    let position_of = |digest: &NameDigest| {
        let found = by_digest.binary_search_by_key(digest, |&(digest, _)| digest).ok()?;
        by_digest.get(found).map(|&(_, position)| position)
    };
    let mut positions: SmallVec<[usize; 6]> =
        message.external_ids.iter().map(position_of).collect::<Option<_>>()?;
    positions.sort_unstable();
    Some(positions)
}
