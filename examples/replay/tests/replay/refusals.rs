//! What makes the whole replay impossible: said in one line, with nothing printed.

use crate::program::{Folder, Run, of_email, replay};

#[track_caller]
fn assert_refused(run: &Run, message: &str) {
    assert_eq!(run.stderr, format!("replay: {message}\n"));
    assert_eq!((run.stdout.as_str(), run.status), ("", Some(1)));
}

#[test]
fn unusable_destinations_name_computation_destination_and_field() {
    let folder = Folder::new("unusable_destinations_name_computation_destination_and_field");
    let check = |destinations: &str, message: &str| {
        let path = folder.write("destinations.json", destinations);
        let run = replay(&["--destinations", &path], of_email("upd_1"));
        assert_refused(&run, &message.replace("FILE", &format!("`{path}`")));
    };
    check(
        r#"{"aud_0": [], "aud_1": [{"id": "dst_1"}, {"id": "dst_2", "dedupe_on": ["email"]}]}"#,
        "can't use the destinations of computation `aud_1` in FILE: `[1].dedupe_on` of destination `dst_2` \
         is not a known field, expected `id`, `name`, `dedupes_on`, `id_strategies` or `consent`, near line 1",
    );
    check(
        "{\"aud_1\":\n[{\"id\":\"dst_1\",\"dedupes_on\":[]}]}",
        "can't use the destinations of computation `aud_1` in FILE: `[0].dedupes_on` of destination `dst_1` \
         names no external ID type, leave it out to send every update with all external IDs, near line 2",
    );
    check(
        r#"{"aud_1": [{"id": ""}]}"#,
        "can't use the destinations of computation `aud_1` in FILE: `[0].id` is empty, near line 1",
    );
    check(
        r#"{"aud_1": [{"id": "dst_1"}, {"id": "dst_1"}]}"#,
        "can't use the destinations of computation `aud_1` in FILE: `[1].id` is `dst_1`, \
         which was given before, near line 1",
    );
    check(
        r#"{"aud_1": {"id": "dst_1"}}"#,
        "can't use the destinations of computation `aud_1` in FILE: the input must be an array, \
         not an object, near line 1",
    );
    check(
        r#"{"aud_1": [], "aud_2": [], "aud_1": []}"#,
        "can't use the destinations of computation `aud_1` in FILE: the computation was listed before, near line 1",
    );
    check(
        "[]",
        "can't use the destinations in FILE: invalid type: sequence, \
         expected an object from computation id to list of destinations, near line 1",
    );
    check(
        r#"{"aud_1": []"#,
        "can't use the destinations in FILE: can't be read as JSON: EOF while parsing an object at line 1 column 12",
    );
    check(
        r#"{"aud_1": []} {}"#,
        "can't use the destinations in FILE: can't be read as JSON: trailing characters at line 1 column 15",
    );
}

#[test]
fn destinations_that_are_not_there_are_refused() {
    let folder = Folder::new("destinations_that_are_not_there_are_refused");
    let path = folder.path("missing.json");
    let run = replay(&["--destinations", &path], "");
    assert!(run.stderr.starts_with(&format!("replay: can't read `{path}`: ")), "{}", run.stderr);
    assert_eq!((run.stdout.as_str(), run.status), ("", Some(1)));
}

/// The options are refused, in a first line that says why.
#[track_caller]
fn assert_options_refused(run: &Run, message: &str) {
    let first = run.stderr.split("\n\n").next().unwrap_or_default();
    let words = first.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(words, format!("error: {message}"), "{}", run.stderr);
    assert_eq!((run.stdout.as_str(), run.status), ("", Some(1)));
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let folder = Folder::new("options_that_make_no_sense_are_refused");
    let destinations = folder.destinations();
    let with_destinations = |rest: &[&str]| replay(&[&["--destinations", &*destinations], rest].concat(), "");
    let missing = "the following required arguments were not provided: --destinations <FILE>";
    assert_options_refused(&replay(&["--legacy"], ""), missing);
    assert_options_refused(&replay(&["-"], ""), missing);
    let misspelt = with_destinations(&["--legcay"]);
    assert_options_refused(&misspelt, "unexpected argument '--legcay' found");
    assert!(misspelt.stderr.contains("tip: a similar argument exists: '--legacy'"), "{}", misspelt.stderr);
    assert_options_refused(
        &with_destinations(&["--rejects"]),
        "a value is required for '--rejects <FILE>' but none was supplied",
    );
    assert_options_refused(
        &with_destinations(&["--destinations", &destinations]),
        "the argument '--destinations <FILE>' cannot be used multiple times",
    );
    for value in ["0", "-1", "64MiB"] {
        assert_options_refused(
            &with_destinations(&[&format!("--max-line-bytes={value}")]),
            &format!(
                "invalid value '{value}' for '--max-line-bytes <N>': expected a whole number of at least 1"
            ),
        );
    }
    assert_options_refused(
        &with_destinations(&["--max-messages=-1", "--slow=x"]),
        "invalid value '-1' for '--max-messages <N>': invalid digit found in string",
    );
    assert_options_refused(
        &with_destinations(&["-", "-"]),
        "`-` is given twice, and standard input can be read once",
    );
}

