//! How far a long replay is, for whoever watches it.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::summary::Summary;

const EVERY: Duration = Duration::from_millis(500);

/// A line on standard error that is rewritten in place; nothing unless that is a terminal.
pub struct Progress {
    is_watched: bool,
    is_shown: bool,
    last: Instant,
}

impl Progress {
    pub fn new() -> Self {
        Self { is_watched: io::stderr().is_terminal(), is_shown: false, last: Instant::now() }
    }

    pub fn show(&mut self, summary: &Summary) {
        if self.is_watched && self.last.elapsed() >= EVERY {
            let _ = write!(io::stderr(), "\r\x1b[K{}", summary.pace());
            self.last = Instant::now();
            self.is_shown = true;
        }
    }

    /// Makes room for something else on standard error.
    pub fn clear(&mut self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
            self.is_shown = false;
        }
    }
}
