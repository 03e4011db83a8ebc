//! Follows what changes in the database: the rollout, and the catalog.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use idgroup::{Comparing, Flag, Gate, Rollout, Share};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_postgres::{AsyncMessage, Client};

use crate::catalog::Catalog;
use crate::connect::{Connect, without_values};
use crate::kafka::Shared;
use crate::retry::Pauses;
use crate::rollout_config::RolloutConfig;

/// The rollout is read this often even if nobody says that it has changed, so that the emergency
/// shutoff does not depend on a notification, and a silent connection is found out. So is the catalog's
/// version.
const HOW_OFTEN: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(2);

pub struct Changes {
    pub connect: Connect,
    pub catalog: Arc<Catalog>,
    /// `None` where the rollout comes from elsewhere.
    pub rollout: Option<RolloutConfig>,
    pub shared: Shared,
}

impl Changes {
    /// Follows changes for as long as the process runs.
    pub async fn follow(self) {
        let mut pauses = Pauses::default();
        loop {
            let error = match self.listen(&mut pauses).await {
                Ok(()) => "the connection was closed".to_owned(),
                Err(error) => format!("{error:#}"),
            };
            self.shared.health.waits("changes in the database", &error);
            self.shared.metrics.retries.with_label_values(&["changes"]).inc();
            tokio::time::sleep(pauses.advance()).await;
        }
    }

    async fn listen(&self, pauses: &mut Pauses) -> Result<()> {
        let (client, mut connection) =
            timeout(PATIENCE, self.connect.open()).await.context("connecting takes too long")??;
        let (sender, mut notifications) = mpsc::unbounded_channel();
        let driver = tokio::spawn(async move {
            while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
                match message {
                    Ok(AsyncMessage::Notification(notification)) => {
                        if sender.send(notification.payload().to_owned()).is_err() {
                            return;
                        }
                    }
                    Ok(_) => (),
                    Err(_) => return,
                }
            }
        });
        let _end = AbortOnDrop(driver);
        timeout(PATIENCE, client.batch_execute("listen idgroup"))
            .await
            .context("listening")?
            .map_err(without_values)?;
        let mut seen = self.read(&client).await?;
        // Whatever changed while nobody listened.
        self.catalog.changed("");
        self.shared.health.set("changes in the database", true);
        *pauses = Pauses::default();
        loop {
            tokio::select! {
                notification = notifications.recv() => match notification.as_deref() {
                    Some("rollout") => drop(self.read(&client).await?),
                    Some(what) => match what.strip_prefix("version ") {
                        // What it names has come before it.
                        Some(version) if version.parse() == Ok(seen + 1) => seen += 1,
                        Some(_) => (),
                        None => self.catalog.changed(what),
                    },
                    None => return Ok(()),
                },
                () = tokio::time::sleep(HOW_OFTEN) => {
                    let version = self.read(&client).await?;
                    // A notification is lost, or still on its way.
                    if version != seen {
                        self.catalog.changed("");
                        seen = version;
                    }
                }
            }
        }
    }

    /// Reads the rollout, and returns the catalog's version.
    async fn read(&self, client: &Client) -> Result<i64> {
        const ROLLOUT: &str = "select flag, share, tiers, spaces, blocked_spaces, compare, epoch, version
                               from rollout, catalog_version";
        let query = timeout(PATIENCE, client.query(ROLLOUT, &[]));
        let rows = query.await.context("no answer")?.map_err(without_values)?;
        let [row] = &rows[..] else { bail!("the tables `rollout` and `catalog_version` must have one row") };
        let version = row.try_get("version")?;
        let Some(config) = &self.rollout else { return Ok(version) };
        let mut gate = Gate::closed();
        for tier in row.try_get::<_, Vec<&str>>("tiers")? {
            gate = gate.opened_for_tier(tier)?;
        }
        for space in row.try_get::<_, Vec<&str>>("spaces")? {
            gate = gate.opened_for_space(space)?;
        }
        for space in row.try_get::<_, Vec<&str>>("blocked_spaces")? {
            gate = gate.blocked_for_space(space)?;
        }
        let share = Share::from_basis_points(u16::try_from(row.try_get::<_, i32>("share")?)?)?;
        let comparing = match row.try_get("compare")? {
            true => Comparing::On,
            false => Comparing::Off,
        };
        let flag = Flag::new(row.try_get::<_, &str>("flag")?, share)?;
        let epoch = u64::try_from(row.try_get::<_, i64>("epoch")?)?;
        config.set(Rollout::new(flag).with_gate(gate).with_comparing(comparing), epoch);
        Ok(version)
    }
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
