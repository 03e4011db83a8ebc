//! Replays the inputs that fuzzing found worth keeping; `fuzz/README.md` says how they came about.

#[path = "../../fuzz/checks/mod.rs"]
mod checks;

use std::fs;
use std::panic;
use std::path::Path;

#[test]
fn updates_that_fuzzing_kept_pass_their_checks() {
    replay("update", checks::update::check);
}

#[test]
fn destinations_that_fuzzing_kept_pass_their_checks() {
    replay("destinations", checks::destinations::check);
}

#[test]
fn memories_and_histories_that_fuzzing_kept_pass_their_checks() {
    replay("memory", checks::memory::check);
}

#[test]
fn comparisons_that_fuzzing_kept_pass_their_checks() {
    replay("comparison", checks::comparison::check);
}

#[test]
fn rollouts_that_fuzzing_kept_pass_their_checks() {
    replay("rollout", checks::rollout::check);
}

#[track_caller]
fn replay(target: &str, check: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut paths: Vec<_> = fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 50, "only {} inputs of {target}", paths.len());
    for path in paths {
        let bytes = fs::read(&path).unwrap();
        let passed = panic::catch_unwind(|| check(&bytes)).is_ok();
        assert!(passed, "`cargo fuzz run -s none {target} {}` fails", path.display());
    }
}
