//! Properties of librdkafka that are given to the worker: checked once, before anything begins.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use rdkafka::config::{ClientConfig, FromClientConfigAndContext};
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;
use rdkafka::producer::BaseProducer;
use rdkafka::types::RDKafkaConfRes;

use crate::cli::{Pipeline, StageName};
use crate::kafka::{Quiet, configuration};
use crate::sink::{self, Limit};
use crate::source;

/// Without these as they are the worker could not keep its promises, and what to use instead.
const OURS: [(&str, &str); 26] = [
    ("acks", "all replicas must have what is acknowledged"),
    ("auto.offset.reset", "what has not been read yet is read"),
    ("batch.num.messages", "it is set by what topics take"),
    ("batch.size", "it is set by what topics take"),
    ("bootstrap.servers", "use `--brokers`"),
    ("delivery.timeout.ms", "outputs are tried for as long as it takes"),
    ("enable.auto.commit", "what is done is committed, and nothing else"),
    ("enable.auto.offset.store", "what is done is committed, and nothing else"),
    ("enable.idempotence", "outputs must keep their order"),
    ("enable.partition.eof", "the end of a partition is no error"),
    ("group.id", "use `--group`"),
    ("group.instance.id", "use `--instance`"),
    ("group.protocol", "only the classic protocol has been tried"),
    ("isolation.level", "what was aborted must not be read"),
    ("max.in.flight", "outputs must keep their order"),
    ("max.in.flight.requests.per.connection", "outputs must keep their order"),
    ("message.send.max.retries", "outputs are tried for as long as it takes"),
    ("message.timeout.ms", "outputs are tried for as long as it takes"),
    ("metadata.broker.list", "use `--brokers`"),
    ("partition.assignment.strategy", "partitions are handed over one by one"),
    ("queue.buffering.max.kbytes", "use `--in-flight-mib`"),
    ("request.required.acks", "all replicas must have what is acknowledged"),
    ("retries", "outputs are tried for as long as it takes"),
    ("statistics.interval.ms", "metrics come from it"),
    ("test.mock.num.brokers", "use the command `broker`"),
    ("transactional.id", "use `--transactional` and `--instance`"),
];

/// `key=value` pairs, and `key=path` pairs whose values are in files. No error quotes a value.
pub fn properties(pairs: &[String], files: &[String]) -> Result<Vec<(String, String)>> {
    let mut properties = Vec::new();
    for pair in pairs {
        let (key, value) = pair.split_once('=').context("`--kafka` takes `key=value`")?;
        properties.push((allowed(key)?, value.to_owned()));
    }
    for pair in files {
        let (key, path) = pair.split_once('=').context("`--kafka-file` takes `key=path`")?;
        properties.push((allowed(key)?, secret(Path::new(path))?));
    }
    Ok(properties)
}

/// What a file holds, without the end of its line.
pub fn secret(path: &Path) -> Result<String> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("`{}` can't be read", path.display()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Makes each kind of client once, so that what can't work is found before anything begins.
pub fn check(pipeline: &Pipeline) -> Result<()> {
    let (stage, limit) = (StageName::Sync, Limit::OneMessage);
    make::<BaseConsumer<Quiet>>(&configuration(pipeline, &source::settings(stage, pipeline)))?;
    make::<BaseProducer<Quiet>>(&configuration(pipeline, &sink::settings(stage, pipeline, limit)))
}

fn make<T: FromClientConfigAndContext<Quiet>>(configuration: &ClientConfig) -> Result<()> {
    match T::from_config_and_context(configuration, Quiet) {
        Ok(_) => Ok(()),
        Err(KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, _, key, _)) => {
            bail!("there is no property `{key}` of Kafka's clients")
        }
        Err(KafkaError::ClientConfig(_, _, key, _)) => bail!("the value of `{key}` can't be used"),
        Err(KafkaError::ClientCreation(reason)) => bail!("Kafka's client can't be made: {reason}"),
        Err(error) => Err(anyhow!("Kafka's client can't be made: {error}")),
    }
}

fn allowed(key: &str) -> Result<String> {
    let key = key.trim();
    // librdkafka takes topics' properties with this prefix too.
    let name = key.strip_prefix("topic.").unwrap_or(key);
    match OURS.iter().find(|(ours, _)| *ours == name) {
        Some((_, why)) => bail!("`{key}` can't be set: {why}"),
        None => Ok(key.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(pair: &str) -> String {
        format!("{:#}", properties(&[pair.to_owned()], &[]).unwrap_err())
    }

    #[test]
    fn what_would_break_promises_is_refused() {
        assert_eq!(
            error("transactional.id=x"),
            "`transactional.id` can't be set: use `--transactional` and `--instance`"
        );
        assert!(error("enable.auto.offset.store=true").starts_with("`enable.auto.offset.store`"));
        assert!(error("topic.acks=0").starts_with("`topic.acks` can't be set"));
        let properties = properties(&["linger.ms=5=6".to_owned()], &[]).unwrap();
        assert_eq!(properties, [("linger.ms".to_owned(), "5=6".to_owned())]);
    }

    #[test]
    fn no_error_quotes_a_value() {
        assert_eq!(error("hunter2"), "`--kafka` takes `key=value`");
    }

    #[test]
    fn values_come_from_files() {
        let path = std::env::temp_dir().join(format!("sync-worker-secret-{}", std::process::id()));
        std::fs::write(&path, "a b\n").unwrap();
        let pair = format!("sasl.password={}", path.display());
        let found = properties(&[], &[pair]).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(found, [("sasl.password".to_owned(), "a b".to_owned())]);
    }
}
