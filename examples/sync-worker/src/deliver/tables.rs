//! What deliveries keep in the database: how each is made, what is parked, and claims.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use tokio_postgres::Row;

use crate::deliver::call::Call;
use crate::postgres::Postgres;

/// For how long a worker has a parked delivery to itself: longer than it takes to post a few batches.
const HELD: Duration = Duration::from_secs(120);

/// How a delivery is made, as far as that is not as all others are.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Own {
    pub endpoint: Option<String>,
    pub write_key_file: Option<String>,
    pub write_key_env: Option<String>,
    pub calls_per_second: Option<u32>,
}

/// A parked delivery.
pub struct Parked {
    pub delivery: String,
    pub age: Duration,
    /// Whether it is time to try again.
    pub is_due: bool,
}

/// A parked call, and its place.
pub struct ParkedCall {
    pub number: i64,
    pub key: Vec<u8>,
    /// Or what is wrong with it.
    pub call: Result<Call, String>,
}

#[derive(Clone)]
pub struct Tables(Postgres);

impl Tables {
    pub fn new(postgres: Postgres) -> Self {
        Self(postgres)
    }

    pub async fn deliveries(&self) -> Result<HashMap<String, Own>> {
        const SQL: &str = "
            select destination_id, endpoint, write_key_file, write_key_env, calls_per_second from deliveries";
        let own = |row: &Row| {
            let own = Own {
                endpoint: row.try_get(1)?,
                write_key_file: row.try_get(2)?,
                write_key_env: row.try_get(3)?,
                calls_per_second: row.try_get::<_, Option<i32>>(4)?.map(u32::try_from).transpose()?,
            };
            Ok((row.try_get(0)?, own))
        };
        self.0.query(SQL, &[]).await?.iter().map(own).collect()
    }

    pub async fn parked(&self) -> Result<Vec<Parked>> {
        const SQL: &str = "
            select delivery, extract(epoch from now() - since)::float8, next_try <= now() from parked";
        let parked = |row: &Row| {
            let age = Duration::try_from_secs_f64(row.try_get(1)?).unwrap_or_default();
            Ok(Parked { delivery: row.try_get(0)?, age, is_due: row.try_get(2)? })
        };
        self.0.query(SQL, &[]).await?.iter().map(parked).collect()
    }

    /// Keeps calls in their order, behind those that are there. One that is there stays as it is.
    pub async fn park(&self, delivery: &str, reason: &str, calls: &[(&[u8], &Call)]) -> Result<()> {
        // The row of the delivery first: while it is locked, nobody finds that there are no calls.
        const SQL: &str = "
            with delivery as (
                insert into parked (delivery, reason) values ($1, $2)
                on conflict (delivery) do update set reason = parked.reason returning delivery
            )
            insert into parked_calls (delivery, message_id, key, headers, body)
            select delivery, call.message_id, call.key, call.headers::jsonb, call.body
            from delivery, unnest($3::text[], $4::bytea[], $5::text[], $6::bytea[])
                with ordinality as call (message_id, key, headers, body, n)
            order by call.n
            on conflict (delivery, message_id) do nothing";
        let message_ids: Vec<&str> = calls.iter().map(|(_, call)| &*call.message_id).collect();
        let keys: Vec<&[u8]> = calls.iter().map(|(key, _)| *key).collect();
        let headers: Vec<String> = calls
            .iter()
            .map(|(_, call)| serde_json::to_string(&call.headers).map_err(Into::into))
            .collect::<Result<_>>()?;
        let bodies: Vec<&[u8]> = calls.iter().map(|(_, call)| &*call.body).collect();
        self.0.query(SQL, &[&delivery, &reason, &message_ids, &keys, &headers, &bodies]).await?;
        Ok(())
    }

    /// Takes a parked delivery for a while, unless somebody else has it or it is not time.
    pub async fn hold(&self, delivery: &str, worker: &str) -> Result<bool> {
        const SQL: &str = "
            update parked set held_by = $2, held_until = now() + $3::float8 * interval '1 second'
            where delivery = $1 and next_try <= now() and (held_by = $2 or held_until < now()) returning 1";
        Ok(!self.0.query(SQL, &[&delivery, &worker, &HELD.as_secs_f64()]).await?.is_empty())
    }

