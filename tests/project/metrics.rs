//! The metrics example as a program: a table with a row for each step.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use idgroup::Step;

#[test]
fn each_step_has_a_row_with_a_count_and_percentiles() {
    let output = Command::new(binary()).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let mut lines = stdout.lines();

    let updates: u64 = lines.next().unwrap().split(' ').next().unwrap().parse().unwrap();
    // Once over the recording is 393 updates whose computation is connected to something.
    assert!(updates > 0 && updates.is_multiple_of(393), "{stdout}");
    let heading: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(heading, ["step", "count", "P50", "P95", "P99", "max"]);

    let mut rows = BTreeMap::new();
    for line in lines {
        let cells: Vec<&str> = line.split_whitespace().filter(|cell| *cell != "µs").collect();
        let [step, count, percentiles @ ..] = &cells[..] else { panic!("{line}") };
        let percentiles: Vec<f64> = percentiles.iter().map(|value| value.parse().unwrap()).collect();
        assert_eq!(percentiles.len(), 4, "{line}");
        assert!(percentiles.is_sorted() && percentiles[3] > 0.0, "{line}");
        assert_eq!(rows.insert(step.to_string(), count.parse::<u64>().unwrap()), None, "{step} twice");
    }
    let expected = Step::ALL.map(Step::as_str).into_iter().chain(["dedupe"]);
    assert_eq!(rows, expected.map(|step| (step.to_owned(), updates)).collect());
}

/// Beside the directory of this test's own binary.
fn binary() -> std::path::PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let binary = profile.join("examples").join(format!("metrics{}", std::env::consts::EXE_SUFFIX));
    assert!(binary.exists(), "{} is missing: `cargo build --example metrics` builds it", binary.display());
    binary
}
