//! The recording of the tour: part of the program, so that it is there wherever it is run.

use std::env;
use std::path::{Component, Path, PathBuf};

use idgroup::ProfileUpdate;

pub const DESTINATIONS: &str = include_str!("../../../../fixtures/pipeline/destinations.json");
pub const UPDATES: &str = include_str!("../../../../fixtures/pipeline/clean.ndjson");
/// Updates without any time, of people of their own.
pub const TIMELESS_UPDATES: &str = include_str!("../../../../fixtures/pipeline/no_times.ndjson");

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures");

/// The first update with this id.
pub fn update(id: &str) -> Option<ProfileUpdate> {
    let updates = UPDATES.lines().filter_map(|line| serde_json::from_str::<ProfileUpdate>(line).ok());
    updates.into_iter().find(|update| update.id() == id)
}

/// How a fixture is named in the folder that the program was started in.
pub fn path_from_here(name: &str) -> String {
    let absolute = Path::new(FOLDER).canonicalize().unwrap_or_else(|_| FOLDER.into()).join(name);
    let here = env::current_dir().and_then(|here| here.canonicalize());
    here.map_or(absolute.clone(), |here| relative(&absolute, &here)).display().to_string()
}

/// Both paths are absolute. Within one checkout, the shorter name is the one that starts from here.
fn relative(path: &Path, here: &Path) -> PathBuf {
    let common = path.components().zip(here.components()).take_while(|(a, b)| a == b).count();
    let up = here.components().skip(common).map(|_| Component::ParentDir);
    let relative: PathBuf = up.chain(path.components().skip(common)).collect();
    if relative.as_os_str().len() < path.as_os_str().len() { relative } else { path.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_start_where_the_program_was_started() {
        let of = |here: &str| relative(Path::new("/home/me/idgroup/fixtures/a.json"), Path::new(here));
        assert_eq!(of("/home/me/idgroup"), Path::new("fixtures/a.json"));
        assert_eq!(of("/home/me/idgroup/fixtures"), Path::new("a.json"));
        assert_eq!(of("/home/me/idgroup/examples/replay"), Path::new("../../fixtures/a.json"));
        assert_eq!(of("/home"), Path::new("me/idgroup/fixtures/a.json"));
        assert_eq!(
            of("/a/very/deep/folder/that/is/elsewhere"),
            Path::new("/home/me/idgroup/fixtures/a.json")
        );
    }
}
