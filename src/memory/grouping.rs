//! Grouping where destinations of one setting may be sent different IDs.

use smallvec::SmallVec;

use crate::decide::destinations::Destinations;
use crate::decide::grouping::{Sending, Sent};
use crate::decide::settings::Setting;
use crate::decide::verdict::Verdict;
use crate::memory::outcome::{Outcome, Outcomes};
use crate::memory::repeat::FirstIds;

pub(super) type Sendings<'s, 'a> = SmallVec<[Sending<'s, 'a>; 8]>;

/// Who is sent what by these outcomes, one for each of the settings: by first members.
pub(super) fn gather_sendings<'s, 'a: 's>(
    destinations: &'a Destinations,
    outcomes: &'s [Outcomes],
    sendings: &mut Sendings<'s, 'a>,
) {
    sendings.reserve(outcomes.len());
    for (setting, outcomes) in destinations.settings().distinct().iter().zip(outcomes) {
        match outcomes {
            Outcomes::Alike(outcome) => {
                if let Some(sending) = sending(setting, outcome, &setting.members) {
                    sendings.push(sending);
                }
            }
            Outcomes::Each(each) => {
                let mut members = &*setting.members;
                for run in each.chunk_by(|a, b| a == b) {
                    let (of_run, others) = members.split_at_checked(run.len()).unwrap_or((members, &[]));
                    sendings.extend(run.first().and_then(|outcome| sending(setting, outcome, of_run)));
                    members = others;
                }
            }
        }
    }
    // Settings come in this order, and runs of their members don't.
    if !sendings.is_sorted_by_key(first_member) {
        sendings.sort_unstable_by_key(first_member);
    }
}

fn first_member(sending: &Sending<'_, '_>) -> Option<usize> {
    sending.members.first().copied()
}

fn sending<'s, 'a: 's>(
    setting: &'a Setting,
    outcome: &'s Outcome,
    members: &'a [usize],
) -> Option<Sending<'s, 'a>> {
    let ids = match outcome {
        Outcome::Judged(Verdict::Drop(_)) => return None,
        Outcome::Judged(Verdict::SendAll | Verdict::SendSome) | Outcome::Repeat(FirstIds::AsChosenNow) => {
            Sent::Chosen(&setting.choice)
        }
        Outcome::Repeat(FirstIds::These(positions)) => Sent::These(positions),
    };
    Some(Sending { ids, members })
}
