//! What comes out is what the library decides.

use std::fs::File;
use std::process::Command;
use std::time::Duration;

use idgroup::ExternalId;

use crate::database::shared;
use crate::kafka::{Broker, Output};
use crate::load::{
    ROLLOUT_FOR_ALL, all_events, destinations, events, fixture, generate, lines, load_destinations,
    rollout_for_all, split,
};
use crate::process::{Worker, wait_until};

const PATIENCE: Duration = Duration::from_secs(60);

fn sorted(outputs: impl IntoIterator<Item = Output>) -> Vec<Output> {
    let mut outputs: Vec<Output> = outputs.into_iter().collect();
    outputs.sort();
    outputs
}

fn assert_same(found: &[Output], expected: Vec<Output>) {
    let events = found.iter().filter(|output| output.topic != "dead-letter").cloned();
    let (found, expected) = (sorted(events), sorted(expected));
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
}

#[test]
fn both_stages_write_what_the_library_decides() {
    let database = shared("both_stages");
    let connected = destinations("pipeline/destinations.json");
    let (identities, updates) = split(&lines("pipeline/updates.ndjson"));
    database.store_destinations(&connected);
    database.store_identities(identities.iter());
    database.execute(ROLLOUT_FOR_ALL);
    let broker = Broker::start(4);
    let input = broker.input();
    for update in &updates {
        input.send("compute-output", &update.profile_id, Some(&update.payload));
    }
    input.flush();
    let expected: Vec<_> = updates
        .iter()
        .map(|update| events(&update.payload, &identities, &connected, &rollout_for_all()))
        .collect();
    let dead = expected.iter().filter(|events| events.is_err()).count();
    let sent: Vec<Output> = expected.into_iter().flatten().flatten().collect();
    let total = sent.len() + dead;
    let log = std::env::temp_dir().join(format!("sync-worker-log-{}", std::process::id()));
    let mut command = Command::new(env!("CARGO_BIN_EXE_sync-worker"));
    command.stderr(File::create(&log).unwrap());
    let everything = "sync_worker=trace,tokio_postgres=debug,librdkafka=debug,info";
    let worker = Worker::start_logging(
        command,
        everything,
        &broker,
        &database,
        &["--memories", "off", "--kafka", "debug=cgrp,msg"],
    );
    let mut outputs = broker.outputs();
    outputs.read_until("all outputs", PATIENCE, |all| all.len() >= total);
    assert_same(&outputs.all, sent);
    assert_eq!(outputs.all.iter().filter(|output| output.topic == "dead-letter").count(), dead);
    assert_eq!(worker.metric("idgroup_updates_total{result=\"dead_letter\""), dead as f64);
    assert_eq!(worker.page("/healthz").0, 200);
    wait_until("ready", PATIENCE, || worker.page("/readyz").0 == 200);
    let (_, metrics) = worker.page("/metrics");
    assert!(worker.terminate().success());
    let log_lines = std::fs::read_to_string(&log).unwrap();
    std::fs::remove_file(&log).unwrap();
    assert!(log_lines.contains("dead letter"), "{log_lines}");
    for id in identities.values().flatten().map(ExternalId::id).filter(|id| id.len() > 5) {
        assert!(!log_lines.contains(id) && !metrics.contains(id), "{id} is in a log line or in metrics");
    }

    // All that was done had been committed.
    let worker = Worker::start(&broker, &database, &[]);
    wait_until("ready", PATIENCE, || worker.page("/readyz").0 == 200);
    outputs.read_rest(Duration::from_secs(5));
    assert_eq!(outputs.all.len(), total);
}

#[test]
fn dead_letters_hold_the_bytes_as_they_were() {
    let database = shared("dead_letters");
    let connected = destinations("pipeline/destinations.json");
    database.store_destinations(&connected);
    database.execute(ROLLOUT_FOR_ALL);
    let broker = Broker::start(2);
    let input = broker.input();
    let lines = lines("pipeline/updates.ndjson");
    for line in &lines {
        input.send("identified-output", "key", Some(line));
    }
    input.send("identified-output", "key", None);
    input.flush();
    let expected: Vec<_> =
        lines.iter().map(|line| events(line, &Default::default(), &connected, &rollout_for_all())).collect();
    let mut bad: Vec<&[u8]> = lines
        .iter()
        .zip(&expected)
        .filter(|(_, events)| events.is_err())
        .map(|(line, _)| &line[..])
        .collect();
    assert_eq!(bad.len(), 12 + 21);
    bad.push(b"");
    input.send("identified-output", "key", Some(b""));
    input.flush();
    bad.push(b"");
    let sent: Vec<Output> = expected.into_iter().flatten().flatten().collect();
    let _worker = Worker::start(&broker, &database, &["--stages", "sync", "--memories", "off"]);
    let mut outputs = broker.outputs();
    let total = sent.len() + bad.len();
    outputs.read_until("all outputs", PATIENCE, |all| all.len() >= total);
    assert_same(&outputs.all, sent);
    let mut found: Vec<&[u8]> = Vec::new();
    for output in outputs.all.iter().filter(|output| output.topic == "dead-letter") {
        assert!(!output.headers["error"].is_empty());
        assert_eq!(output.headers["stage"], "sync");
        assert_eq!(output.headers["topic"], "identified-output");
        assert_eq!(output.key.as_deref(), Some("key"));
        assert!(!output.headers["error"].contains("@example"), "{:?}", output.headers);
        assert_eq!(output.is_null, output.headers["error"] == "the payload is null");
        found.push(&output.payload);
    }
    found.sort_unstable();
    bad.sort_unstable();
    assert_eq!(found, bad);
}

