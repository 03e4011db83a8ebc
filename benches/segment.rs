//! What a call costs, beside `serde_json` writing a plain struct of the same shape, which holds all
//! that it needs as texts. `cargo bench --bench segment`
//!
//! Making a call and writing it may cost twice as much as writing the struct: it finds the IDs of its
//! combination, who the person is, and the id of the call, and looks whether it is too large.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use idgroup::segment::{CallSettings, Calls, DestinationSettings, Routes, Supplied};
use idgroup::{Destination, Destinations, ProfileUpdate, decide};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A call as somebody writes it who has everything at hand.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Plain {
    #[serde(rename = "type")]
    call: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<String>,
    message_id: String,
    timestamp: String,
    user_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    traits: Option<Fields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    properties: Option<Fields>,
    context: Context,
    integrations: BTreeMap<String, bool>,
}

#[derive(Deserialize, Serialize)]
struct Fields {
    #[serde(skip_serializing_if = "Option::is_none")]
    audience_key: Option<String>,
    email: String,
    phone: String,
    first_time_shopper: bool,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    traits: Addresses,
    external_ids: Vec<Id>,
    personas: Personas,
}

#[derive(Deserialize, Serialize)]
struct Addresses {
    email: String,
    phone: String,
}

#[derive(Deserialize, Serialize)]
struct Id {
    #[serde(rename = "id")]
    value: String,
    #[serde(rename = "type")]
    kind: String,
    collection: String,
    encoding: String,
}

#[derive(Deserialize, Serialize)]
struct Personas {
    computation_class: String,
    computation_id: String,
    computation_key: String,
    namespace: String,
    space_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_audience_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audience_settings: Option<BTreeMap<String, String>>,
}

/// A profile with so many emails, one phone and one user ID.
fn update(emails: usize) -> ProfileUpdate {
    let mut ids = vec![
        json!({ "type": "phone", "id": "+14155550101" }),
        json!({ "type": "user_id", "id": "2Yq0FGh8PzXwNtRk" }),
    ];
    ids.extend((0..emails).map(|n| json!({ "type": "email", "id": format!("person-{n:06}@example.com") })));
    let update = json!({
        "id": "upd_2Yq0FJx3mVvUeZrB1n7cTgKpLdS", "space_id": "spa_kJ8sPq2LxVt4", "profile_id": "use_2Yq0FGh8PzXwNtRk",
        "computation": { "class": "audience", "id": "aud_2YpzrUuQvWcX", "key": "first_time_shopper" },
        "membership": "in", "computed_at": "2026-01-05T10:00:00Z",
        "trigger": { "reason": "value_changed" }, "external_ids": ids,
    });
    serde_json::from_value(update).unwrap()
}

/// One way of calling, with so many calls.
fn beside_a_struct(c: &mut Criterion, name: &str, settings: DestinationSettings, emails: usize) {
    let update = update(emails);
    let destination = Destination::new("dst_1").unwrap().with_name("SendGrid Lists (Actions)");
    let destinations = Destinations::new([destination]).unwrap();
    let settings = CallSettings::new([("dst_1", settings)]).unwrap();
    let routes = Routes::new(&destinations, &settings);
    let events = decide(&update, &destinations);
    let calls = routes.calls(&events[0], Supplied::default());
    let plain: Vec<Plain> = calls
        .iter()
        .map(|call| serde_json::from_str(&serde_json::to_string(&call.unwrap()).unwrap()).unwrap())
        .collect();
    assert_eq!(plain.len(), emails);
    assert_same_shape(&calls, &plain);

    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(emails as u64));
    group.bench_function("calls", |b| {
        let mut line = Vec::with_capacity(4_096);
        b.iter(|| {
            let calls = routes.calls(black_box(&events[0]), Supplied::default());
            for call in calls.iter() {
                line.clear();
                serde_json::to_writer(&mut line, &call.unwrap()).unwrap();
                black_box(&line);
            }
        });
    });
    group.bench_function("plain_struct", |b| {
        let mut line = Vec::with_capacity(4_096);
        b.iter(|| {
            for plain in black_box(&plain) {
                line.clear();
                serde_json::to_writer(&mut line, plain).unwrap();
                black_box(&line);
            }
        });
    });
    group.finish();
}

/// The same fields with the same values, or the comparison says nothing.
fn assert_same_shape(calls: &Calls<'_>, plain: &[Plain]) {
    for (call, plain) in calls.iter().zip(plain) {
        let (call, plain): (Value, Value) = (json!(call.unwrap()), json!(plain));
        assert_eq!(call, plain);
    }
}

fn calls(c: &mut Criterion) {
    let list = DestinationSettings::track()
        .with_external_audience_id("4711")
        .unwrap()
        .with_audience_settings(serde_json::from_str("{}").unwrap());
    for emails in [1, 1_000] {
        beside_a_struct(c, &format!("track_to_a_list_{emails}"), list.clone(), emails);
        beside_a_struct(c, &format!("identify_{emails}"), DestinationSettings::identify(), emails);
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = calls
}
criterion_main!(benches);
