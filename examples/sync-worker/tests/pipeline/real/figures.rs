//! Figures on real brokers, for whoever asks: `./test.sh figures`.

use std::thread::sleep;
use std::time::Duration;

use crate::crashes::{prepare, push};
use crate::database::shared;
use crate::figures::{measure, percentiles};
use crate::process::{Worker, wait_until};
use crate::real::cluster::alone;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
#[ignore = "figures are for a quiet machine"]
fn figures_of_workers_that_are_behind() {
    let (cluster, _guard) = alone();
    for (n, (stages, transactional, workers)) in [
        ("sync", false, 1),
        ("sync", true, 1),
        ("identify", false, 1),
        ("identify,sync", false, 1),
        ("identify,sync", true, 1),
        ("sync", false, 2),
        ("sync", false, 3),
    ]
    .into_iter()
    .enumerate()
    {
        let pipeline = cluster.pipeline(&format!("figures-{n}"), 12);
        measure(&pipeline, stages, false, transactional, workers);
    }
}

/// A hundred updates a second through both stages, which keep up.
#[test]
#[ignore = "figures are for a quiet machine"]
fn figures_of_a_worker_that_keeps_up() {
    let database = shared("figures_latency");
    let (updates, _) = prepare(&database, 3_000);
    let (cluster, _guard) = alone();
    let pipeline = cluster.pipeline("figures-latency", 12);
    let worker = Worker::start(&pipeline, &database, &[]);
    wait_until("ready", PATIENCE, || worker.page("/readyz").0 == 200);
    push(&pipeline, &updates, Duration::from_secs(30), || sleep(Duration::from_secs(1)));
    let done = "idgroup_update_seconds_count{stage=\"sync\"}";
    wait_until("all updates", PATIENCE, || worker.metric(done) >= 3_000.0);
    println!("\n## 100 updates a second, in hundredths");
    percentiles(&worker.page("/metrics").1, "idgroup_update_seconds");
}
