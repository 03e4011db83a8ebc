//! The rollout in force, which changes while the worker runs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use idgroup::compare::{ComparisonBudget, ComparisonKey};
use idgroup::{Release, Rollout};
use tokio::sync::watch;

use crate::kafka::Shared;

const HOW_OFTEN: Duration = Duration::from_millis(250);

/// Puts rollouts in force.
pub struct RolloutConfig {
    in_force: watch::Sender<Option<Arc<Release>>>,
    key: ComparisonKey,
    budget: ComparisonBudget,
    shared: Shared,
}

/// What workers look at: `None` until the first rollout is known.
pub type InForce = watch::Receiver<Option<Arc<Release>>>;

impl RolloutConfig {
    pub fn new(shared: &Shared) -> Result<(Self, InForce)> {
        let mut key = [0; 16];
        getrandom::fill(&mut key).map_err(|error| anyhow!("no random bytes: {error}"))?;
        let (in_force, seen) = watch::channel(None);
        shared.health.set("the rollout", false);
        let budget = ComparisonBudget::default().with_messages(shared.pipeline.compare_up_to);
        Ok((Self { in_force, key: ComparisonKey::new(key), budget, shared: shared.clone() }, seen))
    }

    /// Puts a rollout in force, unless it is already.
    pub fn set(&self, rollout: Rollout) {
        let before = self.in_force.borrow().clone();
        if before.is_some_and(|release| *release.rollout() == rollout) {
            return;
        }
        let text = serde_json::to_string(&rollout).unwrap_or_default();
        tracing::info!(rollout = text, "rollout in force");
        let flag = rollout_flag(&rollout);
        self.shared.metrics.rollout_share.reset();
        self.shared.metrics.rollout_share.with_label_values(&[&flag.0]).set(flag.1);
        let release = Release::new(rollout, self.key.clone()).with_budget(self.budget);
        self.in_force.send_replace(Some(Arc::new(release)));
        self.shared.health.set("the rollout", true);
    }

    /// Follows a JSON file. One that can't be used changes nothing.
    pub async fn follow_file(self, path: PathBuf) {
        let mut before = None;
        loop {
            let read = tokio::fs::read(&path).await;
            let rollout = read
                .context("can't be read")
                .and_then(|text| serde_json::from_slice::<Rollout>(&text).context("is no rollout"));
            match rollout {
                Ok(rollout) => {
                    before = None;
                    self.set(rollout);
                }
                Err(error) => {
                    let error = format!("{error:#}");
                    if before.as_ref() != Some(&error) {
                        tracing::error!(file = %path.display(), error, "the rollout stays as it was");
                    }
                    before = Some(error);
                }
            }
            tokio::time::sleep(HOW_OFTEN).await;
        }
    }
}

/// The flag's name and share.
fn rollout_flag(rollout: &Rollout) -> (String, i64) {
    let json = serde_json::to_value(rollout).unwrap_or_default();
    let name = json["flag"]["name"].as_str().unwrap_or_default().to_owned();
    (name, json["flag"]["share_basis_points"].as_i64().unwrap_or_default())
}
