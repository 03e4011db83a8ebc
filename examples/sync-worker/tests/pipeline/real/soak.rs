//! The same faults for longer: `SOAK_SECONDS=3600 ./test.sh soak`.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::crashes::{assert_nothing_lost, prepare, push};
use crate::database::shared;
use crate::process::{Worker, wait_until};
use crate::real::cluster::{BROKERS, alone};

const PATIENCE: Duration = Duration::from_secs(300);

#[test]
#[ignore = "it takes as long as it is told to"]
fn faults_of_all_kinds_without_transactions() {
    soak("soak", &[], false);
}

#[test]
#[ignore = "it takes as long as it is told to"]
fn faults_of_all_kinds_with_transactions() {
    soak("soak-transactions", &["--transactional", "--batch", "512"], true);
}

fn soak(name: &str, arguments: &[&str], is_once: bool) {
    let seconds = std::env::var("SOAK_SECONDS").map_or(600, |text| text.parse().unwrap());
    let database = shared(&name.replace('-', "_"));
    let (updates, expected) = prepare(&database, 200 * seconds);
    let (cluster, _guard) = alone();
    let pipeline = cluster.pipeline(name, 6);
    let mut outputs = pipeline.outputs();
    let start = |instance: usize| {
        let instance = instance.to_string();
        Worker::start(&pipeline, &database, &[arguments, &["--instance", &instance]].concat())
    };
    let mut workers: Vec<Worker> = (0..3).map(start).collect();
    let over = Duration::from_secs(seconds as u64);
    push(&pipeline, &updates, over, || {
        let began = Instant::now();
        for round in 0.. {
            if began.elapsed() > over {
                return;
            }
            let (worker, broker) = (round % 3, round / 3 % BROKERS);
            match round % 4 {
                0 => std::mem::replace(&mut workers[worker], start(worker + 3 * round + 3)).kill(),
                1 => {
                    cluster.kill(broker);
                    sleep(Duration::from_secs(3));
                    cluster.go_on(broker);
                    cluster.wait_until_whole();
                }
                2 => {
                    workers[worker].signal("STOP");
                    sleep(Duration::from_secs(8));
                    workers[worker].signal("CONT");
                }
                _ => {
                    cluster.signal(broker, "STOP");
                    sleep(Duration::from_secs(9));
                    cluster.signal(broker, "CONT");
                    cluster.wait_until_whole();
                }
            }
            sleep(Duration::from_secs(2));
        }
    });
    wait_until("a worker that answers", PATIENCE, || {
        workers.iter().any(|worker| worker.page("/healthz").0 == 200)
    });
    let repeats = assert_nothing_lost(&mut outputs, &expected);
    println!("{} events, {repeats} again", expected.len());
    assert!(!is_once || repeats == 0);
}
