//! What goes into topics, and what came out.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::process::Child;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

/// Topics of a cluster, and where it is.
pub struct Pipeline {
    pub servers: String,
    /// What the names of its topics and groups begin with.
    pub prefix: String,
    pub partitions: i32,
}

/// A mock of a cluster, as a process of its own.
pub struct Broker {
    pub child: Child,
    pub pipeline: Pipeline,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Output {
    pub topic: String,
    pub key: Option<String>,
    pub headers: BTreeMap<String, String>,
    pub payload: Vec<u8>,
    pub is_null: bool,
}

pub struct Input {
    prefix: String,
    producer: ThreadedProducer<DefaultProducerContext>,
}

/// Reads the outputs as they come.
pub struct Outputs {
    consumer: BaseConsumer,
    prefix: String,
    pub all: Vec<Output>,
}

const TOPICS: [&str; 7] = [
    "compute-output",
    "identified-output",
    "outbound",
    "outbound-slow",
    "outbound-calls",
    "outbound-calls-slow",
    "dead-letter",
];

impl Deref for Broker {
    type Target = Pipeline;

    fn deref(&self) -> &Pipeline {
        &self.pipeline
    }
}

impl Pipeline {
    pub fn topics(&self) -> impl Iterator<Item = String> {
        TOPICS.iter().map(|topic| format!("{}{topic}", self.prefix))
    }

    /// What tells a worker of it.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["--brokers".to_owned(), self.servers.clone()];
        if !self.prefix.is_empty() {
            arguments.extend(["--group".to_owned(), format!("{}group", self.prefix)]);
            for (topic, name) in TOPICS.into_iter().zip(self.topics()) {
                let option = match topic {
                    "outbound" => "--outbound-events".to_owned(),
                    "outbound-slow" => "--outbound-events-slow".to_owned(),
                    topic => format!("--{topic}"),
                };
                arguments.extend([option, name]);
            }
        }
        arguments
    }

    pub fn input(&self) -> Input {
        self.input_with("lz4")
    }

    /// Written with this compression.
    pub fn input_with(&self, compression: &str) -> Input {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", &self.servers)
            .set("compression.type", compression)
            .set("linger.ms", "5")
            .set("enable.idempotence", "true")
            .set("message.max.bytes", "8000000")
            .create()
            .unwrap();
        Input { prefix: self.prefix.clone(), producer }
    }

    pub fn outputs(&self) -> Outputs {
        self.outputs_of(&["outbound", "outbound-slow", "dead-letter"])
    }

    pub fn outputs_of(&self, topics: &[&str]) -> Outputs {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.servers)
            .set("group.id", "outputs")
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .set("fetch.wait.max.ms", "20")
            .create()
            .unwrap();
        let mut partitions = TopicPartitionList::new();
        for topic in topics {
            for partition in 0..self.partitions {
                let topic = format!("{}{topic}", self.prefix);
                partitions.add_partition_offset(&topic, partition, Offset::Beginning).unwrap();
            }
        }
        consumer.assign(&partitions).unwrap();
        Outputs { consumer, prefix: self.prefix.clone(), all: Vec::new() }
    }
}

impl Input {
    pub fn send(&self, topic: &str, key: &str, payload: Option<&[u8]>) {
        self.send_at(None, topic, key, payload);
    }

    /// With these headers.
    pub fn send_with(&self, topic: &str, key: &str, headers: &[(&str, &str)], payload: &[u8]) {
        let topic = format!("{}{topic}", self.prefix);
        let add =
            |all: OwnedHeaders, &(key, value): &(&str, &str)| all.insert(Header { key, value: Some(value) });
        let headers = headers.iter().fold(OwnedHeaders::new(), add);
        let mut record = BaseRecord::to(&topic).key(key).payload(payload).headers(headers);
        loop {
            record = match self.producer.send(record) {
                Ok(()) => return,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), record)) => record,
                Err((error, _)) => panic!("{error}"),
            };
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// With this time, in milliseconds since the epoch.
    pub fn send_at(&self, time: Option<i64>, topic: &str, key: &str, payload: Option<&[u8]>) {
        let topic = format!("{}{topic}", self.prefix);
        loop {
            let mut record = BaseRecord::<str, [u8]>::to(&topic).key(key);
            record.payload = payload;
            record.timestamp = time;
            match self.producer.send(record) {
                Ok(()) => return,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err((error, _)) => panic!("{error}"),
            }
        }
    }

    pub fn flush(&self) {
        self.producer.flush(Duration::from_secs(90)).unwrap();
    }
}

impl Outputs {
    /// Reads until that holds, and fails if it doesn't in time.
    #[track_caller]
    pub fn read_until(&mut self, what: &str, patience: Duration, holds: impl Fn(&[Output]) -> bool) {
        let began = Instant::now();
        let mut checked = usize::MAX;
        loop {
            let more = self.read_one(Duration::from_millis(50));
            if (!more || self.all.len().is_multiple_of(1_000)) && checked != self.all.len() {
                checked = self.all.len();
                if holds(&self.all) {
                    return;
                }
            }
            assert!(
                began.elapsed() < patience,
                "not within {patience:?}: {what}; {} outputs",
                self.all.len()
            );
        }
    }

    /// Reads what there is, until nothing has come for this long.
    pub fn read_rest(&mut self, silence: Duration) {
        while self.read_one(silence) {}
    }

    fn read_one(&mut self, patience: Duration) -> bool {
        let Some(message) = self.consumer.poll(patience) else { return false };
        let message = match message {
            Ok(message) => message,
            // Of brokers that are gone, while tests take them away.
            Err(KafkaError::MessageConsumption(_)) => return false,
            Err(error) => panic!("{error}"),
        };
        let headers = message.headers().into_iter().flat_map(Headers::iter);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        self.all.push(Output {
            topic: message.topic().strip_prefix(&self.prefix).unwrap().to_owned(),
            key: message.key().map(text),
            headers: headers.map(|header| (header.key.to_owned(), text(header.value.unwrap()))).collect(),
            payload: message.payload().unwrap_or_default().to_vec(),
            is_null: message.payload().is_none(),
        });
        true
    }

    /// How many messages came more than once. Fails if any came with two contents.
    #[track_caller]
    pub fn repeats(&self) -> usize {
        let mut contents = BTreeMap::new();
        let events = self.all.iter().filter(|output| output.message_id().is_some());
        for output in events.clone() {
            let before = contents.insert(output.message_id(), output);
            assert!(before.is_none_or(|before| before == output), "two contents: {before:?} and {output:?}");
        }
        events.count() - contents.len()
    }
}

impl Output {
    pub fn message_id(&self) -> Option<&str> {
        self.headers.get("message_id").map(String::as_str)
    }
}
