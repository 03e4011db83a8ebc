//! The verdict about each distinct setting, from which both events and explanations are made.

use alloc::vec::Vec;

use smallvec::SmallVec;

use crate::decide::destinations::Destinations;
use crate::decide::grouping::{Grouping, Sending, Sent};
use crate::decide::latest_id::{ChosenIds, permits};
use crate::decide::settings::Choice;
use crate::decide::trigger_filter::{Past, TriggerFilter};
use crate::decide::verdict::{DropReason, Verdict};
use crate::event::IdGroupEvent;
use crate::event::selected_ids::{Positions, SelectedIds};
use crate::input::gaps::GapsOf;
use crate::input::id_choice::Consent;
use crate::input::membership::Membership;
use crate::input::update::ProfileUpdate;
use crate::invariant;
use crate::observe::{Observer, Step};

#[derive(Clone)]
pub(super) struct Judgement<'a> {
    pub(super) update: &'a ProfileUpdate,
    pub(super) destinations: &'a Destinations,
    chosen: ChosenIds,
    /// One for each of the settings, in their order.
    verdicts: SmallVec<[Verdict; 8]>,
    /// How many of them send something.
    sending: usize,
}

const EVERY_SETTING_HAS_A_VERDICT: &str = "every setting has a verdict";

impl<'a> Judgement<'a> {
    /// Of an update that is yet to be [judged](Self::judge).
    #[inline]
    pub(super) fn new(update: &'a ProfileUpdate, destinations: &'a Destinations) -> Self {
        Self { update, destinations, chosen: ChosenIds::default(), verdicts: SmallVec::new(), sending: 0 }
    }

    /// Where it lies: to move what was just written costs more than to write it.
    pub(super) fn judge<O: Observer + ?Sized>(&mut self, observer: &mut O) {
        debug_assert!(self.verdicts.is_empty(), "an update is judged once");
        let Self { update, destinations, .. } = *self;
        let settings = destinations.settings();
        observer.update_arrived(update.trigger().reason(), update.membership());
        observer.gaps_left(GapsOf::update(update));

        observer.step_began(Step::SelectLatest);
        self.chosen.fill(update, settings.columns());
        observer.step_ended(Step::SelectLatest);

        observer.step_began(Step::FilterByTrigger);
        let mut filter = TriggerFilter::new(update);
        filter.gather(update, settings.columns());
        self.verdicts.extend(settings.distinct().iter().map(|setting| {
            let verdict = verdict(update, &setting.choice, &self.chosen, &filter, Past::Inferred);
            observer.verdict_reached(verdict, setting.members.len());
            self.sending = self.sending.saturating_add(usize::from(verdict.drop_reason().is_none()));
            verdict
        }));
        observer.step_ended(Step::FilterByTrigger);
    }

    /// What is sent: one event for each distinct set of IDs.
    #[inline]
    pub(super) fn events(&self) -> Vec<IdGroupEvent<'a>> {
        match self.sending {
            0 => Vec::new(),
            _ => self.group(),
        }
    }

    fn group(&self) -> Vec<IdGroupEvent<'a>> {
        debug_assert_eq!(
            self.verdicts.len(),
            self.destinations.settings().distinct().len(),
            "{EVERY_SETTING_HAS_A_VERDICT}"
        );
        let mut sendings: SmallVec<[Sending<'_, 'a>; 8]> = SmallVec::new();
        sendings.reserve(self.sending);
        for (setting, verdict) in self.destinations.settings().distinct().iter().zip(&self.verdicts) {
            if verdict.drop_reason().is_none() {
                sendings.push(Sending { ids: Sent::Chosen(&setting.choice), members: &setting.members });
            }
        }
        let Self { update, destinations, chosen, .. } = self;
        Grouping { update, destinations, chosen, hashes: &[] }.events(&sendings)
    }

    /// The verdict about the destinations with the setting at this position, and what they are sent.
    pub(super) fn of_setting(&self, position: usize) -> Option<(Verdict, SelectedIds<'a>)> {
        let verdict = *invariant::at(&self.verdicts, position, EVERY_SETTING_HAS_A_VERDICT)?;
        let setting =
            invariant::at(self.destinations.settings().distinct(), position, EVERY_SETTING_HAS_A_VERDICT)?;
        let external_ids = match verdict {
            Verdict::Drop(_) => SelectedIds::none(),
            Verdict::SendAll | Verdict::SendSome => {
                let positions = selection(self.update, &setting.choice, &self.chosen);
                SelectedIds::new(self.update.external_ids(), positions)
            }
        };
        Some((verdict, external_ids))
    }
}

/// Where the IDs that a choice sends stand among the update's.
pub(crate) fn selection(update: &ProfileUpdate, choice: &Choice, chosen: &ChosenIds) -> Positions {
    let ids = update.external_ids();
    match choice {
        Choice::All => Positions::All,
        Choice::Consenting(consent) => Positions::of(consenting(update, *consent), ids),
        Choice::Of(columns) | Choice::Deduping(columns) => {
            Positions::of(chosen.of_columns(columns, ids), ids)
        }
    }
}

pub(crate) fn verdict(
    update: &ProfileUpdate,
    choice: &Choice,
    chosen: &ChosenIds,
    filter: &TriggerFilter<'_>,
    past: Past,
) -> Verdict {
    let dropped = match choice {
        Choice::All => update.external_ids().is_empty().then_some(DropReason::NoExternalIds),
        Choice::Consenting(_) if update.external_ids().is_empty() => Some(DropReason::NoExternalIds),
        Choice::Consenting(consent) => {
            consenting(update, *consent).next().is_none().then_some(DropReason::NoConsent)
        }
        Choice::Of(columns) if !chosen.are_empty(columns) => None,
        Choice::Of(columns) if chosen.lack_consent(columns) => Some(DropReason::NoConsent),
        Choice::Of(_) => Some(DropReason::NoExternalIds),
        Choice::Deduping(columns) => filter.refuses(columns, chosen, past),
    };
    match (dropped, choice) {
        (Some(reason), _) => Verdict::Drop(reason),
        (None, Choice::All) => Verdict::SendAll,
        (None, Choice::Consenting(_) | Choice::Of(_) | Choice::Deduping(_)) => Verdict::SendSome,
    }
}

/// Where the IDs stand that a plain destination may be sent: at an exit all of them, so that whatever
/// was ever sent can be taken back.
fn consenting(update: &ProfileUpdate, consent: Consent) -> impl Iterator<Item = usize> {
    let is_exit = update.membership() == Membership::Out;
    let ids = update.external_ids().iter().enumerate();
    ids.filter(move |(_, id)| is_exit || permits(consent, id)).map(|(position, _)| position)
}
