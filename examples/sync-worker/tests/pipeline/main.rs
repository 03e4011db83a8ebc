//! The worker as a process, between Kafka, a mock of it or real brokers, and a real PostgreSQL: see `test.sh`.

mod certificates;
mod changes;
mod crashes;
mod database;
mod decisions;
mod endpoint;
mod figures;
mod kafka;
mod load;
mod memories;
mod people;
mod process;
mod real;
mod redriven;
mod security;
