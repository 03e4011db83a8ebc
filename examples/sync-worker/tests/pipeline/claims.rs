//! Claims: for endpoints that don't drop repeats, at most once or at least once.

use std::time::Duration;

use crate::deliver::{Mile, PATIENCE, id};
use crate::endpoint::Fault;
use crate::process::wait_until;

/// Kills a worker between its claim and the answer, when the endpoint has the call in its hands.
fn kill_before_the_answer(mile: &Mile, claims: &str) {
    mile.endpoint.fail_next([Fault::Slow(Duration::from_secs(5))]);
    mile.send(0..1, None);
    let worker = mile.worker(&["--claims", claims]);
    wait_until("it is being posted", PATIENCE, || {
        worker.metric("idgroup_in_flight{stage=\"deliver\"}") > 0.0
    });
    std::thread::sleep(Duration::from_secs(2));
    worker.kill();
}

#[test]
fn at_most_once_never_posts_what_may_have_been_taken() {
    let mile = Mile::new("at_most_once", 1);
    kill_before_the_answer(&mile, "at-most-once");
    mile.send(1..20, None);
    let worker = mile.worker(&["--claims", "at-most-once"]);
    mile.wait_for(1..20);
    // Nobody knows whether it was taken: it is set aside, and not gone without a word.
    let letters = mile.dead_letters(1);
    assert!(letters.all[0].headers["error"].contains("is not known"), "{:?}", letters.all);
    assert_eq!(letters.all[0].message_id(), Some(&*id(0)));
    let before = mile.endpoint.posts().len();
    // So with an answer that says nothing of what was taken.
    mile.endpoint.fail_next([Fault::TakenThen(500)]);
    mile.send(20..21, None);
    mile.dead_letters(2);
    assert_eq!(mile.endpoint.posts().len(), before + 1);
    // What was surely not taken is posted again.
    mile.endpoint.fail_next([Fault::RetryAfter("0"), Fault::Status(429)]);
    mile.send(21..22, None);
    mile.wait_for(21..22);
    // And what comes twice is posted once.
    mile.send(1..20, None);
    mile.send(22..23, None);
    mile.wait_for(22..23);
    wait_until("repeats are seen", PATIENCE, || {
        worker.metric("idgroup_calls_total{result=\"repeat\"}") >= 19.0
    });
    assert!(mile.endpoint.counts().values().all(|count| *count == 1), "{:?}", mile.endpoint.counts());
}

#[test]
fn at_least_once_posts_again_what_may_not_have_been_taken() {
    let mile = Mile::new("at_least_once", 1);
    kill_before_the_answer(&mile, "at-least-once");
    mile.send(1..20, None);
    let worker = mile.worker(&["--claims", "at-least-once"]);
    mile.wait_for(0..20);
    wait_until("it is posted again", PATIENCE, || mile.endpoint.counts()[&id(0)] == 2);
    mile.endpoint.fail_next([Fault::TakenThen(500)]);
    mile.send(20..21, None);
    wait_until("it is posted again", PATIENCE, || mile.endpoint.counts().get(&id(20)) == Some(&2));
    // What was answered is not posted again, however often it comes.
    mile.send(1..20, None);
    mile.send(21..22, None);
    mile.wait_for(21..22);
    wait_until("repeats are seen", PATIENCE, || {
        worker.metric("idgroup_calls_total{result=\"repeat\"}") >= 19.0
    });
    let counts = mile.endpoint.counts();
    assert!((1..20).all(|n| counts[&id(n)] == 1), "{counts:?}");
    mile.dead_letters(0);
}
