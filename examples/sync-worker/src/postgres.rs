//! PostgreSQL: look-ups in batches, over a bounded pool.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Timeouts};
use idgroup::{Checked, Collection, Destination, Destinations, ExternalId, Timestamp};
use tokio_postgres::Row;

use crate::connect::{Connect, without_values};
use crate::store::{Audience, Connected, Legacy, Merged, Profile, StoredIds};

const PATIENCE: Duration = Duration::from_secs(5);

/// One look-up brings at most as many rows. A profile that has more is too large for any topic.
const MOST_ROWS: i64 = 20_000;

#[derive(Clone)]
pub struct Postgres {
    pool: Pool,
}

const EXTERNAL_IDS: &str = "
    select wanted.n, held.collection, held.type, held.id, held.encoding, held.created_at, held.attached_at,
        held.subscribed
    from unnest($1::text[], $2::text[]) with ordinality as wanted (space_id, profile_id, n)
    join external_ids held using (space_id, profile_id)
    limit $3";

/// Of a profile that has been merged away: what it held just before.
const MERGED_AWAY: &str = "
    select wanted.n, held.external_ids::text
    from unnest($1::text[], $2::text[]) with ordinality as wanted (space_id, profile_id, n)
    cross join lateral (
        select external_ids from merged_profiles merged
        where merged.space_id = wanted.space_id and merged.profile_id = wanted.profile_id
            and merged.into_profile_id <> merged.profile_id
        order by merged_at desc limit 1
    ) held";

const HELD_BEFORE_MERGE: &str = "
    select wanted.n, held.external_ids::text
    from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
        with ordinality as wanted (space_id, profile_id, into_profile_id, until, n)
    cross join lateral (
        select external_ids from merged_profiles merged
        where merged.space_id = wanted.space_id and merged.profile_id = wanted.profile_id
            and merged.into_profile_id = wanted.into_profile_id
            and (wanted.until is null or merged.merged_at <= wanted.until)
        order by merged_at desc limit 1
    ) held";

/// A destination as the library reads it, so that its rules hold for what is stored too.
const DESTINATIONS: &str = "
    select wanted.n, connected.id, jsonb_build_object(
        'id', connected.id, 'name', connected.name, 'dedupes_on', connected.dedupes_on,
        'id_strategies', connected.id_strategies, 'consent', connected.consent
    )::text, connected.is_legacy
    from unnest($1::text[]) with ordinality as wanted (id, n)
    join computations using (id)
    left join (
        select computation_id, id, name, dedupes_on, id_strategies, consent, false as is_legacy
        from destinations
        union all
        select computation_id, id, name, dedupes_on, null, null, true from legacy_destinations
    ) connected on connected.computation_id = computations.id";

const TIERS: &str = "
    select wanted.n, spaces.tier
    from unnest($1::text[]) with ordinality as wanted (id, n) join spaces using (id)";

impl Postgres {
    pub fn open(connect: &Connect, connections: usize) -> Result<Self> {
        let pool = pool(connect, "", connections)?;
        Ok(Self { pool })
    }

    /// The external IDs of each profile, or `None` if those are too many for one look-up.
    pub async fn external_ids(&self, profiles: &[Profile]) -> Result<Option<Vec<StoredIds>>> {
        let mut found: Vec<StoredIds> = profiles.iter().map(|_| Ok(Vec::new())).collect();
        if profiles.is_empty() {
            return Ok(Some(found));
        }
        let (spaces, ids): (Vec<&str>, Vec<&str>) =
            profiles.iter().map(|(space, profile)| (storable(space), storable(profile))).unzip();
        let rows = self.query(EXTERNAL_IDS, &[&spaces, &ids, &(MOST_ROWS + 1)]).await?;
        if i64::try_from(rows.len()).is_ok_and(|rows| rows > MOST_ROWS) {
            return Ok(match found.len() {
                1 => Some(vec![Err(format!("the profile has more than {MOST_ROWS} external IDs"))]),
                _ => None,
            });
        }
        for row in rows {
            let slot = slot(&mut found, &row)?;
            match external_id(&row) {
                Ok(external_id) => slot.iter_mut().for_each(|ids| ids.push(external_id.clone())),
                Err(error) => *slot = Err(error),
            }
        }
        let without: Vec<usize> =
            (0..found.len()).filter(|n| found[*n].as_ref().is_ok_and(Vec::is_empty)).collect();
        if without.is_empty() {
            return Ok(Some(found));
        }
        let (spaces, ids): (Vec<&str>, Vec<&str>) = without.iter().map(|n| (spaces[*n], ids[*n])).unzip();
        for row in self.query(MERGED_AWAY, &[&spaces, &ids]).await? {
            found[without[position(&row)?]] = stored_ids(&row)?;
        }
        Ok(Some(found))
    }

