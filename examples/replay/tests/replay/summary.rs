//! What is said on standard error at the end.

use std::io::Write;
use std::thread;
use std::time::Duration;

use crate::program::{Folder, of_email, replay, start, update};

#[test]
fn summary_counts_what_happened() {
    let folder = Folder::new("summary_counts_what_happened");
    let six_messages = update(
        "upd_1",
        "in",
        r#"{"type":"user_id","id":"1"},{"type":"email","id":"1"},{"type":"email","id":"2"},
           {"type":"user_id","id":"2"},{"type":"email","id":"3"}"#,
    )
    .replace('\n', " ");
    let gone = update("upd_2", "out", r#"{"type":"email","id":"1"}"#);
    let nowhere = of_email("upd_3").replace("aud_1", "aud_2");
    let input = format!("{six_messages}\nbad\n{gone}\n\n{nowhere}\n");
    let rejects = folder.path("rejects.ndjson");
    let expected = "\
events                        3
outbound messages             8
verdict send_all              2
verdict send_some             1
verdict drop                  3
  exited                      2
  no_relevant_external_id     1
updates without destinations  1
rejected lines                1
";
    // Counted alike, whatever is printed.
    for flags in [&[][..], &["--explain-json"]] {
        let arguments = ["--destinations", &folder.destinations(), "--rejects", &rejects];
        let run = replay(&[&arguments, flags].concat(), input.clone());
        let pace = run.stderr.lines().next().unwrap();
        let bytes = input.len();
        let size = format!("3 updates, {}.{} kB, in ", bytes / 1000, bytes % 1000 / 100);
        assert!(pace.starts_with(&size), "{pace}");
        assert!(pace.contains(" updates/s, ") && pace.ends_with("B/s"), "{pace}");
        assert!(run.stderr.contains(expected), "{}", run.stderr);
        assert_eq!(run.status, Some(2));
    }
}

#[test]
fn counts_of_messages_stop_at_the_largest_number() {
    let folder = Folder::new("counts_of_messages_stop_at_the_largest_number");
    // Two IDs of each type: two to the power of the number of types.
    let messages = |types: usize, updates: usize| {
        let ids: Vec<String> =
            (0..types * 2).map(|id| format!(r#"{{"type":"type_{}","id":"{id}"}}"#, id / 2)).collect();
        let input = format!("{}\n", update("upd_1", "in", &ids.join(","))).repeat(updates);
        let run = replay(&["--destinations", &folder.destinations()], input);
        assert_eq!(run.status, Some(0));
        let line = run.stderr.lines().find(|line| line.starts_with("outbound messages ")).unwrap();
        line.rsplit(' ').next().unwrap().to_owned()
    };
    assert_eq!(messages(63, 1), "9,223,372,036,854,775,808");
    assert_eq!(messages(64, 1), "18,446,744,073,709,551,615", "a product");
    assert_eq!(messages(63, 2), "18,446,744,073,709,551,615", "a sum");
}

#[test]
fn numbers_are_grouped_and_sizes_have_units() {
    let folder = Folder::new("numbers_are_grouped_and_sizes_have_units");
    let update = of_email("upd_1");
    // Blank lines count as bytes read, and as nothing else.
    let padding = " ".repeat(999 - update.len());
    let run = replay(
        &["--destinations", &folder.destinations()],
        format!("{update}{padding}\n").repeat(1_000) + &" \n".repeat(117_228),
    );
    assert!(run.stderr.starts_with("1,000 updates, 1.2 MB, in "), "{}", run.stderr);
    assert!(run.stderr.contains("events                     1,000\n"), "{}", run.stderr);
    let run = replay(&["--destinations", &folder.destinations()], (update + "\n").repeat(100));
    assert!(run.stderr.starts_with("100 updates, "), "{}", run.stderr);
}

#[test]
fn every_byte_of_every_file_is_counted() {
    let folder = Folder::new("every_byte_of_every_file_is_counted");
    let cut = folder.write("cut.ndjson", "x".repeat(1_200_000));
    let blank = folder.write("blank.ndjson", " \n".repeat(250_000));
    let arguments = ["--destinations", &folder.destinations(), "--max-line-bytes", "1000", &cut, &blank];
    let run = replay(&arguments, "");
    assert!(run.stderr.contains("\n0 updates, 1.7 MB, in "), "{}", run.stderr);
}

#[test]
fn progress_is_not_shown_where_no_terminal_is() {
    let folder = Folder::new("progress_is_not_shown_where_no_terminal_is");
    let mut child = start(&["--destinations", &folder.destinations()]);
    let mut stdin = child.stdin.take().unwrap();
    // Long enough for a terminal to be shown some.
    for _ in 0..2 {
        stdin.write_all(format!("{}\n", of_email("upd_1")).as_bytes()).unwrap();
        thread::sleep(Duration::from_millis(700));
    }
    drop(stdin);
    let stderr = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
    assert!(stderr.starts_with("2 updates, "), "{stderr}");
    assert!(!stderr.contains(['\r', '\x1b']), "{stderr}");
}

#[test]
fn values_of_external_ids_are_not_in_the_summary() {
    let folder = Folder::new("values_of_external_ids_are_not_in_the_summary");
    let rejects = folder.path("rejects.ndjson");
    let good = update("upd_1", "in", r#"{"type":"email","id":"secret@example.com"}"#);
    let bad = good.replace(r#""email""#, r#""email","created_at":"yesterday""#);
    let input = format!("{good}\n{bad}\n");
    let run = replay(&["--destinations", &folder.destinations(), "--rejects", &rejects], input);
    assert_eq!(run.status, Some(2));
    assert!(!run.stderr.contains("secret"), "{}", run.stderr);
    // Only as the input, which is what was asked for.
    assert_eq!(folder.read("rejects.ndjson").matches("secret").count(), 1);
}
