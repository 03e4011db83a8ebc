//! What was sent is remembered, whatever fails in between.

use std::collections::BTreeMap;
use std::process::Command;
use std::thread::{self, sleep};
use std::time::Duration;

use idgroup::MemoryKey;
use serde_json::{Value, json};

use crate::database::{Database, shared};
use crate::kafka::{Broker, Input, Outputs, Pipeline};
use crate::load::{ROLLOUT_FOR_ALL, load_destinations};
use crate::process::{Worker, wait_until};

const PATIENCE: Duration = Duration::from_secs(120);
const KEPT: &str = "idgroup_memories_total{what=\"kept\"}";
const MESSAGING: &str = "dst_sendgrid";

/// Of how many updates each destination received something, and in how many messages: repeats count once.
fn received(outputs: &Outputs, destination: &str) -> BTreeMap<String, usize> {
    let mut received = BTreeMap::new();
    let mut seen = std::collections::BTreeSet::new();
    for output in outputs.all.iter().filter(|output| output.topic == "outbound") {
        let event: Value = serde_json::from_slice(&output.payload).unwrap();
        let is_sent = event["destinations"].as_array().unwrap().iter().any(|to| to == destination);
        if is_sent && seen.insert(output.message_id().unwrap().to_owned()) {
            *received.entry(event["update_id"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    received
}

fn names(received: &BTreeMap<String, usize>) -> Vec<&str> {
    assert!(received.values().all(|count| *count == 1), "{received:?}");
    received.keys().map(String::as_str).collect()
}

fn database(name: &str) -> Database {
    let database = shared(name);
    database.store_destinations(&load_destinations());
    database.execute(ROLLOUT_FOR_ALL);
    database
}

/// An update about a profile, which has an email address of its own.
fn update(id: &str, profile: &str, membership: &str, second: Option<u32>, trigger: &Value) -> Value {
    let mut update = json!({
        "id": id, "space_id": "spa_load", "profile_id": profile, "computation": {"id": "aud_load"},
        "membership": membership, "trigger": trigger,
        "external_ids": [{"type": "email", "id": format!("{profile}@example.com")}],
    });
    if let Some(second) = second {
        update["computed_at"] = json!(format!("2026-01-05T10:{:02}:{:02}Z", second / 60, second % 60));
    }
    update
}

fn changed(id: &str, profile: &str, membership: &str, second: u32) -> Value {
    update(id, profile, membership, Some(second), &json!({"reason": "value_changed"}))
}

fn send(input: &Input, key: &str, update: &Value) {
    input.send("identified-output", key, Some(update.to_string().as_bytes()));
}

fn start(pipeline: &Pipeline, database: &Database, arguments: &[&str]) -> Worker {
    let worker = Worker::start(pipeline, database, &[&["--stages", "sync"], arguments].concat());
    wait_until("ready", PATIENCE, || worker.page("/readyz").0 == 200);
    worker
}

pub fn standing(database: &Database, profile: &str, epoch: u64) -> String {
    let key = MemoryKey::new("spa_load", "aud_load", profile, epoch);
    let sql = format!(
        "select coalesce((select case when memory = '' then 'empty' else get_byte(memory, 1)::text end
                          from memories where key = '\\x{key}'), 'none')"
    );
    database.text(&sql)
}

/// Two stays in one batch, with a recomputation in each: two messages.
fn two_stays(database: &Database, arguments: &[&str]) {
    let broker = Broker::start(1);
    let input = broker.input();
    for (n, membership) in ["in", "in", "out", "in", "in"].iter().enumerate() {
        send(&input, "use_1", &changed(&format!("upd_{n}"), "use_1", membership, n as u32));
    }
    input.flush();
    let worker = start(&broker, database, arguments);
    let mut outputs = broker.outputs();
    // The plain destinations receive every update.
    outputs.read_until("all updates", PATIENCE, |_| true);
    wait_until("all updates", PATIENCE, || worker.metric("idgroup_stage_seconds_count") >= 5.0);
    outputs.read_rest(Duration::from_secs(2));
    assert_eq!(names(&received(&outputs, "dst_google")), ["upd_0", "upd_1", "upd_2", "upd_3", "upd_4"]);
    assert_eq!(names(&received(&outputs, MESSAGING)), ["upd_0", "upd_3"]);
    assert_eq!(standing(database, "use_1", 0), "2");
    assert_eq!(worker.metric(KEPT), 2.0, "once in each of two units");
    assert!(worker.terminate().success());
}

#[test]
fn each_stay_has_one_message() {
    two_stays(&database("two_stays"), &[]);
}

#[test]
fn each_stay_has_one_message_in_transactions() {
    two_stays(&database("two_stays_transactional"), &["--transactional"]);
}

#[test]
fn without_memories_every_recomputation_messages() {
    let database = database("without_memories");
    let broker = Broker::start(1);
    let input = broker.input();
    for n in 0..3 {
        send(&input, "use_1", &changed(&format!("upd_{n}"), "use_1", "in", n));
    }
    input.flush();
    let worker = start(&broker, &database, &["--memories", "off"]);
    wait_until("all updates", PATIENCE, || worker.metric("idgroup_stage_seconds_count") >= 3.0);
    let mut outputs = broker.outputs();
    outputs.read_rest(Duration::from_secs(2));
    assert_eq!(names(&received(&outputs, MESSAGING)), ["upd_0", "upd_1", "upd_2"]);
    assert_eq!(database.text("select count(*)::text from memories"), "0");
}

#[test]
fn memories_may_be_partitioned_by_the_hash_of_their_keys() {
    let database = database("hash_partitioned");
    database.execute(
        "drop table memories;
         create table memories (
             key bytea primary key check (octet_length(key) = 16), memory bytea not null default '',
             kept_at timestamptz not null default now()
         ) partition by hash (key);
         create table memories_0 partition of memories for values with (modulus 3, remainder 0);
         create table memories_1 partition of memories for values with (modulus 3, remainder 1);
         create table memories_2 partition of memories for values with (modulus 3, remainder 2);",
    );
    two_stays(&database, &[]);
    let broker = Broker::start(2);
    let input = broker.input();
    for n in 0..600 {
        let profile = format!("use_{n}");
        send(&input, &profile, &changed(&format!("upd_{n}"), &profile, "in", n));
    }
    input.flush();
    let worker = start(&broker, &database, &[]);
    wait_until("all updates", PATIENCE, || worker.metric("idgroup_stage_seconds_count") >= 600.0);
    let filled = "select string_agg(n::text, ' ') from (
        select count(*) > 100 n from memories where memory <> '' group by tableoid) counts";
    assert_eq!(database.text(filled), "true true true");
    assert_eq!(expired(&database), "0", "members are never forgotten");
    forget(&database, "use_7", "1 memories of 1 looked for are removed");
    assert_eq!(standing(&database, "use_7", 0), "none");
}

/// What the manual's statement removes of memories that were kept a month ago.
fn expired(database: &Database) -> String {
    let manual = include_str!("../../README.md");
    let (_, rest) = manual.split_once("```sql\ndelete from memories").unwrap();
    let (statement, _) = rest.split_once(";\n```").unwrap();
    database.execute("update memories set kept_at = kept_at - interval '31 days'");
    database.text(&format!(
        "with gone as (delete from memories{statement} returning 1) select count(*)::text from gone"
    ))
}

#[track_caller]
fn forget(database: &Database, profile: &str, answer: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_sync-worker"))
        .args(["--log", "error", "forget", "--database-url", &database.url])
        .args(["--space", "spa_load", "--profile", profile])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), answer);
}

