//! What an update takes in every stage, topic and table, for who sizes a cluster: `./test.sh sizing`.
//!
//! One stage after the other reads all that waits for it, with one, two and three workers. What is counted
//! does not depend on how busy the machine is, save for the updates per second.

use std::thread::sleep;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::database::{Database, Server};
use crate::endpoint::Endpoint;
use crate::kafka::Pipeline;
use crate::people::real::{KEY, key_file};
use crate::people::store::{Store, store_audience};
use crate::people::world::{AUDIENCE, Step, World};
use crate::process::{Worker, processor_seconds, wait_until};
use crate::real::cluster::{Cluster, alone};

const UPDATES: usize = 60_000;
const PROFILES: usize = 30_000;
const PATIENCE: Duration = Duration::from_secs(600);
const REPLICAS: f64 = 3.0;
/// What the figures are scaled to.
const PER_SECOND: f64 = 1e6;

/// A stage, the topic that it reads, and the metric that counts its batches.
const STAGES: [(&str, &str, &str); 3] = [
    ("identify", "compute-output", "idgroup_step_seconds_count{flow=\"pipeline\",step=\"look_up\"}"),
    ("sync", "identified-output", "idgroup_step_seconds_count{flow=\"pipeline\",step=\"parse\"}"),
    ("deliver", "outbound-calls", "idgroup_posts_total"),
];

struct Setting<'a> {
    cluster: &'static Cluster,
    pipeline: &'a Pipeline,
    server: &'a Server,
    database: &'a Database,
    endpoint: &'a Endpoint,
}

/// What has been spent so far: seconds of processors, and what the database counts.
#[derive(Clone, Copy, Default)]
struct Spent {
    workers: f64,
    brokers: f64,
    database: f64,
    statements: f64,
    written: f64,
    batches: f64,
}

#[test]
#[ignore = "figures are for a quiet machine"]
fn sizing_with_one_two_and_three_workers() {
    let (cluster, _guard) = alone();
    for workers in 1..=3 {
        let pipeline = cluster.pipeline(&format!("sizing-{workers}"), 12);
        let server = Server::start();
        server.local("postgres").execute("alter system set shared_preload_libraries = 'pg_stat_statements'");
        server.crash();
        server.go_on();
        let database = server.database("sizing");
        database.execute("create extension pg_stat_statements");
        let endpoint = Endpoint::start(KEY);
        let setting = Setting {
            cluster,
            pipeline: &pipeline,
            server: &server,
            database: &database,
            endpoint: &endpoint,
        };
        setting.prepare();
        println!("\n## {workers} workers\n");
        println!(
            "| stage | records | records/s | workers µs | brokers µs | database µs | statements a batch | records a batch | WAL bytes |"
        );
        println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|");
        let stages =
            STAGES.map(|(stage, topic, batches)| (stage, setting.measure(stage, topic, batches, workers)));
        setting.print_topics();
        setting.print_tables();
        print_scaled(&stages);
    }
}

