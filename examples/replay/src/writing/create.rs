//! Files that are written beside standard output.

use std::fs::{self, File};
use std::path::Path;

use crate::failure::Failure;

/// Creates the file of `option`, unless that would overwrite one of the files that are `taken`.
pub fn create(option: &str, path: &Path, taken: &[&Path]) -> Result<File, Failure> {
    if let Ok(existing) = fs::canonicalize(path) {
        for taken in taken {
            if fs::canonicalize(taken).is_ok_and(|taken| taken == existing && taken.is_file()) {
                return Err(Failure::new(format!("{option} would overwrite `{}`", taken.display())));
            }
        }
    }
    File::create(path).map_err(|error| Failure::of_file("write", path, &error))
}
