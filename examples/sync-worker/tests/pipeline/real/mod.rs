//! The worker on real brokers: three of Apache Kafka's, each a process, that tests share.

mod cluster;
mod promises;
mod refusals;
mod secure;
mod transactions;
mod waiting;
mod watching;