#[test]
fn memories_expire_and_are_erased() {
    let database = database("expiring");
    let broker = Broker::start(1);
    let input = broker.input();
    send(&input, "use_in", &changed("upd_1", "use_in", "in", 1));
    send(&input, "use_out", &changed("upd_2", "use_out", "out", 1));
    // Nothing is to be remembered of it.
    let removed = json!({"reason": "external_id_removed", "removed": [{"type": "email", "id": "x"}]});
    send(&input, "use_empty", &update("upd_3", "use_empty", "out", Some(1), &removed));
    input.flush();
    let worker = start(&broker, &database, &[]);
    wait_until("all updates", PATIENCE, || worker.metric("idgroup_stage_seconds_count") >= 3.0);
    let all = ["use_in", "use_out", "use_empty"].map(|profile| standing(&database, profile, 0));
    assert_eq!(all, ["2", "3", "empty"]);
    assert_eq!(expired(&database), "2");
    assert_eq!(standing(&database, "use_in", 0), "2");
    // In each epoch, and of each computation.
    database.execute("update rollout set share = 1; insert into computations (id) values ('aud_2')");
    forget(&database, "use_in", "1 memories of 4 looked for are removed");
    forget(&database, "use_in", "0 memories of 4 looked for are removed");
    assert_eq!(standing(&database, "use_in", 0), "none");
}

