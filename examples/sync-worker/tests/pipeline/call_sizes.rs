//! Calls that are more than a topic takes: found before their update is remembered as sent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use idgroup::Destinations;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::{Value, json};

use crate::database::{Database, block_on, shared};
use crate::kafka::{Broker, Output, Pipeline};
use crate::load::ROLLOUT_FOR_ALL;
use crate::memories::standing;
use crate::process::{Worker, wait_until};

const PATIENCE: Duration = Duration::from_secs(120);
/// What the topic takes: calls have some hundreds of bytes.
pub const LIMIT: usize = 1_300;
/// Updates whose calls are below it at first, and above it in the end.
const UPDATES: usize = 700;

/// The second is in larger calls than the first.
fn destinations() -> BTreeMap<String, Destinations> {
    let destinations = json!({"aud_load": [
        {"id": "dst_a", "name": "A"},
        {"id": "dst_dedupes", "name": "A destination that is messaged once", "dedupes_on": ["account"]},
    ]});
    serde_json::from_value(destinations).unwrap()
}

fn database(name: &str) -> Database {
    let database = shared(name);
    database.store_destinations(&destinations());
    database.execute(ROLLOUT_FOR_ALL);
    database.execute("update destinations set call = '{\"call\": \"identify\"}'");
    database
}

fn profile(n: usize) -> String {
    format!("use_{n:04}")
}

/// With one byte more in each of its calls than the one before.
fn update(n: usize) -> Value {
    json!({
        "id": format!("upd_{n:04}"), "space_id": "spa_load", "profile_id": profile(n),
        "computation": {"class": "audience", "id": "aud_load", "key": "load"}, "membership": "in",
        "computed_at": "2026-01-05T10:00:00Z", "trigger": {"reason": "value_changed"},
        "external_ids": [{"type": "account", "id": "x".repeat(n)}],
    })
}

/// Whether the topic takes the output again, with a byte more or without.
fn is_taken(pipeline: &Pipeline, client_limit: usize, output: &Output, more: &[u8]) -> bool {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", &pipeline.servers)
        .set("compression.type", "none")
        .set("message.max.bytes", client_limit.to_string())
        .create()
        .unwrap();
    let topic = format!("{}{}", pipeline.prefix, output.topic);
    let payload = [&output.payload, more].concat();
    let headers = output.headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
        headers.insert(Header { key, value: Some(value) })
    });
    let record = FutureRecord::to(&topic).payload(&payload).headers(headers);
    let record = record.key(output.key.as_deref().unwrap());
    match block_on(producer.send(record, PATIENCE)) {
        Ok(_) => true,
        Err((KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge), _)) => false,
        Err((error, _)) => panic!("{error}"),
    }
}

