//! At least once, whatever is taken away.

use std::time::Duration;

use crate::crashes::{assert_nothing_lost, prepare, push};
use crate::database::shared;
use crate::process::Worker;
use crate::real::cluster::cluster;

#[test]
fn a_worker_on_real_brokers_writes_what_the_library_decides() {
    let database = shared("real_plain");
    let (updates, expected) = prepare(&database, 5_000);
    let pipeline = cluster().pipeline("plain", 6);
    let mut outputs = pipeline.outputs();
    let worker = Worker::start(&pipeline, &database, &[]);
    push(&pipeline, &updates, Duration::from_secs(2), || ());
    assert_eq!(assert_nothing_lost(&mut outputs, &expected), 0);
    assert!(worker.terminate().success());
}
