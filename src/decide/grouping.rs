//! Grouping: settings that send the same set of external IDs share an event.

use alloc::vec::Vec;
use core::cmp::Ordering;

use smallvec::SmallVec;

use crate::decide::judgement::Judgement;
use crate::event::IdGroupEvent;
use crate::event::id_group::MessageIds;
use crate::event::selected_ids::Positions;
use crate::event::sent_to::SentTo;
use crate::input::destinations::Setting;

/// A setting whose destinations are sent something.
struct Sending<'a> {
    setting: &'a Setting,
    outline: Outline,
}

/// The set of IDs that a setting sends, in brief: the same for settings that send the same set, and
/// compared at once where their IDs would be compared one by one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outline {
    /// All IDs there are.
    All,
    /// Some of them: a bit for each, which IDs share that are so many apart as there are bits.
    Some(u64),
}

/// With up to so many IDs no two share a bit, and an outline says all.
const OUTLINED_IDS: usize = u64::BITS as usize;

impl<'a> Judgement<'a> {
    pub(super) fn events(&self) -> Vec<IdGroupEvent<'a>> {
        let mut sending: SmallVec<[Sending<'a>; 8]> =
            self.sending().map(|setting| Sending { setting, outline: self.outline(setting) }).collect();
        if sending.is_empty() {
            return Vec::new();
        }
        sending.sort_unstable_by(|a, b| self.cmp_sets(a, b));
        let groups = || sending.chunk_by(|a, b| self.cmp_sets(a, b).is_eq());
        let message_ids = MessageIds::of(self.update);
        let mut events = Vec::with_capacity(groups().count());
        events.extend(groups().filter_map(|group| self.event(group, &message_ids)));
        events.sort_unstable_by_key(|event: &IdGroupEvent<'_>| event.destinations().first_position());
        events
    }

    /// The event of settings that send the same set; none only for none.
    fn event(&self, group: &[Sending<'a>], message_ids: &MessageIds) -> Option<IdGroupEvent<'a>> {
        debug_assert!(!group.is_empty(), "a group has a setting");
        let (first, others) = group.split_first()?;
        let sent_to = match others {
            [] => SentTo::one_setting(self.destinations, &first.setting.members),
            _ => SentTo::merged(self.destinations, group.iter().map(|of| &*of.setting.members)),
        };
        let external_ids = match first.outline {
            Outline::All => Positions::All,
            Outline::Some(_) => self.selection(first.setting),
        };
        Some(IdGroupEvent::new(self.update, message_ids, external_ids, sent_to))
    }

    fn outline(&self, setting: &Setting) -> Outline {
        let Some(types) = &setting.types else { return Outline::All };
        // Rotates past the last bit, to the first one.
        let bit_of =
            |position: usize| 1_u64.rotate_left(u32::try_from(position % OUTLINED_IDS).unwrap_or_default());
        let mut count: usize = 0;
        let bits = self.selected(types).fold(0, |bits, position| {
            count = count.saturating_add(1);
            bits | bit_of(position)
        });
        match count == self.update.external_ids().len() {
            true => Outline::All,
            false => Outline::Some(bits),
        }
    }

    /// Equal if and only if both settings send the same set of IDs.
    fn cmp_sets(&self, a: &Sending<'_>, b: &Sending<'_>) -> Ordering {
        a.outline.cmp(&b.outline).then_with(|| match (a.outline, &a.setting.types, &b.setting.types) {
            (Outline::Some(_), Some(a), Some(b)) if self.update.external_ids().len() > OUTLINED_IDS => {
                self.selected(a).cmp(self.selected(b))
            }
            _ => Ordering::Equal,
        })
    }
}
