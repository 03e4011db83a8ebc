//! What brokers refuse, what has expired, and what is not moving.

use std::time::Duration;

use idgroup::ExternalId;
use rdkafka::{Offset, TopicPartitionList};

use crate::call_sizes::{LIMIT, sizes_are_checked};
use crate::crashes::{assert_nothing_lost, prepare, push};
use crate::database::{Server, block_on, shared};
use crate::kafka::Output;
use crate::load::{ROLLOUT_FOR_ALL, all_events, generate, load_destinations};
use crate::process::{Worker, wait_until};
use crate::real::cluster::{slowly, together};

const PATIENCE: Duration = Duration::from_secs(120);

/// A topic that takes little: many events in one batch are too much for it, and so is one of a profile
/// with many IDs, which is not known before.
fn one_event_is_too_large(name: &str, arguments: &[&str]) {
    let database = shared(&format!("real_{}", name.replace('-', "_")));
    let (mut identities, mut updates) = generate(3_000);
    let many = (0..400).map(|n| ExternalId::new("user_id", format!("{n:050}")).unwrap());
    identities.insert(("spa_load".to_owned(), "use_many".to_owned()), many.collect());
    database.store_destinations(&load_destinations());
    database.store_identities(identities.iter());
    database.execute(ROLLOUT_FOR_ALL);
    let expected = all_events(&updates, &identities, &load_destinations());
    let payload = String::from_utf8(updates[0].payload.clone()).unwrap();
    let payload = payload.replace("\"upd_0\"", "\"upd_many\"").replace("\"use_0\"", "\"use_many\"");
    updates[1_500].payload = payload.into_bytes();
    let expected: Vec<Output> =
        expected.into_iter().filter(|event| !contains(&event.payload, "\"upd_1500\"")).collect();
    let (cluster, _guard) = together();
    let pipeline = cluster.pipeline(name, 3);
    cluster.set(&format!("{name}.outbound"), "max.message.bytes", "10000");
    let mut outputs = pipeline.outputs();
    let mut letters = pipeline.outputs_of(&["dead-letter"]);
    // Without compression, so that it is known what is too large.
    let arguments = [arguments, &["--kafka", "compression.type=none"]].concat();
    let worker = Worker::start(&pipeline, &database, &arguments);
    push(&pipeline, &updates, Duration::from_secs(1), || ());
    letters.read_until("a dead letter", PATIENCE, |all| !all.is_empty());
    assert!(contains(&letters.all[0].payload, "\"upd_many\""), "{:?}", letters.all[0].headers);
    assert!(letters.all[0].headers["error"].contains("an output is refused"));
    outputs.read_until("all events", PATIENCE, |all| all.len() > expected.len());
    outputs.read_rest(Duration::from_secs(2));
    assert_eq!(outputs.all.iter().filter(|output| output.topic == "dead-letter").count(), 1);
    outputs.all.retain(|output| output.topic != "dead-letter");
    assert_eq!(assert_nothing_lost(&mut outputs, &expected), 0);
    assert_eq!(worker.metric("idgroup_stage_restarts_total"), 0.0);
    assert!(worker.terminate().success());
}

fn contains(payload: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(payload).contains(text)
}

#[test]
fn one_event_that_a_topic_refuses_is_found_among_others() {
    one_event_is_too_large("refused", &[]);
}

#[test]
fn one_event_that_a_topic_refuses_is_found_in_a_transaction() {
    one_event_is_too_large("refused-transaction", &["--transactional", "--batch", "512"]);
}

/// By the size of a batch, which has the call alone.
#[test]
fn a_call_that_a_topic_refuses_leaves_no_trace() {
    let (cluster, _guard) = together();
    let pipeline = cluster.pipeline("call-sizes", 2);
    for topic in ["call-sizes.outbound-calls", "call-sizes.outbound-calls-slow"] {
        cluster.set(topic, "max.message.bytes", &LIMIT.to_string());
    }
    sizes_are_checked(&pipeline, "real_call_sizes", 1_000_000);
}

#[test]
fn a_topic_that_takes_less_than_it_said_gets_one_message_at_a_time() {
    let database = shared("real_lowered");
    let (updates, expected) = prepare(&database, 3_000);
    let (cluster, _guard) = together();
    let pipeline = cluster.pipeline("lowered", 3);
    let mut outputs = pipeline.outputs();
    let arguments = ["--kafka", "compression.type=none", "--kafka", "linger.ms=100"];
    let worker = Worker::start(&pipeline, &database, &arguments);
    wait_until("ready", PATIENCE, || worker.page("/readyz").0 == 200);
    cluster.set("lowered.outbound", "max.message.bytes", "5000");
    push(&pipeline, &updates, Duration::from_secs(1), || ());
    assert_nothing_lost(&mut outputs, &expected);
    assert_eq!(outputs.all.iter().filter(|output| output.topic == "dead-letter").count(), 0);
}

#[test]
fn updates_that_expired_before_they_were_read_are_counted() {
    let database = shared("real_expired");
    let (updates, expected) = prepare(&database, 400);
    let (cluster, _guard) = together();
    let pipeline = cluster.pipeline("expired", 1);
    let mut outputs = pipeline.outputs();
    let worker = Worker::start(&pipeline, &database, &[]);
    push(&pipeline, &updates[..200], Duration::from_millis(10), || ());
    outputs.read_until("half", PATIENCE, |all| all.len() >= expected.len() / 2);
    assert!(worker.terminate().success());
    push(&pipeline, &updates[200..], Duration::from_millis(10), || ());
    let mut before = TopicPartitionList::new();
    before.add_partition_offset("expired.compute-output", 0, Offset::Offset(250)).unwrap();
    block_on(cluster.admin().delete_records(&before, &slowly())).unwrap();
    let worker = Worker::start(&pipeline, &database, &[]);
    wait_until("said aloud", PATIENCE, || {
        worker.metric("idgroup_updates_expired_total{stage=\"identify\"}") == 50.0
    });
    assert_eq!(worker.metric("idgroup_offset_resets_total"), 1.0);
    outputs.read_until("the rest", PATIENCE, |all| {
        all.iter().any(|output| contains(&output.payload, "\"upd_398\""))
    });
}

#[test]
fn lag_is_known_in_transactions_and_where_nothing_moves() {
    let server = Server::start();
    let database = server.database("real_lag");
    let (updates, expected) = prepare(&database, 1_000);
    let (cluster, _guard) = together();
    let pipeline = cluster.pipeline("lag", 2);
    let mut outputs = pipeline.outputs();
    let worker = Worker::start(&pipeline, &database, &["--transactional", "--batch", "512"]);
    wait_until("ready", PATIENCE, || worker.page("/readyz").0 == 200);
    // Not one update is ever done: from the first on they wait for the database.
    server.crash();
    push(&pipeline, &updates, Duration::from_millis(10), || ());
    wait_until("all of the lag", PATIENCE, || {
        worker.metric("idgroup_lag{partition=\"0\",stage=\"identify\"}") > 0.0
            && worker.metric("idgroup_lag{partition=\"1\",stage=\"identify\"}") > 0.0
            && worker.metric("idgroup_lag") == 1_000.0
    });
    assert_eq!(worker.page("/healthz").0, 200);
    server.go_on();
    assert_eq!(assert_nothing_lost(&mut outputs, &expected), 0);
    wait_until("no lag", PATIENCE, || {
        worker.page("/metrics").1.contains("idgroup_lag{") && worker.metric("idgroup_lag") == 0.0
    });
}