#[test]
fn poison_does_not_hold_up_what_follows() {
    let database = shared("poison");
    database.store_destinations(&load_destinations());
    let (mut identities, updates) = generate(20);
    // Enough IDs to make an update that no topic takes.
    let huge = (0..9_000).map(|n| ExternalId::new("user_id", format!("{n:0100}")).unwrap());
    identities.insert(("spa_load".to_owned(), "use_huge".to_owned()), huge.collect());
    database.store_identities(identities.iter());
    database.execute(ROLLOUT_FOR_ALL);
    let broker = Broker::start(1);
    let input = broker.input();
    let poison: [&[u8]; 8] = [
        b"",
        b"[]",
        b"{\"space_id\":",
        &[0xff; 100],
        br#"{"id":"u","space_id":"s\u0000","profile_id":"p\u0000","computation":{"id":"aud_load\u0000"},"membership":"in","trigger":{"reason":"value_changed"}}"#,
        br#"{"id":"u","space_id":"spa_load","profile_id":"use_huge","computation":{"id":"aud_load"},"membership":"in","trigger":{"reason":"value_changed"}}"#,
        br#"{"id":"u","space_id":"s","profile_id":"p","external_ids":[]}"#,
        br#"{"id":"u","space_id":"s","profile_id":"p","membership":"in","membership":"out","computation":{"id":"aud_load"},"trigger":{"reason":"value_changed"}}"#,
    ];
    for poison in poison {
        input.send("compute-output", "poison", Some(poison));
    }
    for update in &updates {
        input.send("compute-output", &update.profile_id, Some(&update.payload));
    }
    input.flush();
    let expected = all_events(&updates, &identities, &load_destinations());
    let worker = Worker::start(&broker, &database, &[]);
    let mut outputs = broker.outputs();
    let total = expected.len() + poison.len();
    outputs.read_until("all outputs", PATIENCE, |all| all.len() >= total);
    assert_same(&outputs.all, expected);
    let errors: Vec<_> = outputs.all.iter().filter_map(|output| output.headers.get("error")).collect();
    assert_eq!(errors.len(), poison.len(), "{errors:?}");
    assert!(errors.iter().any(|error| error.contains("an output is refused")), "{errors:?}");
    assert!(worker.terminate().success());
}

#[test]
fn a_merge_is_completed_with_what_its_profiles_held() {
    let database = shared("merges");
    database.store_destinations(&load_destinations());
    database.execute(ROLLOUT_FOR_ALL);
    database.execute(
        r#"insert into external_ids (space_id, profile_id, type, id, created_at, attached_at) values
               ('spa_load', 'use_a', 'email', 'a@example.com', '2026-01-01Z', null),
               ('spa_load', 'use_a', 'phone', '1', '2026-01-02Z', '2026-01-04Z');
           insert into merged_profiles values
               ('spa_load', 'use_a', 'use_a', '2026-01-04Z', '[{"type":"email","id":"a@example.com"}]'),
               ('spa_load', 'use_b', 'use_a', '2026-01-04Z', '[{"type":"phone","id":"1"}]');"#,
    );
    let broker = Broker::start(1);
    let input = broker.input();
    let update = |id: &str, profile: &str, computed_at: &str, trigger: serde_json::Value| {
        let update = serde_json::json!({"id": id, "space_id": "spa_load", "profile_id": profile, "membership": "in",
            "computation": {"id": "aud_load"}, "computed_at": computed_at, "trigger": trigger});
        input.send("compute-output", profile, Some(update.to_string().as_bytes()));
    };
    // It came late: its profile has been merged away since.
    update("upd_entry_b", "use_b", "2026-01-03T00:00:00Z", serde_json::json!({"reason": "value_changed"}));
    let profiles = serde_json::json!([{"profile_id": "use_a", "membership": "out"}, {"profile_id": "use_b", "membership": "in"}]);
    update(
        "upd_merge",
        "use_a",
        "2026-01-04T00:00:00Z",
        serde_json::json!({"reason": "profile_merge", "profiles": profiles}),
    );
    input.flush();
    let _worker = Worker::start(&broker, &database, &[]);
    let mut outputs = broker.outputs();
    let mut sent = std::collections::BTreeSet::new();
    outputs.read_until("four events", PATIENCE, |all| all.len() >= 3);
    outputs.read_rest(Duration::from_secs(1));
    for output in &outputs.all {
        let event: serde_json::Value = serde_json::from_slice(&output.payload).unwrap();
        for destination in event["destinations"].as_array().unwrap() {
            sent.insert(format!(
                "{} {}",
                event["update_id"].as_str().unwrap(),
                destination.as_str().unwrap()
            ));
        }
    }
    // The phone was messaged when use_b entered, the email not yet.
    let plain = |update: &str| ["dst_facebook", "dst_google"].map(|name| format!("{update} {name}"));
    let mut expected: std::collections::BTreeSet<String> =
        plain("upd_entry_b").into_iter().chain(plain("upd_merge")).collect();
    expected.insert("upd_entry_b dst_twilio".to_owned());
    expected.insert("upd_merge dst_sendgrid".to_owned());
    assert_eq!(sent, expected);
}

