//! Figures, for whoever asks: `./test.sh figures`.

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::database::{Database, Server, shared};
use crate::kafka::{Broker, Pipeline};
use crate::load::{ROLLOUT_FOR_ALL, computed, generate, load_destinations};
use crate::process::{Worker, wait_until};

const UPDATES: usize = 100_000;
const PATIENCE: Duration = Duration::from_secs(180);

/// One worker on one core, with the cluster's mock, the database and this process on the others.
#[test]
#[ignore = "figures are for a quiet machine"]
fn one_worker_on_one_core() {
    for (stages, compare, transactional) in [
        ("sync", false, false),
        ("sync", true, false),
        ("identify", false, false),
        ("identify,sync", false, false),
        ("identify,sync", false, true),
    ] {
        measure(&Broker::start(16), stages, compare, transactional, 1);
    }
}

/// How fast these stages are done with what waits for them, in so many workers on one core.
pub fn measure(pipeline: &Pipeline, stages: &str, compare: bool, transactional: bool, workers: usize) {
    let name = format!(
        "figures_{}_{}_{compare}_{transactional}",
        pipeline.prefix.replace(['-', '.'], "_"),
        stages.replace(',', "_")
    );
    let database = shared(&name);
    let (identities, updates) = generate(UPDATES);
    database.store_destinations(&load_destinations());
    database.store_identities(identities.iter());
    database.execute(ROLLOUT_FOR_ALL);
    database.execute(&format!("update rollout set compare = {compare}"));
    let input = pipeline.input();
    for update in &updates {
        if stages == "sync" {
            let mut json: serde_json::Value = serde_json::from_slice(&update.payload).unwrap();
            let ids = &identities[&("spa_load".to_owned(), update.profile_id.clone())];
            json["external_ids"] = serde_json::to_value(ids).unwrap();
            input.send("identified-output", &update.profile_id, Some(json.to_string().as_bytes()));
        } else {
            input.send("compute-output", &update.profile_id, Some(&update.payload));
        }
    }
    input.flush();
    // The last processor is the worker's.
    let processors = std::thread::available_parallelism().unwrap().get();
    let mut arguments = vec!["--stages", stages, "--memories", "off"];
    if transactional {
        // A transaction costs the same whatever is in it.
        arguments.extend(["--transactional", "--batch", "4096"]);
    }
    let start = || {
        let mut command = Command::new("taskset");
        command.args(["-c", &(processors - 1).to_string(), env!("CARGO_BIN_EXE_sync-worker")]);
        Worker::start_by(command, pipeline, &database, &arguments)
    };
    let all: Vec<Worker> = (0..workers).map(|_| start()).collect();
    let sum = |of: &dyn Fn(&Worker) -> f64| all.iter().map(of).sum::<f64>();
    for worker in &all {
        wait_until("ready", PATIENCE, || worker.page("/readyz").0 == 200);
    }
    let at_rest = all[0].memory("VmRSS");
    let last = if stages.ends_with("sync") { "sync" } else { "identify" };
    let done = format!("idgroup_stage_seconds_count{{stage=\"{last}\"}}");
    wait_until("the first update", PATIENCE, || sum(&|worker| worker.metric(&done)) > 0.0);
    let (began, first) = (Instant::now(), sum(&|worker| worker.metric(&done)));
    let processor = sum(&Worker::processor_seconds);
    wait_until("all updates", PATIENCE, || {
        sleep(Duration::from_millis(100));
        sum(&|worker| worker.metric(&done)) >= UPDATES as f64
    });
    let (took, updates) = (began.elapsed().as_secs_f64(), UPDATES as f64 - first);
    let processor = sum(&Worker::processor_seconds) - processor;
    println!("\n## {workers} workers, stages {stages}, compare {compare}, transactional {transactional}");
    println!(
        "{:.0} updates/s; {:.1} µs of processor time per update; memory {} MiB at rest, {} MiB at most",
        updates / took,
        processor / updates * 1e6,
        at_rest / 1024,
        all.iter().map(|worker| worker.memory("VmHWM")).max().unwrap_or_default() / 1024
    );
    let worker = &all[0];
    for name in ["idgroup_step_seconds", "idgroup_stage_seconds"] {
        percentiles(&worker.page("/metrics").1, name);
    }
}

