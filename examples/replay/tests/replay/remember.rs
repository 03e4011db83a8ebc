//! Deciding with a memory of what was sent.

use std::fs;

use serde_json::Value;

use crate::program::{FIXTURES, Folder, Run, count, replay, update_ids};

const SAVED: &str = "messages that the memory saved";
const ADDED: &str = "messages that the memory added";

fn fixture(name: &str) -> String {
    format!("{FIXTURES}/pipeline/{name}")
}

/// An update without any time of a profile with these emails.
fn update(id: &str, profile: &str, membership: &str, emails: &[&str]) -> String {
    let ids: Vec<String> =
        emails.iter().map(|email| format!(r#"{{"type":"email","id":"{email}"}}"#)).collect();
    format!(
        r#"{{"id":"{id}","space_id":"spa_1","profile_id":"{profile}","computation":{{"class":"audience","id":"aud_1"}},"membership":"{membership}","trigger":{{"reason":"value_changed"}},"external_ids":[{}]}}"#,
        ids.join(",")
    )
}

fn added(id: &str, profile: &str, email: &str, emails: &[&str]) -> String {
    let trigger = format!(r#"{{"reason":"new_external_id","added":[{{"type":"email","id":"{email}"}}]}}"#);
    update(id, profile, "in", emails).replace(r#"{"reason":"value_changed"}"#, &trigger)
}

fn merged(id: &str, into: &str, from: &str, emails: &[&str]) -> String {
    let trigger = format!(
        r#"{{"reason":"profile_merge","profiles":[{{"profile_id":"{into}","membership":"out"}},{{"profile_id":"{from}","membership":"in"}}]}}"#
    );
    update(id, into, "in", emails).replace(r#"{"reason":"value_changed"}"#, &trigger)
}

/// The updates that went to the destination that dedupes on emails, each with the email.
fn mails(run: &Run) -> Vec<String> {
    let events = run.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mails = events.filter(|event| event["destinations"].as_array().unwrap().contains(&"dst_mail".into()));
    mails
        .map(|event| {
            let email = event["id_group"]["external_ids"][0]["id"].as_str().unwrap();
            format!("{} {email}", event["update_id"].as_str().unwrap())
        })
        .collect()
}

#[test]
fn nobody_is_messaged_twice_where_no_time_is_told() {
    let folder = Folder::new("nobody_is_messaged_twice_where_no_time_is_told");
    let destinations = folder.destinations();
    let input = [
        update("upd_1", "use_1", "in", &["a"]),
        // Recomputed.
        update("upd_2", "use_1", "in", &["a"]),
        // Delivered again, when the list has grown.
        update("upd_1", "use_1", "in", &["a", "b"]),
        update("upd_3", "use_1", "out", &["a"]),
        update("upd_4", "use_1", "in", &["a"]),
        // Merged, and it is not said that the other profile held nothing.
        update("upd_5", "use_2", "in", &[]),
        merged("upd_6", "use_3", "use_2", &["c"]),
        merged("upd_7", "use_4", "use_3", &["c"]),
    ]
    .join("\n");
    for jobs in ["1", "4"] {
        let run = replay(&["--remember", "--jobs", jobs, "--destinations", &destinations], &*input);
        assert_eq!(mails(&run), ["upd_1 a", "upd_1 a", "upd_4 a", "upd_6 c"], "{}", run.stderr);
        assert_eq!(run.status, Some(0));
        assert_eq!((&*count(&run, SAVED), &*count(&run, ADDED)), ("1", "1"));
        assert_eq!(count(&run, "profiles that are new to the memory"), "4");
        assert_eq!(count(&run, "messages that the memory sends to other external IDs"), "1");
    }
    let without = replay(&["--destinations", &destinations], &*input);
    assert_eq!(mails(&without), ["upd_1 a", "upd_2 a", "upd_1 b", "upd_4 a"]);
    assert!(!without.stderr.contains("memory"), "{}", without.stderr);
}

/// What is counted of the recording is what a comparison of both outputs finds.
#[test]
fn a_recording_without_times_shows_what_a_memory_is_worth() {
    let destinations = fixture("destinations.json");
    let run = |flags: &[&str]| {
        let arguments = ["--destinations", &*destinations, &fixture("no_times.ndjson")];
        replay(&[flags, &arguments[..]].concat(), "")
    };
    let text = fs::read_to_string(fixture("no_times.ndjson")).unwrap();
    assert!(!text.contains("ed_at\""), "no time of any kind");
    let remembered = run(&["--remember"]);
    assert_eq!((&*count(&remembered, SAVED), &*count(&remembered, ADDED)), ("34", "3"));
    let sent = |flags: &[&str]| -> Vec<bool> {
        let run = run(&[flags, &["--explain-json"]].concat());
        let lines = run.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.map(|line| line["verdict"] == "send_some").collect()
    };
    let (with, without) = (sent(&["--remember"]), sent(&[]));
    assert_eq!(with.len(), without.len());
    let only = |one: &[bool], other: &[bool]| one.iter().zip(other).filter(|(a, b)| **a && !**b).count();
    assert_eq!((only(&without, &with), only(&with, &without)), (34, 3));
    for jobs in ["2", "7"] {
        assert_eq!(run(&["--remember", "--jobs", jobs]).stdout, remembered.stdout);
    }
}

#[test]
fn explanations_say_what_the_memory_said() {
    let folder = Folder::new("explanations_say_what_the_memory_said");
    let destinations = folder.destinations();
    let input = [
        update("upd_1", "use_1", "in", &["a@example.com"]),
        update("upd_2", "use_1", "in", &["a@example.com"]),
        update("upd_1", "use_1", "in", &["a@example.com"]),
    ]
    .join("\n");
    let arguments = ["--remember", "--destinations", &*destinations, "--destination", "dst_mail"];
    let words = replay(&[&arguments[..], &["--explain"]].concat(), &*input);
    assert!(words.stdout.contains("nothing, already_messaged: "), "{}", words.stdout);
    assert!(words.stdout.contains("; settled at 0000-01-01T00:00:00Z by a message of update "));
    assert!(words.stdout.contains(" is sent again 1 of 1 external IDs, those of the first time, "));
    assert!(!words.stdout.contains('@'));
    // The first update was remembered, although nothing of it was to be explained.
    let one = replay(&[&arguments[..], &["--explain-json", "--update", "upd_2"]].concat(), &*input);
    let verdict: Value = serde_json::from_str(&one.stdout).unwrap();
    assert_eq!(verdict["drop_reason"], "already_messaged");
    assert_eq!(verdict["settled"]["by"], "message");
    assert_eq!((&*count(&one, "updates explained"), &*count(&one, SAVED)), ("1", "1"));
    assert_eq!(count(&one, "verdict send_some"), "0");
}

#[test]
fn memories_are_kept_between_runs() {
    let folder = Folder::new("memories_are_kept_between_runs");
    let (destinations, memories) = (folder.destinations(), folder.path("memories.ndjson"));
    let run = |input: &str, more: &[&str]| {
        let arguments = ["--remember", "--memories", &*memories, "--destinations", &*destinations];
        replay(&[&arguments[..], more].concat(), input)
    };
    let entered = |id: &str, profile: &str| update(id, profile, "in", &["a"]);
    let first = run(&[entered("upd_1", "use_2"), entered("upd_2", "use_1")].join("\n"), &["--complete"]);
    assert_eq!(mails(&first).len(), 2, "{}", first.stderr);
    let kept = folder.read("memories.ndjson");
    let keys: Vec<&str> = kept.lines().map(|line| &line[..40]).collect();
    assert!(keys.len() == 2 && keys.is_sorted(), "{kept}");
    assert!(!kept.contains("\"a\"") && !kept.contains("use_1"), "neither addresses nor names");
    let second = run(&[entered("upd_3", "use_1"), entered("upd_4", "use_3")].join("\n"), &["--jobs", "3"]);
    assert_eq!(mails(&second), ["upd_4 a"]);
    assert_eq!((&*count(&second, SAVED), second.status), ("1", Some(0)));
    assert_eq!(folder.read("memories.ndjson").lines().count(), 3);
    let names: Vec<_> =
        fs::read_dir(folder.path("")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    // What was set aside was not sent.
    let slow = folder.path("slow.ndjson");
    let aside = ["--max-messages", "0", "--slow", &*slow];
    assert_eq!(update_ids(&run(&entered("upd_5", "use_4"), &aside).stdout), [""; 0]);
    assert_eq!(mails(&run(&entered("upd_5", "use_4"), &[])), ["upd_5 a"]);
}

/// Of whom nothing is known, what can be inferred is assumed, unless the memories are complete.
#[test]
fn memories_are_partial_unless_they_are_said_to_be_complete() {
    let folder = Folder::new("memories_are_partial_unless_they_are_said_to_be_complete");
    let destinations = folder.destinations();
    let late = added("upd_1", "use_1", "b", &["a", "b"]);
    for (file, flags, expected) in [("one", &[][..], 0), ("other", &["--complete"], 1)] {
        let memories = folder.path(file);
        let arguments = ["--remember", "--memories", &*memories, "--destinations", &*destinations];
        let run = replay(&[&arguments[..], flags].concat(), &*late);
        assert_eq!((mails(&run).len(), run.status), (expected, Some(0)), "{}", run.stderr);
    }
    let in_process = replay(&["--remember", "--destinations", &destinations], &*late);
    assert_eq!(mails(&in_process).len(), 1);
}

#[test]
fn memories_that_cannot_be_read_are_refused_and_left_alone() {
    let folder = Folder::new("memories_that_cannot_be_read_are_refused_and_left_alone");
    let (destinations, memories) = (folder.destinations(), folder.path("memories.ndjson"));
    let run = |path: &str| {
        let arguments = ["--remember", "--memories", path, "--destinations", &*destinations];
        replay(&arguments, update("upd_2", "use_2", "in", &["a"]))
    };
    let good = replay(
        &["--remember", "--memories", &memories, "--destinations", &destinations],
        update("upd_1", "use_1", "in", &["a"]),
    );
    assert_eq!(good.status, Some(0));
    let kept = folder.read("memories.ndjson");
    for (bad, why) in [
        (kept.replace(r#""version":1"#, r#""version":2"#), "version` is 2"),
        (kept.repeat(2), "was there before, in line 2"),
        (kept.clone() + "{", "can't be read as JSON: "),
        (kept.replace(r#""key":""#, r#""key":"x"#), ", in line 1"),
    ] {
        fs::write(&memories, &bad).unwrap();
        let run = run(&memories);
        let told = format!("replay: can't use the memories in `{memories}`: ");
        assert!(run.stderr.starts_with(&told) && run.stderr.contains(why), "{}", run.stderr);
        assert_eq!((run.stdout.as_str(), run.status), ("", Some(1)));
        assert_eq!(folder.read("memories.ndjson"), bad);
    }
    let nowhere = folder.path("nowhere/memories.ndjson");
    let run = run(&nowhere);
    assert!(run.stderr.starts_with(&format!("replay: can't write `{nowhere}`: ")), "{}", run.stderr);
    assert_eq!((run.stdout.as_str(), run.status), ("", Some(1)), "before anything is decided");
}

#[test]
fn options_of_the_memory_need_each_other() {
    let folder = Folder::new("options_of_the_memory_need_each_other");
    let destinations = folder.destinations();
    let check = |flags: &[&str], message: &str| {
        let run = replay(&[&["--destinations", &*destinations], flags].concat(), "");
        assert!(run.stderr.contains(message), "{}", run.stderr);
        assert_eq!((run.stdout.as_str(), run.status), ("", Some(1)));
    };
    check(&["--memories", "x"], "--memories needs --remember");
    check(&["--remember", "--complete"], "--complete needs --memories");
    for mode in [&["--legacy"][..], &["--shadow"], &["--rollout", "x"], &["--segment", "x"]] {
        check(&[&["--remember"], mode].concat(), "cannot be used with");
    }
    let memories = folder.write("memories.ndjson", "");
    let flags = ["--remember", "--memories", &*memories, "--rejects", &*memories];
    check(&flags, "--rejects would overwrite");
}
