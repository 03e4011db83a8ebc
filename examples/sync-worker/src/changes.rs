//! Follows what changes in the database: the rollout, and the catalog.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use idgroup::{Comparing, Flag, Gate, Rollout};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_postgres::{AsyncMessage, Client, NoTls};

use crate::catalog::Catalog;
use crate::kafka::Shared;
use crate::postgres::{configuration, without_values};
use crate::retry::Pauses;
use crate::rollout_config::RolloutConfig;

/// The rollout is read this often even if nobody says that it has changed, so that the emergency
/// shutoff does not depend on a notification, and a silent connection is found out.
const HOW_OFTEN: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(2);

pub struct Changes {
    pub url: String,
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
            self.shared.health.set("changes in the database", false);
            self.shared.metrics.retries.with_label_values(&["changes"]).inc();
            tracing::warn!(error, "not following changes");
            tokio::time::sleep(pauses.advance()).await;
        }
    }

    async fn listen(&self, pauses: &mut Pauses) -> Result<()> {
        let connect = configuration(&self.url)?;
        let (client, mut connection) =
            timeout(PATIENCE, connect.connect(NoTls)).await.context("connecting")?.map_err(without_values)?;
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
        // Whatever changed while nobody listened.
        self.catalog.changed("");
        self.read_rollout(&client).await?;
        self.shared.health.set("changes in the database", true);
        *pauses = Pauses::default();
        loop {
            tokio::select! {
                notification = notifications.recv() => match notification.as_deref() {
                    Some("rollout") => self.read_rollout(&client).await?,
                    Some(what) => self.catalog.changed(what),
                    None => return Ok(()),
                },
                () = tokio::time::sleep(HOW_OFTEN) => self.read_rollout(&client).await?,
            }
        }
    }

    async fn read_rollout(&self, client: &Client) -> Result<()> {
        const ROLLOUT: &str = "select flag, share, tiers, spaces, blocked_spaces, compare from rollout";
        let query = timeout(PATIENCE, client.query(ROLLOUT, &[]));
        let rows = query.await.context("no answer")?.map_err(without_values)?;
        let Some(config) = &self.rollout else { return Ok(()) };
        let [row] = &rows[..] else { bail!("the table `rollout` must have one row") };
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
        let share = u16::try_from(row.try_get::<_, i32>("share")?)?;
        let comparing = match row.try_get("compare")? {
            true => Comparing::On,
            false => Comparing::Off,
        };
        let flag = Flag::new(row.try_get::<_, &str>("flag")?, share)?;
        config.set(Rollout::new(flag).gate(gate).comparing(comparing));
        Ok(())
    }
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
