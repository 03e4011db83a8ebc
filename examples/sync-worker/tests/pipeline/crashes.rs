//! Nothing is lost, whatever ends.

use std::collections::BTreeSet;
use std::thread::{self, sleep};
use std::time::Duration;

use crate::database::{Database, Server, shared};
use crate::kafka::{Broker, Output, Outputs, Pipeline};
use crate::load::{Computed, ROLLOUT_FOR_ALL, all_events, generate, load_destinations};
use crate::process::{Worker, wait_until};

/// With brokers that come back on a busy machine; it is only how long a failure takes to be one.
const PATIENCE: Duration = Duration::from_secs(240);

/// A database for a load, the load, and what must come of it.
pub fn prepare(database: &Database, updates: usize) -> (Vec<Computed>, Vec<Output>) {
    let (identities, updates) = generate(updates);
    database.store_destinations(&load_destinations());
    database.store_identities(identities.iter());
    database.execute(ROLLOUT_FOR_ALL);
    let expected = all_events(&updates, &identities, &load_destinations());
    (updates, expected)
}

/// Pushes the load over this time, while `meanwhile` runs.
pub fn push(broker: &Pipeline, updates: &[Computed], over: Duration, meanwhile: impl FnOnce()) {
    let input = broker.input();
    thread::scope(|scope| {
        scope.spawn(|| {
            for hundred in updates.chunks(updates.len().div_ceil(100)) {
                for update in hundred {
                    input.send("compute-output", &update.profile_id, Some(&update.payload));
                }
                sleep(over / 100);
            }
            input.flush();
        });
        meanwhile();
    });
}

/// All events have come, and nothing else; returns how many came again.
#[track_caller]
pub fn assert_nothing_lost(outputs: &mut Outputs, expected: &[Output]) -> usize {
    let wanted: BTreeSet<&str> = expected.iter().filter_map(Output::message_id).collect();
    outputs.read_until("all events", PATIENCE, |all| {
        all.len() >= wanted.len()
            && all.iter().filter_map(Output::message_id).collect::<BTreeSet<_>>().len() >= wanted.len()
    });
    outputs.read_rest(Duration::from_secs(2));
    let found: BTreeSet<&Output> = outputs.all.iter().collect();
    assert_eq!(found, expected.iter().collect());
    outputs.repeats()
}

#[test]
fn kill_nine_in_a_loop_loses_nothing() {
    let database = shared("kill_nine");
    let (updates, expected) = prepare(&database, 20_000);
    let broker = Broker::start(8);
    let mut outputs = broker.outputs();
    let mut kills = 0;
    push(&broker, &updates, Duration::from_secs(40), || {
        for round in 0..6 {
            let worker = Worker::start(&broker, &database, &[]);
            // Each time at another moment: from before the first update to far into the load.
            for _ in 0..400 {
                if round == 0 || worker.metric("idgroup_updates_total") > 0.0 {
                    break;
                }
                sleep(Duration::from_millis(20));
            }
            sleep(Duration::from_millis(200 * round));
            worker.kill();
            kills += 1;
        }
    });
    let _worker = Worker::start(&broker, &database, &[]);
    let repeats = assert_nothing_lost(&mut outputs, &expected);
    println!("{kills} kills, {} events, {repeats} again", expected.len());
}

#[test]
fn a_worker_joins_and_one_is_killed() {
    let database = shared("three_workers");
    let (updates, expected) = prepare(&database, 20_000);
    let broker = Broker::start(8);
    let mut outputs = broker.outputs();
    let first = Worker::start(&broker, &database, &[]);
    let second = Worker::start(&broker, &database, &[]);
    let mut third = None;
    push(&broker, &updates, Duration::from_secs(20), || {
        sleep(Duration::from_secs(5));
        third = Some(Worker::start(&broker, &database, &[]));
        sleep(Duration::from_secs(7));
        second.kill();
    });
    let repeats = assert_nothing_lost(&mut outputs, &expected);
    let shares = [&first, third.as_ref().unwrap()].map(|worker| worker.metric("idgroup_updates_total"));
    println!(
        "{} events, {repeats} again; updates by worker, one of three killed: {shares:?}",
        expected.len()
    );
    assert!(shares.iter().all(|share| *share > 0.0), "{shares:?}");
    assert!(first.terminate().success());
}

#[test]
fn the_database_crashes_and_comes_back() {
    let server = Server::start();
    let database = server.database("crashing");
    let (updates, expected) = prepare(&database, 10_000);
    let broker = Broker::start(8);
    let mut outputs = broker.outputs();
    let worker = Worker::start(&broker, &database, &[]);
    wait_until("ready", PATIENCE, || worker.page("/readyz").0 == 200);
    push(&broker, &updates, Duration::from_secs(12), || {
        for _ in 0..2 {
            sleep(Duration::from_secs(2));
            server.crash();
            wait_until("not ready", PATIENCE, || worker.page("/readyz").0 == 503);
            let (_, waiting) = worker.page("/readyz");
            assert!(waiting.contains("database"), "{waiting}");
            assert_eq!(worker.page("/healthz").0, 200);
            sleep(Duration::from_secs(2));
            server.go_on();
        }
    });
    let repeats = assert_nothing_lost(&mut outputs, &expected);
    assert_eq!(repeats, 0);
    assert!(worker.metric("idgroup_retries_total") > 0.0);
    wait_until("ready", PATIENCE, || worker.page("/readyz").0 == 200);
}

