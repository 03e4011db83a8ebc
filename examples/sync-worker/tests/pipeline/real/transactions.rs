//! With transactions, a reader of what is committed sees each output exactly once.

use std::thread::sleep;
use std::time::Duration;

use crate::crashes::{assert_nothing_lost, prepare, push};
use crate::database::shared;
use crate::kafka::Pipeline;
use crate::process::{Worker, wait_until};
use crate::real::cluster::{Cluster, alone, together};

const PATIENCE: Duration = Duration::from_secs(120);
const TRANSACTIONAL: [&str; 3] = ["--transactional", "--batch", "512"];

/// Offsets are where the outputs are: once those have been seen, nothing is left to be read.
#[track_caller]
fn assert_all_committed(cluster: &Cluster, pipeline: &Pipeline) {
    for (stage, topic) in [("identify", "compute-output"), ("sync", "identified-output")] {
        // Updates of which nothing comes may have been the last.
        wait_until("all committed", PATIENCE, || cluster.uncommitted(pipeline, stage, topic) == 0);
    }
}

#[test]
fn workers_and_leading_brokers_are_killed_in_a_loop() {
    let database = shared("real_transactions");
    let (updates, expected) = prepare(&database, 8_000);
    let (cluster, _guard) = alone();
    let pipeline = cluster.pipeline("transactions", 6);
    let mut outputs = pipeline.outputs();
    // A worker that comes back ends the transaction that it left.
    let start = |name| {
        let arguments = [&TRANSACTIONAL[..], &["--instance", name]].concat();
        Worker::start(&pipeline, &database, &arguments)
    };
    let first = start("first");
    push(&pipeline, &updates, Duration::from_secs(30), || {
        for round in 0..4 {
            let second = start("second");
            let shares = "idgroup_updates_total{result=\"sent\"";
            wait_until("updates", PATIENCE, || second.metric(shares) + first.metric(shares) > 0.0);
            sleep(Duration::from_millis(900 * round));
            if round == 2 {
                let leader = cluster.leader("__transaction_state", 0).expect("a leader");
                cluster.kill(leader);
                sleep(Duration::from_secs(1));
                cluster.go_on(leader);
            }
            second.kill();
        }
    });
    let _second = start("second");
    assert_eq!(assert_nothing_lost(&mut outputs, &expected), 0);
    assert_all_committed(cluster, &pipeline);
}

#[test]
fn a_worker_that_stood_still_can_not_commit_what_is_another_s() {
    let database = shared("real_zombie");
    let (updates, expected) = prepare(&database, 6_000);
    let (cluster, _guard) = together();
    let pipeline = cluster.pipeline("zombie", 6);
    let mut outputs = pipeline.outputs();
    let zombie = Worker::start(&pipeline, &database, &TRANSACTIONAL);
    let mut other = None;
    push(&pipeline, &updates, Duration::from_secs(20), || {
        wait_until("updates", PATIENCE, || zombie.metric("idgroup_updates_total") > 0.0);
        let worker = Worker::start(&pipeline, &database, &TRANSACTIONAL);
        for _ in 0..2 {
            zombie.signal("STOP");
            // The group misses it after six seconds.
            sleep(Duration::from_secs(8));
            zombie.signal("CONT");
            wait_until("it answers", PATIENCE, || zombie.page("/healthz").0 == 200);
        }
        other = Some(worker);
    });
    assert_eq!(assert_nothing_lost(&mut outputs, &expected), 0);
    assert_all_committed(cluster, &pipeline);
}

#[test]
fn workers_join_and_leave() {
    let database = shared("real_transactional_joins");
    let (updates, expected) = prepare(&database, 6_000);
    let (cluster, _guard) = together();
    let pipeline = cluster.pipeline("transactional-joins", 6);
    let mut outputs = pipeline.outputs();
    let first = Worker::start(&pipeline, &database, &TRANSACTIONAL);
    push(&pipeline, &updates, Duration::from_secs(12), || {
        wait_until("updates", PATIENCE, || first.metric("idgroup_updates_total") > 0.0);
        for _ in 0..2 {
            let second = Worker::start(&pipeline, &database, &TRANSACTIONAL);
            second.waits_for("idgroup_updates_total{result=\"sent\"");
            assert!(second.terminate().success());
        }
    });
    assert_eq!(assert_nothing_lost(&mut outputs, &expected), 0);
    assert_eq!(first.metric("idgroup_stage_restarts_total"), 0.0);
    assert_all_committed(cluster, &pipeline);
}

#[test]
fn of_two_workers_with_one_name_one_ends() {
    let database = shared("real_fenced");
    let (updates, expected) = prepare(&database, 2_000);
    let (cluster, _guard) = together();
    let pipeline = cluster.pipeline("fenced", 4);
    let mut outputs = pipeline.outputs();
    let arguments = [&TRANSACTIONAL[..], &["--instance", "same"]].concat();
    let mut first = Worker::start(&pipeline, &database, &arguments);
    wait_until("ready", PATIENCE, || first.page("/readyz").0 == 200);
    let mut second = Worker::start(&pipeline, &database, &arguments);
    let mut ended = None;
    push(&pipeline, &updates, Duration::from_secs(5), || {
        wait_until("one has ended", PATIENCE, || {
            ended = first.ended().or_else(|| second.ended());
            ended.is_some()
        });
    });
    assert!(!ended.unwrap().success());
    let _third = Worker::start(&pipeline, &database, &TRANSACTIONAL);
    assert_eq!(assert_nothing_lost(&mut outputs, &expected), 0);
}
