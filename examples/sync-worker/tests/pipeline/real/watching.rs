//! What is to be watched can be: every query of the dashboard has data, and every alert fires when what it
//! is about happens. Their windows of minutes are seconds here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;

use crate::crashes::{prepare, push};
use crate::database::{Database, Server, block_on, free_port};
use crate::endpoint::Endpoint;
use crate::kafka::Pipeline;
use crate::load::Computed;
use crate::process::{Worker, page, wait_until};
use crate::real::cluster::{Cluster, slowly, together};

const PATIENCE: Duration = Duration::from_secs(120);

const METRICS_OF_DELIVERIES: [&str; 6] = [
    "idgroup_calls_total",
    "idgroup_calls_refused_total",
    "idgroup_posts_total",
    "idgroup_post_seconds_bucket",
    "idgroup_parked_deliveries",
    "idgroup_parked_seconds",
];

/// A Prometheus of the test's own. Killed with the value.
struct Prometheus {
    child: Child,
    address: String,
    directory: PathBuf,
}

impl Prometheus {
    fn start(workers: &[&Worker]) -> Self {
        let directory = std::env::temp_dir().join(format!("sync-worker-prometheus-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).unwrap();
        let mut rules = std::fs::read_to_string(monitoring("alerts.yml")).unwrap();
        for (long, short) in [("[5m]", "[10s]"), ("[10m]", "[40s]"), ("[15m]", "[40s]"), ("[1h]", "[40s]")] {
            rules = rules.replace(long, short);
        }
        // What counts as a backlog and as many retries is a matter of scale too.
        rules = rules
            .replace("> 10000", "> 1000")
            .replace("(idgroup_retries_total[10s])) > 5", "(idgroup_retries_total[10s])) > 1");
        let rules: Vec<&str> = rules.lines().filter(|line| !line.trim().starts_with("for:")).collect();
        std::fs::write(directory.join("alerts.yml"), rules.join("\n")).unwrap();
        let targets: Vec<String> = workers.iter().map(|worker| format!("\"{}\"", worker.address())).collect();
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [alerts.yml]\nscrape_configs:\n  \
             - {{job_name: sync-worker, static_configs: [{{targets: [{}]}}]}}\n",
            targets.join(",")
        );
        std::fs::write(directory.join("prometheus.yml"), config).unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let child = Command::new("prometheus")
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=error"])
            .arg(format!("--web.listen-address={address}"))
            .current_dir(&directory)
            .stdout(Stdio::null())
            .spawn()
            .expect("prometheus is installed: see `test.sh`");
        let prometheus = Self { child, address, directory };
        wait_until("Prometheus is ready", PATIENCE, || page(&prometheus.address, "/-/ready").0 == 200);
        prometheus
    }

    fn ask(&self, path: &str) -> Value {
        let (_, body) = page(&self.address, path);
        serde_json::from_str(&body).unwrap_or_default()
    }

    fn has_data(&self, query: &str) -> bool {
        let query: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = self.ask(&format!("/api/v1/query?query={query}"));
        let results = answer["data"]["result"].as_array();
        results.is_some_and(|results| results.iter().any(|result| result["value"][1] != "NaN"))
    }

    fn firing(&self) -> BTreeSet<String> {
        let answer = self.ask("/api/v1/alerts");
        let alerts = answer["data"]["alerts"].as_array().into_iter().flatten();
        let firing = alerts.filter(|alert| alert["state"] == "firing");
        firing.filter_map(|alert| Some(alert["labels"]["alertname"].as_str()?.to_owned())).collect()
    }

    #[track_caller]
    fn wait_for(&self, alerts: &[&str]) {
        for alert in alerts {
            wait_until(&format!("{alert} fires"), PATIENCE, || {
                sleep(Duration::from_millis(200));
                self.firing().contains(*alert)
            });
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn monitoring(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("monitoring").join(name)
}

fn queries_of_the_dashboard() -> Vec<String> {
    let dashboard: Value =
        serde_json::from_slice(&std::fs::read(monitoring("dashboard.json")).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().unwrap());
    targets.map(|target| target["expr"].as_str().unwrap().replace("$__rate_interval", "10s")).collect()
}

#[test]
fn rules_and_configuration_are_what_prometheus_takes() {
    for arguments in [
        ["check", "rules", "alerts.yml"],
        ["check", "config", "prometheus.yml"],
        // Of the alert that no worker can be made to raise.
        ["test", "rules", "alerts_test.yml"],
    ] {
        let output = Command::new("promtool").args(arguments).current_dir(monitoring("")).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn every_query_has_data_and_every_alert_fires() {
    let server = Server::start();
    let database = server.database("real_watching");
    let (updates, _) = prepare(&database, 6_000);
    database.execute("update rollout set compare = true");
    let (cluster, _guard) = together();
    let pipeline = cluster.pipeline("watching", 2);
    leave_what_expires(cluster, &pipeline, &database, &updates);
    let first = Worker::start(&pipeline, &database, &["--kafka", "compression.type=none"]);
    // Another pipeline, so that what it does is known.
    let other = cluster.pipeline("watching-transactions", 1);
    let small = ["--transactional", "--kafka", "message.max.bytes=1000", "--kafka", "compression.type=none"];
    let second = Worker::start(&other, &database, &small);
    let endpoint = Endpoint::start("");
    let third = Worker::start(&pipeline, &database, &["--stages", "deliver", "--endpoint", &endpoint.url()]);
    let prometheus = Prometheus::start(&[&first, &second, &third]);
    for worker in [&first, &second, &third] {
        wait_until("ready", PATIENCE, || worker.page("/readyz").0 == 200);
    }
    wait_until("scraped", PATIENCE, || prometheus.has_data("sum(up) == 3"));
    let firing = prometheus.firing();
    assert!(firing.iter().all(|alert| alert == "SyncWorkerDatabase"), "{firing:?}");

    let input = pipeline.input();
    let healthy = queries_of_the_dashboard();
    assert!(healthy.len() > 20);
    for metric in METRICS_OF_DELIVERIES {
        assert!(healthy.iter().any(|query| query.contains(metric)), "no panel has {metric}");
    }
    // Old updates, which both flows make different messages of, and one that can't be used.
    for (n, update) in updates[..2_000].iter().enumerate() {
        input.send_at(Some(1_700_000_000_000), "compute-output", &update.profile_id, Some(&update.payload));
        if n % 100 == 0 {
            input.send("compute-output", "key", Some(b"{"));
            let headers = [("message_id", &*format!("message{n}")), ("computation", "aud_load")];
            input.send_with("outbound-calls", "key", &headers, format!("{{\"n\":{n}}}").as_bytes());
            sleep(Duration::from_millis(500));
        }
    }
    for query in &healthy {
        wait_until(&format!("data of {query}"), PATIENCE, || prometheus.has_data(query));
    }
    prometheus.wait_for(&["SyncWorkerUpdatesExpired", "SyncWorkerSlow", "SyncWorkerDeadLetters"]);

    // Updates whose outputs don't fit: each is found by a transaction that is aborted.
    let large = format!("{{\"x\":\"{}\"}}", "x".repeat(2_000));
    let input = other.input();
    for _ in 0..12 {
        input.send("identified-output", "key", Some(large.as_bytes()));
    }
    input.flush();
    prometheus.wait_for(&["SyncWorkerTransactionsAbort"]);

    // A topic that takes less than it has said.
    cluster.set("watching.outbound", "max.message.bytes", "2000");
    push(&pipeline, &updates[2_000..3_000], Duration::from_millis(10), || ());
    prometheus.wait_for(&["SyncWorkerRestarts"]);

    server.crash();
    push(&pipeline, &updates[3_000..], Duration::from_secs(5), || ());
    prometheus.wait_for(&["SyncWorkerDatabase", "SyncWorkerStuck", "SyncWorkerLagGrows"]);
    second.kill();
    prometheus.wait_for(&["SyncWorkerDown"]);
}

/// Updates that are gone before they are read: the worker finds out with the next one that comes.
fn leave_what_expires(cluster: &Cluster, pipeline: &Pipeline, database: &Database, updates: &[Computed]) {
    let worker = Worker::start(pipeline, database, &[]);
    push(pipeline, &updates[..100], Duration::from_millis(10), || ());
    wait_until("updates", PATIENCE, || worker.metric("idgroup_stage_seconds_count{stage=\"sync\"}") >= 100.0);
    assert!(worker.terminate().success());
    push(pipeline, &updates[100..200], Duration::from_millis(10), || ());
    let mut ends = TopicPartitionList::new();
    for partition in 0..pipeline.partitions {
        ends.add_partition_offset("watching.compute-output", partition, Offset::End).unwrap();
    }
    block_on(cluster.admin().delete_records(&ends, &slowly())).unwrap();
}
