//! Updates, destinations and settings, and the calls that they make, as JSON.

use idgroup::segment::{CallSettings, Routes, Supplied};
use idgroup::{Destinations, ProfileUpdate, decide};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub fn read<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

/// An entry into the audience `vip` with these IDs.
pub fn entry(external_ids: &Value) -> Value {
    json!({
        "id": "upd_1", "space_id": "spa_1", "profile_id": "use_1",
        "computation": { "class": "audience", "id": "aud_1", "key": "vip" },
        "membership": "in", "computed_at": "2026-01-05T10:00:00Z",
        "trigger": { "reason": "value_changed" }, "external_ids": external_ids,
    })
}

/// All calls and all refusals, in their order.
pub fn rendered<V: Serialize + ?Sized, P: Serialize>(
    update: &ProfileUpdate,
    destinations: &Destinations,
    settings: &CallSettings,
    supplied: Supplied<'_, V, P>,
) -> (Vec<Value>, Vec<Value>) {
    let routes = Routes::new(destinations, settings);
    let (mut calls, mut refusals) = (Vec::new(), Vec::new());
    for event in decide(update, destinations) {
        for call in routes.calls(&event, supplied).iter() {
            match call {
                Ok(call) => {
                    let to: Vec<&str> = call.destinations().iter().map(|to| to.id()).collect();
                    let text = serde_json::to_string(&call).unwrap();
                    assert_eq!(call.json_size(), text.len(), "{text}");
                    // A format that writes the number of fields first reads back what JSON has.
                    let message_pack = rmp_serde::to_vec_named(&call).unwrap();
                    let read_back: Value = rmp_serde::from_slice(&message_pack).unwrap();
                    assert_eq!(read_back, json!(call));
                    calls.push(json!({ "destinations": to, "call": call }));
                }
                Err(refusal) => refusals.push(json!(refusal)),
            }
        }
    }
    (calls, refusals)
}

/// The calls of JSON as it stands in a test.
pub fn calls(update: &Value, destinations: &Value, settings: &Value) -> Vec<Value> {
    let (calls, refusals) =
        rendered(&read(update), &read(destinations), &read(settings), Supplied::default());
    assert_eq!(refusals, Vec::<Value>::new());
    calls
}

/// The `messageId` of each call, with the destinations that it goes to.
pub fn message_ids(calls: &[Value]) -> Vec<(String, String)> {
    let id = |call: &Value| call["call"]["messageId"].as_str().unwrap().to_owned();
    calls.iter().map(|call| (call["destinations"].to_string(), id(call))).collect()
}
