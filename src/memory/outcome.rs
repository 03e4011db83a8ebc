//! What each destination is sent, where it is remembered what it has been sent.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::LazyCell;
use core::iter;

use smallvec::SmallVec;

use crate::decide::destinations::Destinations;
use crate::decide::judgement::verdict;
use crate::decide::latest_id::ChosenIds;
use crate::decide::settings::Setting;
use crate::decide::trigger_filter::{Past, TriggerFilter};
use crate::decide::verdict::{DropReason, Verdict};
use crate::input::name_digest::NameDigest;
use crate::input::timestamp::Timestamp;
use crate::input::update::ProfileUpdate;
use crate::invariant;
use crate::memory::Memory;
use crate::memory::repeat::{FirstIds, IdDigests, Repeats};
use crate::memory::settled::{SentMessage, Settled, SettledBy};
use crate::memory::stay::Course;

/// What a destination is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// What the verdict says: all IDs, the latest of each type, or nothing.
    Judged(Verdict),
    /// What this very update was sent as the first time.
    Repeat(FirstIds),
}

/// What the destinations of a setting are sent.
#[derive(Clone, Debug)]
pub(super) enum Outcomes {
    /// All the same.
    Alike(Outcome),
    /// One for each of the setting's members, in their order.
    Each(Box<[Outcome]>),
}

pub(super) const EVERY_MEMBER_HAS_AN_OUTCOME: &str = "every member of a setting has an outcome";
const EVERY_DESTINATION_HAS_A_DIGEST: &str = "every destination has a digest";

impl Outcome {
    pub(super) fn verdict(&self) -> Verdict {
        match self {
            Self::Judged(verdict) => *verdict,
            Self::Repeat(_) => Verdict::SendSome,
        }
    }

    /// Whether a deduping destination is sent something for the first time.
    fn is_first(&self) -> bool {
        *self == Self::Judged(Verdict::SendSome)
    }
}

impl Outcomes {
    /// One for each member.
    fn of(mut each: impl Iterator<Item = Outcome>) -> Self {
        let Some(first) = each.next() else { return Self::Each(Box::default()) };
        let mut alike: usize = 1;
        while let Some(outcome) = each.next() {
            if outcome != first {
                let before = iter::repeat_n(first, alike);
                return Self::Each(before.chain([outcome]).chain(each).collect());
            }
            alike = alike.saturating_add(1);
        }
        Self::Alike(first)
    }

    /// What the member at this position among the setting's is sent.
    pub(super) fn of_member(&self, position: usize) -> Option<&Outcome> {
        match self {
            Self::Alike(outcome) => Some(outcome),
            Self::Each(outcomes) => invariant::at(outcomes, position, EVERY_MEMBER_HAS_AN_OUTCOME),
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

impl<'a> Judge<'_, 'a> {
    /// Adds one for each of the settings, in their order.
    pub(super) fn judge(&self, digests: &mut IdDigests<'a>, outcomes: &mut SmallVec<[Outcomes; 8]>) {
        let settings = self.destinations.settings();
        let this_update = LazyCell::new(|| NameDigest::of_update(self.update.id()));
        let is_repeat = |message: &SentMessage| message.update == *this_update;
        let mut repeats = Repeats::new(self.update, settings.columns(), self.chosen, digests);
        outcomes.reserve(settings.distinct().len());
        for setting in settings.distinct() {
            outcomes.push(self.of_setting(setting, is_repeat, &mut repeats));
        }
    }

    fn of_setting(
        &self,
        setting: &Setting,
        is_repeat: impl Fn(&SentMessage) -> bool,
        repeats: &mut Repeats<'_, 'a>,
    ) -> Outcomes {
        let unsettled = Outcome::Judged(self.unsettled(setting));
        let columns = match setting.deduping() {
            Some(columns) if self.course != Course::Silent && !self.own.settled.is_empty() => columns,
            _ => return Outcomes::Alike(unsettled),
        };
        let mut chosen_now = None;
        let each = setting.members.iter().map(|&member| {
            let Some(settled) = self.settled(member) else { return unsettled.clone() };
            match settled.message() {
                Some(message) if is_repeat(message) => repeats.outcome(message, columns, &mut chosen_now),
                _ if self.course == Course::Superseded => unsettled.clone(),
                _ => Outcome::Judged(Verdict::Drop(DropReason::AlreadyMessaged)),
            }
        });
        Outcomes::of(each)
    }

    /// The verdict about destinations that are not settled.
    fn unsettled(&self, setting: &Setting) -> Verdict {
        match (setting.deduping(), self.course) {
            (Some(_), Course::Superseded) => Verdict::Drop(DropReason::Superseded),
            _ => verdict(self.update, &setting.choice, self.chosen, self.filter, Past::Remembered),
        }
    }

    fn settled(&self, member: usize) -> Option<&Settled> {
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
    pub(super) at: Timestamp,
}

impl Settling<'_, '_> {
    fn count(&self) -> usize {
        let settings = self.destinations.settings().distinct().iter().zip(self.outcomes);
        let deduping = settings.filter(|(setting, _)| setting.deduping().is_some());
        let firsts = deduping.map(|(setting, outcomes)| match outcomes {
            Outcomes::Alike(outcome) if outcome.is_first() => setting.members.len(),
            Outcomes::Alike(_) => 0,
            Outcomes::Each(each) => each.iter().filter(|outcome| outcome.is_first()).count(),
        });
        firsts.fold(0, usize::saturating_add)
    }

    /// Adds each, in no order.
    pub(super) fn add_to(&self, settled: &mut Vec<Settled>, digests: &mut IdDigests<'_>) {
        let count = self.count();
        if count == 0 {
            return;
        }
        settled.reserve_exact(count);
        let update = NameDigest::of_update(self.update.id());
        for (setting, outcomes) in self.destinations.settings().distinct().iter().zip(self.outcomes) {
            match (setting.deduping(), outcomes) {
                (Some(columns), Outcomes::Alike(outcome)) if outcome.is_first() => {
                    let message = self.message(update, columns, digests);
                    settled.extend(self.settled_by(&message, &setting.members));
                }
                (Some(columns), Outcomes::Each(each)) if each.iter().any(Outcome::is_first) => {
                    let message = self.message(update, columns, digests);
                    let members = setting.members.iter().zip(each);
                    let firsts = members.filter_map(|(member, outcome)| outcome.is_first().then_some(member));
                    settled.extend(self.settled_by(&message, firsts));
                }
                _ => {}
            }
        }
    }

    fn message(&self, update: NameDigest, columns: &[usize], digests: &mut IdDigests<'_>) -> SentMessage {
        let mut ids = SmallVec::new();
        for position in self.chosen.of_columns(columns, self.update.external_ids()) {
            ids.extend(digests.of(position));
        }
        SentMessage::new(update, ids)
    }

    fn settled_by<'m>(
        &self,
        message: &SentMessage,
        members: impl IntoIterator<Item = &'m usize>,
    ) -> impl Iterator<Item = Settled> {
        let digest_of =
            |&member| invariant::at(self.destinations.digests(), member, EVERY_DESTINATION_HAS_A_DIGEST);
        members.into_iter().filter_map(digest_of).map(|&destination| Settled {
            destination,
            at: self.at,
            by: SettledBy::Message(message.clone()),
        })
    }
}
