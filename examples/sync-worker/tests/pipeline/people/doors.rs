//! What stands at a destination's door.

use serde_json::Value;

use crate::people::account::Message;
use crate::people::owed::DESTINATIONS;
use crate::people::world::{World, profile_id, update_at};

/// The message that a call is, as far as its destination can tell.
pub fn message_of(world: &World, call: &Value) -> Message {
    let update = call["timestamp"].as_str().and_then(update_at).expect("a call has its update's time");
    let integrations = call["integrations"].as_object().expect("a call names who it is for");
    let mut named = DESTINATIONS.iter().zip(0..).filter(|((name, _), _)| integrations.contains_key(*name));
    let (_, destination) = named.next().expect("a call is for a destination");
    assert!(named.next().is_none() && integrations["All"] == false, "a call is for one destination");
    // Nobody has a `user_id`.
    assert_eq!(call["anonymousId"], profile_id(world.updates[update].profile), "a call of another profile");
    let ids = call["context"]["externalIds"].as_array().expect("a call has external IDs");
    Message {
        destination,
        message_id: call["messageId"].as_str().expect("a call has an id").to_owned(),
        update,
        addresses: ids.iter().map(|id| id["id"].as_str().unwrap_or_default().to_owned()).collect(),
    }
}
