//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Result, anyhow, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::deliver::Claiming;
use crate::properties;

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
    /// Run one stage, or several
    Run(Box<Run>),
    /// Create or update the tables, then end
    Migrate(DatabaseOptions),
    /// Send dead letters once more to where they came from, then end
    Redrive(Box<Redrive>),
    /// Remove what is remembered of a profile, in all computations and epochs, then end
    Forget(Forget),
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
    /// The last mile: posts calls to where destinations take them
    Deliver,
    /// The part of it that reads the calls of updates that amplify
    #[value(skip)]
    DeliverSlow,
}

/// What the sync worker writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Outbound {
    /// An event for each set of external IDs, with the destinations that get it
    Events,
    /// A Segment call for each combination of external IDs, ready to be posted
    Calls,
}

impl StageName {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identify => "identify",
            Self::Sync => "sync",
            Self::Deliver => "deliver",
            Self::DeliverSlow => "deliver-slow",
        }
    }
}

#[derive(Args, Clone)]
pub struct Run {
    /// The stages to run in this process
    #[arg(long, env = "STAGES", value_delimiter = ',', default_value = "identify,sync")]
    pub stages: Vec<StageName>,
    #[command(flatten)]
    pub database: DatabaseOptions,
    /// How many connections each process keeps to it at most
    #[arg(long, env = "DATABASE_CONNECTIONS", default_value_t = 4)]
    pub database_connections: usize,
    /// Apply missing migrations at start
    #[arg(long, env = "MIGRATE")]
    pub migrate: bool,
    /// Read the rollout from this JSON file, and not from the database
    #[arg(long, env = "ROLLOUT_FILE")]
    pub rollout_file: Option<PathBuf>,
    /// Whether what was sent is remembered in the database, and since when
    #[arg(long, env = "MEMORIES", default_value = "partial")]
    pub memories: Memories,
    /// Where /metrics, /healthz and /readyz are served; `0.0.0.0:9464` lets probes in from outside
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:9464")]
    pub listen: SocketAddr,
    #[command(flatten)]
    pub deliver: DeliverOptions,
    #[command(flatten)]
    pub pipeline: Pipeline,
}

