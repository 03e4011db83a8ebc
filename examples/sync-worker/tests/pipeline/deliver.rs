//! The last mile: calls reach an endpoint that fails in every way, and what it refuses is a dead letter.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::certificates::make_certificates;
use crate::database::{Database, shared};
use crate::endpoint::{Endpoint, Fault};
use crate::kafka::{Broker, Outputs};
use crate::process::{Worker, wait_until};

pub const PATIENCE: Duration = Duration::from_secs(90);
pub const WRITE_KEY: &str = "write-key-hunter2";

/// Where calls come from, and where they go.
pub struct Mile {
    pub endpoint: Endpoint,
    pub broker: Broker,
    pub database: Database,
    key_file: PathBuf,
}

impl Mile {
    pub fn new(name: &str, partitions: i32) -> Self {
        Self::with(name, partitions, Endpoint::start(WRITE_KEY))
    }

    pub fn with(name: &str, partitions: i32, endpoint: Endpoint) -> Self {
        let key_file = std::env::temp_dir().join(format!("sync-worker-key-{name}-{}", std::process::id()));
        std::fs::write(&key_file, WRITE_KEY).unwrap();
        Self { endpoint, broker: Broker::start(partitions), database: shared(name), key_file }
    }

    pub fn arguments(&self, more: &[&str]) -> Vec<String> {
        let ours = ["--stages", "deliver", "--endpoint", &self.endpoint.url(), "--write-key-file"];
        let ours = ours.into_iter().map(str::to_owned).chain([self.key_file.display().to_string()]);
        ours.chain(more.iter().map(|&argument| argument.to_owned())).collect()
    }

    pub fn worker(&self, more: &[&str]) -> Worker {
        let arguments = self.arguments(more);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Worker::start(&self.broker, &self.database, &arguments)
    }

    /// Sends the calls of these numbers, each about one of ten profiles.
    pub fn send(&self, numbers: impl IntoIterator<Item = usize>, delivery: Option<&str>) {
        self.send_to("outbound-calls", numbers, delivery);
    }

    pub fn send_to(&self, topic: &str, numbers: impl IntoIterator<Item = usize>, delivery: Option<&str>) {
        let input = self.broker.input();
        for n in numbers {
            let id = id(n);
            let mut headers = vec![("message_id", &*id), ("destinations", "[\"dst_1\"]")];
            headers.push(("computation", if n.is_multiple_of(3) { "aud_1" } else { "aud_2" }));
            headers.extend(delivery.map(|delivery| ("delivery", delivery)));
            input.send_with(topic, &profile(n), &headers, call(n).to_string().as_bytes());
        }
        input.flush();
    }

    pub fn wait_for(&self, numbers: impl IntoIterator<Item = usize>) {
        let wanted: BTreeSet<String> = numbers.into_iter().map(id).collect();
        wait_until("all calls are taken", PATIENCE, || {
            let taken: BTreeSet<String> = self.endpoint.counts().into_keys().collect();
            wanted.is_subset(&taken)
        });
    }

    pub fn dead_letters(&self, count: usize) -> Outputs {
        let mut outputs = self.broker.outputs_of(&["dead-letter"]);
        outputs.read_until("dead letters", PATIENCE, |all| all.len() >= count);
        outputs.read_rest(Duration::from_secs(1));
        assert_eq!(outputs.all.len(), count, "{:?}", outputs.all);
        outputs
    }
}

impl Drop for Mile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.key_file);
    }
}

pub fn id(n: usize) -> String {
    format!("message{n}")
}

fn profile(n: usize) -> String {
    format!("use_{}", n % 10)
}

fn call(n: usize) -> Value {
    json!({
        "type": "track", "event": "Audience Entered", "messageId": id(n), "userId": profile(n), "n": n,
        "properties": {"audience_key": "load", "load": true, "email": "secret@example.com"},
    })
}

/// Of each profile and computation, the first post of each call came in the order of the calls.
#[track_caller]
pub fn assert_in_order(endpoint: &Endpoint) {
    let mut last: BTreeMap<(String, bool), u64> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for call in endpoint.taken() {
        let n = call["n"].as_u64().unwrap();
        if !seen.insert(n) {
            continue;
        }
        let of = (call["userId"].as_str().unwrap().to_owned(), n.is_multiple_of(3));
        let before = last.insert(of, n);
        assert!(before.is_none_or(|before| before < n), "{before:?} before {n}");
    }
}

