//! Memories in PostgreSQL: each unit of work reads and locks those that it needs, and keeps them.

use std::collections::HashMap;
use std::fmt;

use anyhow::{Context, Result, ensure};
use deadpool_postgres::{Object, Pool};
use futures_util::future::{join, join3};
use idgroup::MemoryKey;
use tokio_postgres::Statement;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use crate::connect::{Connect, without_values};
use crate::postgres::{client, pool};

/// Who waits longer for a memory than this tries again, in milliseconds.
const LOCK_TIMEOUT: u32 = 3_000;
/// A worker that stands still in a unit of work loses it after this time, in milliseconds, and its locks. Less
/// than Kafka takes to miss a worker, so that nobody who has taken its partitions over waits.
const IDLE_TIMEOUT: u32 = 2_000;
/// Units of work that are under way at once.
const CONNECTIONS: usize = 2;

const BEGIN: &str = "begin isolation level read committed";

/// In the order of keys, so that no two units wait for each other.
const LOCK: &str = "
    select key, memory from memories where key = any($1::bytea[]) order by key for update";

/// What was not there could not be locked. Where somebody else has put it there meanwhile, this fails, and the
/// unit is begun again.
const INSERT: &str = "
    insert into memories (key, memory)
    select key, memory from unnest($1::bytea[], $2::bytea[]) as kept (key, memory) order by key";

const UPDATE: &str = "
    update memories set memory = kept.memory, kept_at = now()
    from unnest($1::bytea[], $2::bytea[]) as kept (key, memory) where memories.key = kept.key";

const FORGET: &str = "delete from memories where key = any($1::bytea[])";

pub struct Memories {
    pool: Pool,
}

/// Memories that nobody else changes until they are kept, or until this is dropped.
pub struct Unit {
    /// `None` once its transaction has ended.
    client: Option<Object>,
    /// In order.
    keys: Vec<MemoryKey>,
    /// `None` where nothing is kept.
    memories: Vec<Option<Vec<u8>>>,
}

/// Others were at the same memories: try again, and it will do.
#[derive(Debug)]
pub struct Contended(String);

impl Memories {
    pub fn open(connect: &Connect) -> Result<Self> {
        Ok(Self { pool: pool(connect, &options(), CONNECTIONS)? })
    }

    /// Reads and locks the memories with these keys, in order and each once, in one round trip.
    pub async fn begin(&self, keys: Vec<MemoryKey>) -> Result<Unit> {
        let memories = keys.iter().map(|_| None).collect();
        let mut unit = Unit { client: None, memories, keys };
        if unit.keys.is_empty() {
            return Ok(unit);
        }
        let client = unit.client.insert(client(&self.pool).await?);
        let lock = client.prepare_cached(LOCK).await.map_err(without_values)?;
        let wanted = bytes(&unit.keys);
        let parameters: [&(dyn ToSql + Sync); 1] = [&wanted];
        let (began, rows) = join(client.batch_execute(BEGIN), client.query(&lock, &parameters)).await;
        began.map_err(failed)?;
        for row in rows.map_err(failed)? {
            let key = MemoryKey::from_bytes(row.try_get::<_, &[u8]>(0)?.try_into()?);
            let position = unit.keys.binary_search(&key).ok().context("a memory that was not wanted")?;
            unit.memories[position] = Some(row.try_get(1)?);
        }
        Ok(unit)
    }

    /// Removes memories, and returns how many there were.
    pub async fn forget(&self, keys: &[MemoryKey]) -> Result<u64> {
        let client = client(&self.pool).await?;
        client.execute(FORGET, &[&bytes(keys)]).await.map_err(without_values)
    }
}

impl Unit {
    /// The bytes that are kept under a key; none if nothing is.
    pub fn memory(&self, key: &MemoryKey) -> &[u8] {
        let position = self.keys.binary_search(key).ok();
        let memory = position.and_then(|position| self.memories.get(position)?.as_deref());
        memory.unwrap_or_default()
    }

    /// How many were asked for.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Keeps these, and ends the unit, in one round trip.
    pub async fn keep(mut self, changed: &HashMap<MemoryKey, Vec<u8>>) -> Result<()> {
        let Some(client) = &self.client else { return Ok(()) };
        let (mut new, mut old) = (Columns::default(), Columns::default());
        for (key, memory) in self.keys.iter().zip(&self.memories) {
            match (changed.get(key), memory) {
                // What was decided rests on there being nothing: nobody else may have put it there.
                (memory, None) => new.push(key, memory.map_or(&[], Vec::as_slice)),
                (Some(memory), Some(_)) => old.push(key, memory),
                (None, Some(_)) => (),
            }
        }
        let insert = client.prepare_cached(INSERT).await.map_err(failed)?;
        let update = client.prepare_cached(UPDATE).await.map_err(failed)?;
        // They go out in this order, and the answers are awaited together.
        let (inserted, updated, committed) =
            join3(new.write(client, &insert), old.write(client, &update), end(client)).await;
        inserted?;
        updated?;
        committed?;
        drop(self.client.take());
        Ok(())
    }
}

/// Keys, and the memory of each.
#[derive(Default)]
struct Columns<'m> {
    keys: Vec<&'m [u8]>,
    memories: Vec<&'m [u8]>,
}

impl<'m> Columns<'m> {
    fn push(&mut self, key: &'m MemoryKey, memory: &'m [u8]) {
        self.keys.push(key.as_bytes());
        self.memories.push(memory);
    }

    async fn write(&self, client: &Object, statement: &Statement) -> Result<()> {
        if self.keys.is_empty() {
            return Ok(());
        }
        let written = client.execute(statement, &[&self.keys, &self.memories]).await.map_err(failed)?;
        ensure!(usize::try_from(written) == Ok(self.keys.len()), "{written} of {} memories", self.keys.len());
        Ok(())
    }
}

async fn end(client: &Object) -> Result<()> {
    client.batch_execute("commit").await.map_err(failed)
}

fn failed(error: tokio_postgres::Error) -> anyhow::Error {
    const CONTENDED: [SqlState; 4] = [
        SqlState::UNIQUE_VIOLATION,
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::T_R_SERIALIZATION_FAILURE,
    ];
    match error.code() {
        Some(code) if CONTENDED.contains(code) => Contended(without_values(error).to_string()).into(),
        _ => without_values(error),
    }
}

impl fmt::Display for Contended {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "others are at the same memories: {}", self.0)
    }
}

impl std::error::Error for Contended {}

impl Drop for Unit {
    /// A transaction that has not ended must not be found by the connection's next user: without the
    /// connection the database ends it.
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            drop(Object::take(client));
        }
    }
}

fn bytes(keys: &[MemoryKey]) -> Vec<&[u8]> {
    keys.iter().map(|key| &key.as_bytes()[..]).collect()
}

/// What bounds how long a unit of work can hold others up. And each statement is a few look-ups by key, whatever a
/// planner thinks of a table that was empty when it made its plan.
fn options() -> String {
    format!(
        "-c lock_timeout={LOCK_TIMEOUT} -c idle_in_transaction_session_timeout={IDLE_TIMEOUT} \
         -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off"
    )
}

/// Statements of a unit end sooner than whoever waits for them gives up.
const _: () = assert!(LOCK_TIMEOUT < 5_000 && IDLE_TIMEOUT < LOCK_TIMEOUT);
