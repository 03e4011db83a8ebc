//! A pipeline around idgroup: profile updates in, decisions, events out. README.md tells the whole.

mod allowance;
mod broker;
mod call_settings;
mod call_sizes;
mod calls;
mod catalog;
mod changes;
mod cli;
mod connect;
mod dead_letter;
mod deciding;
mod deliver;
mod demo;
mod forget;
mod health;
mod identify;
mod kafka;
mod labelled;
mod memories;
mod message_size;
mod metrics;
mod migrate;
mod offsets;
mod outcome;
mod postgres;
mod properties;
mod pulse;
mod redrive;
mod remembering;
mod retry;
mod rollout_config;
mod sending;
mod sink;
mod source;
mod stage;
mod store;
mod sync;
mod transaction;
mod under_way;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use clap::Parser;
use idgroup::Completeness;
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing_subscriber::EnvFilter;

use crate::catalog::Catalog;
use crate::changes::Changes;
use crate::cli::{Cli, Command, LogFormat, Outbound, Pipeline, Run, StageName};
use crate::connect::Connect;
use crate::health::Health;
use crate::identify::Identify;
use crate::kafka::Shared;
use crate::memories::Memories;
use crate::metrics::Metrics;
use crate::postgres::Postgres;
use crate::remembering::Remembering;
use crate::rollout_config::RolloutConfig;
use crate::stage::{Stage, Worker};
use crate::store::Store;
use crate::sync::Sync;

/// For clients to end once all is done, or given up.
const AFTER_DRAINING: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    match begin() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// Says in one line why, and ends the process at once: what still waits for brokers would wait on.
fn fail(error: &anyhow::Error) -> ! {
    eprintln!("error: {error:#}");
    std::process::exit(1)
}

fn begin() -> Result<()> {
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
    let result = runtime.block_on(async {
        match cli.command {
            Command::Run(options) => run(*options).await,
            Command::Migrate(database) => migrate::migrate(&Connect::new(&database)?).await,
            Command::Redrive(options) => redrive::redrive(options.pipeline.prepared()?, &options.error).await,
            Command::Forget(options) => forget::forget(&options).await,
            Command::Demo => demo::demo().await,
            Command::Broker { partitions } => {
                let pipeline = Pipeline::as_by_default()?;
                let broker = broker::start(broker::topics(&pipeline), partitions)?;
                println!("{}", broker.bootstrap_servers());
                let mut end = Vec::new();
                tokio::io::stdin().read_to_end(&mut end).await?;
                Ok(())
            }
        }
    });
    // Not for calls to brokers that never return: what matters is done.
    runtime.shutdown_background();
    result.inspect_err(|error| fail(error))
}

async fn run(options: Run) -> Result<()> {
    let pipeline = options.pipeline.clone().prepared()?;
    let waits_for_outputs = options.memories != cli::Memories::Off;
    properties::check(&pipeline)?;
    if pipeline.transactional && pipeline.outbound == Outbound::Calls {
        bail!(
            "`--outbound calls` and `--transactional` exclude each other: there may be more calls than memory holds"
        );
    }
    let connect = Connect::new(&options.database)?;
    if options.migrate {
        migrate::migrate(&connect).await.context("migrating")?;
    }
    let drain = Duration::from_secs(pipeline.drain_seconds);
    let shared = Shared {
        pipeline: Arc::new(Pipeline { waits_for_outputs, ..pipeline }),
        metrics: Arc::new(Metrics::new()?),
        health: Arc::new(Health::default()),
    };
    shared.health.set("the database", true);
    health::serve(options.listen, shared.metrics.clone(), shared.health.clone()).await?;
    let postgres = Postgres::open(&connect, options.database_connections)?;
    let store = Arc::new(Store::Postgres(postgres.clone()));
    let (stop, stopped) = watch::channel(false);
    let mut stages = JoinSet::new();
    for name in &options.stages {
        let worker = match name {
            StageName::Deliver | StageName::DeliverSlow => {
                // Posts are in no transaction.
                let plain = Pipeline { transactional: false, ..(*shared.pipeline).clone() };
                let shared = Shared { pipeline: Arc::new(plain), ..shared.clone() };
                for deliver in deliver::stages(&options.deliver, postgres.clone(), &shared)? {
                    stages.spawn(Stage::new(Worker::Deliver(deliver), &shared, &stopped).run());
                }
                continue;
            }
            StageName::Identify => Worker::Identify(Identify::new(store.clone(), &shared)),
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
                    connect: connect.clone(),
                    catalog: catalog.clone(),
                    rollout: config,
                    shared: shared.clone(),
                };
                tokio::spawn(changes.follow());
                let remembering = remembering(options.memories, &connect, &shared)?;
                Worker::Sync(Sync::new(catalog, rollout, remembering, &shared))
            }
        };
        stages.spawn(Stage::new(worker, &shared, &stopped).run());
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => tracing::info!("draining"),
        _ = interrupt.recv() => tracing::info!("draining"),
        // Stages end only when they are stopped, or can't go on.
        ended = stages.join_next() => match ended {
            Some(Ok(Err(error))) => return Err(error),
            ended => return Err(anyhow!("a stage has ended by itself: {ended:?}")),
        },
    }
    stop.send_replace(true);
    end_after(drain + AFTER_DRAINING);
    let mut result = Ok(());
    while let Some(ended) = stages.join_next().await {
        result = result.and(ended.context("a stage has panicked").and_then(|ended| ended));
    }
    if result.is_ok() {
        tracing::info!("drained");
    }
    result
}

fn remembering(memories: cli::Memories, connect: &Connect, shared: &Shared) -> Result<Option<Remembering>> {
    let completeness = match memories {
        cli::Memories::Off => return Ok(None),
        cli::Memories::Partial => Completeness::Partial,
        cli::Memories::Complete => Completeness::Complete,
    };
    Ok(Some(Remembering::new(Memories::open(connect)?, completeness, shared)))
}

/// Ends the process even where Kafka's clients wait for brokers that don't answer.
fn end_after(time: Duration) {
    std::thread::spawn(move || {
        std::thread::sleep(time);
        eprintln!("error: not drained in time");
        std::process::exit(1);
    });
}