/// Holds units of work up at their memories while `then` runs.
fn while_locked(database: &Database, then: impl FnOnce()) {
    database.while_in("lock table memories in access exclusive mode", then);
}

fn wait_for_lock(database: &Database) {
    let waiting = "select count(*)::text from pg_stat_activity
                   where wait_event_type = 'Lock' and datname = current_database()";
    wait_until("a unit that waits", PATIENCE, || database.text(waiting) != "0");
}

#[test]
fn a_crash_between_keeping_and_sending_is_made_good_by_a_repeat() {
    crash_between_keeping_and_sending(&database("kept_and_not_sent"), &[]);
}

#[test]
fn a_crash_between_keeping_and_the_transaction_is_made_good_by_a_repeat() {
    crash_between_keeping_and_sending(&database("kept_and_not_committed"), &["--transactional"]);
}

fn crash_between_keeping_and_sending(database: &Database, arguments: &[&str]) {
    let broker = Broker::start(1);
    let input = broker.input();
    let worker = start(&broker, database, arguments);
    while_locked(database, || {
        send(&input, "use_1", &changed("upd_1", "use_1", "in", 1));
        // It must wait: it forgets what has not been sent.
        send(&input, "use_1", &changed("upd_2", "use_1", "out", 2));
        send(&input, "use_2", &changed("upd_3", "use_2", "in", 3));
        input.flush();
        wait_for_lock(database);
        broker.signal("STOP");
    });
    wait_until("a kept memory", PATIENCE, || worker.metric(KEPT) >= 1.0);
    sleep(Duration::from_secs(1));
    assert_eq!(standing(database, "use_1", 0), "2", "the exit waits until the entry is out");
    worker.kill();
    broker.signal("CONT");
    let mut outputs = broker.outputs();
    outputs.read_rest(Duration::from_secs(2));
    assert_eq!(outputs.all, [], "nothing was sent");
    let worker = start(&broker, database, arguments);
    wait_until("all updates", PATIENCE, || worker.metric("idgroup_stage_seconds_count") >= 3.0);
    outputs.read_rest(Duration::from_secs(2));
    assert_eq!(names(&received(&outputs, MESSAGING)), ["upd_1", "upd_3"]);
    assert_eq!(worker.metric("idgroup_repeats_total"), 1.0);
    assert_eq!(standing(database, "use_1", 0), "3");
}

#[test]
fn a_worker_that_stands_still_holds_nobody_up_and_acts_on_nothing_old() {
    let database = database("standing_still");
    // What it takes to stop a worker in the middle of a unit.
    database.execute(
        "create function slowly() returns trigger language plpgsql as $$
         begin perform pg_sleep(case when new.key = any(tg_argv[0]::bytea[]) then 1 else 0 end); return new; end $$",
    );
    let key = MemoryKey::new("spa_load", "aud_load", "use_1", 0);
    database.execute(&format!(
        "create trigger slowly before insert on memories for each row execute function slowly('{{\"\\\\x{key}\"}}')"
    ));
    let broker = Broker::start(1);
    let mut outputs = broker.outputs();
    let input = broker.input();
    let first = start(&broker, &database, &[]);
    // No times: what comes late can't be told from what is new.
    let entered = json!({"reason": "value_changed"});
    send(&input, "use_1", &update("upd_1", "use_1", "in", None, &entered));
    input.flush();
    let slow = "select count(*)::text from pg_stat_activity where wait_event = 'PgSleep'";
    wait_until("a slow unit", PATIENCE, || database.text(slow) != "0");
    first.signal("STOP");
    let idle = "select count(*)::text from pg_stat_activity where state = 'idle in transaction'";
    wait_until("a unit that holds locks", PATIENCE, || database.text(idle) != "0");
    // The database lets go of it, long before Kafka does.
    wait_until("no unit that holds locks", Duration::from_secs(4), || database.text(idle) == "0");
    database.execute("drop trigger slowly on memories");
    let second = start(&broker, &database, &[]);
    send(&input, "use_1", &update("upd_2", "use_1", "out", None, &entered));
    input.flush();
    wait_until("the second", PATIENCE, || second.metric("idgroup_stage_seconds_count") >= 2.0);
    assert_eq!(standing(&database, "use_1", 0), "3");
    first.signal("CONT");
    wait_until("restarted", PATIENCE, || first.metric("idgroup_stage_restarts_total{stage=\"sync\"}") >= 1.0);
    wait_until("ready", PATIENCE, || first.page("/readyz").0 == 200);
    outputs.read_rest(Duration::from_secs(2));
    assert_eq!(standing(&database, "use_1", 0), "3", "no stay begins by what was read before");
    assert_eq!(names(&received(&outputs, MESSAGING)), ["upd_1"]);
    assert_eq!(outputs.repeats(), 0);
}

