//! Memories in PostgreSQL: each unit of work reads and locks those that it needs, and keeps them.

use anyhow::{Result, ensure};
use deadpool_postgres::{Object, Pool};
use futures_util::future::{join, join3};
use idgroup::MemoryKey;
use tokio_postgres::Client;

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

/// Only rows that are there can be locked. In the order of keys, so that no two units wait for each other.
const INSERT: &str = "
    insert into memories (key) select key from unnest($1::bytea[]) as wanted (key) order by key
    on conflict do nothing";

const LOCK: &str = "select memory from memories where key = any($1::bytea[]) order by key for update";

const KEEP: &str = "
    update memories set memory = kept.memory, kept_at = now()
    from unnest($1::bytea[], $2::bytea[]) as kept (key, memory) where memories.key = kept.key";

const FORGET: &str = "delete from memories where key = any($1::bytea[])";

pub struct Memories {
    pool: Pool,
}

/// Memories that are locked until they are kept, or until this is dropped.
pub struct Unit {
    /// `None` once its transaction has ended.
    client: Option<Object>,
    /// In order.
    keys: Vec<MemoryKey>,
    memories: Vec<Vec<u8>>,
}

impl Memories {
    pub fn open(connect: &Connect) -> Result<Self> {
        Ok(Self { pool: pool(connect, &options(), CONNECTIONS)? })
    }

    /// Reads and locks the memories with these keys, in order and each once, in one round trip.
    pub async fn begin(&self, keys: Vec<MemoryKey>) -> Result<Unit> {
        let mut unit = Unit { client: None, memories: Vec::new(), keys };
        if unit.keys.is_empty() {
            return Ok(unit);
        }
        let client = unit.client.insert(client(&self.pool).await?);
        let insert = client.prepare_cached(INSERT).await.map_err(without_values)?;
        let lock = client.prepare_cached(LOCK).await.map_err(without_values)?;
        let wanted = bytes(&unit.keys);
        let (began, inserted, rows) = join3(
            client.batch_execute(BEGIN),
            client.execute(&insert, &[&wanted]),
            client.query(&lock, &[&wanted]),
        )
        .await;
        began.and(inserted.map(drop)).map_err(without_values)?;
        let rows = rows.map_err(without_values)?;
        // One that expires just now is there again when this is tried again.
        ensure!(rows.len() == unit.keys.len(), "a memory has been removed meanwhile");
        unit.memories = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
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
        position.and_then(|position| self.memories.get(position)).map_or(&[], Vec::as_slice)
    }

    /// How many were read.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Keeps these, and ends the unit, in one round trip.
    pub async fn keep(mut self, changed: &[(MemoryKey, Vec<u8>)]) -> Result<()> {
        let Some(client) = &self.client else { return Ok(()) };
        if !changed.is_empty() {
            keep(client, changed).await?;
        } else {
            client.batch_execute("commit").await.map_err(without_values)?;
        }
        drop(self.client.take());
        Ok(())
    }
}

async fn keep(client: &Object, changed: &[(MemoryKey, Vec<u8>)]) -> Result<()> {
    let statement = client.prepare_cached(KEEP).await.map_err(without_values)?;
    let keys: Vec<&[u8]> = changed.iter().map(|(key, _)| &key.as_bytes()[..]).collect();
    let memories: Vec<&[u8]> = changed.iter().map(|(_, memory)| &memory[..]).collect();
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 2] = [&keys, &memories];
    let raw: &Client = client;
    let (kept, committed) = join(raw.execute(&statement, &parameters), raw.batch_execute("commit")).await;
    let kept = kept.map_err(without_values)?;
    committed.map_err(without_values)?;
    ensure!(
        usize::try_from(kept) == Ok(changed.len()),
        "only {kept} of {} memories were kept",
        changed.len()
    );
    Ok(())
}

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

/// What bounds how long a unit of work can hold others up.
fn options() -> String {
    format!("-c lock_timeout={LOCK_TIMEOUT} -c idle_in_transaction_session_timeout={IDLE_TIMEOUT}")
}

/// Statements of a unit end sooner than whoever waits for them gives up.
const _: () = assert!(LOCK_TIMEOUT < 5_000 && IDLE_TIMEOUT < LOCK_TIMEOUT);