    pub async fn held_before_merge(&self, merged: &[Merged]) -> Result<Vec<Option<StoredIds>>> {
        let mut found: Vec<Option<StoredIds>> = merged.iter().map(|_| None).collect();
        if merged.is_empty() {
            return Ok(found);
        }
        let spaces: Vec<&str> = merged.iter().map(|merged| storable(&merged.space_id)).collect();
        let profiles: Vec<&str> = merged.iter().map(|merged| storable(&merged.profile_id)).collect();
        let into: Vec<&str> = merged.iter().map(|merged| storable(&merged.into_profile_id)).collect();
        let until: Vec<Option<SystemTime>> = merged.iter().map(|merged| merged.until).collect();
        for row in self.query(HELD_BEFORE_MERGE, &[&spaces, &profiles, &into, &until]).await? {
            let ids = stored_ids(&row)?;
            *slot(&mut found, &row)? = Some(ids);
        }
        Ok(found)
    }

    pub async fn destinations(&self, computations: &[&str]) -> Result<Vec<Connected>> {
        let wanted: Vec<&str> = computations.iter().map(|id| storable(id)).collect();
        let mut found: Vec<Option<StoredAudience>> = wanted.iter().map(|_| None).collect();
        for row in self.query(DESTINATIONS, &[&wanted]).await? {
            let audience = slot(&mut found, &row)?.get_or_insert_default();
            let is_legacy = row.try_get::<_, Option<bool>>(3)? == Some(true);
            let stored = if is_legacy { &mut audience.legacy } else { &mut audience.destinations };
            match destination(&row) {
                Ok(Some(destination)) => stored.iter_mut().for_each(|all| all.push(destination.clone())),
                Ok(None) => (),
                Err(error) => *stored = Err(error),
            }
        }
        let prepare = |audience: Option<StoredAudience>| audience.map(StoredAudience::prepare).transpose();
        Ok(found.into_iter().map(|audience| Arc::new(prepare(audience))).collect())
    }

    pub async fn tiers(&self, spaces: &[&str]) -> Result<Vec<Option<Arc<str>>>> {
        let wanted: Vec<&str> = spaces.iter().map(|id| storable(id)).collect();
        let mut found: Vec<Option<Arc<str>>> = wanted.iter().map(|_| None).collect();
        for row in self.query(TIERS, &[&wanted]).await? {
            *slot(&mut found, &row)? = row.try_get::<_, Option<&str>>(1)?.map(Into::into);
        }
        Ok(found)
    }

    pub async fn query(
        &self,
        sql: &str,
        parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)],
    ) -> Result<Vec<Row>> {
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await.map_err(without_values)?;
        client.query(&statement, parameters).await.map_err(without_values)
    }
}

/// The destinations of a computation as they are stored; or what is wrong with them.
struct StoredAudience {
    destinations: Result<Vec<Destination>, String>,
    legacy: Result<Vec<Destination>, String>,
}

impl Default for StoredAudience {
    fn default() -> Self {
        Self { destinations: Ok(Vec::new()), legacy: Ok(Vec::new()) }
    }
}

impl StoredAudience {
    /// What is only compared with keeps no update from being sent.
    fn prepare(self) -> Result<Audience, String> {
        let prepared = |all| Destinations::new(all).map_err(|error| error.to_string());
        let destinations = self.destinations.and_then(prepared)?;
        let legacy = match self.legacy {
            Ok(all) if all.is_empty() => Legacy::Same,
            legacy => match legacy.and_then(prepared) {
                Ok(legacy) => Legacy::Apart(legacy),
                Err(error) => {
                    tracing::warn!(error, "legacy destinations can't be used, and are not compared with");
                    Legacy::Unusable
                }
            },
        };
        Ok(Audience { destinations, legacy })
    }
}

/// A connection, for what takes more than one statement.
impl Postgres {
    pub async fn client(&self) -> Result<Object> {
        client(&self.pool).await
    }
}

