//! Events as calls: what the sync worker writes with `--outbound calls`.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::sleep;
use std::time::Duration;

use idgroup::segment::{CallSettings, Routes, Supplied};
use idgroup::{Destinations, ExternalId, ProfileUpdate, decide};
use serde_json::{Value, json};

use crate::database::{Database, shared};
use crate::deliver::{Mile, PATIENCE};
use crate::endpoint::Endpoint;
use crate::kafka::{Broker, Output};
use crate::load::{Computed, ROLLOUT_FOR_ALL, generate};
use crate::process::{Worker, wait_until};

const SETTINGS: &str = r#"{
    "dst_own": {"call": "identify"},
    "dst_store": {"call": "identify"},
    "dst_list": {"call": "track", "external_audience_id": "4711", "audience_settings": {}},
    "dst_sender": {"call": "track", "engage": true}
}"#;

fn destinations() -> BTreeMap<String, Destinations> {
    serde_json::from_value(json!({"aud_load": [
        {"id": "dst_own", "name": "Amplitude"},
        {"id": "dst_store", "name": "Braze Cloud Mode (Actions)"},
        {"id": "dst_list", "name": "SendGrid Lists (Actions)"},
        {"id": "dst_sender", "name": "Engage Messaging SendGrid", "dedupes_on": ["email"]},
    ]}))
    .unwrap()
}

/// Puts destinations and how they are called into the database.
fn store(database: &Database) {
    database.store_destinations(&destinations());
    database.execute(ROLLOUT_FOR_ALL);
    let settings: BTreeMap<String, Value> = serde_json::from_str(SETTINGS).unwrap();
    for (id, call) in settings {
        database.execute(&format!("update destinations set call = '{call}' where id = '{id}'"));
    }
}

/// What the library makes of the updates: by `messageId`.
fn expected(
    updates: &[Computed],
    ids: &BTreeMap<(String, String), Vec<ExternalId>>,
) -> BTreeMap<String, Value> {
    let destinations = &destinations()["aud_load"];
    // Who has a delivery of its own shares no call.
    let all: CallSettings = serde_json::from_str(SETTINGS).unwrap();
    let part = |own: bool| {
        let settings = all.iter().filter(|(id, _)| (*id == "dst_own") == own);
        CallSettings::new(settings.map(|(id, settings)| (id, settings.clone()))).unwrap()
    };
    let mut calls = BTreeMap::new();
    for update in updates {
        let mut value: Value = serde_json::from_slice(&update.payload).unwrap();
        let of = ("spa_load".to_owned(), update.profile_id.clone());
        value["external_ids"] = serde_json::to_value(&ids[&of]).unwrap();
        let update: ProfileUpdate = serde_json::from_value(value).unwrap();
        for settings in [part(false), part(true)] {
            let routes = Routes::new(destinations, &settings);
            for event in decide(&update, destinations) {
                for call in routes.calls(&event, Supplied::default()).iter().flatten() {
                    let to: Vec<&str> = call.destinations().iter().map(|to| to.id()).collect();
                    let key = format!("{} {}", to.join(","), call.message_id());
                    calls.insert(key, serde_json::to_value(&call).unwrap());
                }
            }
        }
    }
    calls
}

fn key(output: &Output) -> String {
    let to: Vec<String> = serde_json::from_str(&output.headers["destinations"]).unwrap();
    format!("{} {}", to.join(","), output.headers["message_id"])
}

#[test]
fn updates_become_calls_that_reach_each_destination_s_endpoint() {
    let mile = Mile::new("calls", 4);
    let own = Endpoint::start("");
    store(&mile.database);
    mile.database.execute(&format!(
        "insert into deliveries (destination_id, endpoint) values ('dst_own', '{}')",
        own.url()
    ));
    let (identities, updates) = generate(500);
    mile.database.store_identities(identities.iter());
    let expected = expected(&updates, &identities);
    assert!(expected.len() > 1_000 && expected.keys().any(|key| key.starts_with("dst_sender ")));
    let input = mile.broker.input();
    for update in &updates {
        input.send("compute-output", &update.profile_id, Some(&update.payload));
    }
    input.flush();
    let mut outputs = mile.broker.outputs_of(&["outbound-calls", "dead-letter"]);
    let _worker = mile.worker(&["--stages", "identify,sync,deliver", "--outbound", "calls"]);
    outputs.read_until("all calls", PATIENCE, |all| all.len() >= expected.len());
    let mut found = BTreeMap::new();
    for output in &outputs.all {
        assert_eq!(output.topic, "outbound-calls", "{:?}", output.headers);
        let call: Value = serde_json::from_slice(&output.payload).unwrap();
        assert_eq!(call["messageId"], output.headers["message_id"]);
        assert_eq!(output.headers["computation"], "aud_load");
        assert_eq!(output.headers["computed_at"], "2026-01-05T10:00:00Z");
        let delivery = output.headers.get("delivery").map(String::as_str);
        assert_eq!(delivery, key(output).starts_with("dst_own ").then_some("dst_own"));
        assert!(found.insert(key(output), call).is_none());
    }
    assert_eq!(found, expected);
    wait_until("all are taken", PATIENCE, || {
        mile.endpoint.taken().len() + own.taken().len() >= expected.len()
    });
    let names = |endpoint: &Endpoint| -> BTreeSet<String> {
        let taken = endpoint.taken();
        let names = taken.iter().flat_map(|call| call["integrations"].as_object().unwrap().keys());
        names.filter(|name| *name != "All").cloned().collect()
    };
    assert_eq!(names(&own), ["Amplitude".to_owned()].into());
    assert!(!names(&mile.endpoint).contains("Amplitude"));
    assert_eq!(mile.endpoint.taken().len() + own.taken().len(), expected.len());
}

