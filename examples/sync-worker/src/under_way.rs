//! How many outputs have been handed over and not been reported on.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

#[derive(Default)]
pub struct UnderWay {
    outputs: AtomicUsize,
    none: Notify,
}

impl UnderWay {
    pub fn began(&self) {
        self.outputs.fetch_add(1, Ordering::AcqRel);
    }

    /// Notes that it is known what became of an output, or that it was not handed over after all.
    pub fn ended(&self) {
        if self.outputs.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.none.notify_one();
        }
    }

    /// Waits until none is. Only one may wait.
    pub async fn ends(&self) {
        while self.outputs.load(Ordering::Acquire) > 0 {
            self.none.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn outputs_are_waited_for_until_the_last_has_ended() {
        let under_way = UnderWay::default();
        assert!(under_way.ends().now_or_never().is_some());
        under_way.began();
        under_way.began();
        assert!(under_way.ends().now_or_never().is_none());
        under_way.ended();
        assert!(under_way.ends().now_or_never().is_none());
        under_way.ended();
        assert!(under_way.ends().now_or_never().is_some());
        under_way.began();
        assert!(under_way.ends().now_or_never().is_none(), "an end that nobody waited for is no other's");
    }

    #[tokio::test]
    async fn the_last_end_wakes_who_waits() {
        let under_way = std::sync::Arc::new(UnderWay::default());
        under_way.began();
        let waits = tokio::spawn({
            let under_way = under_way.clone();
            async move { under_way.ends().await }
        });
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        under_way.ended();
        waits.await.unwrap();
    }
}
