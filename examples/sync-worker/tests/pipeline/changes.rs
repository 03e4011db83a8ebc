//! What changes in the database reaches workers that run.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::database::shared;
use crate::kafka::{Broker, Outputs};
use crate::load::{ROLLOUT_FOR_ALL, computed, generate, load_destinations};
use crate::process::{Worker, wait_until};

const PATIENCE: Duration = Duration::from_secs(60);

/// Reads on until an event says so, and returns how long that took.
#[track_caller]
fn until_seen(outputs: &mut Outputs, what: &str, sign: impl Fn(&[&str]) -> bool) -> Duration {
    outputs.read_rest(Duration::from_millis(1));
    outputs.all.clear();
    let began = Instant::now();
    outputs.read_until(what, PATIENCE, |all| {
        all.iter().any(|output| {
            let event: Value = serde_json::from_slice(&output.payload).unwrap();
            let destinations: Vec<&str> =
                event["destinations"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            sign(&destinations)
        })
    });
    began.elapsed()
}

#[test]
fn rollout_and_destinations_change_under_load() {
    let database = shared("changes");
    let (identities, _) = generate(0);
    database.store_destinations(&load_destinations());
    database.store_identities(identities.iter());
    database.execute(ROLLOUT_FOR_ALL);
    let broker = Broker::start(4);
    let mut outputs = broker.outputs();
    let worker = Worker::start(&broker, &database, &[]);
    wait_until("ready", PATIENCE, || worker.page("/readyz").0 == 200);
    let input = broker.input();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0.. {
                let update = computed(n);
                input.send("compute-output", &update.profile_id, Some(&update.payload));
                sleep(Duration::from_millis(2));
                if stop.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        until_seen(&mut outputs, "the dedupe flow", |sent| sent == ["dst_facebook", "dst_google"]);

        database.execute("update rollout set share = 0");
        let took = until_seen(&mut outputs, "the legacy flow", |sent| {
            sent == ["dst_facebook", "dst_google", "dst_sendgrid", "dst_twilio"]
        });
        println!("the shutoff was seen in outputs after {took:?}");
        assert!(took < Duration::from_secs(1), "{took:?}");
        sleep(Duration::from_millis(500));
        outputs.read_rest(Duration::from_millis(1));
        outputs.all.clear();
        outputs.read_until("events after the shutoff", PATIENCE, |all| all.len() > 100);
        assert!(
            outputs
                .all
                .iter()
                .all(|output| String::from_utf8_lossy(&output.payload).contains("dst_sendgrid"))
        );

        database.execute("insert into destinations (computation_id, id) values ('aud_load', 'dst_zapier')");
        let took = until_seen(&mut outputs, "a new destination", |sent| sent.contains(&"dst_zapier"));
        println!("a new destination was seen in outputs after {took:?}");
        assert!(took < Duration::from_secs(1), "{took:?}");

        database.execute("delete from destinations where id <> 'dst_google'");
        let took = until_seen(&mut outputs, "the last destination", |sent| sent == ["dst_google"]);
        assert!(took < Duration::from_secs(1), "{took:?}");
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn the_rollout_can_come_from_a_file() {
    let database = shared("rollout_file");
    let (identities, _) = generate(0);
    database.store_destinations(&load_destinations());
    database.store_identities(identities.iter());
    let file = std::env::temp_dir().join(format!("sync-worker-rollout-{}.json", std::process::id()));
    let broker = Broker::start(1);
    let mut outputs = broker.outputs();
    let worker = Worker::start(&broker, &database, &["--rollout-file", &file.to_string_lossy()]);
    let input = broker.input();
    let mut n = 3; // a profile with IDs of all types
    let mut send = || {
        let update = computed(n);
        n += 500;
        input.send("compute-output", &update.profile_id, Some(&update.payload));
    };
    sleep(Duration::from_millis(500));
    assert!(worker.page("/readyz").1.contains("the rollout"), "nothing is decided before it is known");
    std::fs::write(&file, r#"{"flag":{"name":"dedupe","share_basis_points":0}}"#).unwrap();
    send();
    until_seen(&mut outputs, "the legacy flow", |sent| sent.len() == 4);
    std::fs::write(
        &file,
        r#"{"flag":{"name":"dedupe","share_basis_points":10000},"gate":{"spaces":["spa_load"]}}"#,
    )
    .unwrap();
    sleep(Duration::from_secs(1));
    send();
    until_seen(&mut outputs, "the dedupe flow", |sent| sent.len() == 2);
    std::fs::write(&file, "{").unwrap();
    sleep(Duration::from_secs(1));
    send();
    until_seen(&mut outputs, "the dedupe flow, as before", |sent| sent.len() == 2);
    std::fs::remove_file(&file).unwrap();
}
