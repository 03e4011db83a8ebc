//! How long may be waited for what outsiders name: so much a minute, whatever they name.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const MINUTE: Duration = Duration::from_secs(60);

pub struct Allowance {
    a_minute: Duration,
    state: Mutex<State>,
}

struct State {
    left: Duration,
    since: Option<Instant>,
}

impl Allowance {
    pub fn new(a_minute: Duration) -> Self {
        Self { a_minute, state: Mutex::new(State { left: a_minute, since: None }) }
    }

    /// Takes so much if it is left. What was taken comes back evenly over a minute.
    pub fn take(&self, time: Duration, now: Instant) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(since) = state.since {
            let back = self
                .a_minute
                .mul_f64(now.saturating_duration_since(since).as_secs_f64() / MINUTE.as_secs_f64());
            state.left = (state.left + back).min(self.a_minute);
        }
        state.since = Some(now);
        match state.left.checked_sub(time) {
            Some(left) => {
                state.left = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowance_is_used_up_and_comes_back() {
        let second = Duration::from_secs(1);
        let allowance = Allowance::new(3 * second);
        let now = Instant::now();
        assert_eq!([1, 2, 3, 4].map(|_| allowance.take(second, now)), [true, true, true, false]);
        assert!(!allowance.take(second, now + 15 * second));
        assert!(allowance.take(second, now + 25 * second));
        assert!(!allowance.take(second, now + 26 * second));
        let later = now + 600 * second;
        assert_eq!([1, 2, 3, 4].map(|_| allowance.take(second, later)), [true, true, true, false]);
        assert!(!Allowance::new(Duration::ZERO).take(second, now));
    }
}
