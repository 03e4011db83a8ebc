//! The rollout in force, which changes while the worker runs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use idgroup::compare::{ComparisonBudget, ComparisonKey};
use idgroup::{Flag, Release, Rollout, Share};
use serde_json::Value;
use tokio::sync::watch;

use crate::kafka::Shared;

const HOW_OFTEN: Duration = Duration::from_millis(250);

/// Puts rollouts in force.
pub struct RolloutConfig {
    in_force: watch::Sender<Option<Arc<Current>>>,
    key: ComparisonKey,
    budget: ComparisonBudget,
    shared: Shared,
}

/// What workers look at: `None` until the first rollout is known.
pub type InForce = watch::Receiver<Option<Arc<Current>>>;

/// A rollout, and the epoch of the memories that go with it.
pub struct Current {
    pub release: Release,
    pub epoch: u64,
}

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
    pub fn set(&self, rollout: Rollout, epoch: u64) {
        let before = self.in_force.borrow().clone();
        if before.is_some_and(|current| *current.release.rollout() == rollout && current.epoch == epoch) {
            return;
        }
        let text = serde_json::to_string(&rollout).unwrap_or_default();
        tracing::info!(rollout = text, epoch, "rollout in force");
        let flag = rollout.flag();
        self.shared.metrics.rollout_share.reset();
        let share = i64::from(flag.share().basis_points());
        self.shared.metrics.rollout_share.with_label_values(&[flag.name()]).set(share);
        let release = Release::new(rollout, self.key.clone()).with_budget(self.budget);
        self.in_force.send_replace(Some(Arc::new(Current { release, epoch })));
        self.shared.health.set("the rollout", true);
    }

    /// Follows a JSON file. One that can't be used changes nothing.
    pub async fn follow_file(self, path: PathBuf) {
        let mut before = None;
        let mut epochs = Epochs::default();
        loop {
            let read = tokio::fs::read(&path).await;
            let rollout = read.context("can't be read").and_then(|text| from_file(&text));
            let rollout = rollout.and_then(|(rollout, epoch)| {
                epochs.take(rollout.flag(), epoch)?;
                Ok((rollout, epoch))
            });
            match rollout {
                Ok((rollout, epoch)) => {
                    before = None;
                    self.set(rollout, epoch);
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

/// The library's own format, and beside it the `epoch`, which is 0 where it is left out.
fn from_file(text: &[u8]) -> Result<(Rollout, u64)> {
    let Ok(Value::Object(mut fields)) = serde_json::from_slice(text) else {
        // The library says better what is wrong with it.
        return Ok((serde_json::from_slice(text).context("is no rollout")?, 0));
    };
    let Some(epoch) = fields.remove("epoch") else {
        return Ok((serde_json::from_slice(text).context("is no rollout")?, 0));
    };
    let epoch = epoch.as_u64().context("is no rollout: `epoch` is not a number from 0 on")?;
    Ok((serde_json::from_value(Value::Object(fields)).context("is no rollout")?, epoch))
}

/// Sees to it that files don't lower the share in the middle of an epoch: the memories of spaces that are not
/// admitted any more are wrong from then on. The database does so by itself.
#[derive(Default)]
struct Epochs {
    /// The epoch and its flag as it was last.
    last: Option<(u64, Flag)>,
    /// Nothing but another epoch can follow.
    is_over: bool,
}

impl Epochs {
    fn take(&mut self, flag: &Flag, epoch: u64) -> Result<()> {
        let Some((last, before)) = &self.last else {
            self.last = Some((epoch, flag.clone()));
            return Ok(());
        };
        ensure!(epoch >= *last, "the epoch goes down from {last} to {epoch}");
        let is_lowered = flag.name() != before.name() || flag.share() < before.share();
        if epoch == *last && flag.share() == Share::NONE {
            // The emergency shutoff works whatever the epoch.
            self.is_over |= is_lowered;
            return Ok(());
        }
        let needs_another = self.is_over || is_lowered;
        ensure!(
            epoch > *last || !needs_another,
            "the share was lowered or the flag renamed, so that memories have missed updates: `epoch` must be above {last}"
        );
        self.is_over &= epoch == *last;
        self.last = Some((epoch, flag.clone()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flag(name: &str, share: u16) -> Flag {
        Flag::new(name, Share::from_basis_points(share).unwrap()).unwrap()
    }

    #[test]
    fn a_file_that_lowers_the_share_needs_another_epoch() {
        let mut epochs = Epochs::default();
        epochs.take(&flag("dedupe", 100), 3).unwrap();
        epochs.take(&flag("dedupe", 200), 3).unwrap();
        let error = epochs.take(&flag("dedupe", 199), 3).unwrap_err().to_string();
        assert!(error.contains("`epoch` must be above 3"), "{error}");
        assert!(epochs.take(&flag("other", 300), 3).is_err(), "another flag admits other spaces");
        epochs.take(&flag("dedupe", 199), 4).unwrap();
        epochs.take(&flag("dedupe", 300), 4).unwrap();
        assert_eq!(
            epochs.take(&flag("dedupe", 300), 3).unwrap_err().to_string(),
            "the epoch goes down from 4 to 3"
        );
    }

    #[test]
    fn the_shutoff_works_whatever_the_epoch_and_ends_it() {
        let mut epochs = Epochs::default();
        epochs.take(&flag("dedupe", 0), 0).unwrap();
        epochs.take(&flag("dedupe", 100), 0).unwrap();
        epochs.take(&flag("dedupe", 0), 0).unwrap();
        epochs.take(&flag("dedupe", 0), 0).unwrap();
        assert!(epochs.take(&flag("dedupe", 100), 0).is_err());
        epochs.take(&flag("dedupe", 100), 1).unwrap();
        epochs.take(&flag("dedupe", 200), 1).unwrap();
    }

    #[test]
    fn a_file_holds_the_epoch_beside_the_rollout() {
        let rollout = r#"{"flag":{"name":"dedupe","share_basis_points":5}}"#;
        let with = r#"{"epoch":7,"flag":{"name":"dedupe","share_basis_points":5}}"#;
        let (plain, zero) = from_file(rollout.as_bytes()).unwrap();
        assert_eq!(from_file(with.as_bytes()).unwrap(), (plain, 7));
        assert_eq!(zero, 0);
        for wrong in ["{", "[]", r#"{"epoch":-1}"#, r#"{"epoch":1,"flak":{}}"#] {
            assert!(
                from_file(wrong.as_bytes()).unwrap_err().to_string().contains("is no rollout"),
                "{wrong}"
            );
        }
    }
}
