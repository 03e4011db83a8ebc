//! The least that reading an update and writing an event can cost with the same JSON library: plain
//! structs with derived code, of which nothing is checked, no time is parsed, and nothing is sorted.

use std::borrow::Cow;

use idgroup::{Destination, IdGroupEvent};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
pub struct FloorUpdate<'a> {
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    #[serde(borrow)]
    pub space_id: Cow<'a, str>,
    #[serde(borrow)]
    pub profile_id: Cow<'a, str>,
    #[serde(borrow)]
    pub computation: FloorComputation<'a>,
    #[serde(borrow)]
    pub membership: Cow<'a, str>,
    #[serde(borrow, default)]
    pub computed_at: Cow<'a, str>,
    #[serde(borrow)]
    pub trigger: FloorTrigger<'a>,
    #[serde(borrow)]
    pub external_ids: Vec<FloorId<'a>>,
}

#[derive(Deserialize)]
pub struct FloorComputation<'a> {
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    #[serde(borrow, default)]
    pub class: Cow<'a, str>,
    #[serde(borrow, default)]
    pub key: Cow<'a, str>,
}

#[derive(Deserialize)]
pub struct FloorTrigger<'a> {
    #[serde(borrow)]
    pub reason: Cow<'a, str>,
    #[serde(borrow, default)]
    pub added: Vec<FloorKey<'a>>,
    #[serde(borrow, default)]
    pub removed: Vec<FloorKey<'a>>,
    #[serde(borrow, default)]
    pub profiles: Vec<FloorProfile<'a>>,
}

#[derive(Deserialize)]
pub struct FloorProfile<'a> {
    #[serde(borrow)]
    pub profile_id: Cow<'a, str>,
    #[serde(borrow)]
    pub membership: Cow<'a, str>,
    #[serde(borrow, default)]
    pub external_ids: Vec<FloorKey<'a>>,
}

#[derive(Deserialize)]
pub struct FloorKey<'a> {
    #[serde(borrow, rename = "type")]
    pub id_type: Cow<'a, str>,
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    #[serde(borrow, default)]
    pub collection: Cow<'a, str>,
}

#[derive(Deserialize)]
pub struct FloorId<'a> {
    #[serde(borrow, rename = "type")]
    pub id_type: Cow<'a, str>,
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    #[serde(borrow, default)]
    pub collection: Cow<'a, str>,
    #[serde(borrow, default)]
    pub encoding: Cow<'a, str>,
    #[serde(borrow, default)]
    pub created_at: Cow<'a, str>,
    #[serde(borrow, default)]
    pub attached_at: Cow<'a, str>,
    #[serde(default)]
    pub subscribed: Option<bool>,
}

pub fn read_floor(json: &[u8]) -> FloorUpdate<'_> {
    serde_json::from_slice(json).unwrap()
}

/// An event of which each part is the text that is written.
#[derive(Serialize)]
pub struct FloorEvent {
    message_id: String,
    update_id: String,
    space_id: String,
    profile_id: String,
    computation: FloorWhat,
    membership: &'static str,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    computed_at: Option<String>,
    id_group: FloorGroup,
    destinations: Vec<String>,
}

#[derive(Serialize)]
struct FloorWhat {
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<String>,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

#[derive(Serialize)]
struct FloorGroup {
    hash: String,
    external_ids: Vec<FloorSentId>,
}

#[derive(Serialize)]
struct FloorSentId {
    #[serde(rename = "type")]
    id_type: String,
    id: String,
    collection: &'static str,
    encoding: String,
}

impl FloorEvent {
    pub fn of(event: &IdGroupEvent<'_>) -> Self {
        let computation = event.computation();
        let ids = event.id_group().external_ids().iter();
        Self {
            message_id: event.message_id().to_string(),
            update_id: event.update_id().into(),
            space_id: event.space_id().into(),
            profile_id: event.profile_id().into(),
            computation: FloorWhat {
                class: computation.class().map(Into::into),
                id: computation.id().into(),
                key: computation.key().map(Into::into),
            },
            membership: event.membership().as_str(),
            reason: event.reason().as_str(),
            computed_at: event.computed_at().map(|time| time.to_string()),
            id_group: FloorGroup {
                hash: event.id_group().hash().to_string(),
                external_ids: ids
                    .map(|id| FloorSentId {
                        id_type: id.id_type().into(),
                        id: id.id().into(),
                        collection: id.collection().as_str(),
                        encoding: id.encoding().into(),
                    })
                    .collect(),
            },
            destinations: event.destinations().iter().map(Destination::id).map(Into::into).collect(),
        }
    }
}
