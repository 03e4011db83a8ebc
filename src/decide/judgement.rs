//! The verdict about each distinct setting, from which both events and explanations are made.

use smallvec::SmallVec;

use crate::decide::latest_id::LatestIds;
use crate::decide::trigger_filter::{Past, TriggerFilter, depends_on_ids};
use crate::decide::verdict::{DropReason, Verdict};
use crate::event::selected_ids::{Positions, SelectedIds};
use crate::input::destinations::{Destinations, Setting};
use crate::input::gaps::GapsOf;
use crate::input::update::ProfileUpdate;
use crate::invariant;
use crate::observe::{Observer, Step};

#[derive(Clone)]
pub(super) struct Judgement<'a> {
    pub(super) update: &'a ProfileUpdate,
    pub(super) destinations: &'a Destinations,
    latest: LatestIds,
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
        let latest = match depends_on_ids(update) {
            true => LatestIds::select(update, destinations.types()),
            false => LatestIds::none(),
        };
        observer.step_ended(Step::SelectLatest);

        observer.step_began(Step::FilterByTrigger);
        let filter = TriggerFilter::new(update, destinations.types());
        let verdict_of = |setting: &Setting| {
            let verdict = match &setting.types {
                None if update.external_ids().is_empty() => Verdict::Drop(DropReason::NoExternalIds),
                None => Verdict::SendAll,
                Some(types) => match filter.refuses(types, &latest, Past::Inferred) {
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

    /// The settings that are sent something.
    pub(super) fn sending(&self) -> impl Iterator<Item = &'a Setting> {
        debug_assert_eq!(
            self.verdicts.len(),
            self.destinations.settings().len(),
            "{EVERY_SETTING_HAS_A_VERDICT}"
        );
        let judged = self.destinations.settings().iter().zip(&self.verdicts);
        judged.filter(|(_, verdict)| verdict.drop_reason().is_none()).map(|(setting, _)| setting)
    }

    /// The verdict about the destinations with the setting at this position, and what they are sent.
    pub(super) fn of_setting(&self, position: usize) -> Option<(Verdict, SelectedIds<'a>)> {
        let verdict = *invariant::at(&self.verdicts, position, EVERY_SETTING_HAS_A_VERDICT)?;
        let setting = invariant::at(self.destinations.settings(), position, EVERY_SETTING_HAS_A_VERDICT)?;
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
        match &setting.types {
            None => Positions::All,
            Some(types) => Positions::of(self.latest.of_types(types)),
        }
    }

    /// The positions of [`selection`](Self::selection) one by one, where they are not all.
    pub(super) fn selected<'s>(&'s self, types: &'s [usize]) -> impl Iterator<Item = usize> + Clone + 's {
        self.latest.of_types(types)
    }
}