/// What is as large as it may be is taken, and of what has a byte more no call is written and nothing remembered.
pub fn sizes_are_checked(pipeline: &Pipeline, name: &str, client_limit: usize) {
    let database = &database(name);
    let input = pipeline.input();
    for n in 1..=UPDATES {
        input.send("identified-output", &profile(n), Some(update(n).to_string().as_bytes()));
    }
    input.flush();
    let mut outputs = pipeline.outputs_of(&["outbound-calls", "outbound-calls-slow", "dead-letter"]);
    let limit = format!("message.max.bytes={client_limit}");
    let arguments = ["--stages", "sync", "--outbound", "calls", "--kafka", &limit];
    // Without compression, so that it is known what is too large.
    let arguments = [&arguments[..], &["--kafka", "compression.type=none"]].concat();
    let worker = Worker::start(pipeline, database, &arguments);
    let done = "idgroup_stage_seconds_count";
    wait_until("all updates", PATIENCE, || worker.metric(done) >= UPDATES as f64);
    outputs.read_until("what comes of all updates", PATIENCE, |all| {
        let letters = all.iter().filter(|output| output.topic == "dead-letter").count();
        letters + (all.len() - letters) / 2 >= UPDATES
    });
    outputs.read_rest(Duration::from_secs(2));
    let (letters, calls): (Vec<_>, Vec<_>) =
        outputs.all.iter().partition(|output| output.topic == "dead-letter");
    let sent = calls.len() / 2;
    assert!((2..UPDATES - 2).contains(&sent), "{sent} updates are sent: the limit is not among them");
    let mut largest = BTreeMap::<String, &Output>::new();
    for call in &calls {
        let of = largest.entry(call.key.clone().unwrap()).or_insert(*call);
        if call.payload.len() >= of.payload.len() {
            *of = *call;
        }
    }
    let with_calls = largest.len();
    assert!(
        largest.keys().cloned().eq((1..=sent).map(profile)),
        "{with_calls} have calls, of {sent} that fit"
    );
    let refused: BTreeSet<_> = letters.iter().map(|letter| letter.key.clone().unwrap()).collect();
    assert!(refused.into_iter().eq((sent + 1..=UPDATES).map(profile)), "{} dead letters", letters.len());
    assert_eq!(letters.len(), UPDATES - sent);
    for letter in letters {
        let error = &letter.headers["error"];
        assert!(error.starts_with("an output is refused: a call of "), "{error}");
        assert!(error.ends_with(" bytes is more than a topic takes"), "{error}");
    }
    assert_eq!(standing(database, &profile(sent), 0), "2");
    let remembered = "select count(*)::text from memories where memory <> ''";
    assert_eq!(database.text(remembered), sent.to_string());
    let last = largest[&profile(sent)];
    assert!(last.headers["destinations"].contains("dst_dedupes"), "{:?}", last.headers);
    assert!(is_taken(pipeline, client_limit, last, b""));
    assert!(!is_taken(pipeline, client_limit, last, b" "));
    assert!(worker.terminate().success());
}

#[test]
fn a_call_that_no_client_takes_leaves_no_trace() {
    let broker = Broker::start(2);
    sizes_are_checked(&broker, "call_sizes", LIMIT);
}

/// An update with more calls than memory holds, of which a single one does not fit.
#[test]
fn one_call_of_many_that_does_not_fit_is_found() {
    let database = database("call_sizes_monster");
    database.execute("update destinations set dedupes_on = '{account,email}' where id = 'dst_dedupes'");
    let broker = Broker::start(1);
    let input = broker.input();
    let monster = |profile: &str, longest: usize| {
        let mut update = update(1);
        update["profile_id"] = json!(profile);
        update["id"] = json!(profile);
        let accounts = (0..400).map(|n| {
            let length = if n == 200 { longest } else { 3 };
            json!({"type": "account", "id": format!("{n:0length$}")})
        });
        let emails = (0..400).map(|n| json!({"type": "email", "id": format!("{n}@example.com")}));
        update["external_ids"] = accounts.chain(emails).collect();
        input.send("identified-output", profile, Some(update.to_string().as_bytes()));
    };
    monster("use_fits", 100);
    monster("use_large", LIMIT);
    input.send("identified-output", &profile(5), Some(update(5).to_string().as_bytes()));
    input.flush();
    let mut outputs = broker.outputs_of(&["dead-letter"]);
    let limit = format!("message.max.bytes={LIMIT}");
    let arguments = ["--stages", "sync", "--outbound", "calls", "--kafka", &limit];
    let worker = Worker::start(&broker, &database, &arguments);
    wait_until("all updates", PATIENCE, || worker.metric("idgroup_stage_seconds_count") >= 3.0);
    outputs.read_rest(Duration::from_secs(1));
    let [letter] = &outputs.all[..] else { panic!("{} dead letters", outputs.all.len()) };
    assert!(letter.headers["error"].starts_with("an output is refused: a call of "), "{:?}", letter.headers);
    let standings = ["use_fits", "use_large", &profile(5)].map(|profile| standing(&database, profile, 0));
    assert_eq!(standings, ["2", "empty", "2"]);
    // All combinations to the one destination and the latest IDs to the other; and those of the small update.
    assert_eq!(worker.metric("idgroup_messages_total"), 160_000.0 + 1.0 + 1.0);
}
