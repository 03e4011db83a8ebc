//! A destination that is down, or refuses its key, holds nobody up; and nothing is lost or overtaken.

use std::thread::sleep;
use std::time::Duration;

use crate::deliver::{Mile, PATIENCE, WRITE_KEY, assert_in_order, id};
use crate::endpoint::{Endpoint, Fault};
use crate::process::{Worker, wait_until};

/// A mile on which one destination has an endpoint of its own.
fn with_own(name: &str, key_env: bool) -> (Mile, Endpoint) {
    let own = Endpoint::start(if key_env { "own-key" } else { "" });
    let mile = Mile::new(name, 1);
    let key = if key_env { "'OWN_WRITE_KEY'" } else { "null" };
    mile.database.execute(&format!(
        "insert into deliveries (destination_id, endpoint, write_key_env) values ('dst_own', '{}', {key})",
        own.url()
    ));
    (mile, own)
}

fn is_parked(worker: &Worker) -> bool {
    worker.metric("idgroup_parked_deliveries") > 0.0
}

fn waits_for_all(own: &Endpoint, numbers: std::ops::Range<usize>) {
    wait_until("the destination has its calls", PATIENCE, || {
        let counts = own.counts();
        numbers.clone().all(|n| counts.contains_key(&id(n)))
    });
}

#[test]
fn a_destination_that_is_down_holds_nobody_up_and_gets_all_in_order() {
    let (mile, own) = with_own("down", false);
    own.fail(Some(Fault::Status(503)));
    mile.send(0..200, Some("dst_own"));
    mile.send(1_000..1_200, None);
    let worker = mile.worker(&["--park-after", "1"]);
    mile.wait_for(1_000..1_200);
    wait_until("it is parked", PATIENCE, || is_parked(&worker));
    mile.send(200..400, Some("dst_own"));
    mile.send(1_200..1_400, None);
    mile.wait_for(1_200..1_400);
    wait_until("all of them wait", PATIENCE, || {
        worker.metric("idgroup_calls_total{result=\"parked\"}") >= 400.0
    });
    sleep(Duration::from_secs(1));
    // What is parked is committed, and survives.
    worker.kill();
    let worker = mile.worker(&["--park-after", "1"]);
    mile.send(400..500, Some("dst_own"));
    wait_until("later ones wait behind them", PATIENCE, || {
        worker.metric("idgroup_calls_total{result=\"parked\"}") >= 100.0
    });
    assert!(own.taken().is_empty());
    own.fail(None);
    waits_for_all(&own, 0..500);
    wait_until("it goes on", PATIENCE, || !is_parked(&worker));
    mile.send(500..600, Some("dst_own"));
    waits_for_all(&own, 0..600);
    assert_in_order(&own);
    assert!(own.counts().values().all(|count| *count == 1), "{:?}", own.counts());
    assert!(worker.terminate().success());
    mile.dead_letters(0);
}

#[test]
fn calls_that_come_while_parked_ones_are_delivered_do_not_overtake_them() {
    let (mile, own) = with_own("overtaking", false);
    own.fail(Some(Fault::Status(503)));
    mile.send(0..1_500, Some("dst_own"));
    let worker = mile.worker(&["--park-after", "1"]);
    wait_until("all of them wait", PATIENCE, || {
        worker.metric("idgroup_calls_total{result=\"parked\"}") >= 1_500.0
    });
    own.fail(Some(Fault::Slow(Duration::from_millis(100))));
    for n in (1_500..3_000).step_by(50) {
        mile.send(n..n + 50, Some("dst_own"));
        sleep(Duration::from_millis(50));
    }
    waits_for_all(&own, 0..3_000);
    assert_in_order(&own);
    assert!(own.counts().values().all(|count| *count == 1));
}

#[test]
fn who_refuses_the_key_is_parked_at_once_until_there_is_another() {
    let mile = Mile::new("refused_key", 1);
    mile.endpoint.take_key("another");
    mile.send(0..50, None);
    let worker = mile.worker(&["--park-after", "600"]);
    wait_until("all of them wait", PATIENCE, || {
        worker.metric("idgroup_calls_total{result=\"parked\"}") >= 50.0
    });
    wait_until("it is known", PATIENCE, || is_parked(&worker));
    assert_eq!(worker.metric("idgroup_posts_total{answer=\"taken\"}"), 0.0);
    mile.endpoint.take_key(WRITE_KEY);
    mile.wait_for(0..50);
    assert_in_order(&mile.endpoint);
    assert!(mile.endpoint.counts().values().all(|count| *count == 1));
}

#[test]
fn a_destination_has_a_key_of_its_own_and_never_sees_the_common_one() {
    let (mile, own) = with_own("own_key", true);
    mile.send(0..20, Some("dst_own"));
    // The variable is not set, and then it is.
    let worker = mile.worker(&[]);
    wait_until("all of them wait", PATIENCE, || {
        worker.metric("idgroup_calls_total{result=\"parked\"}") >= 20.0
    });
    assert_eq!((own.taken().len(), own.strays()), (0, 0));
    worker.kill();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sync-worker"));
    command.env("OWN_WRITE_KEY", "own-key");
    let arguments = mile.arguments(&[]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let _worker = Worker::start_by(command, &mile.broker, &mile.database, &arguments);
    waits_for_all(&own, 0..20);
    assert_eq!(own.strays(), 0);
    assert!(mile.endpoint.taken().is_empty());
}

#[test]
fn no_redirect_is_followed() {
    let (mile, own) = with_own("redirects", false);
    let elsewhere = Endpoint::start("");
    own.fail(Some(Fault::Redirect(elsewhere.url())));
    mile.send(0..20, Some("dst_own"));
    let worker = mile.worker(&["--park-after", "600"]);
    wait_until("it is parked", PATIENCE, || is_parked(&worker));
    own.fail(None);
    waits_for_all(&own, 0..20);
    assert!(elsewhere.posts().is_empty());
    assert_eq!(elsewhere.strays(), 0);
}

#[test]
fn a_destination_that_takes_fewer_calls_than_come_holds_nobody_up() {
    let (mile, own) = with_own("rate_of_its_own", false);
    mile.database.execute("update deliveries set calls_per_second = 10");
    mile.send(0..3_000, Some("dst_own"));
    mile.send(3_000..3_200, None);
    let worker = mile.worker(&["--in-flight-mib", "1", "--park-after", "2"]);
    mile.wait_for(3_000..3_200);
    assert!(own.posts().iter().all(|post| post.message_ids.len() <= 10));
    wait_until("it is parked", PATIENCE, || is_parked(&worker));
    mile.database.execute("update deliveries set calls_per_second = null");
    waits_for_all(&own, 0..3_000);
    assert_in_order(&own);
    assert!(own.counts().values().all(|count| *count == 1));
}
