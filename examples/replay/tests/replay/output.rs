//! What is printed about updates that can be used.

use std::io::{BufRead, BufReader, Read, Write};
use std::thread;

use crate::program::{Folder, of_email, replay, start, update, update_ids};

/// With an email and a phone, and then with another email alone.
fn two_updates() -> String {
    let both = r#"{"type":"phone","id":"+1"},{"type":"email","id":"a@example.com","encoding":"none"}"#;
    let first = update("upd_1", "in", both);
    let second = update("upd_2", "out", r#"{"type":"email","id":"b@example.com"}"#);
    format!("{first}\n{second}\n")
}

#[test]
fn events_are_printed_in_the_order_of_the_input() {
    let folder = Folder::new("events_are_printed_in_the_order_of_the_input");
    let run = replay(&["--destinations", &folder.destinations()], two_updates());
    // Hashes and ids are of another implementation of the same definitions.
    let expected = [
        r#"{"message_id":"idg_c9dce789a56e7186c75cf697322037a7","update_id":"upd_1","space_id":"spa_1","profile_id":"use_1","computation":{"class":"audience","id":"aud_1"},"membership":"in","reason":"value_changed","id_group":{"hash":"22abfa7fae3c0ca104537f644837db16","external_ids":[{"type":"email","id":"a@example.com","collection":"users","encoding":"none"},{"type":"phone","id":"+1","collection":"users","encoding":"none"}]},"destinations":["dst_ads"]}"#,
        r#"{"message_id":"idg_3771694d8d6c85a11889865dff2819b1","update_id":"upd_1","space_id":"spa_1","profile_id":"use_1","computation":{"class":"audience","id":"aud_1"},"membership":"in","reason":"value_changed","id_group":{"hash":"5be25c1a6b84a5517960b3dccb164a07","external_ids":[{"type":"email","id":"a@example.com","collection":"users","encoding":"none"}]},"destinations":["dst_mail"]}"#,
        r#"{"message_id":"idg_1f5923b28c8128dad87e3a48d8d75ba2","update_id":"upd_2","space_id":"spa_1","profile_id":"use_1","computation":{"class":"audience","id":"aud_1"},"membership":"out","reason":"value_changed","id_group":{"hash":"9aeb1f038d24a90a205c296c60267b4d","external_ids":[{"type":"email","id":"b@example.com","collection":"users","encoding":"none"}]},"destinations":["dst_ads"]}"#,
    ];
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{}", run.stdout);
    assert_eq!((lines[0], lines[1], lines[3]), (expected[0], expected[1], expected[2]));
    assert!(lines[2].ends_with(r#""destinations":["dst_sms"]}"#), "{}", lines[2]);
    assert!(run.stdout.ends_with('\n'));
    assert_eq!(run.status, Some(0));
}

#[test]
fn destinations_that_are_sent_the_same_share_an_event() {
    let folder = Folder::new("destinations_that_are_sent_the_same_share_an_event");
    let run = replay(&["--destinations", &folder.destinations()], of_email("upd_1"));
    assert_eq!(run.stdout.lines().count(), 1);
    assert!(run.stdout.ends_with("\"destinations\":[\"dst_ads\",\"dst_mail\"]}\n"), "{}", run.stdout);
}

#[test]
fn explanations_are_one_per_update_and_destination() {
    let folder = Folder::new("explanations_are_one_per_update_and_destination");
    let input = format!("{}\n{}", of_email("upd_1"), update("upd_2", "out", ""));
    let run = replay(&["--explain-json", "--destinations", &folder.destinations()], input);
    let expected = r#"{"update_id":"upd_1","destination":"dst_ads","verdict":"send_all","drop_reason":null,"external_ids":[{"type":"email","id":"a@example.com","collection":"users","encoding":"none"}]}
{"update_id":"upd_1","destination":"dst_mail","verdict":"send_some","drop_reason":null,"external_ids":[{"type":"email","id":"a@example.com","collection":"users","encoding":"none"}]}
{"update_id":"upd_1","destination":"dst_sms","verdict":"drop","drop_reason":"no_relevant_external_id","external_ids":[]}
{"update_id":"upd_2","destination":"dst_ads","verdict":"drop","drop_reason":"no_external_ids","external_ids":[]}
{"update_id":"upd_2","destination":"dst_mail","verdict":"drop","drop_reason":"exited","external_ids":[]}
{"update_id":"upd_2","destination":"dst_sms","verdict":"drop","drop_reason":"exited","external_ids":[]}
"#;
    assert_eq!(run.stdout, expected);
    assert_eq!(run.status, Some(0));
}

#[test]
fn computations_that_are_not_listed_go_nowhere() {
    let folder = Folder::new("computations_that_are_not_listed_go_nowhere");
    let listed_empty = of_email("upd_1").replace("aud_1", "aud_empty");
    let not_listed = of_email("upd_2").replace("aud_1", "aud_2");
    let input = format!("{listed_empty}\n{not_listed}\n{}\n", of_email("upd_3"));
    for arguments in [&["--destinations"][..], &["--explain-json", "--destinations"]] {
        let run = replay(&[arguments, &[&folder.destinations()]].concat(), input.clone());
        assert!(run.stdout.lines().all(|line| line.contains("upd_3")), "{}", run.stdout);
        assert_eq!(run.status, Some(0));
    }
}

#[test]
fn lines_end_as_users_end_them() {
    let folder = Folder::new("lines_end_as_users_end_them");
    let [one, two, three] = ["upd_1", "upd_2", "upd_3"].map(of_email);
    for input in [
        format!("{one}\n{two}\n{three}\n"),
        format!("{one}\n{two}\n{three}"),
        format!("{one}\r\n{two}\r\n{three}\r\n"),
        format!("{one}\r\n{two}\r\n{three}\r"),
        format!("\n{one}\n\n \t\n{two}\n\r\n{three}\n\n"),
        format!("\u{feff}{one}\n{two}\n{three}\n"),
    ] {
        let run = replay(&["--destinations", &folder.destinations()], input.clone());
        assert_eq!(update_ids(&run.stdout), ["upd_1", "upd_2", "upd_3"], "{input:?}");
        assert!(!run.stderr.contains("\"line\""), "{}", run.stderr);
        assert_eq!(run.status, Some(0), "{input:?}");
    }
}

#[test]
fn nothing_at_all_is_a_replay_of_nothing() {
    let folder = Folder::new("nothing_at_all_is_a_replay_of_nothing");
    let run = replay(&["--destinations", &folder.destinations()], "");
    assert_eq!((run.stdout.as_str(), run.status), ("", Some(0)));
}

#[test]
fn files_and_standard_input_are_read_in_the_order_given() {
    let folder = Folder::new("files_and_standard_input_are_read_in_the_order_given");
    let destinations = folder.destinations();
    // The first ends without a line feed: its last line is not continued by the next file.
    let a = folder.write("a.ndjson", format!("{}\n{}", of_email("upd_a1"), of_email("upd_a2")));
    let b = folder.write("b.ndjson", of_email("upd_b"));
    let printed = |inputs: &[&str]| {
        let run = replay(&[&["--destinations", &*destinations], inputs].concat(), of_email("upd_in"));
        assert_eq!(run.status, Some(0), "{}", run.stderr);
        update_ids(&run.stdout)
    };
    assert_eq!(printed(&[&a, "-", &b]), ["upd_a1", "upd_a2", "upd_in", "upd_b"]);
    assert_eq!(printed(&[&b, &a]), ["upd_b", "upd_a1", "upd_a2"]);
    assert_eq!(printed(&["-"]), ["upd_in"]);
    assert_eq!(printed(&[]), ["upd_in"]);
    assert_eq!(printed(&["--", &b]), ["upd_b"]);
}

/// Reads one line of output and closes the rest, like `head -1`.
fn print_one_line(arguments: &[&str], input: String) -> (String, String, Option<i32>) {
    let mut child = start(arguments);
    let mut stdin = child.stdin.take().unwrap();
    let writer = thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    writer.join().unwrap();
    (line, stderr, child.wait().unwrap().code())
}

#[test]
fn closed_output_ends_the_replay_quietly() {
    let folder = Folder::new("closed_output_ends_the_replay_quietly");
    let destinations = folder.destinations();
    // More than all buffers and pipes between the two programs hold.
    let many = format!("{}\n", of_email("upd_1")).repeat(5_000);

    let (line, stderr, status) = print_one_line(&["--destinations", &destinations], many.clone());
    assert!(line.starts_with('{'), "{line}");
    assert_eq!((stderr.as_str(), status), ("", Some(0)));

    let rejects = folder.path("rejects.ndjson");
    let arguments = ["--destinations", &destinations, "--rejects", &rejects];
    let (_, stderr, status) = print_one_line(&arguments, format!("bad\n{many}"));
    assert_eq!((stderr.as_str(), status), ("", Some(2)));
    assert!(folder.read("rejects.ndjson").contains(r#""input":"bad""#), "written although the replay ended");
}

#[test]
fn help_names_every_option_and_exit_status() {
    let run = replay(&["--legacy", "--help"], "");
    for text in [
        "--destinations",
        "--explain-json",
        "--legacy\n",
        "--shadow\n",
        "--legacy-destinations",
        "--rollout",
        "--tiers",
        "--max-messages",
        "--slow",
        "--rejects",
        "--max-line-bytes",
        "What is printed instead of the events:\n",
        "What is explained, with --explain or --explain-json:\n",
        "What is set aside:\n",
        "\n  0 ",
        "\n  1 ",
        "\n  2 ",
        "\n  3 ",
        "\n  130 ",
    ] {
        assert!(run.stdout.contains(text), "{text}");
    }
    assert!(run.stdout.lines().all(|line| line.len() <= 100), "{}", run.stdout);
    let is_prose = |line: &str| line.starts_with(char::is_alphabetic);
    for (line, next) in run.stdout.lines().zip(run.stdout.lines().skip(1)) {
        assert!(
            !is_prose(line) || !is_prose(next) || line.contains(' '),
            "`{line}` stands alone before `{next}`"
        );
    }
    assert_eq!((run.stderr.as_str(), run.status), ("", Some(0)));
}

#[test]
fn long_help_says_what_a_preview_costs() {
    let run = replay(&["--help"], "");
    let help = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for text in
        ["Memory grows with the number of people", "names no value of an external ID unless --show-addresses"]
    {
        assert!(help.contains(text), "{}", run.stdout);
    }
}

#[test]
fn short_help_is_an_overview() {
    let run = replay(&["-h"], "");
    assert!(run.stdout.contains("--destinations"), "{}", run.stdout);
    assert!(run.stdout.lines().count() <= 50, "{}", run.stdout);
    assert!(run.stdout.lines().all(|line| line.len() <= 100), "{}", run.stdout);
    assert_eq!((run.stderr.as_str(), run.status), ("", Some(0)));
}

#[test]
fn the_version_is_said() {
    for flag in ["--version", "-V"] {
        let run = replay(&[flag], "");
        assert_eq!(run.stdout, concat!("replay ", env!("CARGO_PKG_VERSION"), "\n"));
        assert_eq!((run.stderr.as_str(), run.status), ("", Some(0)));
    }
}
