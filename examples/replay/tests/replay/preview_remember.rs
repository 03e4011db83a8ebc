//! What a change of destinations would change where it is remembered what has been sent.

use std::fs;

use serde_json::{Value, json};

use crate::preview::{NEW, Remembered, assert_as_naive, generated, naive_with};
use crate::program::{FIXTURES, Folder, Run, count, of_email, replay, squeezed, update};

fn fixture(name: &str) -> String {
    format!("{FIXTURES}/pipeline/{name}")
}

fn lines(run: &Run) -> Vec<Value> {
    run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What was computed at this second, so that it can be told from a redelivery.
fn at(second: u32, line: &str) -> String {
    let time = format!(r#""computed_at":"2026-01-05T10:00:{second:02}Z","membership""#);
    line.replace(r#""membership""#, &time)
}

const EMAIL: &str = r#"{"type":"email","id":"a@example.com"}"#;
const BOTH: &str = r#"{"type":"email","id":"a@example.com"},{"type":"phone","id":"1"}"#;

/// A folder with current destinations, and new ones, which dedupe on phones, too.
fn more_types(test: &str) -> (Folder, [String; 2]) {
    let folder = Folder::new(test);
    let both =
        [("current.json", r#"["email"]"#), ("new.json", r#"["email","phone"]"#)].map(|(name, types)| {
            folder.write(name, format!(r#"{{"aud_1":[{{"id":"dst_a","dedupes_on":{types}}}]}}"#))
        });
    (folder, both)
}

/// The recording leaves out so much that people are sent the same again: with a memory fewer of these
/// updates send at all, and so fewer would be sent otherwise.
#[test]
fn a_memory_changes_what_changes() {
    let [current, new, input] =
        ["destinations.json", "new_destinations.json", "no_times.ndjson"].map(fixture);
    let run = |flags: &[&str]| {
        replay(&[&["--preview", &*new, "--destinations", &*current, &*input], flags].concat(), "")
    };
    let (with, without) = (run(&["--remember"]), run(&[]));
    let texts = [&current, &new, &input].map(|path| fs::read_to_string(path).unwrap());
    let (mut before, mut after) = (Remembered::new(), Remembered::new());
    let expected = naive_with(&texts[2], [&texts[0], &texts[1]], [Some(&mut before), Some(&mut after)]);
    assert_as_naive(&with, &expected);
    assert_eq!((with.status, without.status), (Some(3), Some(3)));
    let counts = |run: &Run| {
        ["updates that change", "messages lost", "messages moved", "current outbound messages"]
            .map(|label| count(run, label))
    };
    assert_eq!(counts(&with), ["56", "20", "39", "1,169"]);
    assert_eq!(counts(&without), ["58", "21", "41", "1,198"]);
    assert_eq!(count(&with, "profiles that are new to the memory"), before.len().to_string());
    let row = "dst_mailchimp - 3 / 3 - 3 0 -3 is set differently in 1 computation";
    assert!(squeezed(&with.stderr).contains(&row.into()), "{}", with.stderr);
    for jobs in ["2", "7"] {
        assert_eq!(run(&["--remember", "--jobs", jobs]).stdout, with.stdout);
    }
}

#[test]
fn many_updates_change_as_they_are_remembered_whoever_reads() {
    let folder = Folder::new("many_updates_change_as_they_are_remembered");
    let (current, new) = (folder.destinations(), folder.write("new.json", NEW));
    let input = generated(20_000);
    let file = folder.write("input.ndjson", &input);
    let arguments = ["--remember", "--preview", &*new, "--destinations", &*current, &*file];
    let run = replay(&arguments, "");
    let both = [&folder.read("destinations.json"), NEW];
    let (mut before, mut after) = (Remembered::new(), Remembered::new());
    let expected = naive_with(&input, both, [Some(&mut before), Some(&mut after)]);
    let people = |expected: &crate::preview::Found| expected.values().map(|(_, people)| people.len()).max();
    assert!(people(&expected) > Some(300), "{:?}", people(&expected));
    assert_as_naive(&run, &expected);
    for jobs in ["2", "5"] {
        let with_jobs = replay(&[&arguments[..], &["--jobs", jobs]].concat(), "");
        assert!(with_jobs.stdout == run.stdout, "{jobs} jobs");
        let numbers = |run: &Run| run.stderr.split_once('\n').unwrap().1.to_owned();
        assert_eq!(numbers(&with_jobs), numbers(&run));
    }
}

/// With one memory for both, whichever settings are decided first would settle it for the others.
#[test]
fn each_setting_remembers_what_it_would_have_sent() {
    let (_folder, [current, new]) = more_types("each_setting_remembers_what_it_would_have_sent");
    let phone = r#"{"type":"phone","id":"1"}"#;
    let input = [at(1, &update("upd_1", "in", phone)), at(2, &update("upd_2", "in", BOTH))].join("\n");
    let run = replay(&["--remember", "--preview", &new, "--destinations", &current], &*input);
    let side = |verdict: &str, reason: Option<&str>, types: Value| {
        let messages = u64::from(reason.is_none());
        json!({"verdict": verdict, "drop_reason": reason, "repeat": false, "messages": messages, "id_types": types})
    };
    let line = |update: &str, change: &str, before: Value, after: Value| {
        json!({"update_id": update, "profile_id": "use_1", "computation": "aud_1", "destination": "dst_a",
            "change": change, "before": before, "after": after})
    };
    let nothing = |reason: &str| side("drop", Some(reason), json!({}));
    let expected = [
        line(
            "upd_1",
            "gained",
            nothing("no_relevant_external_id"),
            side("send_some", None, json!({"phone": 1})),
        ),
        line("upd_2", "lost", side("send_some", None, json!({"email": 1})), nothing("already_messaged")),
    ];
    assert_eq!(lines(&run), expected, "{}", run.stderr);
    assert!(
        squeezed(&run.stderr)
            .contains(&"dst_a 1 / 1 1 / 1 - 1 1 0 is set differently in 1 computation".into())
    );
}

/// What was sent once is sent again with the IDs of then, which the new settings would not choose now.
#[test]
fn repeats_are_told() {
    let (_folder, [current, new]) = more_types("repeats_are_told");
    let once = at(1, &update("upd_1", "in", BOTH));
    let run =
        replay(&["--remember", "--preview", &new, "--destinations", &current], [&*once, &*once].join("\n"));
    let repeats: Vec<_> = lines(&run)
        .iter()
        .map(|line| {
            ["before", "after"].map(|side| (line[side]["repeat"].clone(), line[side]["id_types"].clone()))
        })
        .collect();
    let sides = |repeat: bool| {
        [(json!(repeat), json!({"email": 1})), (json!(repeat), json!({"email": 1, "phone": 1}))]
    };
    assert_eq!(repeats, [sides(false), sides(true)]);
}

/// Both settings begin with it: who was messaged is not messaged anew because the settings change.
#[test]
fn what_was_remembered_before_is_read_and_left_alone() {
    let (folder, [current, new]) = more_types("what_was_remembered_before_is_read_and_left_alone");
    let memories = folder.path("memories.ndjson");
    let kept = ["--remember", "--memories", &*memories];
    let first = at(1, &update("upd_1", "in", EMAIL));
    replay(&[&kept[..], &["--destinations", &*current]].concat(), &*first);
    let before = folder.read("memories.ndjson");
    assert_eq!(before.lines().count(), 1);
    let input =
        [at(2, &update("upd_2", "in", BOTH)), at(3, &update("upd_3", "in", BOTH).replace("use_1", "use_2"))]
            .join("\n");
    let preview = ["--preview", &*new, "--destinations", &*current];
    let run = replay(&[&kept[..], &preview].concat(), &*input);
    let changed: Vec<_> = lines(&run).iter().map(|line| line["update_id"].clone()).collect();
    assert_eq!((changed, run.status), (vec![json!("upd_3")], Some(3)), "{}", run.stderr);
    assert_eq!(count(&run, "profiles that are new to the memory"), "1");
    let nothing = lines(&replay(&[&["--remember"][..], &preview].concat(), &*input));
    assert_eq!(nothing.len(), 2, "without the file everybody is new");
    assert_eq!(folder.read("memories.ndjson"), before);
    assert_eq!(fs::read_dir(folder.path("")).unwrap().count(), 3, "nor is another file written");
}

#[test]
fn memories_of_a_preview_are_partial_unless_they_are_said_to_be_complete() {
    let (folder, [current, new]) = more_types("memories_of_a_preview_are_partial");
    let memories = folder.write("memories.ndjson", "");
    let added = r#"{"reason":"new_external_id","added":[{"type":"phone","id":"1"}]}"#;
    let input = update("upd_1", "in", BOTH).replace(r#"{"reason":"value_changed"}"#, added);
    for (flags, expected) in [(&[][..], 0), (&["--complete"], 1)] {
        let arguments =
            ["--remember", "--memories", &*memories, "--preview", &*new, "--destinations", &*current];
        let run = replay(&[&arguments[..], flags].concat(), &*input);
        assert_eq!(lines(&run).len(), expected, "{}", run.stderr);
    }
}

#[test]
fn memories_of_a_preview_must_be_there() {
    let (folder, [current, new]) = more_types("memories_of_a_preview_must_be_there");
    let nowhere = folder.path("memories.ndjson");
    let arguments = ["--remember", "--memories", &*nowhere, "--preview", &*new, "--destinations", &*current];
    let run = replay(&arguments, of_email("upd_1"));
    assert!(run.stderr.starts_with(&format!("replay: can't read `{nowhere}`: ")), "{}", run.stderr);
    assert_eq!((run.stdout.as_str(), run.status), ("", Some(1)));
    assert!(fs::metadata(nowhere).is_err(), "nor is it written");
}

#[test]
fn updates_of_the_slow_lane_are_remembered_by_neither_side() {
    let folder = Folder::new("slow_updates_are_remembered_by_neither_side");
    let [current, new] = [("current.json", r#""dedupes_on":["email"]"#), ("new.json", r#""name":"Plain""#)]
        .map(|(name, setting)| folder.write(name, format!(r#"{{"aud_1":[{{"id":"dst_a",{setting}}}]}}"#)));
    let two = r#"{"type":"email","id":"a"},{"type":"email","id":"b"}"#;
    let input = [at(1, &update("upd_1", "in", two)), at(2, &update("upd_2", "in", EMAIL))].join("\n");
    let lanes = ["--max-messages", "1", "--slow", &folder.path("slow.ndjson")];
    let arguments = ["--remember", "--preview", &*new, "--destinations", &*current];
    let run = replay(&[&arguments[..], &lanes].concat(), &*input);
    assert_eq!((run.stdout.as_str(), run.status), ("", Some(0)), "{}", run.stderr);
    assert_eq!(
        (count(&run, "slow updates"), count(&run, "current verdict send_some")),
        ("1".into(), "1".into())
    );
}

/// The page's verdicts are those of the memory, of a preview and of a replay with a memory alone.
#[test]
fn a_report_shows_the_verdicts_of_the_memory() {
    let (folder, [current, new]) = more_types("a_report_shows_the_verdicts_of_the_memory");
    let report = folder.path("report.html");
    let email = at(1, &update("upd_1", "in", EMAIL));
    let input = [email, at(2, &update("upd_2", "in", BOTH)), at(3, &update("upd_3", "in", BOTH))].join("\n");
    let destinations = ["--destinations", &*current, "--report", &*report];
    for mode in [&["--preview", &*new][..], &[], &["--explain"], &["--explain-json"]] {
        let shown = |flags: &[&str]| {
            replay(&[flags, mode, &destinations].concat(), &*input);
            let page = folder.read("report.html");
            let (_, verdicts) = page.split_once(r#"id="h-verdicts""#).unwrap();
            let row = |verdict: &str| {
                let begin = format!(
                    r#"<tr data-verdict="{verdict}"><th scope="row">{verdict}</th><td class="number">"#
                );
                verdicts.split_once(&begin).map(|(_, rest)| rest.split_once('<').unwrap().0.to_owned())
            };
            ["send_some", "already_messaged"].map(row)
        };
        assert_eq!(shown(&["--remember"]), [Some("1".into()), Some("2".into())], "{mode:?}");
        assert_eq!(shown(&[]), [Some("3".into()), None], "{mode:?}");
    }
}
