//! The demonstration: the fixtures, through both stages, with nothing installed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use idgroup::{Comparing, Destinations, ExternalId, Flag, Gate, ProfileUpdate, Rollout, Share};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::Value;
use tokio::sync::watch;

use crate::broker;
use crate::catalog::Catalog;
use crate::cli::Pipeline;
use crate::health::Health;
use crate::identify::Identify;
use crate::kafka::Shared;
use crate::metrics::Metrics;
use crate::rollout_config::RolloutConfig;
use crate::stage::{Stage, Worker};
use crate::store::{Memory, Store};
use crate::sync::Sync;

const PIPELINE: (&[u8], &str) = (
    include_bytes!("../../../fixtures/pipeline/updates.ndjson"),
    include_str!("../../../fixtures/pipeline/destinations.json"),
);
const MONSTER: (&[u8], &str) = (
    include_bytes!("../../../fixtures/monster/updates.ndjson"),
    include_str!("../../../fixtures/monster/destinations.json"),
);
const SILENCE: Duration = Duration::from_secs(3);

/// Pushes the fixtures through both stages, and shows what goes where.
pub async fn demo() -> Result<()> {
    let pipeline = Pipeline::as_by_default()?;
    let broker = broker::start(broker::topics(&pipeline), 4)?;
    let shared = Shared {
        pipeline: Arc::new(Pipeline { brokers: broker.bootstrap_servers(), ..pipeline }),
        metrics: Arc::new(Metrics::new()?),
        health: Arc::new(Health::default()),
    };
    let (memory, updates) = fixtures()?;
    let store = Arc::new(Store::Memory(memory));
    let (config, rollout) = RolloutConfig::new(&shared)?;
    // Both flows run for everybody and are compared; one space already gets the dedupe flow's events.
    let gate = Gate::closed().opened_for_space("spa_acme")?;
    config
        .set(Rollout::new(Flag::new("dedupe", Share::ALL)?).with_gate(gate).with_comparing(Comparing::On), 0);
    println!(
        "{} updates go in; spa_acme gets the dedupe flow's events, the others the legacy flow's.",
        updates.len()
    );
    println!("Each line is an event, or an update that can't be used. Values of IDs are left out.\n");

    let (stop, stopped) = watch::channel(false);
    let catalog = Arc::new(Catalog::new(store.clone()));
    let identify = Worker::Identify(Identify::new(store, &shared));
    let sync = Worker::Sync(Sync::new(catalog, rollout, None, &shared));
    let began = Instant::now();
    let stages: Vec<_> =
        [identify, sync].map(|worker| tokio::spawn(Stage::new(worker, &shared, &stopped).run())).into();
    push(&shared.pipeline, &updates).await?;
    let shown = show(&shared.pipeline).await?;
    let took = began.elapsed().saturating_sub(SILENCE);
    stop.send_replace(true);
    for stage in stages {
        stage.await??;
    }
    summarise(&shared.metrics, &shown, updates.len(), took);
    Ok(())
}

/// The fixtures' identities and destinations, and their updates as the compute engine writes them.
fn fixtures() -> Result<(Memory, Vec<Vec<u8>>)> {
    let mut memory = Memory::default();
    let mut updates = Vec::new();
    for (lines, destinations) in [PIPELINE, MONSTER] {
        memory.destinations.extend(serde_json::from_str::<HashMap<String, Destinations>>(destinations)?);
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            if let Ok(update) = serde_json::from_slice::<ProfileUpdate>(line) {
                let profile = (update.space_id().to_owned(), update.profile_id().to_owned());
                let known: &mut Vec<ExternalId> = memory.identities.entry(profile).or_default();
                for id in update.external_ids() {
                    if !known.iter().any(|known| known.key() == id.key()) {
                        known.push(id.clone());
                    }
                }
            }
            updates.push(match serde_json::from_slice(line) {
                Ok(Value::Object(mut update)) => {
                    update.remove("external_ids");
                    serde_json::to_vec(&update)?
                }
                _ => line.to_owned(),
            });
        }
    }
    Ok((memory, updates))
}

async fn push(pipeline: &Pipeline, updates: &[Vec<u8>]) -> Result<()> {
    let producer: FutureProducer =
        ClientConfig::new().set("bootstrap.servers", &pipeline.brokers).create()?;
    for update in updates {
        let profile = serde_json::from_slice::<Value>(update).ok();
        let profile = profile.as_ref().and_then(|update| update["profile_id"].as_str()).unwrap_or_default();
        let record = FutureRecord::to(&pipeline.compute_output).key(profile).payload(update);
        producer.send(record, Duration::from_secs(10)).await.map_err(|(error, _)| error)?;
    }
    Ok(())
}

/// Prints what comes out until nothing does any more, and counts it by topic.
async fn show(pipeline: &Pipeline) -> Result<BTreeMap<String, usize>> {
    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", &pipeline.brokers)
        .set("group.id", "demo")
        .set("auto.offset.reset", "earliest")
        .create()?;
    consumer.subscribe(&[
        &pipeline.outbound_events,
        &pipeline.outbound_events_slow,
        &pipeline.dead_letter,
    ])?;
    let mut shown = BTreeMap::new();
    let mut patience = SILENCE * 5; // the group's first members take their time
    while let Ok(message) = tokio::time::timeout(patience, consumer.recv()).await {
        let message = message?;
        *shown.entry(message.topic().to_owned()).or_default() += 1;
        println!("{}", line(&message));
        patience = SILENCE;
    }
    Ok(shown)
}

fn line(message: &BorrowedMessage<'_>) -> String {
    let topic = message.topic();
    let header = |name: &str| {
        let headers = message.headers()?;
        let header = headers.iter().find(|header| header.key == name)?;
        header.value.map(|value| String::from_utf8_lossy(value).into_owned())
    };
    let event: Value = serde_json::from_slice(message.payload().unwrap_or_default()).unwrap_or_default();
    match header("message_id") {
        Some(message_id) => {
            let mut types = BTreeMap::<&str, usize>::new();
            for id in event["id_group"]["external_ids"].as_array().into_iter().flatten() {
                *types.entry(id["type"].as_str().unwrap_or_default()).or_default() += 1;
            }
            let types: Vec<String> = types.iter().map(|(name, count)| format!("{count} {name}")).collect();
            let destinations = event["destinations"].as_array().into_iter().flatten();
            let destinations: Vec<&str> = destinations.filter_map(Value::as_str).collect();
            let update = event["update_id"].as_str().unwrap_or_default();
            format!(
                "{topic:<13} {update:<12} {message_id}  {} -> {}",
                types.join(" + "),
                destinations.join(", ")
            )
        }
        None => {
            let stage = header("stage").unwrap_or_default();
            format!("{topic:<13} {stage:<12} {}", header("error").unwrap_or_default())
        }
    }
}

fn summarise(metrics: &Metrics, shown: &BTreeMap<String, usize>, updates: usize, took: Duration) {
    println!("\n{updates} updates in {:.1} s", took.as_secs_f64());
    for (topic, count) in shown {
        println!("{count:>8} to {topic}");
    }
    let wanted = [
        "idgroup_updates_total",
        "idgroup_verdicts_total",
        "idgroup_drops_total",
        "idgroup_comparisons_total",
        "idgroup_messages_total",
    ];
    println!();
    for sample in metrics.render().lines().filter(|line| wanted.iter().any(|name| line.starts_with(name))) {
        println!("{sample}");
    }
}
