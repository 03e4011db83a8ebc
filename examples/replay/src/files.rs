//! Files that are read whole.

use std::fs;
use std::path::Path;

use crate::failure::Failure;

/// The bytes of the file, without the byte order mark that some editors begin it with.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = fs::read(path).map_err(|error| Failure::of_file("read", path, &error))?;
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        bytes.drain(..3);
    }
    Ok(bytes)
}
