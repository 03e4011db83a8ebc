//! The system that is being replaced may have other settings: comparisons go by them, and nothing is sent by them.

use std::time::Duration;

use crate::crashes::{assert_nothing_lost, prepare};
use crate::database::{Database, shared};
use crate::kafka::{Broker, Input};
use crate::load::Computed;
use crate::process::{Worker, wait_until};

const PATIENCE: Duration = Duration::from_secs(60);
/// Of each step.
const UPDATES: usize = 50;

/// Sends updates, and returns how many comparisons ended in each way.
fn compared(input: &Input, worker: &Worker, updates: &[Computed]) -> [f64; 2] {
    let count = || {
        ["different", "identical"]
            .map(|outcome| worker.metric(&format!("idgroup_comparisons_total{{outcome=\"{outcome}\"}}")))
    };
    let results = ["sent", "nothing_to_send", "dead_letter"];
    let decided = || {
        let of =
            |result| worker.metric(&format!("idgroup_updates_total{{result=\"{result}\",stage=\"sync\"}}"));
        results.into_iter().map(of).sum::<f64>()
    };
    let ([different, identical], until) = (count(), decided() + updates.len() as f64);
    updates.iter().for_each(|u| input.send("compute-output", &u.profile_id, Some(&u.payload)));
    input.flush();
    wait_until("updates are done", PATIENCE, || decided() >= until);
    let [more_different, more_identical] = count();
    [more_different - different, more_identical - identical]
}

fn prepared(name: &str) -> (Database, Vec<Computed>, Vec<crate::kafka::Output>) {
    let database = shared(name);
    let (updates, expected) = prepare(&database, 10 * UPDATES);
    database.execute("update rollout set compare = true");
    (database, updates, expected)
}

/// Before: SendGrid took every address, and not the latest one.
const SET_UP_OTHERWISE: &str = "insert into legacy_destinations (computation_id, id, dedupes_on)
    select computation_id, id, case when id <> 'dst_sendgrid' then dedupes_on end from destinations";

#[test]
fn destinations_of_the_legacy_flow_are_compared_with_and_sent_nothing() {
    for memories in ["off", "partial"] {
        let (database, updates, expected) = prepared(&format!("comparing_{memories}"));
        let broker = Broker::start(1);
        let (input, mut outputs) = (broker.input(), broker.outputs());
        let worker = Worker::start(&broker, &database, &["--memories", memories]);
        wait_until("ready", PATIENCE, || worker.page("/readyz").0 == 200);
        let mut updates = updates.chunks(UPDATES);
        // One after the other, until a change must have been heard of.
        let mut difference = || {
            for some in updates.next().unwrap().chunks(3) {
                compared(&input, &worker, some);
            }
            compared(&input, &worker, updates.next().unwrap())
        };
        let (all_the_same, all_different) = ([0.0, UPDATES as f64], [UPDATES as f64, 0.0]);
        assert_eq!(difference(), all_the_same);
        database.execute(SET_UP_OTHERWISE);
        assert_eq!(difference(), all_different, "SendGrid took phones too");
        database.execute("update legacy_destinations set dedupes_on = '{email}' where id = 'dst_sendgrid'");
        assert_eq!(difference(), all_the_same, "what dedupes is not compared");
        database.execute("delete from legacy_destinations where id = 'dst_google'");
        assert_eq!(difference(), all_different, "Google Ads was not connected");
        database.execute("truncate legacy_destinations");
        assert_eq!(difference(), all_the_same);
        assert_nothing_lost(&mut outputs, &expected);
    }
}

/// What is sent is the legacy flow's while the gate is closed, and the dedupe flow's is compared all the same.
#[test]
fn they_are_compared_with_while_the_gate_is_closed() {
    let (database, updates, _) = prepared("comparing_closed");
    database.execute("update rollout set spaces = '{}'");
    database.execute(SET_UP_OTHERWISE);
    let broker = Broker::start(1);
    let worker = Worker::start(&broker, &database, &["--memories", "off"]);
    wait_until("ready", PATIENCE, || worker.page("/readyz").0 == 200);
    let [different, identical] = compared(&broker.input(), &worker, &updates);
    assert!(different > 0.0 && different + identical > 0.0, "{different} {identical}");
    assert_eq!(worker.metric("idgroup_updates_total{result=\"dead_letter\",stage=\"sync\"}"), 0.0);
}

/// A comparison is not worth an update.
#[test]
fn those_that_cannot_be_used_keep_nothing_from_being_sent() {
    let (database, updates, expected) = prepared("comparing_unusable");
    database.execute("alter table legacy_destinations drop constraint legacy_destinations_dedupes_on_check");
    database.execute("insert into legacy_destinations values ('aud_load', 'dst_sendgrid', null, '{\"\"}')");
    let broker = Broker::start(1);
    let mut outputs = broker.outputs();
    let worker = Worker::start(&broker, &database, &[]);
    wait_until("ready", PATIENCE, || worker.page("/readyz").0 == 200);
    assert_eq!(compared(&broker.input(), &worker, &updates), [0.0, 0.0]);
    assert_nothing_lost(&mut outputs, &expected);
}