#[test]
fn calls_are_posted_in_batches_over_connections_that_are_kept() {
    let mile = Mile::new("batches", 2);
    mile.send(0..3_000, None);
    let worker = mile.worker(&["--posts", "2"]);
    mile.wait_for(0..3_000);
    assert!(worker.terminate().success());
    assert!(mile.endpoint.counts().values().all(|count| *count == 1), "{:?}", mile.endpoint.counts());
    assert_in_order(&mile.endpoint);
    let posts = mile.endpoint.posts();
    assert!(posts.len() < 300, "{} posts", posts.len());
    assert!(posts.iter().map(|post| post.connection).max().unwrap() <= 2);
    for post in &posts {
        assert!(post.is_taken && post.bytes <= 500_000);
        let aud_1 = |id: &String| id.strip_prefix("message").unwrap().parse::<usize>().unwrap() % 3 == 0;
        let of_first = post.message_ids.iter().filter(|id| aud_1(id)).count();
        assert!(of_first == 0 || of_first == post.message_ids.len(), "a batch about two audiences");
    }
    assert_eq!(mile.endpoint.strays(), 0);
    // All of it has been committed.
    let worker = mile.worker(&[]);
    mile.send(3_000..3_001, None);
    mile.wait_for(3_000..3_001);
    drop(worker);
    assert!(mile.endpoint.counts().values().all(|count| *count == 1));
}

#[test]
fn each_failure_of_an_endpoint_is_got_over() {
    let taken_all_the_same = [
        Fault::TakenThen(500),
        Fault::CutBeforeAnswer,
        // These have said that all is well.
        Fault::CutAnswer,
        Fault::Endless,
        Fault::Unfinished,
    ];
    let faults = [
        Fault::Slow(Duration::from_millis(1_500)),
        Fault::Slow(Duration::from_secs(4)),
        Fault::Status(500),
        Fault::Status(408),
        Fault::RetryAfter("1"),
        Fault::RetryAfter("soon"),
        Fault::CutRequest,
    ];
    for (n, fault) in faults.into_iter().chain(taken_all_the_same).enumerate() {
        let mile = Mile::new(&format!("fault_{n}"), 1);
        mile.endpoint.fail_next([fault.clone()]);
        mile.send(0..40, None);
        let log = std::env::temp_dir().join(format!("sync-worker-deliver-{n}-{}", std::process::id()));
        let mut command = Command::new(env!("CARGO_BIN_EXE_sync-worker"));
        command.stderr(File::create(&log).unwrap());
        let arguments = mile.arguments(&["--post-timeout", "3"]);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let worker =
            Worker::start_logging(command, "trace,librdkafka=info", &mile.broker, &mile.database, &arguments);
        mile.wait_for(0..40);
        assert!(worker.terminate().success(), "{fault:?}");
        assert_in_order(&mile.endpoint);
        assert!(mile.endpoint.posts().iter().any(|post| post.fault.as_ref() == Some(&fault)));
        let repeats = mile.endpoint.counts().values().filter(|count| **count > 1).count();
        let may_repeat = matches!(fault, Fault::TakenThen(_) | Fault::CutBeforeAnswer)
            || fault == Fault::Slow(Duration::from_secs(4));
        assert_eq!(repeats > 0, may_repeat, "{fault:?}: {repeats} calls more than once");
        let said = std::fs::read_to_string(&log).unwrap();
        std::fs::remove_file(&log).unwrap();
        assert!(!said.contains("secret@example.com") && !said.contains(WRITE_KEY), "{fault:?}");
        assert!(!said.contains("d3JpdGUta2V5"), "{fault:?}: the write key, encoded");
        assert!(!said.is_empty());
        mile.dead_letters(0);
    }
}

#[test]
fn the_one_bad_call_of_a_batch_is_found() {
    let mile = Mile::new("halving", 1);
    let bad = [0, 7, 8, 99];
    mile.endpoint.refuse(move |call| bad.iter().any(|n| call["n"] == *n));
    mile.send(0..100, None);
    let input = mile.broker.input();
    let large = json!({"a": "x".repeat(32_768)}).to_string();
    for (id, payload) in [("large", large.as_bytes()), ("broken", b"{}],\"x\":[{}"), ("", b"{}")] {
        input.send_with("outbound-calls", "use_1", &[("message_id", id)], payload);
    }
    input.flush();
    let worker = mile.worker(&[]);
    mile.wait_for((0..100).filter(|n| !bad.contains(n)));
    let letters = mile.dead_letters(7);
    let mut ids: Vec<&str> = letters
        .all
        .iter()
        .filter(|letter| letter.headers["error"] == "the endpoint refuses the call (400)")
        .map(|letter| letter.message_id().unwrap())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, ["message0", "message7", "message8", "message99"]);
    assert!(letters.all.iter().all(|letter| !letter.headers["error"].contains("secret")));
    assert_eq!(mile.endpoint.taken().len(), 96);
    assert_in_order(&mile.endpoint);
    assert_eq!(worker.metric("idgroup_calls_total{result=\"refused\"}"), 4.0);

    // Once the cause is mended, they take their way.
    mile.endpoint.refuse(|_| false);
    let output = Command::new(env!("CARGO_BIN_EXE_sync-worker"))
        .args(["--log", "error", "redrive", "--error", "refuses"])
        .args(mile.broker.arguments())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    mile.wait_for(0..100);
    assert!(mile.endpoint.counts().values().all(|count| *count == 1));
}

