//! Memory does not grow with the input, whatever its lines are like.

use std::fs;
use std::io::Write;
use std::process::{Child, Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::program::{FIXTURES, Folder, amplifying, binary, of_email};

/// The peaks of memory after `once`, and after ten times as much.
fn peaks(flags: &[&str], test: &str, once: &str) -> (u64, u64) {
    peaks_of_folder(&Folder::new(test), flags, once, &once.repeat(10))
}

/// Writes `first` and then `second` to a replay that has not yet seen the end of its input; returns
/// the peak of its memory after each, in KiB.
fn peaks_of_folder(folder: &Folder, flags: &[&str], first: &str, second: &str) -> (u64, u64) {
    let mut child = Command::new(binary())
        .args(["--destinations", &folder.destinations(), "--rejects", &folder.path("rejects.ndjson")])
        .args(flags)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut peak_after = |input: &str| {
        stdin.write_all(input.as_bytes()).unwrap();
        // All but what the pipe holds has been read by now.
        peak_of(&child)
    };
    let peaks = (peak_after(first), peak_after(second));
    drop(stdin);
    assert!(child.wait().unwrap().code().is_some());
    peaks
}

/// The peak of the memory of a program that still runs, in KiB.
fn peak_of(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

#[track_caller]
fn assert_flat((once, ten_times): (u64, u64)) {
    assert!(ten_times < once + 512, "{once} KiB grew to {ten_times} KiB");
}

#[test]
fn memory_does_not_grow_with_the_number_of_lines() {
    let lines = format!("{}\n", of_email("upd_1")).repeat(5_000);
    assert_flat(peaks(&[], "memory_of_updates", &lines));
    assert_flat(peaks(&["--explain-json"], "memory_of_explanations", &lines));
    assert_flat(peaks(&["--explain"], "memory_of_words", &lines));
    let report = Folder::new("memory_of_reports").path("report.html");
    assert_flat(peaks(&["--report", &report], "memory_of_reports", &lines));
    // Each worker has chunks and a heap of its own, and some come into use late.
    let (once, ten_times) = peaks(&["--jobs", "4"], "memory_of_jobs", &lines);
    assert!(ten_times < once + 4 * 512, "{once} KiB grew to {ten_times} KiB");
}

#[test]
fn memory_does_not_grow_with_the_number_of_elements() {
    let elements = format!("{},\n", of_email("upd_1")).repeat(5_000);
    let folder = Folder::new("memory_of_elements");
    assert_flat(peaks_of_folder(&folder, &[], &format!("[{elements}"), &elements.repeat(10)));
    // One that never ends.
    let element = format!("[{{\"text\":\"{}", "x".repeat(100_000));
    let flags = ["--max-line-bytes", "1000"];
    assert_flat(peaks_of_folder(&folder, &flags, &element, &"x".repeat(5_000_000)));
}

/// Of 20 MB that are 20 kB when compressed.
#[test]
fn memory_does_not_grow_with_what_compression_saved() {
    let lines = |number: usize| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(format!("{}\n", of_email("upd_1")).repeat(number).as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let peak = |number: usize| {
        let folder = Folder::new("memory_of_compressed");
        let input = folder.write("input.gz", lines(number));
        // Blank lines, so that the end is not yet seen when the peak is.
        peaks_of_folder(&folder, &[&input, "-"], &"\n".repeat(200_000), "").0
    };
    let (once, ten_times) = (peak(10_000), peak(100_000));
    assert!(ten_times < once + 512, "{once} KiB grew to {ten_times} KiB");
}

/// Together they would be 100 MB of explanations.
#[test]
fn memory_is_that_of_few_updates_where_there_are_many_destinations() {
    let folder = Folder::new("memory_of_destinations");
    let all: Vec<String> = (0..5_000).map(|id| format!(r#"{{"id":"dst_{id}"}}"#)).collect();
    let destinations = folder.write("many.json", format!(r#"{{"aud_1":[{}]}}"#, all.join(",")));
    let lines = format!("{}\n", of_email("upd_1")).repeat(150);
    let input = folder.write("input.ndjson", &lines);
    let mut child = Command::new(binary())
        .args(["--explain-json", "--destinations", &destinations, &input, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all("\n".repeat(200_000).as_bytes()).unwrap();
    let peak = peak_of(&child);
    child.wait().unwrap();
    assert!(peak < 30_000, "{peak} KiB");
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

/// As many messages held, even as hashes of 16 bytes, would be 2,400 KiB.
#[test]
fn memory_does_not_grow_with_the_number_of_messages() {
    let ordinary = format!("{}\n", of_email("upd_1")).repeat(2_000);
    // 154,449 messages; the ordinary lines after it push it through the pipe.
    let with_monster = format!("{}\n{ordinary}", amplifying("upd_monster", 2, 393));
    let folder = Folder::new("memory_of_messages");
    let rollout = folder.write(
        "rollout.json",
        r#"{"flag":{"name":"dedupe","share_basis_points":10000},"gate":{"spaces":["spa_1"]},"compare":true}"#,
    );
    for flags in [&["--legacy"][..], &["--shadow"], &["--rollout", &rollout]] {
        assert_flat(peaks_of_folder(&folder, flags, &ordinary, &with_monster));
    }
}

#[test]
fn memory_of_a_preview_grows_with_nothing_but_people() {
    let lines = format!("{}\n", of_email("upd_1")).repeat(5_000);
    let folder = Folder::new("memory_of_previews");
    let new = folder.write("new.json", r#"{"aud_1": [{"id": "dst_new"}]}"#);
    assert_flat(peaks_of_folder(&folder, &["--preview", &new], &lines, &lines.repeat(10)));
    // 154,449 messages, which nobody holds.
    let ordinary = format!("{}\n", of_email("upd_1")).repeat(2_000);
    let with_monster = format!("{}\n{ordinary}", amplifying("upd_monster", 2, 393));
    assert_flat(peaks_of_folder(&folder, &["--preview", &new], &ordinary, &with_monster));
}

#[test]
fn memory_does_not_grow_with_the_number_of_messages_that_differ() {
    let ordinary = format!("{}\n", of_email("upd_1")).repeat(2_000);
    // 80,000 that differ: as hashes they would be 2,500 KiB at the least.
    let with_monster = format!("{}\n{ordinary}", amplifying("upd_monster", 2, 200));
    let folder = Folder::new("memory_of_differences");
    let others = folder.write("others.json", r#"{"aud_1": [{"id": "dst_other"}]}"#);
    let flags = ["--shadow", "--legacy-destinations", &others];
    assert_flat(peaks_of_folder(&folder, &flags, &ordinary, &with_monster));
}

/// Of 153,000 messages, whose calls are 100 MB.
#[test]
fn memory_does_not_grow_with_the_number_of_calls() {
    let settings = r#"{"dst_ads": {"call": "track"}, "dst_mail": {"call": "track", "engage": true}, "dst_sms": {"call": "track"}}"#;
    let folder = Folder::new("memory_of_calls");
    let settings = folder.write("settings.json", settings);
    let file = format!("{FIXTURES}/monster/updates.ndjson");
    let monsters = fs::read_to_string(file).unwrap().replace("aud_loyalty_card", "aud_1");
    let ordinary = monsters.lines().next().unwrap().to_owned() + "\n";
    let ordinary = ordinary.repeat(2_000);
    let flags = ["--segment", &settings];
    assert_flat(peaks_of_folder(&folder, &flags, &ordinary, &format!("{monsters}{ordinary}")));
}

/// As --help says it.
#[test]
fn memory_grows_with_the_number_of_profiles_that_are_remembered() {
    let profiles = |numbers: std::ops::Range<u32>| -> String {
        numbers.map(|number| of_email("upd_1").replace("use_1", &format!("use_{number}")) + "\n").collect()
    };
    let folder = Folder::new("memory_of_profiles");
    let (first, second) = (profiles(0..2_000), profiles(2_000..30_000));
    let (before, after) = peaks_of_folder(&folder, &["--remember"], &first, &second);
    let each = (after - before) * 1024 / 28_000;
    assert!((60..260).contains(&each), "{each} bytes");
    // The same again is not remembered again.
    assert_flat(peaks_of_folder(&folder, &["--remember"], &first, &first.repeat(5)));
}

/// As --help says it: twice, because each of both settings remembers.
#[test]
fn memory_of_a_preview_that_remembers_grows_with_profiles_and_nothing_else() {
    let profiles = |numbers: std::ops::Range<u32>| -> String {
        numbers.map(|number| of_email("upd_1").replace("use_1", &format!("use_{number}")) + "\n").collect()
    };
    let folder = Folder::new("memory_of_previews_that_remember");
    let new = folder.write("new.json", r#"{"aud_1": [{"id": "dst_new", "dedupes_on": ["email"]}]}"#);
    let flags = ["--remember", "--preview", &*new];
    let (first, second) = (profiles(0..2_000), profiles(2_000..30_000));
    let (before, after) = peaks_of_folder(&folder, &flags, &first, &second);
    let each = (after - before) * 1024 / 28_000;
    assert!((120..800).contains(&each), "{each} bytes");
    // Twice, so that all of them have come when the first peak is seen.
    assert_flat(peaks_of_folder(&folder, &flags, &first.repeat(2), &first.repeat(5)));
}
