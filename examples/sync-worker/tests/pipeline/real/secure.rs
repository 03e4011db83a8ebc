//! Brokers that ask for TLS and a password.

use std::fs::File;
use std::process::Command;
use std::time::Duration;

use crate::crashes::{assert_nothing_lost, prepare, push};
use crate::database::shared;
use crate::kafka::Pipeline;
use crate::process::{Worker, wait_until};
use crate::real::cluster::{Cluster, USER, together};

const PATIENCE: Duration = Duration::from_secs(60);

/// What lets a worker in, with this authority and the password in a file.
fn arguments(cluster: &Cluster, ca: &str, password: &str) -> Vec<String> {
    let path = cluster.file(&format!("password-{}", password.len()));
    std::fs::write(&path, password).unwrap();
    let pairs = [
        "security.protocol=sasl_ssl".to_owned(),
        "sasl.mechanism=SCRAM-SHA-512".to_owned(),
        format!("sasl.username={}", USER.0),
        format!("ssl.ca.location={}", cluster.file(ca)),
    ];
    let pairs = pairs.into_iter().flat_map(|pair| ["--kafka".to_owned(), pair]);
    pairs.chain(["--kafka-file".to_owned(), format!("sasl.password={path}")]).collect()
}

fn start(
    cluster: &Cluster,
    pipeline: &Pipeline,
    database: &crate::database::Database,
    log: &str,
    ca: &str,
    password: &str,
) -> Worker {
    let servers = cluster.secure_servers();
    let secure = Pipeline { servers, prefix: pipeline.prefix.clone(), partitions: pipeline.partitions };
    let mut command = Command::new(env!("CARGO_BIN_EXE_sync-worker"));
    command.stderr(File::create(log).unwrap());
    let arguments = arguments(cluster, ca, password);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Worker::start_logging(command, "warn", &secure, database, &arguments)
}

#[test]
fn a_worker_is_let_in_by_its_password_and_nobody_else_is() {
    let database = shared("real_secure");
    let (updates, expected) = prepare(&database, 1_000);
    let (cluster, _guard) = together();
    let pipeline = cluster.pipeline("secure", 3);
    let mut outputs = pipeline.outputs();
    let log = cluster.file("secure.log");
    for (ca, password, reason) in
        [("ca.pem", "battery-staple", "uthentication"), ("other-ca.pem", USER.1, "certificate")]
    {
        let worker = start(cluster, &pipeline, &database, &log, ca, password);
        for stage in ["brokers (identify): ", "brokers (sync): "] {
            wait_until("readiness says why", PATIENCE, || {
                let (status, text) = worker.page("/readyz");
                status == 503 && text.contains(stage) && text.contains(reason)
            });
        }
        assert_eq!(worker.page("/healthz").0, 200);
        std::thread::sleep(Duration::from_secs(5)); // some more tries
        drop(worker);
        let said = std::fs::read_to_string(&log).unwrap();
        assert!(!said.contains(password), "{said}");
        // One for each stage.
        let lines: Vec<&str> = said.lines().filter(|line| line.contains(reason)).collect();
        assert_eq!(lines.len(), 2, "{said}");
    }
    let worker = start(cluster, &pipeline, &database, &log, "ca.pem", USER.1);
    push(&pipeline, &updates, Duration::from_millis(10), || ());
    assert_eq!(assert_nothing_lost(&mut outputs, &expected), 0);
    assert!(worker.terminate().success());
}
