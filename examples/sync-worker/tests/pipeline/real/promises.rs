//! At least once, whatever is taken away.

use std::thread::sleep;
use std::time::Duration;

use crate::crashes::{assert_nothing_lost, prepare, push};
use crate::database::shared;
use crate::process::{Worker, wait_until};
use crate::real::cluster::{alone, together};

const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn what_the_library_decides_is_written_once_while_nothing_fails() {
    let database = shared("real_plain");
    let (updates, expected) = prepare(&database, 5_000);
    let (cluster, _guard) = together();
    let pipeline = cluster.pipeline("plain", 6);
    let mut outputs = pipeline.outputs();
    let worker = Worker::start(&pipeline, &database, &[]);
    push(&pipeline, &updates, Duration::from_secs(2), || ());
    assert_eq!(assert_nothing_lost(&mut outputs, &expected), 0);
    assert!(worker.terminate().success());
    for (stage, topic) in [("identify", "compute-output"), ("sync", "identified-output")] {
        assert_eq!(cluster.uncommitted(&pipeline, stage, topic), 0);
    }
}

#[test]
fn workers_and_leading_brokers_are_killed_in_a_loop() {
    let database = shared("real_kills");
    let (updates, expected) = prepare(&database, 10_000);
    let (cluster, _guard) = alone();
    let pipeline = cluster.pipeline("kills", 6);
    let mut outputs = pipeline.outputs();
    push(&pipeline, &updates, Duration::from_secs(30), || {
        for round in 0..3 {
            let worker = Worker::start(&pipeline, &database, &[]);
            worker.waits_for("idgroup_updates_total");
            sleep(Duration::from_millis(700 * round));
            let leader = cluster.leader("kills.outbound", 0);
            worker.kill();
            if let Some(leader) = leader {
                let worker = Worker::start(&pipeline, &database, &[]);
                worker.waits_for("idgroup_updates_total");
                cluster.kill(leader);
                sleep(Duration::from_secs(1));
                worker.kill();
                cluster.go_on(leader);
                // One at a time: with two away nothing could be acknowledged, whatever the worker does.
                cluster.wait_until_whole();
            }
        }
    });
    let _worker = Worker::start(&pipeline, &database, &[]);
    let repeats = assert_nothing_lost(&mut outputs, &expected);
    println!("{} events, {repeats} again", expected.len());
}

#[test]
fn a_broker_stops_answering() {
    let database = shared("real_stop");
    let (updates, expected) = prepare(&database, 8_000);
    let (cluster, _guard) = alone();
    let pipeline = cluster.pipeline("stop", 6);
    let mut outputs = pipeline.outputs();
    let worker = Worker::start(&pipeline, &database, &[]);
    wait_until("ready", PATIENCE, || worker.page("/readyz").0 == 200);
    push(&pipeline, &updates, Duration::from_secs(14), || {
        wait_until("updates", PATIENCE, || worker.metric("idgroup_updates_total") > 0.0);
        let leader = cluster.leader("stop.outbound", 0).expect("a leader");
        cluster.signal(leader, "STOP");
        // Longer than the others wait for it before they lead its partitions.
        sleep(Duration::from_secs(9));
        assert_eq!(worker.page("/healthz").0, 200);
        cluster.signal(leader, "CONT");
    });
    assert_nothing_lost(&mut outputs, &expected);
    assert_eq!(worker.metric("idgroup_stage_restarts_total"), 0.0);
}

#[test]
fn a_worker_joins_and_leaves_and_nothing_comes_twice() {
    let database = shared("real_joins");
    let (updates, expected) = prepare(&database, 8_000);
    let (cluster, _guard) = together();
    let pipeline = cluster.pipeline("joins", 8);
    let mut outputs = pipeline.outputs();
    let worker = Worker::start(&pipeline, &database, &[]);
    push(&pipeline, &updates, Duration::from_secs(10), || {
        wait_until("updates", PATIENCE, || worker.metric("idgroup_updates_total") > 0.0);
        let second = Worker::start(&pipeline, &database, &[]);
        second.waits_for("idgroup_updates_total{result=\"sent\"");
        assert!(second.terminate().success());
    });
    assert_eq!(assert_nothing_lost(&mut outputs, &expected), 0);
}

#[test]
fn workers_with_names_of_their_own_are_killed_and_come_back() {
    let database = shared("real_static");
    let (updates, expected) = prepare(&database, 8_000);
    let (cluster, _guard) = together();
    let pipeline = cluster.pipeline("static", 8);
    let mut outputs = pipeline.outputs();
    let start = |name| Worker::start(&pipeline, &database, &["--instance", name]);
    let first = start("first");
    let mut second = start("second");
    push(&pipeline, &updates, Duration::from_secs(12), || {
        for _ in 0..3 {
            second.waits_for("idgroup_updates_total{result=\"sent\"");
            second.kill();
            second = start("second");
        }
    });
    let repeats = assert_nothing_lost(&mut outputs, &expected);
    println!("{} events, {repeats} again", expected.len());
    assert!(first.metric("idgroup_updates_total{result=\"sent\"") > 0.0);
}

#[test]
fn a_quota_slows_and_loses_nothing() {
    let database = shared("real_quota");
    let (updates, expected) = prepare(&database, 3_000);
    let (cluster, _guard) = alone();
    let quota = |change: &[&str]| {
        let entity = ["--alter", "--entity-type", "clients", "--entity-name", "sync-worker"];
        cluster.tool("kafka.admin.ConfigCommand", &[&entity, change].concat());
    };
    let pipeline = cluster.pipeline("quota", 4);
    let mut outputs = pipeline.outputs();
    // Of each broker: far less than the workers would write.
    quota(&["--add-config", "producer_byte_rate=40000,consumer_byte_rate=60000"]);
    let worker = Worker::start(&pipeline, &database, &[]);
    push(&pipeline, &updates, Duration::from_secs(1), || ());
    assert_nothing_lost(&mut outputs, &expected);
    assert_eq!(worker.page("/healthz").0, 200);
    quota(&["--delete-config", "producer_byte_rate,consumer_byte_rate"]);
    assert_eq!(outputs.repeats(), 0);
}