/// A bounded pool of connections whose statements end in time, with more of the database's options.
pub fn pool(connect: &Connect, options: &str, connections: usize) -> Result<Pool> {
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(connect.limited(options), connect.tls.clone(), recycling);
    let timeouts = Timeouts { wait: Some(PATIENCE), create: Some(PATIENCE), recycle: Some(PATIENCE) };
    Ok(Pool::builder(manager)
        .max_size(connections.max(1))
        .timeouts(timeouts)
        .runtime(deadpool_postgres::Runtime::Tokio1)
        .build()?)
}

/// A connection of a pool.
pub async fn client(pool: &Pool) -> Result<Object> {
    pool.get().await.map_err(|error| match error {
        PoolError::Backend(error) => without_values(error),
        error => anyhow!("no connection: {error}"),
    })
}

/// PostgreSQL has no text with a zero byte, so nothing is stored under such a name; and nothing is
/// stored under the empty one that is asked for in its place.
pub fn storable(text: &str) -> &str {
    match text.contains('\0') {
        true => "",
        false => text,
    }
}

/// The place in the list of what was wanted, which rows begin with, counted from 1.
fn position(row: &Row) -> Result<usize> {
    usize::try_from(row.try_get::<_, i64>(0)? - 1).context("a row of nothing that was wanted")
}

pub fn slot<'a, T>(found: &'a mut [T], row: &Row) -> Result<&'a mut T> {
    found.get_mut(position(row)?).context("a row of nothing that was wanted")
}

fn external_id(row: &Row) -> Result<ExternalId, String> {
    let text = |column| row.try_get::<_, &str>(column).map_err(|error| error.to_string());
    let time = |column| match row.try_get::<_, Option<SystemTime>>(column) {
        Ok(time) => time.map(timestamp).transpose(),
        Err(error) => Err(error.to_string()),
    };
    let collection = match text(1)? {
        "accounts" => Collection::Accounts,
        _ => Collection::Users,
    };
    let mut external_id = ExternalId::new(text(2)?, text(3)?)
        .map_err(|error| format!("a stored external ID: {error}"))?
        .with_collection(collection)
        .with_encoding(text(4)?);
    if let Some(created_at) = time(5)? {
        external_id = external_id.with_created_at(created_at);
    }
    if let Some(attached_at) = time(6)? {
        external_id = external_id.with_attached_at(attached_at);
    }
    Ok(external_id.maybe_subscribed(row.try_get(7).map_err(|error| error.to_string())?))
}

fn stored_ids(row: &Row) -> Result<StoredIds> {
    let ids = serde_json::from_str(row.try_get(1)?);
    Ok(ids.map_err(|error| format!("what a merged profile held: {error}")))
}

/// `None` in the row of a computation without destinations.
fn destination(row: &Row) -> Result<Option<Destination>, String> {
    let id: Option<&str> = row.try_get(1).map_err(|error| error.to_string())?;
    let Some(id) = id else { return Ok(None) };
    let stored: &str = row.try_get(2).map_err(|error| error.to_string())?;
    match serde_json::from_str::<Checked<Destination>>(stored) {
        Ok(Checked(Ok(destination))) => Ok(Some(destination)),
        Ok(Checked(Err(error))) => Err(format!("a stored destination: {error}")),
        Err(error) => Err(format!("stored destination `{id}`: {error}")),
    }
}

fn timestamp(time: SystemTime) -> Result<Timestamp, String> {
    let nanoseconds = match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i128::try_from(after.as_nanos()),
        Err(before) => i128::try_from(before.duration().as_nanos()).map(|nanoseconds| -nanoseconds),
    };
    let nanoseconds = nanoseconds.map_err(|error| error.to_string())?;
    Timestamp::from_unix_nanoseconds(nanoseconds).map_err(|error| error.to_string())
}

/// The reverse of [`timestamp`], to the microsecond.
pub fn system_time(time: Timestamp) -> SystemTime {
    let nanoseconds = time.unix_nanoseconds();
    let distance =
        Duration::from_nanos(u64::try_from(nanoseconds.unsigned_abs() % 1_000_000_000).unwrap_or_default())
            + Duration::from_secs(
                u64::try_from(nanoseconds.unsigned_abs() / 1_000_000_000).unwrap_or_default(),
            );
    match nanoseconds < 0 {
        true => UNIX_EPOCH - distance,
        false => UNIX_EPOCH + distance,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_the_database() {
        for text in ["2026-01-05T10:00:00.123456Z", "1969-12-31T23:59:59.5Z", "0001-01-01T00:00:00Z"] {
            let time: Timestamp = text.parse().unwrap();
            assert_eq!(timestamp(system_time(time)), Ok(time));
        }
    }
}
