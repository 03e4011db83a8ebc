//! How fast a destination is sent calls.

use std::time::{Duration, Instant};

/// Lets so many calls go in a second, on average, and a second's worth at once.
pub struct Pace {
    /// When the calls that were let go are over.
    free_at: Option<Instant>,
}

impl Pace {
    pub const fn new() -> Self {
        Self { free_at: None }
    }

    /// Reserves room for so many calls. Returns how long to wait before they go.
    pub fn reserve(&mut self, calls: usize, per_second: Option<u32>, now: Instant) -> Duration {
        let Some(per_second) = per_second.filter(|per_second| *per_second > 0) else {
            return Duration::ZERO;
        };
        let begins = self.free_at.map_or(now, |free_at| free_at.max(now));
        let calls = u32::try_from(calls).unwrap_or(u32::MAX);
        self.free_at = Some(begins + Duration::from_secs(1) * calls / per_second);
        begins - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_go_no_faster_than_they_may() {
        let now = Instant::now();
        let mut pace = Pace::new();
        assert_eq!(pace.reserve(50, Some(100), now), Duration::ZERO);
        assert_eq!(pace.reserve(100, Some(100), now), Duration::from_millis(500));
        assert_eq!(pace.reserve(1, Some(100), now), Duration::from_millis(1_500));
        // What was not used is not saved up.
        let later = now + Duration::from_secs(60);
        assert_eq!(pace.reserve(100, Some(100), later), Duration::ZERO);
        assert_eq!(pace.reserve(1, Some(100), later), Duration::from_secs(1));
    }

    #[test]
    fn without_a_rate_nothing_waits() {
        let now = Instant::now();
        let mut pace = Pace::new();
        assert_eq!(pace.reserve(1_000_000, None, now), Duration::ZERO);
        assert_eq!(pace.reserve(1, None, now), Duration::ZERO);
    }
}