#[test]
fn a_monster_is_compared_in_flat_memory() {
    let database = shared("monster");
    let connected = destinations("monster/destinations.json");
    let (identities, updates) = split(&lines("monster/updates.ndjson"));
    database.store_destinations(&connected);
    database.store_identities(identities.iter());
    database.execute("update rollout set share = 10000, compare = true");
    let broker = Broker::start(2);
    let worker = Worker::start(&broker, &database, &[]);
    wait_until("ready", PATIENCE, || worker.page("/readyz").0 == 200);
    let at_rest = worker.memory("VmRSS");
    let input = broker.input();
    for n in 0..20 {
        for update in &updates {
            let payload = String::from_utf8(update.payload.clone()).unwrap().replacen(
                "\"id\":\"upd_",
                &format!("\"id\":\"upd_{n}_"),
                1,
            );
            input.send("compute-output", &update.profile_id, Some(payload.as_bytes()));
        }
    }
    input.flush();
    let mut outputs = broker.outputs();
    outputs.read_until("the monsters", PATIENCE, |all| {
        all.iter().filter(|output| output.topic == "outbound-slow").count() >= 20
    });
    wait_until("all compared", PATIENCE, || {
        worker.metric("idgroup_comparisons_total{outcome=\"identical\"}") >= 120.0
    });
    let most = worker.memory("VmHWM");
    println!("20 monsters of 153,000 messages compared: {at_rest} KiB at rest, {most} KiB at most");
    assert!(most < at_rest + 48 * 1024, "{at_rest} KiB at rest, {most} KiB at most");
    assert!(fixture("monster/updates.ndjson").len() < 100_000);
}

#[test]
fn an_update_that_fits_nowhere_is_named_in_a_dead_letter() {
    let database = shared("fits_nowhere");
    let (identities, updates) = generate(200);
    database.store_destinations(&load_destinations());
    database.store_identities(identities.iter());
    database.execute(ROLLOUT_FOR_ALL);
    let broker = Broker::start(1);
    let input = broker.input();
    let large = vec![b'['; 1_000_100];
    input.send("compute-output", "large", Some(&large));
    for update in &updates {
        input.send("compute-output", &update.profile_id, Some(&update.payload));
    }
    input.flush();
    let expected = all_events(&updates, &identities, &load_destinations());
    let worker = Worker::start(&broker, &database, &[]);
    let mut outputs = broker.outputs();
    outputs.read_until("all outputs", PATIENCE, |all| all.len() > expected.len());
    assert_same(&outputs.all, expected);
    let letters: Vec<_> = outputs.all.iter().filter(|output| output.topic == "dead-letter").collect();
    let [letter] = letters[..] else { panic!("{letters:?}") };
    assert_eq!(letter.payload, &large[..4_096]);
    let header = |name: &str| &letter.headers[name][..];
    assert_eq!((header("topic"), header("partition"), header("offset")), ("compute-output", "0", "0"));
    assert_eq!(header("size"), "1000100");
    assert_eq!(header("sha256").len(), 64);
    assert_eq!(letter.key.as_deref(), Some("large"));
    assert_eq!(worker.metric("idgroup_stage_restarts_total"), 0.0);
    assert!(worker.terminate().success());
}

#[test]
fn every_compression_of_kafka_s_is_read() {
    let database = shared("compressions");
    let (identities, updates) = generate(400);
    database.store_destinations(&load_destinations());
    database.store_identities(identities.iter());
    database.execute(ROLLOUT_FOR_ALL);
    let broker = Broker::start(2);
    for (compression, updates) in ["none", "gzip", "snappy", "zstd"].iter().zip(updates.chunks(100)) {
        let input = broker.input_with(compression);
        for update in updates {
            input.send("compute-output", &update.profile_id, Some(&update.payload));
        }
        input.flush();
    }
    let expected = all_events(&updates, &identities, &load_destinations());
    let _worker = Worker::start(&broker, &database, &[]);
    let mut outputs = broker.outputs();
    outputs.read_until("all events", PATIENCE, |all| all.len() >= expected.len());
    assert_same(&outputs.all, expected);
}
