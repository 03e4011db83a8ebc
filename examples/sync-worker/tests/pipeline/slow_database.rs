//! A database that answers, but not in time.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::crashes::{assert_nothing_lost, prepare, push};
use crate::database::Server;
use crate::kafka::Broker;
use crate::process::{Worker, wait_until};

const PATIENCE: Duration = Duration::from_secs(60);
const TRIES: &str = "idgroup_retries_total{of=\"looking up external IDs\"}";

/// All at once would take longer than a statement may; half of it would not.
#[test]
fn a_look_up_that_takes_too_long_is_halved() {
    let server = Server::start();
    let database = server.database("slow_look_ups");
    let (updates, expected) = prepare(&database, 200);
    database.execute(
        "create function slowly() returns boolean language plpgsql volatile as
             $$ begin perform pg_sleep(0.02); return true; end $$;
         alter table external_ids rename to held_ids;
         create view external_ids as select * from held_ids where slowly();
         -- So that it takes its time for each row that is wanted, and for no other.
         alter database slow_look_ups set enable_hashjoin = off;
         alter database slow_look_ups set enable_mergejoin = off;
         alter database slow_look_ups set enable_seqscan = off;
         analyze held_ids",
    );
    let broker = Broker::start(1);
    push(&broker, &updates, Duration::from_millis(10), || ());
    let mut outputs = broker.outputs();
    let worker = Worker::start(&broker, &database, &[]);
    let repeats = assert_nothing_lost(&mut outputs, &expected);
    assert_eq!(repeats, 0);
    // 500 rows take ten seconds.
    assert!(worker.metric(TRIES) > 0.0, "nothing took too long");
    assert!(worker.terminate().success());
}

#[test]
fn a_look_up_that_waits_for_a_lock_is_given_up_and_made_again() {
    let server = Server::start();
    let database = server.database("locked");
    let (updates, expected) = prepare(&database, 100);
    let broker = Broker::start(1);
    let mut outputs = broker.outputs();
    let worker = Worker::start(&broker, &database, &[]);
    wait_until("ready", PATIENCE, || worker.page("/readyz").0 == 200);
    let lock = database.lock("external_ids");
    push(&broker, &updates, Duration::from_millis(10), || ());
    // Said by the database, which goes on with nothing that nobody waits for.
    wait_until("given up", PATIENCE, || worker.page("/readyz").1.contains("statement timeout (57014)"));
    wait_until("made again", PATIENCE, || worker.metric(TRIES) >= 2.0);
    let waiting = "select from pg_locks where relation = 'external_ids'::regclass and not granted";
    database.execute(&format!("do $$ begin assert (select count(*) from ({waiting}) w) <= 1; end $$"));
    assert_eq!(worker.page("/healthz").0, 200);
    drop(lock);
    assert_eq!(assert_nothing_lost(&mut outputs, &expected), 0);
    wait_until("ready", PATIENCE, || worker.page("/readyz").0 == 200);
    let letters: BTreeSet<_> = outputs.all.iter().filter(|output| output.topic == "dead-letter").collect();
    assert!(letters.is_empty(), "{letters:?}");
}