#[test]
fn merges_across_partitions_are_right_while_two_workers_are_at_them() {
    const PAIRS: u32 = 1_500;
    let database = database("merging");
    let broker = Broker::start(8);
    let mut outputs = broker.outputs();
    let workers = [start(&broker, &database, &[]), start(&broker, &database, &[])];
    let done = || workers.iter().map(|worker| worker.metric("idgroup_stage_seconds_count")).sum::<f64>();
    let input = broker.input();
    for n in 0..PAIRS {
        let profile = format!("use_b{n}");
        send(&input, &profile, &changed(&format!("upd_b{n}"), &profile, "in", 1));
    }
    input.flush();
    wait_until("all have entered", PATIENCE, || done() >= f64::from(PAIRS));
    // Each b is merged into an a, while both are recomputed: in whatever order, nobody is messaged again.
    thread::scope(|scope| {
        let merge = |n: u32| {
            let profiles = json!([{"profile_id": format!("use_a{n}"), "membership": "out"},
                                  {"profile_id": format!("use_b{n}"), "membership": "in"}]);
            let (id, profile) = (format!("upd_m{n}"), format!("use_a{n}"));
            let trigger = json!({"reason": "profile_merge", "profiles": profiles});
            send(&input, &profile, &update(&id, &profile, "in", Some(10), &trigger));
            send(&input, &profile, &changed(&format!("upd_a{n}"), &profile, "in", 11));
        };
        let recompute = |n: u32| {
            let profile = format!("use_b{n}");
            send(&input, &profile, &changed(&format!("upd_r{n}"), &profile, "in", 2));
        };
        scope.spawn(move || (0..PAIRS).for_each(merge));
        scope.spawn(move || (0..PAIRS).rev().for_each(recompute));
    });
    input.flush();
    wait_until("all updates", PATIENCE, || done() >= f64::from(4 * PAIRS));
    outputs.read_rest(Duration::from_secs(2));
    let entries: std::collections::BTreeSet<String> = (0..PAIRS).map(|n| format!("upd_b{n}")).collect();
    let messaged = received(&outputs, MESSAGING);
    assert_eq!(messaged.keys().cloned().collect::<std::collections::BTreeSet<_>>(), entries);
    assert_eq!(received(&outputs, "dst_google").len(), 4 * PAIRS as usize, "nothing is lost");
    assert_eq!(outputs.all.iter().filter(|output| output.topic == "dead-letter").count(), 0);
    let shares = workers.each_ref().map(|worker| worker.metric("idgroup_stage_seconds_count"));
    assert!(shares.iter().all(|share| *share > 0.0), "{shares:?}");
    let deadlocks =
        database.text("select deadlocks::text from pg_stat_database where datname = current_database()");
    assert_eq!(deadlocks, "0");
    assert!(workers.into_iter().all(|worker| worker.terminate().success()));
}

#[test]
fn what_can_not_be_read_is_set_aside_and_stays_as_it_is() {
    let database = database("unknown_version");
    let key = MemoryKey::new("spa_load", "aud_load", "use_1", 0);
    database.execute(&format!("insert into memories (key, memory) values ('\\x{key}', '\\x020102')"));
    let broker = Broker::start(1);
    let input = broker.input();
    send(&input, "use_1", &changed("upd_1", "use_1", "in", 1));
    send(&input, "use_2", &changed("upd_2", "use_2", "in", 1));
    input.flush();
    let _worker = start(&broker, &database, &[]);
    let mut outputs = broker.outputs();
    outputs.read_until("both", PATIENCE, |all| all.len() >= 2);
    outputs.read_rest(Duration::from_secs(1));
    assert_eq!(names(&received(&outputs, MESSAGING)), ["upd_2"]);
    let letters: Vec<_> = outputs.all.iter().filter(|output| output.topic == "dead-letter").collect();
    let [letter] = letters[..] else { panic!("{letters:?}") };
    assert!(letter.headers["error"].contains("a memory of version 2 is unknown"), "{:?}", letter.headers);
    assert!(String::from_utf8_lossy(&letter.payload).contains("upd_1"));
    let kept = database.text(&format!("select memory::text from memories where key = '\\x{key}'"));
    assert_eq!(kept, "\\x020102");
}

