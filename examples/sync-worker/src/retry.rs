//! Tries again, with growing pauses, for as long as it takes.

use std::time::{Duration, Instant};

use crate::health::Health;
use crate::metrics::Metrics;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// What doesn't answer within this time is taken to be away.
const PATIENCE: Duration = Duration::from_secs(10);
const BETWEEN_ERRORS: Duration = Duration::from_secs(60);

/// The pauses between tries: each twice as long as the one before.
pub struct Pauses(Duration);

impl Default for Pauses {
    fn default() -> Self {
        Self(FIRST_PAUSE)
    }
}

impl Pauses {
    /// The next pause: up to a quarter shorter, so that workers don't come back all at once.
    pub fn advance(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
        let mut random = [0];
        // Without a random byte the pause is at its longest, which does no harm.
        let _ = getrandom::fill(&mut random);
        pause - pause / 4 * u32::from(random[0]) / 255
    }
}

/// Does `work` until it succeeds. To give up, drop the future.
pub async fn until_done<T, W: Future<Output = anyhow::Result<T>>>(
    what: &'static str,
    metrics: &Metrics,
    health: &Health,
    work: impl Fn() -> W,
) -> T {
    let mut pauses = Pauses::default();
    let mut said: Option<(String, Instant)> = None;
    loop {
        let error = match tokio::time::timeout(PATIENCE, work()).await {
            Ok(Ok(done)) => {
                health.set("the database", true);
                return done;
            }
            Ok(Err(error)) => format!("{error:#}"),
            Err(_) => format!("no answer within {} seconds", PATIENCE.as_secs()),
        };
        health.waits("the database", &error);
        metrics.retries.with_label_values(&[what]).inc();
        let pause = pauses.advance();
        // The same error is said once, and again only after a while.
        if said.as_ref().is_none_or(|(before, at)| *before != error || at.elapsed() > BETWEEN_ERRORS) {
            tracing::warn!(what, error, "trying again");
            said = Some((error, Instant::now()));
        }
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_longest() {
        let mut pauses = Pauses::default();
        let first = pauses.advance();
        assert!(first <= FIRST_PAUSE && first >= FIRST_PAUSE * 3 / 4, "{first:?}");
        let later: Vec<Duration> = (0..20).map(|_| pauses.advance()).collect();
        assert!(later.iter().all(|pause| *pause <= LONGEST_PAUSE));
        assert!(later[19] >= LONGEST_PAUSE * 3 / 4);
    }
}