impl Setting<'_> {
    /// People, their identities, and all updates about them.
    fn prepare(&self) {
        store_audience(self.database);
        self.database.execute(&format!(
            "insert into destinations (computation_id, id, name, call)
             values ('{AUDIENCE}', 'list', 'list', '{{\"call\":\"track\"}}')"
        ));
        let mut world = World::new(1, PROFILES);
        let mut steps: Vec<Step> = Vec::new();
        while world.updates.len() < UPDATES {
            let step = world.go_on();
            step.updates.iter().for_each(|update| world.looked_up(*update));
            steps.push(step);
        }
        let mut store = Store::new(self.database);
        steps.chunks(500).for_each(|steps| store.keep(&world, steps));
        let input = self.pipeline.input();
        for update in spread(&world, steps.iter().flat_map(|step| &step.updates).copied()) {
            let update = &world.updates[update];
            let payload = serde_json::to_vec(&update.json()).unwrap();
            input.send("compute-output", &update.key(), Some(&payload));
        }
        input.flush();
        self.database.execute("vacuum analyze external_ids");
    }

    /// Has a stage do all that waits for it. Returns what that took for each of the records.
    fn measure(&self, stage: &str, topic: &str, batches: &str, count: usize) -> (f64, Spent) {
        let records = self.records(topic);
        let (url, key) = (self.endpoint.url(), key_file("sizing"));
        let mut arguments = vec!["--stages", stage];
        match stage {
            "sync" => arguments.extend(["--outbound", "calls", "--memories", "complete"]),
            "deliver" => arguments.extend(["--endpoint", &*url, "--write-key-file", &*key]),
            _ => (),
        }
        let start = |_| Worker::start(self.pipeline, self.database, &arguments);
        let workers: Vec<Worker> = (0..count).map(start).collect();
        let sum = |name: &str| workers.iter().map(|worker| worker.metric(name)).sum::<f64>();
        let done = format!("idgroup_stage_seconds_count{{stage=\"{stage}\"}}");
        wait_until("the first record", PATIENCE, || sum(&done) > 0.0);
        let (began, first, before) = (Instant::now(), sum(&done), self.spent(&workers, batches));
        wait_until("all records", PATIENCE, || {
            sleep(Duration::from_millis(100));
            sum(&done) >= records
        });
        let (took, records) = (began.elapsed().as_secs_f64(), records - first);
        let spent = self.spent(&workers, batches).since(&before).by(records);
        println!(
            "| {stage} | {records:.0} | {:.0} | {:.1} | {:.1} | {:.1} | {:.1} | {:.0} | {:.0} |",
            records / took,
            spent.workers * 1e6,
            spent.brokers * 1e6,
            spent.database * 1e6,
            spent.statements / spent.batches,
            1.0 / spent.batches,
            spent.written,
        );
        workers.into_iter().for_each(|worker| assert!(worker.terminate().success()));
        (records, spent)
    }

    fn spent(&self, workers: &[Worker], batches: &str) -> Spent {
        let seconds = |processes: Vec<u32>| processes.into_iter().map(processor_seconds).sum();
        Spent {
            workers: workers.iter().map(Worker::processor_seconds).sum(),
            brokers: seconds(self.cluster.processes()),
            database: seconds(self.server.processes()),
            statements: self.number("select sum(calls) from pg_stat_statements"),
            written: self.number("select pg_current_wal_lsn() - '0/0'"),
            batches: workers.iter().map(|worker| worker.metric(batches)).sum(),
        }
    }

    fn number(&self, sql: &str) -> f64 {
        self.database.number(sql)
    }

    fn records(&self, topic: &str) -> f64 {
        let consumer: BaseConsumer =
            ClientConfig::new().set("bootstrap.servers", &self.pipeline.servers).create().unwrap();
        let topic = format!("{}{topic}", self.pipeline.prefix);
        let ends = (0..self.pipeline.partitions)
            .map(|partition| consumer.fetch_watermarks(&topic, partition, PATIENCE).unwrap());
        ends.map(|(low, high)| (high - low) as f64).sum()
    }

    fn print_topics(&self) {
        println!(
            "\n| topic | records an update | bytes a record, compressed | at a million updates a second: MB/s | \
             TB a day, all replicas |\n|---|---:|---:|---:|---:|"
        );
        let updates = self.records("compute-output");
        for (_, topic, _) in STAGES {
            let records = self.records(topic);
            let bytes = self.cluster.bytes_of(&format!("{}{topic}", self.pipeline.prefix)) as f64 / REPLICAS;
            let written = bytes / updates * PER_SECOND;
            println!(
                "| {topic} | {:.2} | {:.0} | {:.0} | {:.1} |",
                records / updates,
                bytes / records.max(1.0),
                written / 1e6,
                written * REPLICAS * 86_400.0 / 1e12,
            );
        }
    }

    /// Memories: of each profile in each computation one row.
    fn print_tables(&self) {
        let rows = self.number("select count(*) from memories");
        let bytes = self.number("select avg(octet_length(memory)) from memories");
        self.database.execute("vacuum full memories");
        let table = self.number("select pg_table_size('memories')") / rows;
        let index = self.number("select pg_indexes_size('memories')") / rows;
        println!(
            "\n| memories, a profile and computation | bytes of one | with its row | its index |\n|---:|---:|---:|---:|"
        );
        println!("| {:.2} | {bytes:.0} | {table:.0} | {index:.0} |", rows / PROFILES as f64);
    }
}

impl Spent {
    fn since(&self, before: &Self) -> Self {
        Self {
            workers: self.workers - before.workers,
            brokers: self.brokers - before.brokers,
            database: self.database - before.database,
            statements: self.statements - before.statements,
            written: self.written - before.written,
            batches: self.batches - before.batches,
        }
    }

    fn by(&self, records: f64) -> Self {
        Self {
            workers: self.workers / records,
            brokers: self.brokers / records,
            database: self.database / records,
            statements: self.statements / records,
            written: self.written / records,
            batches: self.batches / records,
        }
    }
}

/// First one update of everybody, then the next of each: as if they came over days, and not as if whole stays
/// came at once, which would end a unit of work after each of their messages.
fn spread(world: &World, updates: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut turns = vec![0; world.people()];
    let turn_of = |update: usize| {
        let turn = &mut turns[world.updates[update].person];
        *turn += 1;
        (*turn, update)
    };
    let mut spread: Vec<(usize, usize)> = updates.map(turn_of).collect();
    spread.sort_by_key(|(turn, _)| *turn);
    spread.into_iter().map(|(_, update)| update).collect()
}

/// Of an update, where a stage has more or fewer records than there are updates.
fn print_scaled(stages: &[(&str, (f64, Spent))]) {
    let updates = stages[0].1.0;
    println!(
        "\n| a million updates a second | workers' cores | brokers' cores | database's cores | statements/s | WAL MB/s |"
    );
    println!("|---|---:|---:|---:|---:|---:|");
    for (stage, (records, spent)) in stages {
        let per_second = PER_SECOND * records / updates;
        println!(
            "| {stage} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} |",
            spent.workers * per_second,
            spent.brokers * per_second,
            spent.database * per_second,
            spent.statements * per_second,
            spent.written * per_second / 1e6,
        );
    }
}
