//! Figures on real brokers, for whoever asks: `./test.sh figures`.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::crashes::prepare;
use crate::database::shared;
use crate::figures::{Figures, Setting, measure, plain, print_percentiles, print_steps, print_throughput};
use crate::process::{Worker, wait_until};
use crate::real::cluster::alone;

const PATIENCE: Duration = Duration::from_secs(60);
/// How often each setting is measured.
const ROUNDS: usize = 3;
/// For how long updates come at each rate.
const SECONDS: usize = 15;

#[test]
#[ignore = "figures are for a quiet machine"]
fn figures_of_workers_that_are_behind() {
    let (cluster, _guard) = alone();
    // Brokers compile as they go.
    let _ = measure(&cluster.pipeline("figures-warm", 12), plain("sync"));
    let transactional = |stages| Setting { transactional: true, batch: "4096", ..plain(stages) };
    let all: Vec<Figures> = [
        plain("sync"),
        Setting { linger: Some("linger.ms=5"), ..plain("sync") },
        Setting { linger: Some("linger.ms=50"), ..plain("sync") },
        Setting { compares: true, ..plain("sync") },
        Setting { batch: "4096", ..plain("sync") },
        transactional("sync"),
        plain("identify"),
        plain("identify,sync"),
        transactional("identify,sync"),
        Setting { workers: 2, ..plain("sync") },
        Setting { workers: 3, ..plain("sync") },
    ]
    .into_iter()
    .enumerate()
    .map(|(n, setting)| {
        let round = |round| measure(&cluster.pipeline(&format!("figures-{n}-{round}"), 12), setting);
        median((0..ROUNDS).map(round).collect())
    })
    .collect();
    print_throughput("Three brokers", &all);
    print_steps(&all[3]);
}

/// Of several rounds that of which as many took more processor time as took less.
fn median(mut rounds: Vec<Figures>) -> Figures {
    rounds.sort_by(|one, other| one.processor_per_update().total_cmp(&other.processor_per_update()));
    rounds.swap_remove(rounds.len() / 2)
}

/// Through both stages, which keep up: without load, and with some.
#[test]
#[ignore = "figures are for a quiet machine"]
fn figures_of_a_worker_that_keeps_up() {
    for (name, rate) in [("unloaded", 100), ("loaded", 4_000)] {
        let database = shared(&format!("figures_{name}"));
        let (updates, _) = prepare(&database, rate * SECONDS);
        let (cluster, _guard) = alone();
        let pipeline = cluster.pipeline(&format!("figures-{name}"), 12);
        let worker = Worker::start(&pipeline, &database, &[]);
        wait_until("ready", PATIENCE, || worker.page("/readyz").0 == 200);
        let input = pipeline.input();
        let began = Instant::now();
        for (n, update) in updates.iter().enumerate() {
            let due = Duration::from_secs_f64(n as f64 / rate as f64);
            sleep(due.saturating_sub(began.elapsed()));
            input.send("compute-output", &update.profile_id, Some(&update.payload));
        }
        input.flush();
        let done = "idgroup_update_seconds_count{stage=\"sync\"}";
        wait_until("all updates", PATIENCE, || worker.metric(done) >= updates.len() as f64);
        let memory = worker.memory("VmHWM") / 1024;
        println!(
            "\n{rate} updates a second, {memory} MiB at most, from the time in Kafka to the acknowledgement:\n"
        );
        print_percentiles(&worker.page("/metrics").1, "idgroup_update_seconds", updates.len() as f64);
    }
}
