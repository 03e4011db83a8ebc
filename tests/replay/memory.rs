//! Memory does not grow with the input, whatever its lines are like.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::program::{Folder, binary, of_email};

/// Writes `once`, and then ten times as much, to a replay that has not yet seen the end of its
/// input; returns the peak of its memory after each, in KiB.
fn peaks(flags: &[&str], test: &str, once: &str) -> (u64, u64) {
    let folder = Folder::new(test);
    let mut child = Command::new(binary())
        .args(["--destinations", &folder.destinations(), "--rejects", &folder.path("rejects.ndjson")])
        .args(flags)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut peak_after = |times: usize| {
        for _ in 0..times {
            stdin.write_all(once.as_bytes()).unwrap();
        }
        // All but what the pipe holds has been read by now.
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().strip_suffix(" kB").unwrap().parse().unwrap()
    };
    let peaks = (peak_after(1), peak_after(10));
    drop(stdin);
    assert!(child.wait().unwrap().code().is_some());
    peaks
}

#[track_caller]
fn assert_flat((once, ten_times): (u64, u64)) {
    assert!(ten_times < once + 512, "{once} KiB grew to {ten_times} KiB");
}

#[test]
fn memory_does_not_grow_with_the_number_of_lines() {
    let lines = format!("{}\n", of_email("upd_1")).repeat(5_000);
    assert_flat(peaks(&[], "memory_of_updates", &lines));
    assert_flat(peaks(&["--explain"], "memory_of_explanations", &lines));
}

#[test]
fn memory_does_not_grow_with_the_number_of_bad_lines() {
    let lines = format!("{}!\n", of_email("upd_1")).repeat(5_000);
    assert_flat(peaks(&[], "memory_of_rejects", &lines));
}

#[test]
fn memory_does_not_grow_with_the_length_of_a_line() {
    let no_line_feed = "x".repeat(2_000_000);
    assert_flat(peaks(&["--max-line-bytes", "1000"], "memory_of_one_line", &no_line_feed));
}