/// Of the stage `deliver`.
#[derive(Args, Clone)]
pub struct DeliverOptions {
    /// Where calls are posted, in batches: a URL that ends with `/v1/batch` at Segment and its like.
    /// Destinations with a row in `deliveries` may have others
    #[arg(long, env = "ENDPOINT")]
    pub endpoint: Option<String>,
    /// A file that holds the endpoint's write key
    #[arg(long, env = "WRITE_KEY_FILE")]
    pub write_key_file: Option<PathBuf>,
    /// The certificate authority of endpoints, in PEM, in place of the machine's
    #[arg(long, env = "ENDPOINT_CA")]
    pub endpoint_ca: Option<PathBuf>,
    /// How many calls a second this worker posts at most, without limit if not given. Destinations with a
    /// row in `deliveries` may have a limit of their own
    #[arg(long, env = "CALLS_PER_SECOND", value_parser = clap::value_parser!(u32).range(1..))]
    pub calls_per_second: Option<u32>,
    /// How many posts to one endpoint or destination are under way at once
    #[arg(long, env = "POSTS", default_value_t = 4)]
    pub posts: usize,
    /// How long an answer is waited for, in seconds
    #[arg(long, env = "POST_TIMEOUT", default_value_t = 15)]
    pub post_timeout: u64,
    /// After how many seconds of failures calls go into the database, to be posted from there
    #[arg(long, env = "PARK_AFTER", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub park_after: u64,
    /// What is kept of calls in the database, for endpoints that don't drop repeats
    #[arg(long, env = "CLAIMS", default_value = "off")]
    pub claims: Claiming,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Memories {
    /// Nothing is remembered: what was sent is inferred from what updates and the times of IDs tell
    Off,
    /// Since some time: of whom nothing is remembered may have been messaged
    Partial,
    /// From the first message on
    Complete,
}

#[derive(Args, Clone)]
pub struct Forget {
    #[command(flatten)]
    pub database: DatabaseOptions,
    /// The profile's space
    #[arg(long)]
    pub space: String,
    /// The profile, one of those that merged
    #[arg(long)]
    pub profile: String,
}

#[derive(Args, Clone)]
pub struct DatabaseOptions {
    /// The PostgreSQL database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, default_value = "", hide_default_value = true)]
    pub database_url: String,
    /// A file that holds the database's URL, in place of `--database-url`
    #[arg(long, env = "DATABASE_URL_FILE")]
    pub database_url_file: Option<PathBuf>,
    /// The certificate authority of the database, in PEM; with it, TLS is a must. Without, the URL's
    /// `sslmode=require` asks for TLS by the machine's authorities
    #[arg(long, env = "DATABASE_CA")]
    pub database_ca: Option<PathBuf>,
}

#[derive(Args, Clone)]
pub struct Redrive {
    /// Only dead letters whose error contains this
    #[arg(long, default_value = "")]
    pub error: String,
    #[command(flatten)]
    pub pipeline: Pipeline,
}

#[derive(Args, Clone)]
pub struct Pipeline {
    /// Kafka's bootstrap servers
    #[arg(long, env = "BROKERS")]
    pub brokers: String,
    /// Any property of librdkafka, such as `security.protocol=ssl`; may be repeated
    #[arg(long = "kafka", value_name = "KEY=VALUE")]
    pub property_pairs: Vec<String>,
    /// A property whose value a file holds, such as `sasl.password=/run/secrets/kafka`; may be repeated
    #[arg(long = "kafka-file", value_name = "KEY=PATH")]
    pub property_files: Vec<String>,
    /// Those two, read and checked
    #[arg(skip)]
    pub properties: Vec<(String, String)>,
    /// A name of this worker's own that stays when it is started again: the group waits for it to come
    /// back, and it ends the transactions that it left. Two workers must not have the same
    #[arg(long, env = "INSTANCE")]
    pub instance: Option<String>,
    /// In its place where none is given
    #[arg(skip)]
    pub unique: String,
    /// Whether work waits for what was sent before: with memories it may
    #[arg(skip)]
    pub waits_for_outputs: bool,
    /// The name that consumer groups begin with
    #[arg(long, env = "GROUP", default_value = "idgroup")]
    pub group: String,
    /// Updates without external IDs
    #[arg(long, default_value = "compute-output")]
    pub compute_output: String,
    /// Updates with external IDs
    #[arg(long, default_value = "identified-output")]
    pub identified_output: String,
    /// What the sync worker writes
    #[arg(long, env = "OUTBOUND", default_value = "events")]
    pub outbound: Outbound,
    /// The topic of events
    #[arg(long, default_value = "outbound")]
    pub outbound_events: String,
    /// Events of updates that amplify
    #[arg(long, default_value = "outbound-slow")]
    pub outbound_events_slow: String,
    /// The topic of calls
    #[arg(long, default_value = "outbound-calls")]
    pub outbound_calls: String,
    /// Calls of updates that amplify
    #[arg(long, default_value = "outbound-calls-slow")]
    pub outbound_calls_slow: String,
    /// What can't be used
    #[arg(long, default_value = "dead-letter")]
    pub dead_letter: String,
    /// Updates that stand for more outbound messages than this take the slow lane
    #[arg(long, env = "SLOW_ABOVE", default_value_t = 10_000)]
    pub slow_above: u64,
    /// Comparisons of more messages than this are refused
    #[arg(long, env = "COMPARE_UP_TO", default_value_t = 1_000_000)]
    pub compare_up_to: u64,
    /// How many updates share one look-up and one unit of work, and in transactions one commit
    #[arg(long, env = "BATCH", default_value_t = 1_024)]
    pub batch: usize,
    /// How much memory each stage spends on updates that are under way, in MiB
    #[arg(long, env = "IN_FLIGHT_MIB", default_value_t = 32)]
    pub in_flight_mib: u32,
    /// Commit outputs and offsets together, in Kafka transactions
    #[arg(long, env = "TRANSACTIONAL")]
    pub transactional: bool,
    /// For how many seconds a minute a stage waits for computations that are not in the database yet
    #[arg(long, env = "WAIT_FOR_COMPUTATIONS", default_value_t = 5)]
    pub wait_for_computations: u64,
    /// How long a stage may drain after SIGTERM, in seconds
    #[arg(long, env = "DRAIN_SECONDS", default_value_t = 20)]
    pub drain_seconds: u64,
}

impl Pipeline {
    /// As it is where no option is given, without brokers.
    pub fn as_by_default() -> Result<Self> {
        let cli = Cli::try_parse_from(["sync-worker", "run", "--brokers="])?;
        match cli.command {
            Command::Run(run) => run.pipeline.prepared(),
            _ => Err(anyhow!("`run` is parsed as another command")),
        }
    }

    /// Reads and checks the properties, and takes a name that no other worker has.
    pub fn prepared(mut self) -> Result<Self> {
        self.properties = properties::properties(&self.property_pairs, &self.property_files)?;
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| anyhow!("no random bytes: {error}"))?;
        self.unique = format!("{:016x}", u64::from_be_bytes(random));
        Ok(self)
    }
}

impl DatabaseOptions {
    pub fn url(&self) -> Result<String> {
        match &self.database_url_file {
            Some(path) => properties::secret(path),
            None if self.database_url.is_empty() => {
                bail!("`--database-url` or `--database-url-file` is missing")
            }
            None => Ok(self.database_url.clone()),
        }
    }
}