#[test]
fn a_terminated_worker_leaves_nothing_to_repeat() {
    let database = shared("terminated");
    let (updates, expected) = prepare(&database, 10_000);
    let broker = Broker::start(4);
    let mut outputs = broker.outputs();
    push(&broker, &updates, Duration::from_secs(12), || {
        let worker = Worker::start(&broker, &database, &[]);
        wait_until("updates", PATIENCE, || worker.metric("idgroup_updates_total") > 0.0);
        sleep(Duration::from_secs(1));
        assert!(worker.terminate().success());
    });
    let _worker = Worker::start(&broker, &database, &[]);
    assert_eq!(assert_nothing_lost(&mut outputs, &expected), 0);
}

#[test]
fn memory_is_flat_while_the_database_and_the_broker_stand_still() {
    let server = Server::start();
    let database = server.database("standstill");
    let (updates, expected) = prepare(&database, 30_000);
    let broker = Broker::start(8);
    let mut outputs = broker.outputs();
    let worker = Worker::start(&broker, &database, &["--in-flight-mib", "4"]);
    wait_until("ready", PATIENCE, || worker.page("/readyz").0 == 200);
    let at_rest = worker.memory("VmRSS");
    server.crash();
    push(&broker, &updates, Duration::from_secs(1), || ());
    let tried = "idgroup_retries_total{of=\"looking up external IDs\"}";
    wait_until("updates that wait for the database", PATIENCE, || worker.metric(tried) > 0.0);
    // Long enough for the partitions to be paused, and to be assigned no more if nobody polled.
    sleep(Duration::from_secs(13));
    // Two KiB for each, and the one that waits for memory.
    let under_way = worker.metric("idgroup_in_flight{stage=\"identify\"}");
    assert!((1_000.0..=2_049.0).contains(&under_way), "{under_way} updates under way");
    server.go_on();
    wait_until("some events", PATIENCE, || worker.metric("idgroup_events_total") > 1_000.0);
    broker.signal("STOP");
    sleep(Duration::from_secs(3));
    broker.signal("CONT");
    assert_nothing_lost(&mut outputs, &expected);
    let most = worker.memory("VmHWM");
    println!("{at_rest} KiB at rest, {most} KiB at most");
    assert!(most < at_rest + 64 * 1024, "{at_rest} KiB at rest, {most} KiB at most");
}

#[test]
fn a_partition_that_was_taken_away_while_it_was_paused_is_read_once_it_is_back() {
    let server = Server::start();
    let database = server.database("paused");
    let (updates, expected) = prepare(&database, 20_000);
    let (before, after) = updates.split_at(15_000);
    let broker = Broker::start(8);
    let mut outputs = broker.outputs();
    let first = Worker::start(&broker, &database, &["--in-flight-mib", "1"]);
    wait_until("ready", PATIENCE, || first.page("/readyz").0 == 200);
    server.crash();
    push(&broker, before, Duration::from_secs(1), || ());
    let tried = "idgroup_retries_total{of=\"looking up external IDs\"}";
    wait_until("updates that wait for the database", PATIENCE, || first.metric(tried) > 0.0);
    // Until its partitions are paused: all of them are its own as yet.
    sleep(Duration::from_secs(13));
    let second = Worker::start(&broker, &database, &["--in-flight-mib", "1"]);
    wait_until("a second one that has taken some over", PATIENCE, || second.metric(tried) > 0.0);
    server.go_on();
    wait_until("the first one to go on", PATIENCE, || first.metric("idgroup_updates_total") > 0.0);
    second.kill();
    push(&broker, after, Duration::from_secs(1), || ());
    assert_nothing_lost(&mut outputs, &expected);
}

#[test]
fn a_stopped_worker_leaves_what_it_cannot_finish() {
    let server = Server::start();
    let database = server.database("stopped");
    let (updates, expected) = prepare(&database, 1_000);
    let broker = Broker::start(2);
    let mut outputs = broker.outputs();
    let worker = Worker::start(&broker, &database, &["--drain-seconds", "2"]);
    wait_until("ready", PATIENCE, || worker.page("/readyz").0 == 200);
    server.crash();
    push(&broker, &updates, Duration::from_secs(1), || ());
    let tried = "idgroup_retries_total{of=\"looking up external IDs\"}";
    wait_until("updates that wait for the database", PATIENCE, || worker.metric(tried) > 0.0);
    assert!(!worker.terminate().success(), "it says that it has not drained");
    server.go_on();
    let _worker = Worker::start(&broker, &database, &[]);
    assert_nothing_lost(&mut outputs, &expected);
}

#[test]
fn transactions_carry_each_event_once() {
    let database = shared("transactions");
    let (updates, expected) = prepare(&database, 5_000);
    let broker = Broker::start(4);
    let mut outputs = broker.outputs();
    let worker = Worker::start(&broker, &database, &["--transactional"]);
    push(&broker, &updates, Duration::from_secs(3), || ());
    let repeats = assert_nothing_lost(&mut outputs, &expected);
    assert_eq!(repeats, 0);
    assert!(worker.terminate().success());
}