#[test]
fn what_no_topic_takes_does_not_count_as_sent() {
    let database = database("too_large");
    let broker = Broker::start(1);
    let input = broker.input();
    let mut large = changed("upd_1", "use_1", "in", 1);
    let ids = large["external_ids"].as_array_mut().unwrap();
    ids.extend((0..9_000).map(|n| json!({"type": "user_id", "id": format!("{n:0100}")})));
    send(&input, "use_1", &large);
    send(&input, "use_1", &changed("upd_2", "use_1", "in", 2));
    input.flush();
    let _worker = start(&broker, &database, &[]);
    let mut outputs = broker.outputs();
    outputs.read_until("both", PATIENCE, |all| all.len() >= 2);
    outputs.read_rest(Duration::from_secs(1));
    assert_eq!(names(&received(&outputs, MESSAGING)), ["upd_2"], "the first had no effect");
    let letters: Vec<_> = outputs.all.iter().filter(|output| output.topic == "dead-letter").collect();
    let [letter] = letters[..] else { panic!("{} dead letters", letters.len()) };
    assert!(letter.headers["error"].contains("is more than a topic takes"), "{:?}", letter.headers);
}

#[test]
fn nobody_is_messaged_anew_when_the_gate_opens_and_a_lowered_share_begins_anew() {
    let database = database("opening");
    database.execute("update rollout set spaces = '{}'");
    let broker = Broker::start(1);
    let input = broker.input();
    let mut outputs = broker.outputs();
    let worker = start(&broker, &database, &[]);
    let mut sent = 0.0;
    let mut next = |id: &str, second: u32| {
        send(&input, "use_1", &changed(id, "use_1", "in", second));
        input.flush();
        sent += 1.0;
        wait_until("one more", PATIENCE, || worker.metric("idgroup_stage_seconds_count") >= sent);
    };
    next("upd_1", 1);
    assert_eq!(standing(&database, "use_1", 0), "2", "as if the dedupe flow had sent");
    database.execute("update rollout set spaces = '{spa_load}'");
    sleep(Duration::from_secs(1));
    next("upd_2", 2);
    // Not admitted: nothing is remembered.
    database.execute("update rollout set share = 0");
    sleep(Duration::from_secs(1));
    next("upd_3", 3);
    assert_eq!(standing(&database, "use_1", 1), "none");
    database.execute("update rollout set share = 10000");
    sleep(Duration::from_secs(1));
    next("upd_4", 4);
    assert_eq!(standing(&database, "use_1", 1), "2");
    outputs.read_rest(Duration::from_secs(1));
    // By the legacy flow, by nobody, by the legacy flow, and anew: the stay began before the epoch.
    assert_eq!(names(&received(&outputs, MESSAGING)), ["upd_1", "upd_3", "upd_4"]);
}

#[test]
fn the_epoch_rises_by_itself_and_never_goes_down() {
    let database = shared("epochs");
    let epoch_after = |change: &str| {
        database.execute(&format!("update rollout set {change}"));
        database.text("select epoch::text from rollout")
    };
    assert_eq!(epoch_after("share = 500"), "0");
    assert_eq!(epoch_after("share = 700, spaces = '{spa_1}'"), "0");
    assert_eq!(epoch_after("spaces = '{}', blocked_spaces = '{spa_1}'"), "0");
    assert_eq!(epoch_after("share = 699"), "1");
    assert_eq!(epoch_after("share = 0"), "2");
    assert_eq!(epoch_after("share = 10000"), "2");
    assert_eq!(epoch_after("flag = 'other'"), "3");
    assert_eq!(epoch_after("epoch = 10"), "10");
    assert_eq!(epoch_after("share = 5, epoch = 20"), "20");
    assert_eq!(epoch_after("share = 4, epoch = 3"), "21");
    let lowered = "do $$ begin update rollout set epoch = 1;
                   exception when raise_exception then update rollout set compare = true; end $$";
    database.execute(lowered);
    assert_eq!(database.text("select epoch || ' ' || compare from rollout"), "21 true");
}
