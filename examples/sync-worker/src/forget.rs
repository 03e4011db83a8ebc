//! Erases what is remembered of a profile.

use anyhow::{Result, ensure};
use idgroup::MemoryKey;

use crate::cli::Forget;
use crate::connect::{Connect, without_values};
use crate::memories::Memories;

/// One statement removes at most so many memories, so that it holds nobody up.
const AT_ONCE: usize = 1_000;

/// Removes the memories of a profile in every computation that is in the database, in every epoch up to the one
/// in force. Keys are digests, so that they can't be looked for, but made.
pub async fn forget(options: &Forget) -> Result<()> {
    ensure!(!options.space.is_empty() && !options.profile.is_empty(), "a space and a profile have names");
    let connect = Connect::new(&options.database)?;
    let (client, connection) = connect.open().await?;
    let connection = tokio::spawn(connection);
    let row = client
        .query_one("select epoch, array(select id from computations) from rollout", &[])
        .await
        .map_err(without_values)?;
    let epoch = u64::try_from(row.try_get::<_, i64>(0)?)?;
    let computations: Vec<String> = row.try_get(1)?;
    drop(client);
    connection.abort();
    let key =
        |computation: &String, epoch| MemoryKey::new(&options.space, computation, &options.profile, epoch);
    let keys: Vec<MemoryKey> = computations
        .iter()
        .flat_map(|computation| (0..=epoch).map(move |epoch| key(computation, epoch)))
        .collect();
    let memories = Memories::open(&connect)?;
    let mut forgotten = 0;
    for keys in keys.chunks(AT_ONCE) {
        forgotten += memories.forget(keys).await?;
    }
    println!("{forgotten} memories of {} looked for are removed", keys.len());
    Ok(())
}
