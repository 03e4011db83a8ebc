//! How far a long replay is, for whoever watches it.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::reading::inputs::Position;
use crate::summary::numbers::grouped;

/// A bar on standard error; nothing unless that is a terminal, or where events already run over it.
pub struct Progress {
    bar: ProgressBar,
    position: Position,
    shown: Instant,
}

/// Nobody reads faster.
const EVERY: Duration = Duration::from_millis(100);

impl Progress {
    /// `length` is how many bytes there are to read, if that is known.
    pub fn new(length: Option<u64>, position: Position) -> Self {
        let is_watched = io::stderr().is_terminal() && !io::stdout().is_terminal();
        let bar = match (is_watched, length) {
            (false, _) => ProgressBar::hidden(),
            (true, Some(length)) => ProgressBar::new(length).with_style(style(
                "{wide_bar} {bytes} of {total_bytes}, {msg} updates, {elapsed} gone, {eta} to go",
            )),
            (true, None) => ProgressBar::new_spinner()
                .with_style(style("{spinner} {bytes}, {msg} updates, {elapsed} gone")),
        };
        Self { bar, position, shown: Instant::now() }
    }

    pub fn show(&mut self, updates: u64) {
        if !self.bar.is_hidden() && self.shown.elapsed() >= EVERY {
            self.shown = Instant::now();
            self.bar.set_message(grouped(updates.into()));
            self.bar.set_position(self.position.get());
        }
    }

    /// Makes room for something else on standard error.
    pub fn suspend<T>(&self, other: impl FnOnce() -> T) -> T {
        self.bar.suspend(other)
    }

    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
