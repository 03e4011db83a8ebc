//! Figures, for whoever asks: `./test.sh figures`. Each test prints a table in Markdown.

use std::collections::BTreeMap;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::database::{Database, Server, shared};
use crate::kafka::{Broker, Pipeline};
use crate::load::{Computed, Identities, ROLLOUT_FOR_ALL, computed, generate, load_destinations};
use crate::process::{Worker, wait_until};

pub const UPDATES: usize = 100_000;
const PATIENCE: Duration = Duration::from_secs(180);

/// What is measured.
#[derive(Clone, Copy)]
pub struct Setting {
    pub stages: &'static str,
    pub compares: bool,
    pub transactional: bool,
    pub batch: &'static str,
    pub workers: usize,
    /// For how long librdkafka waits for more, where that is not as usual.
    pub linger: Option<&'static str>,
}

/// One worker with the default batch.
pub const fn plain(stages: &'static str) -> Setting {
    Setting { stages, compares: false, transactional: false, batch: "1024", workers: 1, linger: None }
}

/// What has been measured, of all workers together.
pub struct Figures {
    pub setting: Setting,
    updates: f64,
    seconds: f64,
    /// Seconds of processor time, by what spent them.
    processor: BTreeMap<String, f64>,
    mib_at_rest: u64,
    mib_at_most: u64,
    /// The first worker's metrics.
    metrics: String,
}

impl Figures {
    /// Seconds.
    pub fn processor_per_update(&self) -> f64 {
        self.processor.values().sum::<f64>() / self.updates
    }
}

/// One worker on one core, with the cluster's mock, the database and this process on the others.
#[test]
#[ignore = "figures are for a quiet machine"]
fn figures_of_the_mock() {
    let all = [
        plain("sync"),
        Setting { compares: true, ..plain("sync") },
        plain("identify"),
        plain("identify,sync"),
        Setting { transactional: true, batch: "4096", ..plain("identify,sync") },
    ]
    .map(|setting| measure(&Broker::start(16), setting));
    print_throughput("A mock of brokers", &all);
    print_steps(&all[1]);
}

/// How fast these stages are done with what waits for them. Workers have the last processors to themselves,
/// half of all.
pub fn measure(pipeline: &Pipeline, setting: Setting) -> Figures {
    let (database, identities, updates) = prepare(pipeline, setting);
    push(pipeline, setting, &identities, &updates);
    let processors = std::thread::available_parallelism().unwrap().get();
    let mut arguments = vec!["--stages", setting.stages, "--batch", setting.batch, "--memories", "off"];
    if setting.transactional {
        arguments.push("--transactional");
    }
    arguments.extend(setting.linger.iter().flat_map(|linger| ["--kafka", linger]));
    let start = |n: usize| {
        let processor = processors - 1 - n % (processors / 2).max(1);
        let mut command = Command::new("taskset");
        command.args(["-c", &processor.to_string(), env!("CARGO_BIN_EXE_sync-worker")]);
        Worker::start_by(command, pipeline, &database, &arguments)
    };
    let all: Vec<Worker> = (0..setting.workers).map(start).collect();
    for worker in &all {
        wait_until("ready", PATIENCE, || worker.page("/readyz").0 == 200);
    }
    let at_rest = all[0].memory("VmRSS");
    let last = if setting.stages.ends_with("sync") { "sync" } else { "identify" };
    let done = format!("idgroup_stage_seconds_count{{stage=\"{last}\"}}");
    let done = || all.iter().map(|worker| worker.metric(&done)).sum::<f64>();
    wait_until("the first update", PATIENCE, || done() > 0.0);
    let (began, first) = (Instant::now(), done());
    let before = processor_by_thread(&all);
    wait_until("all updates", PATIENCE, || {
        sleep(Duration::from_millis(50));
        done() >= UPDATES as f64
    });
    let seconds = began.elapsed().as_secs_f64();
    let mut processor = processor_by_thread(&all);
    processor
        .iter_mut()
        .for_each(|(name, seconds)| *seconds -= before.get(name).copied().unwrap_or_default());
    Figures {
        setting,
        updates: UPDATES as f64 - first,
        seconds,
        processor,
        mib_at_rest: at_rest / 1024,
        mib_at_most: all.iter().map(|worker| worker.memory("VmHWM")).max().unwrap_or_default() / 1024,
        metrics: all[0].page("/metrics").1,
    }
}

