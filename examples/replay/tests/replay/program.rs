//! Runs the program.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;

/// The folder of the fixtures.
pub const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures");

/// What a run of the program left.
pub struct Run {
    pub stdout: String,
    pub stderr: String,
    pub status: Option<i32>,
}

/// Runs the program with these arguments and this standard input.
pub fn replay(arguments: &[&str], input: impl Into<Vec<u8>>) -> Run {
    let mut child = start(arguments);
    let mut stdin = child.stdin.take().unwrap();
    let input = input.into();
    // Beside the reading, because neither side must wait for the other. A program that stops early
    // closes its end, and that is not this test's failure.
    let writer = thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    of_output(output)
}

pub fn of_output(output: Output) -> Run {
    Run {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        status: output.status.code(),
    }
}

/// Starts the program with pipes for everything.
pub fn start(arguments: &[&str]) -> Child {
    let mut command = Command::new(binary());
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// The program, as it was built for these tests.
pub fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_replay"))
}

/// An empty folder of a test's own, which stays for whoever looks into a failure.
pub struct Folder(PathBuf);

impl Folder {
    /// `test` is the test's name.
    pub fn new(test: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("replay").join(test);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// The path of the file with this name.
    pub fn path(&self, name: &str) -> String {
        self.0.join(name).into_os_string().into_string().unwrap()
    }

    /// Writes a file, and returns its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Writes the destinations that most tests use, and returns the path.
    pub fn destinations(&self) -> String {
        self.write(
            "destinations.json",
            r#"{"aud_1": [
                {"id": "dst_sms", "name": "Twilio", "dedupes_on": ["phone"]},
                {"id": "dst_mail", "name": "SendGrid", "dedupes_on": ["email"]},
                {"id": "dst_ads", "name": "Google Ads"}
            ], "aud_empty": []}"#,
        )
    }
}

/// An update of the computation `aud_1` in JSON, on a line without its end; `external_ids` is JSON.
pub fn update(id: &str, membership: &str, external_ids: &str) -> String {
    format!(
        r#"{{"id":"{id}","space_id":"spa_1","profile_id":"use_1","computation":{{"class":"audience","id":"aud_1"}},"membership":"{membership}","trigger":{{"reason":"value_changed"}},"external_ids":[{external_ids}]}}"#
    )
}

/// An update that every one of the destinations gets, as the one email that it has.
pub fn of_email(id: &str) -> String {
    update(id, "in", r#"{"type":"email","id":"a@example.com"}"#)
}

/// `types` types with `ids` IDs each: `ids` to the power of `types` messages.
pub fn amplifying(id: &str, types: usize, ids: usize) -> String {
    let ids =
        (0..types).flat_map(|of| (0..ids).map(move |id| format!(r#"{{"type":"type_{of}","id":"{id}"}}"#)));
    update(id, "in", &ids.collect::<Vec<_>>().join(","))
}

/// What the summary says about `label`.
#[track_caller]
pub fn count(run: &Run, label: &str) -> String {
    let mut rows = run.stderr.lines().filter_map(|row| row.rsplit_once("  "));
    match rows.find(|(name, _)| name.trim() == label) {
        Some((_, count)) => count.trim().to_owned(),
        None => panic!("no `{label}` in {}", run.stderr),
    }
}

/// The rows of the summary, with one space between words.
#[track_caller]
pub fn rows(run: &Run) -> Vec<String> {
    let (_, rows) = run.stderr.split_once(" updates/s, ").unwrap();
    let rows = rows.split("How far the promise").next().unwrap();
    squeezed(rows.split_once('\n').unwrap().1)
}

/// The lines, with one space between words.
pub fn squeezed(text: &str) -> Vec<String> {
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// The ids of the updates that were printed, in the order of their lines.
pub fn update_ids(stdout: &str) -> Vec<String> {
    let id_of = |line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["update_id"].as_str().unwrap().to_owned()
    };
    stdout.lines().map(id_of).collect()
}
