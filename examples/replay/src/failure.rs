//! Why nothing, or not everything, was replayed.

use std::fmt;
use std::io;
use std::path::Path;

/// The text says what could not be done, with what, and why.
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// `action` is what could not be done to `path`, such as `read`.
    pub fn of_file(action: &str, path: &Path, error: &io::Error) -> Self {
        Self(format!("can't {action} `{}`: {error}", path.display()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