fn prepare(pipeline: &Pipeline, setting: Setting) -> (Database, Identities, Vec<Computed>) {
    let Setting { stages, compares, transactional, .. } = setting;
    let name = format!("{}_{stages}_{compares}_{transactional}", pipeline.prefix);
    let database = shared(&format!("figures_{}", name.replace(['-', '.', ','], "_")));
    let (identities, updates) = generate(UPDATES);
    database.store_destinations(&load_destinations());
    database.store_identities(identities.iter());
    database.execute(ROLLOUT_FOR_ALL);
    database.execute(&format!("update rollout set compare = {compares}"));
    (database, identities, updates)
}

/// What waits for the worker.
fn push(pipeline: &Pipeline, setting: Setting, identities: &Identities, updates: &[Computed]) {
    let input = pipeline.input();
    for update in updates {
        if setting.stages == "sync" {
            let mut json: serde_json::Value = serde_json::from_slice(&update.payload).unwrap();
            let ids = &identities[&("spa_load".to_owned(), update.profile_id.clone())];
            json["external_ids"] = serde_json::to_value(ids).unwrap();
            input.send("identified-output", &update.profile_id, Some(json.to_string().as_bytes()));
        } else {
            input.send("compute-output", &update.profile_id, Some(&update.payload));
        }
    }
    input.flush();
}

/// librdkafka's threads read from and write to brokers, and pack and unpack; the others are the worker's own.
fn processor_by_thread(workers: &[Worker]) -> BTreeMap<String, f64> {
    let mut spent = BTreeMap::new();
    for (name, seconds) in workers.iter().flat_map(Worker::processor_by_thread) {
        let name = match name.strip_prefix("rdk:") {
            Some("main") => "librdkafka, main",
            Some(_) => "librdkafka, brokers",
            None => "the worker's own",
        };
        *spent.entry(name.to_owned()).or_default() += seconds;
    }
    spent
}

pub fn print_throughput(of: &str, all: &[Figures]) {
    println!("\n{of}, {UPDATES} updates waiting:\n");
    println!(
        "| stages | batch | workers | updates/s | processor time per update | of that in librdkafka | at rest | at most |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for Figures { setting, updates, seconds, processor, mib_at_rest, mib_at_most, .. } in all {
        let per_update = |of: f64| of / updates * 1e6;
        let all: f64 = processor.values().sum();
        let others: f64 = all - processor.get("the worker's own").copied().unwrap_or_default();
        println!(
            "| {}{}{}{} | {} | {} | {:.0} | {:.1} µs | {:.1} µs | {mib_at_rest} MiB | {mib_at_most} MiB |",
            setting.stages,
            if setting.compares { ", compared" } else { "" },
            if setting.transactional { ", `--transactional`" } else { "" },
            setting.linger.map(|linger| format!(", `{linger}`")).unwrap_or_default(),
            setting.batch,
            setting.workers,
            updates / seconds,
            per_update(all),
            per_update(others),
        );
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
            print_percentiles(&worker.page("/metrics").1, "idgroup_step_seconds", updates);
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

/// Where a worker's time goes: the clock's, not the processor's.
pub fn print_steps(figures: &Figures) {
    println!("\nSteps of {}, upper bounds of percentiles:\n", figures.setting.stages);
    print_percentiles(&figures.metrics, "idgroup_step_seconds", figures.updates);
}

/// Upper bounds of percentiles, from the buckets of a histogram; and what they come to for each of so many
/// updates.
pub fn print_percentiles(metrics: &str, name: &str, updates: f64) {
    let mut series: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for line in metrics.lines().filter(|line| line.starts_with(&format!("{name}_bucket"))) {
        let (labels, count) = line.rsplit_once(' ').unwrap();
        let (start, bound) = labels.split_once("le=\"").unwrap();
        let (bound, rest) = bound.split_once('"').unwrap();
        let labels = format!("{start}{rest}").replace(&format!("{name}_bucket"), "");
        let bound = bound.parse().unwrap_or(f64::INFINITY);
        series.entry(labels).or_default().push((bound, count.parse().unwrap()));
    }
    let sum = |labels: &str| {
        let sums = metrics.lines().filter(|line| line.starts_with(&format!("{name}_sum")));
        let labels: Vec<&str> = labels.split(['{', '}', ',']).filter(|label| !label.is_empty()).collect();
        let mut of = sums.filter(|line| labels.iter().all(|label| line.contains(label)));
        of.next().map_or(0.0, |line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
    };
    println!("| {name} | times | p50 | p99 | p99.9 | per update |");
    println!("|---|---|---|---|---|---|");
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
            "| `{labels}` | {total} | {} | {} | {} | {:.2} µs |",
            percentile(0.5),
            percentile(0.99),
            percentile(0.999),
            sum(&labels) / updates * 1e6
        );
    }
}
