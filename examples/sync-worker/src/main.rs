//! A pipeline around idgroup: profile updates in, decisions, events out. README.md tells the whole.

mod broker;
mod catalog;
mod changes;
mod cli;
mod demo;
mod health;
mod identify;
mod kafka;
mod metrics;
mod migrate;
mod offsets;
mod postgres;
mod retry;
mod rollout_config;
mod sink;
mod source;
mod stage;
mod store;
mod sync;

use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing_subscriber::EnvFilter;

use crate::catalog::Catalog;
use crate::changes::Changes;
use crate::cli::{Cli, Command, LogFormat, Run, StageName};
use crate::health::Health;
use crate::identify::Identify;
use crate::kafka::Shared;
use crate::metrics::Metrics;
use crate::postgres::Postgres;
use crate::rollout_config::RolloutConfig;
use crate::stage::{Stage, Worker};
use crate::store::Store;
use crate::sync::Sync;

fn main() -> Result<()> {
    let cli = Cli::parse();
    let filter = EnvFilter::try_new(&cli.log).context("`--log` is malformed")?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match cli.log_format {
        LogFormat::Json => logs.json().flatten_event(true).init(),
        LogFormat::Text => logs.init(),
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cli.threads.max(2))
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match cli.command {
            Command::Run(options) => run(*options).await,
            Command::Migrate { database_url } => migrate::migrate(&database_url).await,
            Command::Demo => demo::demo().await,
            Command::Broker { partitions } => {
                let topics =
                    ["compute-output", "identified-output", "outbound", "outbound-slow", "dead-letter"];
                let broker = broker::start(topics, partitions)?;
                println!("{}", broker.bootstrap_servers());
                let mut end = Vec::new();
                tokio::io::stdin().read_to_end(&mut end).await?;
                Ok(())
            }
        }
    })
}

async fn run(options: Run) -> Result<()> {
    if options.migrate {
        migrate::migrate(&options.database_url).await.context("migrating")?;
    }
    let shared = Shared {
        pipeline: Arc::new(options.pipeline),
        metrics: Arc::new(Metrics::new()?),
        health: Arc::new(Health::default()),
    };
    shared.health.set("the database", true);
    health::serve(options.listen, shared.metrics.clone(), shared.health.clone()).await?;
    let postgres = Postgres::open(&options.database_url, options.database_connections)?;
    let store = Arc::new(Store::Postgres(postgres));
    let (stop, stopped) = watch::channel(false);
    let mut stages = JoinSet::new();
    for name in &options.stages {
        let worker = match name {
            StageName::Identify => {
                Worker::Identify(Identify { store: store.clone(), shared: shared.clone() })
            }
            StageName::Sync => {
                let catalog = Arc::new(Catalog::new(store.clone()));
                let (config, rollout) = RolloutConfig::new(&shared)?;
                let config = match options.rollout_file.clone() {
                    Some(path) => {
                        tokio::spawn(config.follow_file(path));
                        None
                    }
                    None => Some(config),
                };
                let changes = Changes {
                    url: options.database_url.clone(),
                    catalog: catalog.clone(),
                    rollout: config,
                    shared: shared.clone(),
                };
                tokio::spawn(changes.follow());
                Worker::Sync(Sync { catalog, rollout, shared: shared.clone() })
            }
        };
        stages.spawn(Stage { worker, shared: shared.clone(), stop: stopped.clone() }.run());
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => tracing::info!("draining"),
        _ = interrupt.recv() => tracing::info!("draining"),
        // Stages end only when they are stopped.
        ended = stages.join_next() => return Err(anyhow!("a stage has ended by itself: {ended:?}")),
    }
    stop.send_replace(true);
    let mut result = Ok(());
    while let Some(ended) = stages.join_next().await {
        result = result.and(ended.context("a stage has panicked").and_then(|ended| ended));
    }
    if result.is_ok() {
        tracing::info!("drained");
    }
    result
}
