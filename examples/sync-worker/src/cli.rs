//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Profile updates in, decisions by idgroup, events out.
#[derive(Parser)]
#[command(version)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    /// What is logged, such as `info` or `sync_worker=debug`
    #[arg(long, global = true, env = "SYNC_WORKER_LOG", default_value = "info")]
    pub log: String,
    /// How log lines are written
    #[arg(long, global = true, env = "SYNC_WORKER_LOG_FORMAT", default_value = "json")]
    pub log_format: LogFormat,
    /// Threads for everything but librdkafka's own
    #[arg(long, global = true, env = "SYNC_WORKER_THREADS", default_value_t = 2)]
    pub threads: usize,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum LogFormat {
    Json,
    Text,
}

#[derive(Subcommand)]
pub enum Command {
    /// Run one stage, or both
    Run(Box<Run>),
    /// Create or update the tables, then end
    Migrate {
        #[arg(long, env = "DATABASE_URL")]
        database_url: String,
    },
    /// Push the fixtures through both stages, with nothing installed
    Demo,
    /// Run a mock of a Kafka cluster until the end of the standard input, for trying things out
    Broker {
        /// Partitions of each topic
        #[arg(long, default_value_t = 8)]
        partitions: i32,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StageName {
    /// The profile identifier: adds external IDs to updates
    Identify,
    /// The sync worker: decides, and writes events
    Sync,
}

impl StageName {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identify => "identify",
            Self::Sync => "sync",
        }
    }
}

#[derive(Args, Clone)]
pub struct Run {
    /// The stages to run in this process
    #[arg(long, env = "STAGES", value_delimiter = ',', default_value = "identify,sync")]
    pub stages: Vec<StageName>,
    /// The PostgreSQL database
    #[arg(long, env = "DATABASE_URL")]
    pub database_url: String,
    /// How many connections each process keeps to it at most
    #[arg(long, env = "DATABASE_CONNECTIONS", default_value_t = 4)]
    pub database_connections: usize,
    /// Apply missing migrations at start
    #[arg(long, env = "MIGRATE")]
    pub migrate: bool,
    /// Read the rollout from this JSON file, and not from the database
    #[arg(long, env = "ROLLOUT_FILE")]
    pub rollout_file: Option<PathBuf>,
    /// Where /metrics, /healthz and /readyz are served
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:9464")]
    pub listen: SocketAddr,
    #[command(flatten)]
    pub pipeline: Pipeline,
}

#[derive(Args, Clone)]
pub struct Pipeline {
    /// Kafka's bootstrap servers
    #[arg(long, env = "BROKERS")]
    pub brokers: String,
    /// Any property of librdkafka, such as `security.protocol=ssl`; may be repeated
    #[arg(long = "kafka", value_name = "KEY=VALUE", value_parser = property)]
    pub properties: Vec<(String, String)>,
    /// The name that consumer groups begin with
    #[arg(long, env = "GROUP", default_value = "idgroup")]
    pub group: String,
    /// Updates without external IDs
    #[arg(long, default_value = "compute-output")]
    pub compute_output: String,
    /// Updates with external IDs
    #[arg(long, default_value = "identified-output")]
    pub identified_output: String,
    /// Events
    #[arg(long, default_value = "outbound")]
    pub outbound: String,
    /// Events of updates that amplify
    #[arg(long, default_value = "outbound-slow")]
    pub outbound_slow: String,
    /// What can't be used
    #[arg(long, default_value = "dead-letter")]
    pub dead_letter: String,
    /// Updates that stand for more outbound messages than this take the slow lane
    #[arg(long, env = "SLOW_ABOVE", default_value_t = 10_000)]
    pub slow_above: u64,
    /// Comparisons of more messages than this are refused
    #[arg(long, env = "COMPARE_UP_TO", default_value_t = 1_000_000)]
    pub compare_up_to: u64,
    /// How many updates share one look-up, and in transactions one commit
    #[arg(long, env = "BATCH", default_value_t = 256)]
    pub batch: usize,
    /// How much memory each stage spends on updates that are under way, in MiB
    #[arg(long, env = "IN_FLIGHT_MIB", default_value_t = 32)]
    pub in_flight_mib: u32,
    /// Commit outputs and offsets together, in Kafka transactions
    #[arg(long, env = "TRANSACTIONAL")]
    pub transactional: bool,
    /// How long a stage may drain after SIGTERM, in seconds
    #[arg(long, env = "DRAIN_SECONDS", default_value_t = 20)]
    pub drain_seconds: u64,
}

fn property(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None => Err("expected `key=value`".to_owned()),
    }
}