    /// Lets others have a parked delivery, after this pause. Returns how often it was tried in vain.
    pub async fn put_off(&self, delivery: &str, worker: &str, reason: &str, pause: Duration) -> Result<()> {
        const SQL: &str = "
            update parked set reason = $3, tries = tries + 1, held_until = now(),
                next_try = now() + $4::float8 * interval '1 second'
            where delivery = $1 and held_by = $2 returning 1";
        self.0.query(SQL, &[&delivery, &worker, &reason, &pause.as_secs_f64()]).await?;
        Ok(())
    }

    /// How often a parked delivery has been tried in vain since it last succeeded.
    pub async fn tries(&self, delivery: &str) -> Result<u32> {
        let rows = self.0.query("select tries from parked where delivery = $1", &[&delivery]).await?;
        let Some(row) = rows.first() else { return Ok(0) };
        Ok(u32::try_from(row.try_get::<_, i32>(0)?).unwrap_or_default())
    }

    /// The first calls of a parked delivery.
    pub async fn parked_calls(&self, delivery: &str, most: i64) -> Result<Vec<ParkedCall>> {
        const SQL: &str = "
            select number, key, headers::text, body from parked_calls
            where delivery = $1 order by number limit $2";
        let call = |row: &Row| {
            let headers: BTreeMap<String, String> = serde_json::from_str(row.try_get(2)?)?;
            let body = Bytes::copy_from_slice(row.try_get(3)?);
            let call = Call::new(headers, body);
            Ok(ParkedCall { number: row.try_get(0)?, key: row.try_get(1)?, call })
        };
        self.0.query(SQL, &[&delivery, &most]).await?.iter().map(call).collect()
    }

    pub async fn forget_calls(&self, delivery: &str, numbers: &[i64]) -> Result<()> {
        const SQL: &str = "
            with tried as (update parked set tries = 0 where delivery = $1)
            delete from parked_calls where delivery = $1 and number = any($2)";
        self.0.query(SQL, &[&delivery, &numbers]).await?;
        Ok(())
    }

    /// Ends the parking of a delivery, if none of its calls are left.
    pub async fn unpark(&self, delivery: &str) -> Result<bool> {
        let mut client = self.0.client().await?;
        let transaction = client.transaction().await?;
        // Whoever is putting calls there has the row, and what is seen next is seen after that.
        transaction.query("select 1 from parked where delivery = $1 for update", &[&delivery]).await?;
        let ended = transaction
            .execute(
                "delete from parked where delivery = $1
                 and not exists (select from parked_calls where delivery = $1)",
                &[&delivery],
            )
            .await?;
        transaction.commit().await?;
        Ok(ended > 0)
    }

    /// Claims calls. Returns of each whether it was claimed before, and if so, whether it was done.
    pub async fn claim(&self, delivery: &str, message_ids: &[&str]) -> Result<HashMap<String, bool>> {
        // In their order, so that workers with the same calls don't wait for one another in a circle.
        const CLAIM: &str = "
            insert into claims (delivery, message_id, is_done)
            select $1, id, false from unnest($2::text[]) as id order by id
            on conflict do nothing returning message_id";
        let rows = self.0.query(CLAIM, &[&delivery, &message_ids]).await?;
        let claimed: Vec<&str> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        let before: Vec<&str> = message_ids.iter().copied().filter(|id| !claimed.contains(id)).collect();
        if before.is_empty() {
            return Ok(HashMap::new());
        }
        self.claimed(delivery, &before).await
    }

    /// Those of these calls that have been claimed, and whether they are done.
    pub async fn claimed(&self, delivery: &str, message_ids: &[&str]) -> Result<HashMap<String, bool>> {
        const SQL: &str =
            "select message_id, is_done from claims where delivery = $1 and message_id = any($2)";
        let rows = self.0.query(SQL, &[&delivery, &message_ids]).await?;
        let entry = |row: &Row| Ok((row.try_get(0)?, row.try_get(1)?));
        rows.iter().map(entry).collect()
    }

    /// Notes that these calls were taken.
    pub async fn done(&self, delivery: &str, message_ids: &[&str]) -> Result<()> {
        const SQL: &str = "
            insert into claims (delivery, message_id, is_done)
            select $1, id, true from unnest($2::text[]) as id order by id
            on conflict (delivery, message_id) do update set is_done = true";
        self.0.query(SQL, &[&delivery, &message_ids]).await.context("noting what was taken")?;
        Ok(())
    }

    /// Takes claims back whose calls were not taken.
    pub async fn release(&self, delivery: &str, message_ids: &[&str]) -> Result<()> {
        const SQL: &str = "delete from claims where delivery = $1 and message_id = any($2) and not is_done";
        self.0.query(SQL, &[&delivery, &message_ids]).await?;
        Ok(())
    }
}
