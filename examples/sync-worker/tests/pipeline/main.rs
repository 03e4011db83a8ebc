//! The worker as a process, between Kafka, a mock of it or real brokers, and a real PostgreSQL: see `test.sh`.

mod call_sizes;
mod calls;
mod certificates;
mod changes;
mod choices;
mod claims;
mod crashes;
mod database;
mod decisions;
mod deliver;
mod endpoint;
mod figures;
mod kafka;
mod load;
mod memories;
mod parking;
mod people;
mod process;
mod real;
mod redriven;
mod security;
mod slow_database;
