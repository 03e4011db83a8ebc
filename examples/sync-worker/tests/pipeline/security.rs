//! Secrets stay secret, and what can't work is said in one line.

use std::fs::File;
use std::process::{Command, Output};
use std::time::Duration;

use crate::crashes::{assert_nothing_lost, prepare, push};
use crate::database::{Database, Server};
use crate::kafka::Broker;
use crate::process::{Worker, wait_until};

const PATIENCE: Duration = Duration::from_secs(60);
const SECRET: &str = "hunter2";

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sync-worker"))
        .env("DATABASE_URL", format!("postgres://idgroup:{SECRET}@localhost/idgroup"))
        .args(arguments)
        .output()
        .unwrap()
}

/// What it says as it ends at once, which is one line without the secret.
fn refusal(arguments: &[&str]) -> String {
    let output = run(&[&["run", "--brokers", "127.0.0.1:1"], arguments].concat());
    assert!(!output.status.success());
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert!(!text.contains(SECRET), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    text.trim().to_owned()
}

#[test]
fn help_shows_no_secret() {
    let output = run(&["run", "--help"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("DATABASE_URL") && !text.contains(SECRET), "{text}");
}

#[test]
fn configuration_that_can_not_work_ends_the_process_with_one_line() {
    let pair = |key: &str| format!("{key}={SECRET}");
    assert_eq!(
        refusal(&["--kafka", &pair("sasl.pasword")]),
        "error: there is no property `sasl.pasword` of Kafka's clients"
    );
    assert_eq!(
        refusal(&["--kafka", &pair("security.protocol")]),
        "error: the value of `security.protocol` can't be used"
    );
    assert_eq!(refusal(&["--kafka", SECRET]), "error: `--kafka` takes `key=value`");
    assert!(refusal(&["--kafka", &pair("transactional.id")]).contains("`transactional.id` can't be set"));
    assert!(refusal(&["--kafka-file", "sasl.password=/nowhere"]).contains("`/nowhere` can't be read"));
    assert!(
        refusal(&["--kafka", "ssl.ca.location=/nowhere", "--kafka", "security.protocol=ssl"])
            .contains("Kafka's client can't be made")
    );
    assert!(refusal(&["--database-url", &format!("postgres://u:{SECRET}@[/db")]).contains("malformed"));
    assert!(refusal(&["--database-ca", "/nowhere"]).contains("`/nowhere`"));
}

#[test]
fn the_database_is_reached_over_tls_with_a_password_from_a_file() {
    let server = Server::start_secure(SECRET);
    server.local("postgres").execute("create database secure");
    let url = |password: &str| format!("postgres://postgres:{password}@localhost:{}/secure", server.port());
    let directory = std::env::temp_dir();
    let path = directory.join(format!("sync-worker-url-{}", std::process::id()));
    std::fs::write(&path, url(SECRET) + "\n").unwrap();
    let file = path.display().to_string();
    let with = |ca: &str| {
        ["--database-url-file".to_owned(), file.clone(), "--database-ca".to_owned(), server.file(ca)]
    };
    let migrate = |ca: &str| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_sync-worker")).arg("migrate").args(with(ca)).output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let (is_done, error) = migrate("other-ca.pem");
    assert!(!is_done && error.contains("invalid peer certificate"), "{error}");
    let (is_done, error) = migrate("ca.pem");
    assert!(is_done, "{error}");

    let database = server.local("secure");
    let (updates, expected) = prepare(&database, 500);
    let nowhere = Database { url: String::new(), server: None };
    let broker = Broker::start(2);
    let mut outputs = broker.outputs();
    let arguments = with("ca.pem");
    let worker = Worker::start(&broker, &nowhere, &arguments.each_ref().map(|argument| &argument[..]));
    push(&broker, &updates, Duration::from_millis(10), || ());
    assert_nothing_lost(&mut outputs, &expected);
    drop(worker);

    push(&broker, &updates, Duration::from_millis(10), || ());
    std::fs::write(&path, url("wrong")).unwrap();
    let log = directory.join(format!("sync-worker-tls-{}", std::process::id()));
    for (ca, reason) in
        [("ca.pem", "password authentication failed"), ("other-ca.pem", "invalid peer certificate")]
    {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sync-worker"));
        command.stderr(File::create(&log).unwrap());
        let arguments = with(ca);
        let arguments = arguments.each_ref().map(|argument| &argument[..]);
        let worker = Worker::start_logging(command, "warn", &broker, &nowhere, &arguments);
        wait_until("readiness says why", PATIENCE, || {
            let (status, text) = worker.page("/readyz");
            status == 503 && text.contains("the database: ") && text.contains(reason)
        });
        assert_eq!(worker.page("/healthz").0, 200);
        let tries = |worker: &Worker| worker.metric("idgroup_retries_total");
        wait_until("more tries", PATIENCE, || tries(&worker) > 6.0);
        drop(worker);
        let said = std::fs::read_to_string(&log).unwrap();
        assert!(!said.contains(SECRET));
        let lines = said.lines().filter(|line| line.contains(reason)).count();
        // One for each of what is waited for, and one for what is tried.
        assert!((1..=3).contains(&lines), "{said}");
    }
    std::fs::remove_file(&path).unwrap();
    std::fs::remove_file(&log).unwrap();
}
