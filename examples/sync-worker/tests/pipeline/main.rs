//! The worker as a process, between a mock of Kafka and a real PostgreSQL: see `test.sh`.

mod changes;
mod crashes;
mod database;
mod decisions;
mod figures;
mod kafka;
mod load;
mod process;
