//! What is kept of an outbound message that differs.

use alloc::boxed::Box;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::event::outbound::OutboundMessage;
use crate::event::wire::serialize_outbound;
use crate::input::destination::Destination;
use crate::input::external_id::ExternalId;

/// What a comparison keeps of an outbound message that differs.
///
/// Serialises with the values of its external IDs, which `Debug` leaves out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboundSample {
    #[serde(serialize_with = "serialize_outbound")]
    external_ids: Box<[ExternalId]>,
    destinations: Box<[String]>,
    is_cut: bool,
}

impl OutboundSample {
    /// As much as `most_bytes` hold. Costs a look at what is kept, however long the rest is.
    pub(super) fn new<'m>(
        message: OutboundMessage<'m>,
        mut plain_destinations: impl Iterator<Item = &'m Destination>,
        most_bytes: usize,
    ) -> Self {
        let mut left = Some(most_bytes);
        let mut fits = |bytes: usize| {
            left = left.and_then(|left| left.checked_sub(bytes));
            left.is_some()
        };
        let external_ids = message
            .external_ids()
            .take_while(|id| fits(size_of_id(id)))
            .map(ExternalId::without_times)
            .collect();
        let destinations = plain_destinations
            .by_ref()
            .map(Destination::id)
            .take_while(|id| fits(size_of::<String>().saturating_add(id.len())))
            .map(String::from)
            .collect();
        Self { external_ids, destinations, is_cut: left.is_none() }
    }

    /// The combination of external IDs, one of each type and without times, or the first of them.
    pub fn external_ids(&self) -> &[ExternalId] {
        &self.external_ids
    }

    /// The ids of its destinations that do not dedupe, or the first of them.
    pub fn destinations(&self) -> &[String] {
        &self.destinations
    }

    /// Whether external IDs or destinations are missing, because the budget for a sample did not
    /// hold them.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }
}

fn size_of_id(id: &ExternalId) -> usize {
    [id.id_type(), id.id(), id.encoding()]
        .iter()
        .map(|text| text.len())
        .fold(size_of::<ExternalId>(), usize::saturating_add)
}
