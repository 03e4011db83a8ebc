//! Brings the tables up to date.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::connect::{Connect, without_values};

/// Never changed once released: what changes the tables further is another migration.
const MIGRATIONS: [(&str, &str); 8] = [
    ("0001_identities", include_str!("../migrations/0001_identities.sql")),
    ("0002_catalog", include_str!("../migrations/0002_catalog.sql")),
    ("0003_rollout", include_str!("../migrations/0003_rollout.sql")),
    ("0004_catalog_version", include_str!("../migrations/0004_catalog_version.sql")),
    ("0005_strategies_and_consent", include_str!("../migrations/0005_strategies_and_consent.sql")),
    ("0006_memories", include_str!("../migrations/0006_memories.sql")),
    ("0007_calls", include_str!("../migrations/0007_calls.sql")),
    ("0008_legacy_destinations", include_str!("../migrations/0008_legacy_destinations.sql")),
];

/// Held by whoever migrates, so that workers may start together.
const LOCK: i64 = 0x6964_6772_6f75_7001;

/// Applies the migrations that are missing, all of them or none.
pub async fn migrate(connect: &Connect) -> Result<()> {
    let (mut client, connection) = connect.open().await?;
    let connection = tokio::spawn(connection);
    let transaction = client.transaction().await.map_err(without_values)?;
    transaction.execute("select pg_advisory_xact_lock($1)", &[&LOCK]).await.map_err(without_values)?;
    transaction
        .batch_execute(
            "create table if not exists sync_worker_migrations (
                 name text primary key, applied_at timestamptz not null default now()
             )",
        )
        .await
        .map_err(without_values)?;
    for (name, sql) in MIGRATIONS {
        let note = "insert into sync_worker_migrations (name) values ($1) on conflict do nothing";
        if transaction.execute(note, &[&name]).await.map_err(without_values)? == 1 {
            transaction
                .batch_execute(sql)
                .await
                .map_err(without_values)
                .with_context(|| format!("migration {name}"))?;
            tracing::info!(name, "migration applied");
        }
    }
    transaction.commit().await.map_err(without_values)?;
    drop(client);
    let _ = tokio::time::timeout(Duration::from_secs(1), connection).await;
    Ok(())
}
