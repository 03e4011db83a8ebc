//! Lines that can't be used: set aside one by one, while the rest goes on.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::program::{FIXTURES, Folder, of_email, replay, start, update, update_ids};

/// Replays `bad` between two good lines, and returns what was set aside.
#[track_caller]
fn rejected(folder: &Folder, flags: &[&str], bad: &[u8]) -> String {
    let (destinations, rejects) = (folder.destinations(), folder.path("rejects.ndjson"));
    let (before, after) = (of_email("upd_1") + "\n\n", "\n".to_owned() + &of_email("upd_2"));
    let arguments = [&["--destinations", &destinations, "--rejects", &rejects], flags].concat();
    let run = replay(&arguments, [before.as_bytes(), bad, after.as_bytes()].concat());
    assert_eq!(update_ids(&run.stdout), ["upd_1", "upd_2"], "the rest goes on");
    assert_eq!(run.status, Some(2), "{}", run.stderr);
    assert!(!run.stderr.contains("\"line\""), "{}", run.stderr);
    let rejects = folder.read("rejects.ndjson");
    rejects.strip_suffix('\n').unwrap().to_owned()
}

#[test]
fn each_kind_of_bad_line_is_set_aside_with_its_reason() {
    let folder = Folder::new("each_kind_of_bad_line_is_set_aside_with_its_reason");
    let check = |line: &[u8], reject: &str| assert_eq!(rejected(&folder, &[], line), reject);
    check(
        b"hello",
        r#"{"line":3,"error":"can't be read as JSON: expected value at column 1","input":"hello"}"#,
    );
    check(
        br#"{"id":"upd_1""#,
        r#"{"line":3,"error":"can't be read as JSON: EOF while parsing an object at column 13","input":"{\"id\":\"upd_1\""}"#,
    );
    check(b"{}", r#"{"line":3,"error":"`id` is missing","input":"{}"}"#);
    check(
        b"{}{}",
        r#"{"line":3,"error":"can't be read as JSON: trailing characters at column 3","input":"{}{}"}"#,
    );
    check(b"[1]\r", r#"{"line":3,"error":"the input must be an object, not an array","input":"[1]"}"#);
    check(b" {\"id\": \"\"} ", r#"{"line":3,"error":"`id` is empty","input":" {\"id\": \"\"} "}"#);
    check(
        br#"{"id":"upd_1","id":"upd_2"}"#,
        r#"{"line":3,"error":"duplicate field `id` at column 18","input":"{\"id\":\"upd_1\",\"id\":\"upd_2\"}"}"#,
    );
    check(
        b"{\"a\":\"\xff\xe9t\xc3\xa9\"}",
        "{\"line\":3,\"error\":\"not UTF-8 at column 7, `input` has U+FFFD for what could not be decoded\",\"input\":\"{\\\"a\\\":\\\"\u{fffd}\u{fffd}t\u{e9}\\\"}\"}",
    );
}

#[test]
fn updates_that_the_library_refuses_name_the_field() {
    let folder = Folder::new("updates_that_the_library_refuses_name_the_field");
    let check = |line: &str, error: &str| {
        let reject: serde_json::Value =
            serde_json::from_str(&rejected(&folder, &[], line.as_bytes())).unwrap();
        assert_eq!(reject["error"], error);
        assert_eq!(reject["input"], line);
    };
    let good = of_email("upd_3");
    check(&good.replace(r#""in""#, r#""inside""#), "`membership` is `inside`, expected `in` or `out`");
    check(
        &good.replace("value_changed", "value_change"),
        "`trigger.reason` is `value_change`, expected `value_changed`, `new_external_id`, `profile_merge` \
         or `external_id_removed`",
    );
    check(&update("upd_3", "in", r#"{"type":"email"}"#), "`external_ids[0].id` is missing");
    check(
        &good.replace(r#""a@example.com""#, "12345"),
        "`external_ids[0].id` must be a string, not a number",
    );
}

#[test]
fn what_is_ignored_must_still_be_text() {
    let folder = Folder::new("what_is_ignored_must_still_be_text");
    let mut line = of_email("upd_3").into_bytes();
    line.splice(1..1, b"\"unknown\":\"\xff\",".iter().copied());
    let reject = rejected(&folder, &[], &line);
    assert!(reject.starts_with(r#"{"line":3,"error":"not UTF-8 at column 13, "#), "{reject}");
}

#[test]
fn long_lines_are_cut() {
    let folder = Folder::new("long_lines_are_cut");
    let error = "longer than the 2000 bytes that --max-line-bytes allows, `input` is its start";
    let flags = ["--max-line-bytes", "2000"];
    // Of lines that end within a character, the character is left out.
    for (line, start) in [
        ("x".repeat(2001), "x".repeat(1024)),
        ("x".repeat(2001) + "\r", "x".repeat(1024)),
        ("x".repeat(500_000), "x".repeat(1024)),
        ("x".to_owned() + &"é".repeat(1000), "x".to_owned() + &"é".repeat(511)),
        (" ".repeat(2001), " ".repeat(1024)),
    ] {
        let expected = format!(r#"{{"line":3,"error":"{error}","input":"{start}"}}"#);
        assert_eq!(rejected(&folder, &flags, line.as_bytes()), expected);
    }
}

#[test]
fn lines_may_be_as_long_as_allowed() {
    let folder = Folder::new("lines_may_be_as_long_as_allowed");
    let destinations = folder.destinations();
    // Longer than the start that is kept of lines that are too long.
    let note = "x".repeat(2_000);
    let update = of_email("upd_1").replacen('{', &format!(r#"{{"note":"{note}","#), 1);
    let exactly = update.len().to_string();
    let one_less = (update.len() - 1).to_string();
    for end in ["", "\n", "\r\n", "\r"] {
        let input = update.clone() + end;
        let run = replay(&["--destinations", &destinations, "--max-line-bytes", &exactly], input.clone());
        assert_eq!((update_ids(&run.stdout).len(), run.status), (1, Some(0)), "{end:?}");
        let run = replay(&["--destinations", &destinations, "--max-line-bytes", &one_less], input);
        assert_eq!((run.stdout.as_str(), run.status), ("", Some(2)), "{end:?}");
    }
    // Nor is the end of such a line taken for another line.
    for end in ["\n", "\r\n"] {
        let input = update.clone() + end + "bad";
        let run = replay(&["--destinations", &destinations, "--max-line-bytes", &exactly], input);
        assert!(run.stderr.starts_with("{\"line\":2,"), "{end:?}: {}", run.stderr);
    }
}

#[test]
fn lines_may_have_64_mib_unless_told_otherwise() {
    let folder = Folder::new("lines_may_have_64_mib_unless_told_otherwise");
    let mut line = of_email("upd_3");
    let padding = 64 * 1024 * 1024 - line.len();
    line.extend(std::iter::repeat_n(' ', padding));
    let run = replay(&["--destinations", &folder.destinations()], line.clone());
    assert_eq!((update_ids(&run.stdout).len(), run.status), (1, Some(0)));
    line.push(' ');
    let reject = rejected(&folder, &[], line.as_bytes());
    assert!(reject.starts_with(r#"{"line":3,"error":"longer than the 67108864 bytes"#), "{reject}");
    assert!(reject.len() < 2000);
}

#[test]
fn deep_nesting_is_refused_where_it_matters() {
    let folder = Folder::new("deep_nesting_is_refused_where_it_matters");
    let nested = "[".repeat(10_000) + &"]".repeat(10_000);
    let reject = rejected(&folder, &[], nested.as_bytes());
    assert!(reject.contains(r#""error":"the input must be an object, not an array""#), "{reject}");
    let cut = rejected(&folder, &[], "[".repeat(10_000).as_bytes());
    assert!(
        cut.contains(r#""error":"can't be read as JSON: EOF while parsing a list at column 10000""#),
        "{cut}"
    );
    // In a field that is ignored it does no harm.
    let harmless = of_email("upd_1").replacen('{', &format!(r#"{{"unknown":{nested},"#), 1);
    let run = replay(&["--destinations", &folder.destinations()], harmless);
    assert_eq!((update_ids(&run.stdout).len(), run.status), (1, Some(0)));
}

#[test]
fn updates_with_very_many_ids_are_decided() {
    let folder = Folder::new("updates_with_very_many_ids_are_decided");
    let mut ids = String::new();
    for id in 0..50_000 {
        let comma = if id == 0 { "" } else { "," };
        write!(ids, r#"{comma}{{"type":"email","id":"{id}"}}"#).unwrap();
    }
    let run = replay(&["--destinations", &folder.destinations()], update("upd_1", "in", &ids));
    assert_eq!((update_ids(&run.stdout).len(), run.status), (2, Some(0)));
    assert!(run.stderr.contains(" 50,001\n"), "{}", run.stderr);
}

#[test]
fn without_a_file_rejects_go_to_standard_error() {
    let folder = Folder::new("without_a_file_rejects_go_to_standard_error");
    let run = replay(&["--destinations", &folder.destinations()], "\nbad\n");
    let reject =
        "{\"line\":2,\"error\":\"can't be read as JSON: expected value at column 1\",\"input\":\"bad\"}\n";
    assert!(run.stderr.starts_with(reject), "{}", run.stderr);
    assert_eq!((run.stdout.as_str(), run.status), ("", Some(2)));
}

#[test]
fn rejects_on_standard_error_do_not_wait_for_the_end() {
    let folder = Folder::new("rejects_on_standard_error_do_not_wait_for_the_end");
    let mut child = start(&["--destinations", &folder.destinations()]);
    let mut stdin = child.stdin.take().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        sender.send(line).unwrap();
    });
    stdin.write_all(b"bad\n").unwrap();
    let line = receiver.recv_timeout(Duration::from_secs(60)).expect("a reject while the input is open");
    assert!(line.starts_with(r#"{"line":1,"#), "{line}");
    drop(stdin);
    child.wait().unwrap();
}

#[test]
fn several_files_count_lines_on_their_own_and_are_named() {
    let folder = Folder::new("several_files_count_lines_on_their_own_and_are_named");
    let (destinations, rejects) = (folder.destinations(), folder.path("rejects.ndjson"));
    let a = folder.write("a.ndjson", format!("{}\n{}\nbad a", of_email("upd_1"), of_email("upd_2")));
    let b = folder.write("b.ndjson", format!("\u{feff}bad b\n{}\n", of_email("upd_3")));
    let run = replay(&["--destinations", &destinations, "--rejects", &rejects, &a, "-", &b], "\nbad in");
    let error = "can't be read as JSON: expected value at column 1";
    let expected = format!(
        "{{\"file\":{a:?},\"line\":3,\"error\":\"{error}\",\"input\":\"bad a\"}}\n\
         {{\"file\":\"-\",\"line\":2,\"error\":\"{error}\",\"input\":\"bad in\"}}\n\
         {{\"file\":{b:?},\"line\":1,\"error\":\"{error}\",\"input\":\"bad b\"}}\n"
    );
    assert_eq!(folder.read("rejects.ndjson"), expected);
    assert_eq!(update_ids(&run.stdout), ["upd_1", "upd_2", "upd_3"]);
    assert_eq!(run.status, Some(2));
}

#[test]
fn rejects_of_a_good_replay_are_an_empty_file() {
    let folder = Folder::new("rejects_of_a_good_replay_are_an_empty_file");
    let (destinations, rejects) = (folder.destinations(), folder.write("rejects.ndjson", "of the last run"));
    let run = replay(&["--destinations", &destinations, "--rejects", &rejects], of_email("upd_1"));
    assert_eq!((folder.read("rejects.ndjson").as_str(), run.status), ("", Some(0)));
}

#[test]
fn the_bad_lines_of_the_recording_are_set_aside() {
    let file = |name: &str| format!("{FIXTURES}/pipeline/{name}");
    let destinations = file("destinations.json");
    let run = replay(&["--destinations", &destinations, &file("bad_lines.ndjson")], "");
    assert_eq!((run.stderr.matches("\"error\":").count(), run.status), (12, Some(2)));
    let clean = replay(&["--destinations", &destinations, &file("clean.ndjson")], "");
    assert_eq!((clean.stderr.matches("\"error\":").count(), clean.status), (0, Some(0)));
    // The bad lines are all that sets the two recordings apart.
    let with_bad_lines = replay(&["--destinations", &destinations, &file("updates.ndjson")], "");
    assert!(with_bad_lines.stdout == clean.stdout);
    assert_eq!(with_bad_lines.status, Some(2));
}
