//! Finds out that the process has stood still: it was stopped, or its machine slept.
//!
//! Kafka gives the partitions of a worker that is not heard of to another one. A worker that goes on after
//! that learns of it only when it is next heard, and until then it would act on what it had read before.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// Less than any time after which a group misses a member, and more than a busy machine takes to come round.
const STANDSTILL: Duration = Duration::from_secs(3);
const BEAT: Duration = Duration::from_millis(250);

pub struct Pulse {
    began: Instant,
    /// In milliseconds since it began.
    last_beat: AtomicU64,
    /// When the last standstill ended, in milliseconds since it began; 0 if there was none.
    stood_still_until: AtomicU64,
}

impl Pulse {
    /// Beats on a thread of its own, which no work holds up, for as long as anybody has it.
    pub fn start() -> Arc<Self> {
        let pulse = Arc::new(Self::at(Instant::now()));
        let beating = Arc::downgrade(&pulse);
        std::thread::spawn(move || {
            while let Some(pulse) = Weak::upgrade(&beating) {
                pulse.beat(Instant::now());
                drop(pulse);
                std::thread::sleep(BEAT);
            }
        });
        pulse
    }

    /// Whether the process has stood still at any moment since then.
    pub fn has_stood_still_since(&self, then: Instant) -> bool {
        self.stood_still(then, Instant::now())
    }

    fn stood_still(&self, then: Instant, now: Instant) -> bool {
        self.beat(now);
        self.stood_still_until.load(Ordering::Acquire) > self.milliseconds(then)
    }

    fn at(began: Instant) -> Self {
        Self { began, last_beat: AtomicU64::new(0), stood_still_until: AtomicU64::new(0) }
    }

    fn beat(&self, now: Instant) {
        let now = self.milliseconds(now);
        let before = self.last_beat.fetch_max(now, Ordering::AcqRel);
        if u128::from(now.saturating_sub(before)) > STANDSTILL.as_millis() {
            self.stood_still_until.fetch_max(now, Ordering::AcqRel);
        }
    }

    fn milliseconds(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.began).as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standstill_concerns_what_began_before_its_end() {
        let began = Instant::now();
        let at = |seconds: u64| began + Duration::from_secs(seconds);
        let pulse = Pulse::at(began);
        for second in 0..=10 {
            pulse.beat(at(second));
        }
        assert!(!pulse.stood_still(at(0), at(13)), "three seconds are not too long");
        assert!(pulse.stood_still(at(13), at(17)), "the one that asks finds out");
        assert!(pulse.stood_still(at(16), at(18)));
        assert!(!pulse.stood_still(at(18), at(19)), "it is over");
    }
}
