//! Brokers that are away: what the worker says meanwhile, and how it ends.

use std::time::{Duration, Instant};

use crate::crashes::{assert_nothing_lost, prepare, push};
use crate::database::shared;
use crate::process::{Worker, wait_until};
use crate::real::cluster::{BROKERS, alone};

const PATIENCE: Duration = Duration::from_secs(120);

/// Longer than a stage may be silent before it is called hung.
const LONG: Duration = Duration::from_secs(65);

#[test]
fn a_stage_that_waits_for_brokers_does_not_hang_and_ends_in_time() {
    let database = shared("real_away");
    let (updates, expected) = prepare(&database, 4_000);
    let (cluster, _guard) = alone();
    let pipeline = cluster.pipeline("away", 3);
    let mut outputs = pipeline.outputs();
    let transactional = ["--transactional", "--batch", "256", "--drain-seconds", "3"];
    let worker = Worker::start(&pipeline, &database, &transactional);
    let plain = Worker::start(&pipeline, &database, &["--drain-seconds", "3"]);
    wait_until("updates", PATIENCE, || {
        if worker.metric("idgroup_updates_total") == 0.0 {
            push(&pipeline, &updates[..100], Duration::from_millis(10), || ());
        }
        worker.metric("idgroup_updates_total") > 0.0
    });
    push(&pipeline, &updates, Duration::from_millis(10), || ());
    (0..BROKERS).for_each(|broker| cluster.signal(broker, "STOP"));
    let began = Instant::now();
    while began.elapsed() < LONG {
        assert_eq!(worker.page("/healthz"), (200, "alive\n".to_owned()));
        assert_eq!(plain.page("/healthz").0, 200);
        std::thread::sleep(Duration::from_secs(1));
    }
    for worker in [worker, plain] {
        let began = Instant::now();
        worker.terminate();
        // Three seconds to drain, three for clients to end, and a busy machine.
        assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    }
    (0..BROKERS).for_each(|broker| cluster.signal(broker, "CONT"));
    cluster.wait_until_whole();
    let _worker = Worker::start(&pipeline, &database, &[]);
    assert_nothing_lost(&mut outputs, &expected);
}