#[test]
fn options_that_do_not_go_together_are_refused() {
    let folder = Folder::new("options_that_do_not_go_together_are_refused");
    let destinations = folder.destinations();
    let run =
        |rest: &[&str]| replay(&[&["--destinations", &*destinations], rest].concat(), of_email("upd_1"));
    let modes = [
        (&["--explain"][..], "--explain"),
        (&["--explain-json"], "--explain-json"),
        (&["--legacy"], "--legacy"),
        (&["--shadow"], "--shadow"),
        (&["--rollout", "rollout.json"], "--rollout <FILE>"),
        (&["--preview", "new.json"], "--preview <FILE>"),
    ];
    for (one, name) in modes {
        for (other, other_name) in modes.into_iter().filter(|(_, other)| *other != name) {
            let message = format!("the argument '{name}' cannot be used with '{other_name}'");
            assert_options_refused(&run(&[one, other].concat()), &message);
        }
    }
    let check = |rest: &[&str], message: &str| assert_options_refused(&run(rest), message);
    check(&["--legacy-destinations", "x"], "--legacy-destinations needs --shadow");
    check(&["--legacy", "--legacy-destinations", "x"], "--legacy-destinations needs --shadow");
    check(&["--legacy", "--update", "x"], "--update needs --explain");
    check(&["--profile", "x"], "--profile needs --explain");
    check(&["--destination", "x"], "--destination needs --explain");
    check(&["--shadow", "--tiers", "x"], "--tiers needs --rollout");
    check(&["--shadow", "--show-addresses"], "--show-addresses needs --preview");
    check(&["--max-messages", "1"], "--max-messages needs --slow");
    check(&["--slow", &folder.path("slow.ndjson")], "--slow needs --max-messages");
}

#[test]
fn files_that_cannot_be_opened_are_refused_before_anything_is_replayed() {
    let folder = Folder::new("files_that_cannot_be_opened_are_refused_before_anything_is_replayed");
    let (destinations, good) = (folder.destinations(), folder.write("good.ndjson", of_email("upd_1")));
    let directory = folder.path("");
    for bad in [&folder.path("missing.ndjson"), &directory] {
        let run = replay(&["--destinations", &destinations, &good, bad], "");
        assert!(run.stderr.starts_with(&format!("replay: can't open `{bad}`: ")), "{}", run.stderr);
        assert_eq!((run.stdout.as_str(), run.status), ("", Some(1)));
    }
    let run = replay(&["--destinations", &destinations, "--rejects", &directory, &good], "");
    assert!(run.stderr.starts_with(&format!("replay: can't write `{directory}`: ")), "{}", run.stderr);
    assert_eq!((run.stdout.as_str(), run.status), ("", Some(1)));
}

#[test]
fn rejects_do_not_overwrite_what_is_read() {
    let folder = Folder::new("rejects_do_not_overwrite_what_is_read");
    let (destinations, input) = (folder.destinations(), folder.write("input.ndjson", of_email("upd_1")));
    let before = (folder.read("destinations.json"), folder.read("input.ndjson"));
    for file in ["destinations.json", "input.ndjson"] {
        let path = folder.path(file);
        let by_another_name = folder.path(&format!("./{file}"));
        for rejects in [&path, &by_another_name] {
            let run = replay(&["--destinations", &destinations, "--rejects", rejects, &input], "");
            assert!(run.stderr.starts_with("replay: --rejects would overwrite `"), "{}", run.stderr);
            assert_eq!((run.stdout.as_str(), run.status), ("", Some(1)));
        }
    }
    assert_eq!((folder.read("destinations.json"), folder.read("input.ndjson")), before);
}

/// `/dev/full` takes no byte.
#[test]
#[cfg(target_os = "linux")]
fn files_that_cannot_be_written_end_the_replay() {
    use std::fs::OpenOptions;
    use std::process::Command;

    let folder = Folder::new("files_that_cannot_be_written_end_the_replay");
    let destinations = folder.destinations();
    let run = replay(&["--destinations", &destinations, "--rejects", "/dev/full"], "bad\n");
    assert_refused(&run, "can't write `/dev/full`: No space left on device (os error 28)");

    let input = folder.write("input.ndjson", of_email("upd_1"));
    let output = Command::new(crate::program::binary())
        .args(["--destinations", &destinations, &input])
        .stdout(OpenOptions::new().write(true).open("/dev/full").unwrap())
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr, "replay: can't write to standard output: No space left on device (os error 28)\n");
    assert_eq!(output.status.code(), Some(1));
}
