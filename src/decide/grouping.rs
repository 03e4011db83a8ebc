//! Grouping: settings that send the same set of external IDs share an event.

use alloc::vec::Vec;
use core::cmp::Ordering;

use smallvec::SmallVec;

use crate::decide::judgement::Judgement;
use crate::decide::settings::Setting;
use crate::event::IdGroupEvent;
use crate::event::id_group::MessageIds;
use crate::event::selected_ids::Positions;
use crate::event::sent_to::SentTo;

/// A setting whose destinations are sent something, and which of the update's IDs.
struct Sending<'a> {
    setting: &'a Setting,
    external_ids: Positions,
    /// The same for the same set, and compared at once where positions would be compared one by one:
    /// a bit for each, which positions share that are so many apart as there are bits.
    outline: u64,
}

/// With up to so many IDs no two share a bit, and an outline says all.
const OUTLINED_IDS: usize = u64::BITS as usize;

impl<'a> Judgement<'a> {
    pub(super) fn events(&self) -> Vec<IdGroupEvent<'a>> {
        let mut sending: SmallVec<[Sending<'a>; 8]> =
            self.sending().map(|setting| Sending::new(setting, self.selection(setting))).collect();
        if sending.is_empty() {
            return Vec::new();
        }
        let says_all = self.update.external_ids().len() <= OUTLINED_IDS;
        sending.sort_unstable_by(|a, b| a.cmp_sets(b, says_all));
        let message_ids = MessageIds::of(self.update);
        let groups = || sending.chunk_by(|a, b| a.cmp_sets(b, says_all).is_eq());
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
        Some(IdGroupEvent::new(self.update, message_ids, first.external_ids.clone(), sent_to))
    }
}

impl<'a> Sending<'a> {
    fn new(setting: &'a Setting, external_ids: Positions) -> Self {
        let outline = match &external_ids {
            Positions::All => u64::MAX,
            Positions::Some(positions) => positions.iter().fold(0, |bits, position| bits | bit_of(*position)),
        };
        Self { setting, external_ids, outline }
    }

    /// Equal if and only if both send the same set of IDs.
    fn cmp_sets(&self, other: &Self, outlines_say_all: bool) -> Ordering {
        match self.outline.cmp(&other.outline) {
            Ordering::Equal if !outlines_say_all => self.external_ids.cmp(&other.external_ids),
            ordering => ordering,
        }
    }
}

/// Rotates past the last bit, to the first one.
fn bit_of(position: usize) -> u64 {
    1_u64.rotate_left(u32::try_from(position % OUTLINED_IDS).unwrap_or_default())
}
