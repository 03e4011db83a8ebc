//! Input that comes while the replay runs, and a replay that is ended before its input is.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::program::{Folder, of_email, replay, start};

/// Far more than it takes, so that only what never comes fails.
const LONG: Duration = Duration::from_secs(120);

/// A replay that is fed bit by bit.
struct Live {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
}

impl Live {
    fn start(arguments: &[&str]) -> Self {
        let mut child = start(arguments);
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || stdout.lines().for_each(|line| drop(sender.send(line.unwrap()))));
        Self { child, stdin, lines }
    }

    fn write(&mut self, input: impl AsRef<[u8]>) {
        self.stdin.write_all(input.as_ref()).unwrap();
        self.stdin.flush().unwrap();
    }

    /// The next line of output, which must come although the input is still open.
    #[track_caller]
    fn next(&self) -> String {
        self.lines.recv_timeout(LONG).expect("a line while the input is open")
    }
}

#[test]
fn events_do_not_wait_for_more_input() {
    let folder = Folder::new("events_do_not_wait_for_more_input");
    for jobs in ["1", "3"] {
        let mut live = Live::start(&["--jobs", jobs, "--destinations", &folder.destinations()]);
        for id in ["upd_1", "upd_2"] {
            // With half of another line, which must not hold the first one back.
            live.write(format!("{}\n{{\"id\":", of_email(id)));
            assert!(live.next().contains(id));
            live.write("\n");
        }
        drop(live.stdin);
        assert_eq!(live.child.wait().unwrap().code(), Some(2), "the halves of lines are no updates");
    }
}

#[test]
fn elements_of_an_array_do_not_wait_for_its_end() {
    let folder = Folder::new("elements_of_an_array_do_not_wait_for_its_end");
    let mut live = Live::start(&["--destinations", &folder.destinations()]);
    live.write(format!("[{}", of_email("upd_1")));
    assert!(live.next().contains("upd_1"));
    live.write(format!(",\n{}", of_email("upd_2")));
    assert!(live.next().contains("upd_2"));
    live.write("]");
    drop(live.stdin);
    assert_eq!(live.child.wait().unwrap().code(), Some(0));
}

#[test]
fn compressed_input_does_not_wait_for_its_end() {
    let folder = Folder::new("compressed_input_does_not_wait_for_its_end");
    let mut live = Live::start(&["--destinations", &folder.destinations()]);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    writeln!(encoder, "{}", of_email("upd_1")).unwrap();
    encoder.flush().unwrap();
    live.write(encoder.get_ref());
    assert!(live.next().contains("upd_1"));
    let written = encoder.get_ref().len();
    live.write(&encoder.finish().unwrap()[written..]);
    drop(live.stdin);
    assert_eq!(live.child.wait().unwrap().code(), Some(0));
}

#[test]
#[cfg(unix)]
fn files_are_up_to_date_while_input_is_not_at_hand() {
    let folder = Folder::new("files_are_up_to_date_while_input_is_not_at_hand");
    let (slow, rejects) = (folder.path("slow.ndjson"), folder.path("rejects.ndjson"));
    let lanes = ["--max-messages", "0", "--slow", &slow, "--rejects", &rejects];
    let mut live = Live::start(&[&lanes[..], &["--destinations", &folder.destinations()]].concat());
    live.write(format!("{}\nbad\n", of_email("upd_1")));
    let began = std::time::Instant::now();
    let is_empty = |path: &str| std::fs::read(path).unwrap_or_default().is_empty();
    while is_empty(&slow) || is_empty(&rejects) {
        assert!(began.elapsed() < LONG, "files while the input is open");
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(folder.read("slow.ndjson"), of_email("upd_1") + "\n");
    drop(live.stdin);
    assert_eq!(live.child.wait().unwrap().code(), Some(2));
}

/// Sends the child the signal with this name.
#[cfg(unix)]
fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    let sent = std::process::Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status();
    assert!(sent.unwrap().success());
}

#[test]
#[cfg(unix)]
fn an_interrupt_ends_with_the_summary_and_whole_lines() {
    let folder = Folder::new("an_interrupt_ends_with_the_summary_and_whole_lines");
    for name in ["INT", "TERM"] {
        for jobs in ["1", "2"] {
            let mut live = Live::start(&["--jobs", jobs, "--destinations", &folder.destinations()]);
            live.write(format!("{}\n{}\n{{", of_email("upd_1"), of_email("upd_2")));
            assert!(live.next().contains("upd_1"));
            assert!(live.next().contains("upd_2"));
            signal(&live.child, name);
            let mut stderr = String::new();
            live.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
            assert!(stderr.starts_with("interrupted: 2 updates, "), "{stderr}");
            assert!(stderr.contains("\nrejected lines"), "{stderr}");
            assert_eq!(live.child.wait().unwrap().code(), Some(130));
        }
    }
}

/// In the middle of much to do, what is printed and what is counted are the same.
#[test]
#[cfg(unix)]
fn an_interrupt_counts_what_was_printed() {
    let folder = Folder::new("an_interrupt_counts_what_was_printed");
    let destinations = folder.destinations();
    let mut child = start(&["--jobs", "2", "--destinations", &destinations]);
    let mut stdin = child.stdin.take().unwrap();
    let many = format!("{}\n", of_email("upd_1")).repeat(1_000);
    // Without end, until the replay has ended.
    let writer = thread::spawn(move || while stdin.write_all(many.as_bytes()).is_ok() {});
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    stdout.read_line(&mut first).unwrap();
    signal(&child, "INT");
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    writer.join().unwrap();
    assert!(rest.is_empty() || rest.ends_with("}\n"), "the last line is whole");
    let printed = 1 + rest.lines().count();
    let events = stderr.lines().find_map(|line| line.strip_prefix("events ")).unwrap();
    assert_eq!(events.trim().replace(',', ""), printed.to_string());
}

#[test]
fn what_can_be_read_of_a_broken_input_is_replayed() {
    let folder = Folder::new("what_can_be_read_of_a_broken_input_is_replayed");
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    writeln!(encoder, "{}", of_email("upd_1")).unwrap();
    encoder.flush().unwrap();
    let cut = folder.write("cut.ndjson.gz", encoder.get_ref());
    let run = replay(&["--destinations", &folder.destinations(), &cut], "");
    assert!(run.stdout.contains("upd_1"), "{}", run.stdout);
    assert!(run.stderr.starts_with("1 update, "), "{}", run.stderr);
    let last = run.stderr.lines().last().unwrap();
    assert!(last.starts_with(&format!("replay: can't read `{cut}`: ")), "{last}");
    assert_eq!(run.status, Some(1));
}
