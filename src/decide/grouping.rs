//! Grouping: settings that send the same set of external IDs share an event.

use alloc::vec::Vec;
use core::cmp::Ordering;

use smallvec::SmallVec;

use crate::decide::judgement::Judgement;
use crate::decide::settings::{Setting, bit_of};
use crate::event::IdGroupEvent;
use crate::event::id_group::MessageIds;
use crate::event::selected_ids::Positions;
use crate::event::sent_to::SentTo;

/// Settings whose destinations are sent the same, and which of the update's IDs.
struct Sending<'s, 'a> {
    settings: &'s [Footprint<'a>],
    external_ids: Positions,
    /// The same for the same set, and compared at once where positions would be compared one by one:
    /// a bit for each, which positions share that are so many apart as there are bits.
    outline: u64,
}

/// A setting that is sent something, and its columns that hold an ID: where they are the same, so is what
/// is sent. `None` says nothing.
#[derive(Clone, Copy)]
struct Footprint<'a> {
    columns: Option<u64>,
    setting: &'a Setting,
}

/// With up to so many IDs no two share a bit, and an outline says all.
const OUTLINED_IDS: usize = u64::BITS as usize;

impl<'a> Judgement<'a> {
    pub(super) fn events(&self) -> Vec<IdGroupEvent<'a>> {
        let footprint = |setting| Footprint { columns: self.filled_columns(setting), setting };
        let mut settings: SmallVec<[Footprint<'a>; 8]> = self.sending().map(footprint).collect();
        if settings.is_empty() {
            return Vec::new();
        }
        settings.sort_unstable_by_key(|of| of.columns);
        let alike = settings.chunk_by(|a, b| a.columns.is_some() && a.columns == b.columns);
        let mut sending: SmallVec<[Sending<'_, 'a>; 8]> =
            alike.filter_map(|settings| Sending::new(settings, self)).collect();
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
    fn event(&self, group: &[Sending<'_, 'a>], message_ids: &MessageIds) -> Option<IdGroupEvent<'a>> {
        debug_assert!(!group.is_empty(), "a group has a setting");
        let (first, others) = group.split_first()?;
        let sent_to = if let ([only], []) = (first.settings, others) {
            SentTo::one_setting(self.destinations.as_slice(), &only.setting.members)
        } else {
            let settings = group.iter().flat_map(|of| of.settings);
            SentTo::merged(self.destinations.as_slice(), settings.map(|of| &*of.setting.members))
        };
        Some(IdGroupEvent::new(self.update, message_ids, first.external_ids.clone(), sent_to))
    }
}

impl<'s, 'a> Sending<'s, 'a> {
    /// `settings` are alike.
    fn new(settings: &'s [Footprint<'a>], judgement: &Judgement<'a>) -> Option<Self> {
        let external_ids = judgement.selection(settings.first()?.setting);
        let outline = match &external_ids {
            Positions::All => u64::MAX,
            Positions::Some(positions) => positions.iter().fold(0, |bits, position| bits | bit_of(*position)),
        };
        Some(Self { settings, external_ids, outline })
    }

    /// Equal if and only if both send the same set of IDs.
    fn cmp_sets(&self, other: &Self, outlines_say_all: bool) -> Ordering {
        match self.outline.cmp(&other.outline) {
            Ordering::Equal if !outlines_say_all => self.external_ids.cmp(&other.external_ids),
            ordering => ordering,
        }
    }
}
