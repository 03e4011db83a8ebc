//! The worker on real brokers: three of Apache Kafka's, each a process, that tests share.

pub mod cluster;
mod figures;
mod full_disk;
mod moved_back;
mod promises;
mod refusals;
mod secure;
mod sizing;
mod soak;
mod transactions;
mod waiting;
mod watching;
