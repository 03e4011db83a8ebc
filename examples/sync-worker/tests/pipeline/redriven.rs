//! What comes before its time: computations that are not there yet, dead letters, and lanes.

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::database::shared;
use crate::kafka::{Broker, Output};
use crate::load::{ROLLOUT_FOR_ALL, all_events, computed, generate, load_destinations};
use crate::process::{Worker, wait_until};

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn an_update_that_comes_before_its_computation_waits_for_it() {
    let database = shared("early");
    let (identities, updates) = generate(20);
    database.store_identities(identities.iter());
    database.execute(ROLLOUT_FOR_ALL);
    let broker = Broker::start(1);
    let mut outputs = broker.outputs();
    let worker = Worker::start(&broker, &database, &["--wait-for-computations", "30"]);
    wait_until("ready", PATIENCE, || worker.page("/readyz").0 == 200);
    let input = broker.input();
    for update in &updates {
        input.send("compute-output", &update.profile_id, Some(&update.payload));
    }
    input.flush();
    wait_until("identified", PATIENCE, || {
        worker.metric("idgroup_updates_total{result=\"identified\"") >= 20.0
    });
    sleep(Duration::from_secs(1));
    database.store_destinations(&load_destinations());
    let expected = all_events(&updates, &identities, &load_destinations());
    outputs.read_until("all events", PATIENCE, |all| all.len() >= expected.len());
    assert!(outputs.all.iter().all(|output| output.topic == "outbound"), "{:?}", outputs.all);
}

#[test]
fn dead_letters_are_driven_once_more() {
    let database = shared("redrive");
    let (identities, updates) = generate(20);
    database.store_identities(identities.iter());
    database.execute(ROLLOUT_FOR_ALL);
    let broker = Broker::start(2);
    let mut outputs = broker.outputs();
    let worker = Worker::start(&broker, &database, &["--wait-for-computations", "0"]);
    let input = broker.input();
    for update in &updates {
        input.send("compute-output", &update.profile_id, Some(&update.payload));
    }
    input.send("compute-output", "key", Some(b"{"));
    input.flush();
    outputs.read_until("dead letters", PATIENCE, |all| all.len() >= 21);
    outputs.all.clear();
    database.store_destinations(&load_destinations());
    let redrive = || {
        let output = Command::new(env!("CARGO_BIN_EXE_sync-worker"))
            .args(["--log", "error", "redrive", "--error", "there is no computation"])
            .args(broker.arguments())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(redrive(), "20 sent once more, 1 left");
    let expected = all_events(&updates, &identities, &load_destinations());
    outputs.read_until("all events", PATIENCE, |all| all.len() >= expected.len());
    assert!(outputs.all.iter().all(|output| output.topic == "outbound"), "{:?}", outputs.all);
    assert_eq!(redrive(), "0 sent once more, 0 left");
    assert!(worker.terminate().success());
}

#[test]
fn a_change_whose_notification_is_lost_is_seen_all_the_same() {
    let database = shared("lost_notifications");
    let (identities, _) = generate(0);
    database.store_destinations(&load_destinations());
    database.store_identities(identities.iter());
    database.execute(ROLLOUT_FOR_ALL);
    // As at a proxy that passes none on.
    database.execute(
        "alter table destinations disable trigger destinations_changed;
         create or replace function count_catalog_change() returns trigger language plpgsql as $$
         begin
             update catalog_version set version = version + 1, changed_by = pg_current_xact_id()
             where changed_by <> pg_current_xact_id();
             return null;
         end $$;",
    );
    let broker = Broker::start(1);
    let mut outputs = broker.outputs();
    let worker = Worker::start(&broker, &database, &[]);
    wait_until("ready", PATIENCE, || worker.page("/readyz").0 == 200);
    let input = broker.input();
    let goes_to = |outputs: &[Output], name: &str| {
        outputs.iter().any(|output| String::from_utf8_lossy(&output.payload).contains(name))
    };
    let send = |n: usize| {
        let update = computed(n);
        input.send("compute-output", &update.profile_id, Some(&update.payload));
        input.flush();
    };
    send(3);
    outputs.read_until("what is known", PATIENCE, |all| goes_to(all, "dst_google"));
    database.execute("insert into destinations (computation_id, id) values ('aud_load', 'dst_zapier')");
    let began = Instant::now();
    let mut n = 503;
    while !goes_to(&outputs.all, "dst_zapier") {
        assert!(began.elapsed() < PATIENCE, "the change is never seen");
        send(n);
        n += 500;
        outputs.read_rest(Duration::from_millis(200));
    }
}

/// An amplified entry takes the slow topic, and its exit the fast one: whoever reads both tells by their
/// times which is the later, and drops what is older than what it has done for the profile.
#[test]
fn events_say_which_of_two_lanes_is_ahead() {
    let database = shared("lanes");
    let (identities, _) = generate(0);
    database.store_destinations(&load_destinations());
    database.store_identities(identities.iter());
    database.execute(ROLLOUT_FOR_ALL);
    let broker = Broker::start(1);
    let input = broker.input();
    // The entry is four messages, the exit two: nobody takes messages of a deduping destination back.
    for (id, membership, time) in
        [("upd_in", "in", "2026-01-05T10:00:00Z"), ("upd_out", "out", "2026-01-05T10:00:01Z")]
    {
        let mut update: Value = serde_json::from_slice(&computed(3).payload).unwrap();
        update["id"] = json!(id);
        update["membership"] = json!(membership);
        update["computed_at"] = json!(time);
        input.send("compute-output", "use_3", Some(update.to_string().as_bytes()));
    }
    input.flush();
    let _worker = Worker::start(&broker, &database, &["--slow-above", "3"]);
    let mut outputs = broker.outputs();
    let of = |all: &[Output], id: &str| -> Vec<Output> {
        let is_of = |output: &&Output| {
            serde_json::from_slice::<Value>(&output.payload).is_ok_and(|event| event["update_id"] == id)
        };
        all.iter().filter(is_of).cloned().collect()
    };
    outputs
        .read_until("both", PATIENCE, |all| !of(all, "upd_in").is_empty() && !of(all, "upd_out").is_empty());
    let time = |output: &Output| output.headers["computed_at"].clone();
    let (entry, exit) = (of(&outputs.all, "upd_in"), of(&outputs.all, "upd_out"));
    assert!(entry.iter().all(|output| output.topic == "outbound-slow"), "{entry:?}");
    assert!(exit.iter().all(|output| output.topic == "outbound"), "{exit:?}");
    assert!(entry.iter().all(|entry| exit.iter().all(|exit| time(entry) < time(exit))));
}
