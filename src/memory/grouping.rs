//! Grouping where destinations of one setting may be sent different IDs.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use smallvec::SmallVec;

use crate::decide::destinations::Destinations;
use crate::decide::judgement::selection;
use crate::decide::latest_id::ChosenIds;
use crate::decide::settings::Setting;
use crate::decide::verdict::Verdict;
use crate::event::IdGroupEvent;
use crate::event::id_group::MessageIds;
use crate::event::selected_ids::Positions;
use crate::event::sent_to::SentTo;
use crate::input::update::ProfileUpdate;
use crate::memory::outcome::{Outcome, Outcomes};

/// Destinations that are sent the same IDs.
struct Sending<'a> {
    ids: Positions,
    members: Cow<'a, [usize]>,
}

/// The events of these outcomes, one for each of the settings: those whose IDs are the same set share one,
/// however they came by it.
pub(super) fn events<'a>(
    update: &'a ProfileUpdate,
    destinations: &'a Destinations,
    chosen: &ChosenIds,
    outcomes: &[Outcomes],
) -> Vec<IdGroupEvent<'a>> {
    let mut sending: SmallVec<[Sending<'a>; 8]> = SmallVec::new();
    for (setting, outcomes) in destinations.settings().distinct().iter().zip(outcomes) {
        match outcomes {
            Outcomes::Alike(Verdict::Drop(_)) => {}
            Outcomes::Alike(Verdict::SendAll) => {
                sending.push(Sending { ids: Positions::All, members: Cow::Borrowed(&setting.members) });
            }
            Outcomes::Alike(Verdict::SendSome) => {
                let ids = selection(update, &setting.choice, chosen);
                sending.push(Sending { ids, members: Cow::Borrowed(&setting.members) });
            }
            Outcomes::Each(each) => push_each(&mut sending, update, chosen, setting, each),
        }
    }
    if sending.is_empty() {
        return Vec::new();
    }
    sending.sort_unstable_by(|a, b| a.ids.cmp(&b.ids));
    let message_ids = MessageIds::of(update);
    let groups = sending.chunk_by(|a, b| a.ids == b.ids);
    let mut events: Vec<_> =
        groups.filter_map(|group| event(update, destinations, &message_ids, group)).collect();
    events.sort_unstable_by_key(|event| event.destinations().first_position());
    events
}

fn push_each(
    sending: &mut SmallVec<[Sending<'_>; 8]>,
    update: &ProfileUpdate,
    chosen: &ChosenIds,
    setting: &Setting,
    each: &[Outcome],
) {
    let mut first_time = Vec::new();
    for (&member, outcome) in setting.members.iter().zip(each) {
        match outcome {
            Outcome::Judged(Verdict::Drop(_)) => {}
            Outcome::Judged(Verdict::SendAll | Verdict::SendSome) => first_time.push(member),
            Outcome::Repeat(ids) => {
                let ids = Positions::of(ids.iter().copied(), update.external_ids());
                sending.push(Sending { ids, members: Cow::Owned(Vec::from([member])) });
            }
        }
    }
    if !first_time.is_empty() {
        let ids = selection(update, &setting.choice, chosen);
        sending.push(Sending { ids, members: Cow::Owned(first_time) });
    }
}

/// The event of destinations that are sent the same IDs; none only for none.
fn event<'a>(
    update: &'a ProfileUpdate,
    destinations: &'a Destinations,
    message_ids: &MessageIds,
    group: &[Sending<'a>],
) -> Option<IdGroupEvent<'a>> {
    debug_assert!(!group.is_empty(), "a group has destinations");
    let sent_to = match group {
        [Sending { members: Cow::Borrowed(members), .. }] => {
            SentTo::one_setting(destinations.as_slice(), members)
        }
        _ => SentTo::merged(destinations.as_slice(), group.iter().map(|sending| &*sending.members)),
    };
    Some(IdGroupEvent::new(update, message_ids, group.first()?.ids.clone(), sent_to))
}