/// What it costs to remember, with a database that loses nothing: updates about few people, of whom all is
/// remembered soon, and about as many as there are updates.
#[test]
#[ignore = "figures are for a quiet machine"]
fn memories_of_one_worker_on_one_core() {
    let server = Server::start_durable(DATABASE_OPTIONS);
    for people in [500, UPDATES] {
        for memories in ["off", "partial"] {
            let database = server.database(&format!("memories_{people}_{memories}"));
            database.store_destinations(&load_destinations());
            database.execute(ROLLOUT_FOR_ALL);
            let broker = Broker::start(16);
            fill(&broker, people);
            let worker = start_on_last_processor(&broker, &database, memories);
            let done = "idgroup_stage_seconds_count{stage=\"sync\"}";
            wait_until("the first update", PATIENCE, || worker.metric(done) > 0.0);
            let (began, first) = (Instant::now(), worker.metric(done));
            let processor = worker.processor_seconds();
            wait_until("all updates", PATIENCE, || {
                sleep(Duration::from_millis(50));
                worker.metric(done) >= UPDATES as f64
            });
            let (took, updates) = (began.elapsed().as_secs_f64(), UPDATES as f64 - first);
            let processor = worker.processor_seconds() - processor;
            println!(
                "\n## {people} people, memories {memories}: {:.0} updates/s, {:.1} µs of processor time each, {} MiB at most",
                updates / took,
                processor / updates * 1e6,
                worker.memory("VmHWM") / 1024
            );
            println!(
                "{} memories kept in {}",
                database.text("select count(*)::text from memories where memory <> ''"),
                database.text("select pg_size_pretty(pg_total_relation_size('memories'))")
            );
            percentiles(&worker.page("/metrics").1, "idgroup_step_seconds");
        }
    }
}

/// See the manual.
const DATABASE_OPTIONS: &str = "-c fsync=on -c synchronous_commit=on -c shared_buffers=512MB \
    -c max_wal_size=4GB -c checkpoint_timeout=15min -c wal_compression=on";

fn fill(broker: &Broker, people: usize) {
    let input = broker.input();
    for n in 0..UPDATES {
        let mut update: serde_json::Value = serde_json::from_slice(&computed(n).payload).unwrap();
        let profile = format!("use_{}", n % people);
        update["profile_id"] = profile.clone().into();
        update["external_ids"] = (0..1 + n % people % 4)
            .map(|id| {
                serde_json::json!({"type": (["email", "phone", "user_id"][id % 3]),
                    "id": format!("{profile}.{id}@example.com"),
                    "created_at": format!("2026-01-0{}T10:00:00Z", id + 1)})
            })
            .collect();
        input.send("identified-output", &profile, Some(update.to_string().as_bytes()));
    }
    input.flush();
}

fn start_on_last_processor(broker: &Broker, database: &Database, memories: &str) -> Worker {
    let processors = std::thread::available_parallelism().unwrap().get();
    let mut command = Command::new("taskset");
    command.args(["-c", &(processors - 1).to_string(), env!("CARGO_BIN_EXE_sync-worker")]);
    let worker = Worker::start_by(command, broker, database, &["--stages", "sync", "--memories", memories]);
    wait_until("ready", PATIENCE, || worker.page("/readyz").0 == 200);
    worker
}

/// Upper bounds of percentiles, from the buckets of a histogram.
pub fn percentiles(metrics: &str, name: &str) {
    let mut series: Vec<(String, Vec<(f64, f64)>)> = Vec::new();
    for line in metrics.lines().filter(|line| line.starts_with(&format!("{name}_bucket"))) {
        let (labels, count) = line.rsplit_once(' ').unwrap();
        let (start, bound) = labels.split_once("le=\"").unwrap();
        let (bound, rest) = bound.split_once('"').unwrap();
        let labels = format!("{start}{rest}");
        if series.last().is_none_or(|(last, _)| *last != labels) {
            series.push((labels, Vec::new()));
        }
        let bound = bound.parse().unwrap_or(f64::INFINITY);
        series.last_mut().unwrap().1.push((bound, count.parse().unwrap()));
    }
    for (labels, buckets) in series {
        let total = buckets.last().unwrap().1;
        if total == 0.0 {
            continue;
        }
        let percentile = |share: f64| {
            let bound = buckets.iter().find(|(_, count)| *count >= total * share).unwrap().0;
            format!("{:.1} µs", bound * 1e6)
        };
        println!(
            "{labels} {total} times: p50 ≤ {}, p99 ≤ {}, p99.9 ≤ {}",
            percentile(0.5),
            percentile(0.99),
            percentile(0.999)
        );
    }
}
