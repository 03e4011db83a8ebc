//! The verdict about each distinct setting, from which both events and explanations are made.

use smallvec::SmallVec;

use crate::decide::destinations::Destinations;
use crate::decide::latest_id::{ChosenIds, permits};
use crate::decide::settings::{Choice, Setting};
use crate::decide::trigger_filter::{Past, TriggerFilter};
use crate::decide::verdict::{DropReason, Verdict};
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
}

const EVERY_SETTING_HAS_A_VERDICT: &str = "every setting has a verdict";

impl<'a> Judgement<'a> {
    pub(super) fn new<O: Observer + ?Sized>(
        update: &'a ProfileUpdate,
        destinations: &'a Destinations,
        observer: &mut O,
    ) -> Self {
        observer.update_arrived(update.trigger().reason(), update.membership());
        observer.gaps_left(GapsOf::update(update));

        observer.step_began(Step::SelectLatest);
        let columns = destinations.settings().columns();
        let chosen = ChosenIds::choose(update, columns);
        observer.step_ended(Step::SelectLatest);

        observer.step_began(Step::FilterByTrigger);
        let filter = TriggerFilter::new(update, columns);
        let verdict_of = |setting: &Setting| {
            let verdict = verdict(update, &setting.choice, &chosen, &filter, Past::Inferred);
            observer.verdict_reached(verdict, setting.members.len());
            verdict
        };
        let verdicts = destinations.settings().distinct().iter().map(verdict_of).collect();
        observer.step_ended(Step::FilterByTrigger);
        Self { update, destinations, chosen, verdicts }
    }

    /// What all settings send that have the same, where that is seen at once: the columns that hold an ID.
    pub(super) fn filled_columns(&self, setting: &Setting) -> Option<u64> {
        setting.column_bits.map(|bits| self.chosen.filled(bits))
    }

    /// The settings that are sent something.
    pub(super) fn sending(&self) -> impl Iterator<Item = &'a Setting> {
        debug_assert_eq!(
            self.verdicts.len(),
            self.destinations.settings().distinct().len(),
            "{EVERY_SETTING_HAS_A_VERDICT}"
        );
        let judged = self.destinations.settings().distinct().iter().zip(&self.verdicts);
        judged.filter(|(_, verdict)| verdict.drop_reason().is_none()).map(|(setting, _)| setting)
    }

    /// The verdict about the destinations with the setting at this position, and what they are sent.
    pub(super) fn of_setting(&self, position: usize) -> Option<(Verdict, SelectedIds<'a>)> {
        let verdict = *invariant::at(&self.verdicts, position, EVERY_SETTING_HAS_A_VERDICT)?;
        let setting =
            invariant::at(self.destinations.settings().distinct(), position, EVERY_SETTING_HAS_A_VERDICT)?;
        let external_ids = match verdict {
            Verdict::Drop(_) => SelectedIds::none(),
            Verdict::SendAll | Verdict::SendSome => {
                SelectedIds::new(self.update.external_ids(), self.selection(setting))
            }
        };
        Some((verdict, external_ids))
    }

    /// Where the IDs that this setting sends stand among the update's.
    pub(super) fn selection(&self, setting: &Setting) -> Positions {
        selection(self.update, &setting.choice, &self.chosen)
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