#[test]
fn calls_of_the_slow_topic_hold_nobody_up() {
    let mile = Mile::new("slow_topic", 1);
    let other = Endpoint::start("");
    other.fail(Some(Fault::Slow(Duration::from_secs(600))));
    mile.database.execute(&format!(
        "insert into deliveries (destination_id, endpoint) values ('dst_monster', '{}')",
        other.url()
    ));
    mile.send_to("outbound-calls-slow", 0..5_000, Some("dst_monster"));
    let worker = mile.worker(&["--in-flight-mib", "1", "--park-after", "600", "--post-timeout", "600"]);
    wait_until("the slow topic is read", PATIENCE, || {
        worker.metric("idgroup_in_flight{stage=\"deliver-slow\"}") > 100.0
    });
    mile.send(5_000..6_000, None);
    mile.wait_for(5_000..6_000);
    assert_eq!(worker.metric("idgroup_calls_total{result=\"delivered\"}"), 1_000.0);
}

#[test]
fn kill_nine_in_a_loop_loses_no_call() {
    let mile = Mile::new("deliver_killed", 4);
    mile.endpoint.fail(Some(Fault::Slow(Duration::from_millis(300))));
    mile.send(0..3_000, None);
    for _ in 0..4 {
        let before = mile.endpoint.posts().len();
        let worker = mile.worker(&["--posts", "1", "--calls-per-second", "300"]);
        wait_until("some are posted", PATIENCE, || mile.endpoint.posts().len() > before + 1);
        worker.kill();
    }
    let _worker = mile.worker(&[]);
    mile.wait_for(0..3_000);
    assert_in_order(&mile.endpoint);
    let repeats = mile.endpoint.counts().values().filter(|count| **count > 1).count();
    assert!((1..2_900).contains(&repeats), "{repeats} calls again");
}

#[test]
fn calls_go_no_faster_than_they_may() {
    let mile = Mile::new("rate", 1);
    mile.send(0..120, None);
    let _worker = mile.worker(&["--calls-per-second", "40", "--posts", "8"]);
    mile.wait_for(0..120);
    let posts = mile.endpoint.posts();
    assert!(posts.iter().all(|post| post.message_ids.len() <= 40));
    // The last calls go two seconds after the first, less what a batch may take at once.
    let took = posts.last().unwrap().at - posts[0].at;
    assert!(took > Duration::from_millis(1_500), "{took:?}");
}

#[test]
fn the_endpoint_is_reached_over_tls_by_its_own_authority() {
    let directory = std::env::temp_dir().join(format!("sync-worker-endpoint-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    make_certificates(&directory);
    let mile = Mile::with("endpoint_tls", 1, Endpoint::start_secure(WRITE_KEY, &directory));
    mile.send(0..20, None);
    let authority = |name: &str| directory.join(name).display().to_string();
    let other = authority("other-ca.pem");
    for arguments in [&["--endpoint-ca", &other][..], &[]] {
        let worker = mile.worker(arguments);
        worker.waits_for("idgroup_posts_total{answer=\"passing\"}");
        assert!(worker.metric("idgroup_posts_total{answer=\"passing\"}") > 0.0);
        assert_eq!(worker.metric("idgroup_posts_total{answer=\"taken\"}"), 0.0);
        worker.kill();
        // The killed member's partitions are free only after a while.
        sleep(Duration::from_secs(1));
    }
    assert!(mile.endpoint.taken().is_empty() && mile.endpoint.strays() == 0);
    let _worker = mile.worker(&["--endpoint-ca", &authority("ca.pem")]);
    mile.wait_for(0..20);
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
#[ignore = "takes a quiet machine"]
fn figures_of_deliveries() {
    let mile = Mile::new("deliver_figures", 8);
    mile.send(0..200_000, None);
    for (what, claims) in
        [("no claims", "off"), ("at least once", "at-least-once"), ("at most once", "at-most-once")]
    {
        let before = mile.endpoint.posts().len();
        let group = format!("figures-{claims}");
        let worker = mile.worker(&["--group", &group, "--claims", claims]);
        worker.waits_for("idgroup_calls_total{result=\"delivered\"}");
        let (began, from) =
            (std::time::Instant::now(), worker.metric("idgroup_calls_total{result=\"delivered\"}"));
        let patience = Duration::from_secs(300);
        let delivered = |worker: &Worker| worker.metric("idgroup_calls_total{result=\"delivered\"}");
        wait_until("all calls", patience, || delivered(&worker) >= 200_000.0);
        let rate = (200_000.0 - from) / began.elapsed().as_secs_f64();
        println!(
            "{what}: {rate:.0} calls/s, {:.1} µs of processor time a call, {} posts, at most {} MiB",
            worker.processor_seconds() * 5.0,
            mile.endpoint.posts().len() - before,
            worker.memory("VmHWM") / 1024,
        );
        mile.database.execute("truncate claims");
    }
}