#[test]
fn calls_that_can_not_be_written_are_counted_and_the_rest_goes() {
    let mile = Mile::new("refused_calls", 1);
    store(&mile.database);
    mile.database.execute("update destinations set call = null where id = 'dst_list'");
    let (identities, updates) = generate(10);
    mile.database.store_identities(identities.iter());
    let input = mile.broker.input();
    for update in &updates {
        input.send("compute-output", &update.profile_id, Some(&update.payload));
    }
    input.flush();
    let worker = mile.worker(&["--stages", "identify,sync,deliver", "--outbound", "calls"]);
    let letters = mile.dead_letters(10);
    let said = "no call to `dst_list`: the settings say nothing about the destination";
    assert!(letters.all.iter().all(|letter| letter.headers["error"] == said), "{:?}", letters.all[0].headers);
    assert_eq!(worker.metric("idgroup_calls_refused_total{reason=\"settings_missing\"}"), 10.0);
    wait_until("the rest", PATIENCE, || mile.endpoint.taken().len() >= 20);
}

/// One profile with so many IDs that its update stands for this many calls.
fn monster(database: &Database, emails: usize, phones: usize) -> Vec<u8> {
    database.execute(&format!(
        "insert into external_ids (space_id, profile_id, type, id)
         select 'spa_load', 'use_monster', 'email', n || '@example.com' from generate_series(1, {emails}) n
         union all
         select 'spa_load', 'use_monster', 'phone', (14155550000 + n)::text from generate_series(1, {phones}) n"
    ));
    let update = json!({
        "id": "upd_monster", "space_id": "spa_load", "profile_id": "use_monster",
        "computation": {"class": "audience", "id": "aud_load", "key": "load"}, "membership": "in",
        "computed_at": "2026-01-05T10:00:00Z", "trigger": {"reason": "value_changed"},
    });
    update.to_string().into_bytes()
}

fn sync_worker(broker: &Broker, database: &Database) -> Worker {
    Worker::start(broker, database, &["--outbound", "calls", "--in-flight-mib", "4"])
}

#[test]
fn a_crash_in_the_middle_of_a_monster_repeats_the_same_calls() {
    let database = shared("calls_monster");
    store(&database);
    database.execute("delete from destinations where id in ('dst_sender', 'dst_list', 'dst_own')");
    let update = monster(&database, 200, 100);
    let broker = Broker::start(1);
    let mut outputs = broker.outputs_of(&["outbound-calls", "outbound-calls-slow", "dead-letter"]);
    let worker = sync_worker(&broker, &database);
    wait_until("ready", PATIENCE, || worker.page("/readyz").0 == 200);
    let input = broker.input();
    input.send("compute-output", "use_monster", Some(&update));
    input.flush();
    outputs.read_until("some calls", PATIENCE, |all| all.len() > 100);
    worker.kill();
    let before = outputs.all.len();
    let worker = sync_worker(&broker, &database);
    let distinct = |all: &[Output]| all.iter().map(key).collect::<BTreeSet<_>>().len();
    outputs.read_until("all calls", PATIENCE, |all| distinct(all) >= 20_000);
    wait_until("it is done", PATIENCE, || worker.metric("idgroup_updates_total{result=\"sent\"") >= 1.0);
    outputs.read_rest(Duration::from_secs(2));
    assert_eq!(distinct(&outputs.all), 20_000);
    assert!(outputs.all.len() > 20_000, "nothing was repeated: {before} before");
    assert!(outputs.all.iter().all(|output| output.topic == "outbound-calls-slow"));
    outputs.repeats();
}

#[test]
fn a_monster_s_calls_are_written_in_flat_memory() {
    let database = shared("calls_memory");
    store(&database);
    database.execute("delete from destinations where id in ('dst_sender', 'dst_list', 'dst_own')");
    let update = monster(&database, 450, 340);
    let broker = Broker::start(1);
    let worker = sync_worker(&broker, &database);
    wait_until("ready", PATIENCE, || worker.page("/readyz").0 == 200);
    sleep(Duration::from_secs(1));
    let rest = worker.memory("VmRSS");
    let input = broker.input();
    input.send("compute-output", "use_monster", Some(&update));
    input.flush();
    wait_until("it is sent", PATIENCE, || worker.metric("idgroup_updates_total{result=\"sent\"") >= 1.0);
    let most = worker.memory("VmHWM");
    println!("153,000 calls: {rest} KiB at rest, {most} KiB at most");
    assert_eq!(worker.metric("idgroup_messages_total"), 153_000.0);
    assert!(most < rest + 40 * 1024, "{rest} KiB at rest, {most} KiB at most");
}
