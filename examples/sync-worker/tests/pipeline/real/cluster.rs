//! A cluster of the tests' own, on loopback: three brokers, each also a controller.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use crate::certificates::make_certificates;
use crate::database::{block_on, free_port};
use crate::kafka::Pipeline;
use crate::process::signal;

pub const BROKERS: usize = 3;
/// The one user whom the secure listeners know.
pub const USER: (&str, &str) = ("worker", "correct-horse");
const CLUSTER_ID: &str = "MkU3OEVBNTcwNTJENDM2Qg";
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Cluster {
    directory: PathBuf,
    brokers: Vec<Mutex<Option<Broker>>>,
    ports: Vec<Ports>,
    /// Removes the directory after the end of this process.
    _sweeper: Child,
}

struct Ports {
    client: u16,
    secure: u16,
    controller: u16,
}

/// A broker's process. It ends with this one, however that ends: the shell that started it waits for
/// the end of its own input.
struct Broker {
    shell: Child,
    pid: u32,
}

/// The cluster, which starts with the first test that asks for it.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(Cluster::start)
}

static USERS: RwLock<()> = RwLock::new(());

/// Leaves a whole cluster to the next test, also if this one has failed in the middle.
pub struct Alone(&'static Cluster, #[allow(dead_code, reason = "it is held")] RwLockWriteGuard<'static, ()>);

/// For tests that take brokers away: no other runs meanwhile.
pub fn alone() -> (&'static Cluster, Alone) {
    let guard = USERS.write().unwrap_or_else(PoisonError::into_inner);
    (cluster(), Alone(cluster(), guard))
}

impl Drop for Alone {
    fn drop(&mut self) {
        (0..BROKERS).for_each(|broker| {
            self.0.signal(broker, "CONT");
            self.0.go_on(broker);
        });
        let began = Instant::now();
        while !self.0.is_whole() && began.elapsed() < PATIENCE {
            sleep(Duration::from_millis(200));
        }
    }
}

/// For tests that share a cluster which is whole.
pub fn together() -> (&'static Cluster, RwLockReadGuard<'static, ()>) {
    let guard = USERS.read().unwrap_or_else(PoisonError::into_inner);
    (cluster(), guard)
}

