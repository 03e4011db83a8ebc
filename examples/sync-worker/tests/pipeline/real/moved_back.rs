//! A partition that is not what it was.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use rdkafka::admin::{NewTopic, TopicReplication};

use crate::crashes::{prepare, push};
use crate::database::{block_on, shared};
use crate::kafka::Output;
use crate::process::{Worker, wait_until};
use crate::real::cluster::{alone, slowly};

const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn offsets_that_move_back_end_the_run_and_the_next_one_goes_on() {
    let database = shared("real_moved_back");
    let (updates, expected) = prepare(&database, 600);
    let (cluster, _guard) = alone();
    let pipeline = cluster.pipeline("moved-back", 1);
    let mut outputs = pipeline.outputs();
    // One replica, on the third broker: nobody else knows what it had.
    let topic = "moved-back.compute-output";
    let admin = cluster.admin();
    block_on(admin.delete_topics(&[topic], &slowly())).unwrap();
    let alone_on = NewTopic::new(topic, 1, TopicReplication::Variable(&[&[3]]));
    let began = Instant::now();
    wait_until("the topic", PATIENCE, || {
        let created = block_on(admin.create_topics([&alone_on], &slowly())).unwrap();
        created[0].is_ok() || began.elapsed() > PATIENCE
    });
    let log = std::env::temp_dir().join(format!("sync-worker-moved-back-{}", std::process::id()));
    let mut command = Command::new(env!("CARGO_BIN_EXE_sync-worker"));
    command.stderr(fs::File::create(&log).unwrap());
    // The group has patience with its members, so that the partition stays where it is.
    let patience = ["--kafka", "session.timeout.ms=60000"];
    let worker = Worker::start_logging(command, "error", &pipeline, &database, &patience);
    push(&pipeline, &updates[..500], Duration::from_secs(1), || ());
    let done = "idgroup_stage_seconds_count{stage=\"identify\"}";
    wait_until("the first updates", PATIENCE, || worker.metric(done) >= 500.0);
    assert_eq!(worker.metric("idgroup_stage_restarts_total"), 0.0);

    // Its broker comes back without what it had.
    cluster.kill(2);
    for entry in fs::read_dir(cluster.data(2).join(format!("{topic}-0"))).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().is_some_and(|name| name != "partition.metadata") {
            fs::remove_file(path).unwrap();
        }
    }
    cluster.go_on(2);
    cluster.wait_until_whole();
    push(&pipeline, &updates[500..], Duration::from_millis(10), || ());
    let last: Vec<&Output> = expected.iter().filter(|event| is_of(event, 500..600)).collect();
    outputs.read_until("what came after", PATIENCE, |all| last.iter().all(|event| all.contains(event)));
    let said = fs::read_to_string(&log).unwrap();
    fs::remove_file(&log).unwrap();
    assert!(said.contains("offsets of partition 0 have moved back, from 499 to 0"), "{said}");
    assert!(worker.metric("idgroup_stage_restarts_total{stage=\"identify\"}") >= 1.0);
    assert!(worker.metric("idgroup_offset_resets_total{stage=\"identify\"}") >= 1.0);
    assert_eq!(worker.metric("idgroup_stage_restarts_total{stage=\"sync\"}"), 0.0);
}

fn is_of(event: &Output, mut updates: std::ops::Range<usize>) -> bool {
    let text = String::from_utf8_lossy(&event.payload);
    updates.any(|n| text.contains(&format!("\"upd_{n}\"")))
}
