//! An update with everything that it can have, its variations, and the messages about them.

use std::fmt::Write as _;

use idgroup::{Destinations, ProfileUpdate};
use serde::de::Deserialize;
use serde_json::{Value, json};

/// The value of every external ID here: no text may contain it.
pub const SECRET: &str = "s3cret@example.com";

pub fn update() -> Value {
    json!({
        "id": "upd_1",
        "space_id": "spa_1",
        "profile_id": "use_1",
        "computation": {"class": "audience", "id": "aud_1", "key": "first_time_shopper"},
        "membership": "in",
        "computed_at": "2026-01-05T10:00:00Z",
        "trigger": {"reason": "value_changed"},
        "external_ids": [email()],
    })
}

pub fn email() -> Value {
    json!({
        "type": "email",
        "id": SECRET,
        "collection": "users",
        "encoding": "none",
        "created_at": "2025-12-01T08:00:00.125Z",
        "attached_at": "2025-12-02T08:00:00+02:00",
        "subscribed": true,
    })
}

pub fn key() -> Value {
    json!({"type": "email", "id": SECRET})
}

pub fn triggers() -> [Value; 4] {
    [
        json!({"reason": "value_changed"}),
        json!({"reason": "new_external_id", "added": [key()]}),
        json!({"reason": "profile_merge", "profiles": [
            {"profile_id": "use_1", "membership": "out", "external_ids": [key()]},
        ]}),
        json!({"reason": "external_id_removed", "removed": [key()]}),
    ]
}

pub fn with_trigger(trigger: &Value) -> Value {
    with("/trigger", trigger.clone())
}

/// The update with another value at a path.
pub fn with(path: &str, value: Value) -> Value {
    replaced(update(), path, value)
}

pub fn replaced(mut json: Value, path: &str, value: Value) -> Value {
    if path.is_empty() {
        return value;
    }
    let (parent, name) = path.rsplit_once('/').unwrap();
    match json.pointer_mut(parent).unwrap() {
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        parent => parent[name] = value,
    }
    json
}

pub fn without(mut json: Value, path: &str) -> Value {
    let (parent, name) = path.rsplit_once('/').unwrap();
    json.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
    json
}

pub fn read(json: &Value) -> ProfileUpdate {
    serde_json::from_value(json.clone()).unwrap()
}

/// The message, without where in the text the reader stood: that is the reader's business.
#[track_caller]
pub fn refused<T: for<'de> Deserialize<'de>>(text: &str) -> String {
    let message = match serde_json::from_str::<T>(text) {
        Ok(_) => panic!("accepted: {text}"),
        Err(error) => error.to_string(),
    };
    assert!(!message.contains(SECRET), "{message}");
    match message.rfind(" at line ") {
        Some(end) => message[..end].to_owned(),
        None => message,
    }
}

pub fn refused_update(json: &Value) -> String {
    refused::<ProfileUpdate>(&json.to_string())
}

pub fn refused_destinations(json: &Value) -> String {
    refused::<Destinations>(&json.to_string())
}

/// A line for each case: what was done, and the message.
#[derive(Default)]
pub struct Messages(pub String);

impl Messages {
    pub fn add(&mut self, what: impl std::fmt::Display, message: impl std::fmt::Display) {
        writeln!(self.0, "{what}\n    {message}").unwrap();
    }
}

pub fn destinations() -> Destinations {
    serde_json::from_value(json!([
        {"id": "dst_1", "name": "SendGrid", "dedupes_on": ["email"]},
        {"id": "dst_2", "dedupes_on": ["phone", "email"]},
        {"id": "dst_3", "name": "Google Ads"},
        {"id": "dst_4", "dedupes_on": ["user_id"]},
    ]))
    .unwrap()
}
