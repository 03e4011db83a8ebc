//! The whole pipeline: three stages of workers, each a process, on three real brokers and a real PostgreSQL,
//! with an endpoint that takes calls as Segment does. `PEOPLE_SECONDS` says for how long.

use std::io::{Write, stdout};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use crate::database::{Database, Server};
use crate::endpoint::Endpoint;
use crate::kafka::{Input, Outputs, Pipeline};
use crate::people::account::{Account, Received};
use crate::people::doors::message_of;
use crate::people::nemesis::Nemesis;
use crate::people::store::{Store, store_audience};
use crate::people::world::{Step, World};
use crate::process::{Worker, wait_until};
use crate::real::cluster::alone;

const PROFILES: usize = 10_000;
/// How often a second something happens to somebody: of each a few updates come.
const STEPS_PER_SECOND: u32 = 200;
/// For what the workers have fallen behind while they failed.
const PATIENCE: Duration = Duration::from_secs(900);
pub const KEY: &str = "people";
const STAGES: [&str; 3] = ["identify", "sync", "deliver"];
/// The groups that read, and what they do.
const READ: [(&str, &str); 4] = [
    ("identify", "compute-output"),
    ("sync", "identified-output"),
    ("deliver", "outbound-calls"),
    ("deliver-slow", "outbound-calls-slow"),
];

/// Those who change, and those who count.
struct People<'a> {
    world: World,
    store: Store,
    input: Input,
    /// What has been looked up.
    identified: Outputs,
    endpoint: &'a Endpoint,
    received: Received,
}

#[test]
fn everybody_is_sent_one_message_in_each_stay_whatever_fails() {
    let account = run("people", seconds(), &["--memories", "complete"]);
    assert!(account.is_right(), "something is off, see above");
}

#[test]
fn without_memories_the_same_people_are_messaged_twice_or_not_at_all() {
    let account = run("people-forgotten", seconds() / 6, &["--memories", "off"]);
    assert!(account.doubled > 0, "this world does not need memories: it is too tame");
    assert_eq!((account.astray, account.altered), (0, 0));
}

/// Two minutes, if nothing else is said.
fn seconds() -> u64 {
    std::env::var("PEOPLE_SECONDS").map_or(120, |text| text.parse().unwrap())
}

/// Prints the table.
fn run(name: &str, seconds: u64, memory: &[&str]) -> Account {
    let seed = std::env::var("PEOPLE_SEED").map_or(1, |text| text.parse().unwrap());
    let server = Server::start();
    let database = server.database("people");
    store_audience(&database);
    let (cluster, _guard) = alone();
    let pipeline = cluster.pipeline(name, 6);
    let endpoint = Endpoint::start(KEY);
    let url = endpoint.url();
    let key = key_file(name);
    let start = |stage: &'static str| {
        let mut arguments = vec!["--stages", stage];
        match stage {
            "sync" => arguments.extend([&["--outbound", "calls"], memory].concat()),
            "deliver" => {
                arguments.extend(["--endpoint", &*url, "--write-key-file", &*key, "--park-after", "2"])
            }
            _ => (),
        }
        Worker::start(&pipeline, &database, &arguments)
    };
    let mut nemesis = Nemesis::new(seed, (cluster, &server, &endpoint), &STAGES, start);
    let mut people = People::new(seed, &pipeline, Store::new(&database), &endpoint);
    let until = Instant::now() + Duration::from_secs(seconds);
    scope(|scope| {
        let raging = scope.spawn(|| nemesis.rage(until));
        people.live(until);
        raging.join().unwrap();
    });
    people.wait_for_all(&pipeline, &database, &mut nemesis);
    let mut account = Account::of(&people.world, &people.received);
    account.faults = std::mem::take(&mut nemesis.faults);
    // Past the test harness, which keeps to itself what a test that passes prints.
    let table = format!("\n## {name}, {seconds} s, seed {seed}\n\n{account}\n");
    stdout().write_all(table.as_bytes()).unwrap();
    nemesis.terminate();
    account
}

/// A file that holds the endpoint's write key.
pub fn key_file(name: &str) -> String {
    let path = std::env::temp_dir().join(format!("sync-worker-{name}-{}-key", std::process::id()));
    std::fs::write(&path, KEY).unwrap();
    path.display().to_string()
}

impl<'a> People<'a> {
    fn new(seed: u64, pipeline: &Pipeline, store: Store, endpoint: &'a Endpoint) -> Self {
        Self {
            world: World::new(seed, PROFILES),
            store,
            input: pipeline.input(),
            identified: pipeline.outputs_of(&["identified-output"]),
            endpoint,
            received: Received::default(),
        }
    }

    /// Goes on with everybody's life. What falls behind is caught up with.
    fn live(&mut self, until: Instant) {
        let began = Instant::now();
        let mut done = 0;
        while Instant::now() < until {
            let due = (began.elapsed() * STEPS_PER_SECOND).as_secs();
            // A transaction for what has happened since the last one.
            let now = due.saturating_sub(done).min(200);
            let steps: Vec<Step> = (0..now).map(|_| self.world.go_on()).collect();
            done += now;
            self.store.keep(&self.world, &steps);
            for update in steps.iter().flat_map(|step| &step.updates) {
                let update = &self.world.updates[*update];
                let payload = serde_json::to_vec(&update.json()).unwrap();
                self.input.send("compute-output", &update.key(), Some(&payload));
            }
            self.look();
            sleep(Duration::from_millis(50));
        }
        self.input.flush();
    }

    /// Sees what has been looked up, and what has come to the door.
    fn look(&mut self) {
        self.identified.read_rest(Duration::from_millis(1));
        for output in self.identified.all.drain(..) {
            let update: serde_json::Value = serde_json::from_slice(&output.payload).unwrap();
            let number = update["id"].as_str().and_then(|id| id.strip_prefix("upd_")).unwrap();
            self.world.looked_up(number.parse().unwrap());
        }
        for call in self.endpoint.take() {
            self.received.add(message_of(&self.world, &call));
        }
    }

    /// Nobody has anything left to do.
    fn wait_for_all(&mut self, pipeline: &Pipeline, database: &Database, nemesis: &mut Nemesis<'_>) {
        let cluster = nemesis.cluster;
        wait_until("all updates looked up", PATIENCE, || {
            nemesis.start_again();
            self.look();
            self.world.pending() == 0
        });
        for (group, topic) in READ {
            wait_until("all that was read committed", PATIENCE, || {
                nemesis.start_again();
                self.look();
                cluster.uncommitted(pipeline, group, topic) == 0
            });
        }
        wait_until("no call parked", PATIENCE, || {
            nemesis.start_again();
            database.number("select count(*) from parked_calls") == 0.0
        });
        self.look();
        let mut dead = pipeline.outputs_of(&["dead-letter"]);
        dead.read_rest(Duration::from_secs(3));
        assert!(dead.all.is_empty(), "{} dead letters", dead.all.len());
    }
}