impl Cluster {
    fn start() -> Self {
        let directory = std::env::temp_dir().join(format!("sync-worker-kafka-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        let sweeper = Command::new("sh")
            .args(["-c", "cat >/dev/null; sleep 2; umount -l \"$0\"/*/data 2>/dev/null; rm -rf \"$0\""])
            .arg(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let ports = || Ports { client: free_port(), secure: free_port(), controller: free_port() };
        let cluster = Self {
            directory,
            brokers: (0..BROKERS).map(|_| Mutex::new(None)).collect(),
            ports: (0..BROKERS).map(|_| ports()).collect(),
            _sweeper: sweeper,
        };
        make_certificates(&cluster.directory);
        for broker in 0..BROKERS {
            let path = cluster.path(broker);
            fs::create_dir_all(&path).unwrap();
            fs::write(path.join("properties"), cluster.properties(broker)).unwrap();
        }
        cluster.format();
        (0..BROKERS).for_each(|broker| cluster.go_on(broker));
        cluster.wait_until_whole();
        cluster
    }

    pub fn servers(&self) -> String {
        let servers: Vec<String> =
            self.ports.iter().map(|ports| format!("127.0.0.1:{}", ports.client)).collect();
        servers.join(",")
    }

    /// The listeners that ask for TLS and a password.
    pub fn secure_servers(&self) -> String {
        let servers: Vec<String> =
            self.ports.iter().map(|ports| format!("localhost:{}", ports.secure)).collect();
        servers.join(",")
    }

    /// A file of the cluster's, `ca.pem` or `other-ca.pem` for one.
    pub fn file(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }

    /// Topics of a test's own, with three replicas of which two must have each message.
    pub fn pipeline(&self, name: &str, partitions: i32) -> Pipeline {
        let pipeline = Pipeline { servers: self.servers(), prefix: format!("{name}."), partitions };
        let topics: Vec<String> = pipeline.topics().collect();
        let topics = topics.iter().map(|topic| {
            NewTopic::new(topic, partitions, TopicReplication::Fixed(3)).set("min.insync.replicas", "2")
        });
        let topics: Vec<NewTopic<'_>> = topics.collect();
        let created = block_on(self.admin().create_topics(&topics, &slowly())).unwrap();
        for created in created {
            created.unwrap();
        }
        pipeline
    }

    /// Changes a setting of a topic.
    pub fn set(&self, topic: &str, key: &str, value: &str) {
        self.tool(
            "kafka.admin.ConfigCommand",
            &[
                "--alter",
                "--entity-type",
                "topics",
                "--entity-name",
                topic,
                "--add-config",
                &format!("{key}={value}"),
            ],
        );
    }

    /// One of Kafka's own tools.
    pub fn tool(&self, class: &str, arguments: &[&str]) {
        run(Command::new("java")
            .args(["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=ERROR", "-cp"])
            .arg(jars())
            .args([class, "--bootstrap-server", &self.servers()])
            .args(arguments));
    }

    /// How many updates a stage's group has not committed, as a reader of what is committed sees them.
    pub fn uncommitted(&self, pipeline: &Pipeline, stage: &str, topic: &str) -> usize {
        let topic = format!("{}{topic}", pipeline.prefix);
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.servers())
            .set("group.id", format!("{}group-{stage}", pipeline.prefix))
            .set("auto.offset.reset", "earliest")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .create()
            .unwrap();
        let mut partitions = TopicPartitionList::new();
        partitions.add_partition_range(&topic, 0, pipeline.partitions - 1);
        partitions.set_all_offsets(Offset::Stored).unwrap();
        consumer.assign(&partitions).unwrap();
        let mut ended = BTreeSet::new();
        let mut read = 0;
        let began = Instant::now();
        while ended.len() < usize::try_from(pipeline.partitions).unwrap() {
            assert!(began.elapsed() < PATIENCE, "what {stage} has committed is not known");
            match consumer.poll(Duration::from_millis(200)) {
                Some(Ok(_)) => read += 1,
                Some(Err(KafkaError::PartitionEOF(partition))) => drop(ended.insert(partition)),
                Some(Err(_)) | None => (),
            }
        }
        read
    }

    pub fn admin(&self) -> AdminClient<DefaultClientContext> {
        ClientConfig::new().set("bootstrap.servers", self.servers()).create().unwrap()
    }

    /// The broker that leads a partition of a topic.
    pub fn leader(&self, topic: &str, partition: i32) -> Option<usize> {
        let metadata = self.client().fetch_metadata(Some(topic), Duration::from_secs(5)).ok()?;
        let partitions = metadata.topics().first()?.partitions();
        let leader = partitions.iter().find(|known| known.id() == partition)?.leader();
        usize::try_from(leader - 1).ok().filter(|broker| *broker < BROKERS)
    }

    /// The brokers' processes.
    pub fn processes(&self) -> Vec<u32> {
        let brokers = self.brokers.iter().filter_map(|slot| Some(slot.lock().unwrap().as_ref()?.pid));
        brokers.collect()
    }

    /// How much of the brokers' disks a topic's messages take, all replicas together.
    pub fn bytes_of(&self, topic: &str) -> u64 {
        let mut bytes = 0;
        for broker in 0..BROKERS {
            for partition in fs::read_dir(self.path(broker).join("data")).unwrap().flatten() {
                let name = partition.file_name().to_string_lossy().into_owned();
                if name.rsplit_once('-').is_none_or(|(of, _)| of != topic) {
                    continue;
                }
                let files = fs::read_dir(partition.path()).unwrap().flatten();
                let segments = files.filter(|file| file.path().extension().is_some_and(|kind| kind == "log"));
                bytes += segments.map(|segment| segment.metadata().map_or(0, |file| file.len())).sum::<u64>();
            }
        }
        bytes
    }

    /// kill -9.
    pub fn kill(&self, broker: usize) {
        let mut slot = self.brokers[broker].lock().unwrap();
        if let Some(mut broker) = slot.take() {
            // One that has ended by itself has no process id any more.
            if broker.shell.try_wait().unwrap().is_none() {
                signal(broker.pid, "KILL");
            }
            let _ = broker.shell.wait();
        }
    }

    /// `STOP` makes a broker stand still, and `CONT` go on.
    pub fn signal(&self, broker: usize, name: &str) {
        if let Some(broker) = &*self.brokers[broker].lock().unwrap() {
            signal(broker.pid, name);
        }
    }

    /// Starts a broker, again where it stopped.
    pub fn go_on(&self, broker: usize) {
        let mut slot = self.brokers[broker].lock().unwrap();
        if slot.is_some() {
            return;
        }
        let path = self.path(broker);
        let log = fs::OpenOptions::new().create(true).append(true).open(path.join("log")).unwrap();
        // The shell's end of input is this process' end.
        let script = "exec 3<&0; java \"$@\" </dev/null 3<&- >&2 & pid=$!; echo $pid; \
                      ( cat <&3 >/dev/null; kill -9 $pid ) 2>/dev/null & wait $pid";
        let mut shell = Command::new("sh")
            .args(["-c", script, "sh"])
            .args(["-Xmx256m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .args(["-Dlog4j2.level=WARN", "-cp"])
            .arg(jars())
            .arg("kafka.Kafka")
            .arg(path.join("properties"))
            .current_dir(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut pid = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut pid).unwrap();
        *slot = Some(Broker { shell, pid: pid.trim().parse().unwrap() });
    }

    /// Whether a broker has ended by itself.
    pub fn has_ended(&self, broker: usize) -> bool {
        let mut slot = self.brokers[broker].lock().unwrap();
        slot.as_mut().is_some_and(|broker| broker.shell.try_wait().unwrap().is_some())
    }

    pub fn pid(&self, broker: usize) -> u32 {
        self.brokers[broker].lock().unwrap().as_ref().unwrap().pid
    }

    /// Where a broker keeps its messages.
    pub fn data(&self, broker: usize) -> PathBuf {
        self.path(broker).join("data")
    }

    /// What a broker has said.
    pub fn log(&self, broker: usize) -> String {
        fs::read_to_string(self.path(broker).join("log")).unwrap_or_default()
    }

    /// Waits until all brokers are there and all partitions have all their replicas.
    pub fn wait_until_whole(&self) {
        let began = Instant::now();
        while !self.is_whole() {
            assert!(began.elapsed() < PATIENCE, "the cluster is not whole: {}", self.logs());
            sleep(Duration::from_millis(200));
        }
    }

    fn is_whole(&self) -> bool {
        let metadata = self.client().fetch_metadata(None, Duration::from_secs(5));
        metadata.is_ok_and(|metadata| {
            let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
            metadata.brokers().len() == BROKERS
                && partitions.clone().all(|partition| partition.isr().len() == partition.replicas().len())
        })
    }

    fn client(&self) -> BaseConsumer {
        ClientConfig::new().set("bootstrap.servers", self.servers()).create().unwrap()
    }

    /// The last that the brokers have said.
    fn logs(&self) -> String {
        let tail = |broker| {
            let log = self.log(broker);
            let lines: Vec<&str> = log.lines().collect();
            lines[lines.len().saturating_sub(20)..].join("\n")
        };
        (0..BROKERS).map(tail).collect::<Vec<_>>().join("\n\n")
    }

    fn path(&self, broker: usize) -> PathBuf {
        self.directory.join(broker.to_string())
    }

    fn properties(&self, broker: usize) -> String {
        let Ports { client, secure, controller } = self.ports[broker];
        let voters: Vec<String> = (1..)
            .zip(&self.ports)
            .map(|(node, ports)| format!("{node}@127.0.0.1:{}", ports.controller))
            .collect();
        let mut properties = String::new();
        for (key, value) in [
            ("process.roles", "broker,controller".to_owned()),
            ("node.id", (broker + 1).to_string()),
            ("controller.quorum.voters", voters.join(",")),
            ("controller.listener.names", "CONTROLLER".to_owned()),
            (
                "listeners",
                format!(
                    "CLIENT://127.0.0.1:{client},SECURE://localhost:{secure},CONTROLLER://127.0.0.1:{controller}"
                ),
            ),
            (
                "listener.security.protocol.map",
                "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL".to_owned(),
            ),
            ("inter.broker.listener.name", "CLIENT".to_owned()),
            ("log.dirs", self.data(broker).display().to_string()),
            ("default.replication.factor", "3".to_owned()),
            ("min.insync.replicas", "2".to_owned()),
            ("offsets.topic.replication.factor", "3".to_owned()),
            ("offsets.topic.num.partitions", "3".to_owned()),
            ("transaction.state.log.replication.factor", "3".to_owned()),
            ("transaction.state.log.min.isr", "2".to_owned()),
            ("transaction.state.log.num.partitions", "3".to_owned()),
            ("auto.create.topics.enable", "false".to_owned()),
            ("group.initial.rebalance.delay.ms", "0".to_owned()),
            ("group.min.session.timeout.ms", "1000".to_owned()),
            // A broker that is gone is missed sooner than in production.
            ("broker.session.timeout.ms", "6000".to_owned()),
            ("broker.heartbeat.interval.ms", "1000".to_owned()),
            ("num.network.threads", "2".to_owned()),
            ("num.io.threads", "4".to_owned()),
            ("log.cleaner.dedupe.buffer.size", "4194304".to_owned()),
            ("sasl.enabled.mechanisms", "SCRAM-SHA-512".to_owned()),
            (
                "listener.name.secure.scram-sha-512.sasl.jaas.config",
                "org.apache.kafka.common.security.scram.ScramLoginModule required;".to_owned(),
            ),
            ("ssl.keystore.type", "PEM".to_owned()),
            ("ssl.keystore.location", self.file("keystore.pem")),
        ] {
            writeln!(properties, "{key}={value}").unwrap();
        }
        properties
    }

    /// Formats the first broker's directory, and gives the others copies under their own names.
    fn format(&self) {
        let first = self.path(0);
        let scram = format!("SCRAM-SHA-512=[name={},password={},iterations=4096]", USER.0, USER.1);
        run(Command::new("java")
            .args(["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"])
            .arg(jars())
            .args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "--add-scram", &scram, "-c"])
            .arg(first.join("properties")));
        for broker in 1..BROKERS {
            let data = self.data(broker);
            fs::create_dir_all(&data).unwrap();
            for entry in fs::read_dir(first.join("data")).unwrap() {
                let entry = entry.unwrap();
                fs::copy(entry.path(), data.join(entry.file_name())).unwrap();
            }
            let properties = format!(
                "version=1\ncluster.id={CLUSTER_ID}\nnode.id={}\ndirectory.id=SyncWorkerBrokerNumb{}w\n",
                broker + 1,
                ['A', 'B', 'C'][broker]
            );
            fs::write(data.join("meta.properties"), properties).unwrap();
        }
    }
}

/// The class path: what `test.sh` has found or brought.
fn jars() -> PathBuf {
    let jars = std::env::var_os("KAFKA_JARS").map(PathBuf::from);
    jars.expect("`KAFKA_JARS` names no brokers: `test.sh` brings them").join("*")
}

/// With time for a busy machine.
pub fn slowly() -> AdminOptions {
    let patience = Some(Duration::from_secs(60));
    AdminOptions::new().request_timeout(patience).operation_timeout(patience)
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output();
    assert!(output.as_ref().is_ok_and(|output| output.status.success()), "{command:?}: {output:?}");
}
