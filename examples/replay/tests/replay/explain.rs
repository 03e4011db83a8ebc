//! Explanations for people, and which are asked for.

use std::process::Command;

use crate::program::{Folder, Run, binary, count, of_email, of_output, replay, update};

/// Three updates: an entry with two emails, one of them later, a merge, and one of nobody's.
fn three_updates() -> String {
    let entry = r#"{"id":"upd_1","space_id":"spa_1","profile_id":"use_1","computation":{"class":"journey_step","id":"aud_1","key":"first_mail"},"membership":"in","computed_at":"2026-01-05T10:00:00Z","trigger":{"reason":"value_changed"},"external_ids":[{"type":"email","id":"secret@example.com","created_at":"2025-01-01T00:00:00Z"},{"type":"email","id":"secret2@example.com","created_at":"2025-01-02T00:00:00Z","attached_at":"2026-01-06T00:00:00Z"},{"type":"user_id","id":"secret"}]}"#;
    let merge = r#"{"id":"upd_2","space_id":"spa_1","profile_id":"use_2","computation":{"id":"aud_1"},"membership":"in","trigger":{"reason":"profile_merge","profiles":[{"profile_id":"use_2","membership":"out","external_ids":[]},{"profile_id":"use_3","membership":"in","external_ids":[{"type":"phone","id":"secret"}]}]},"external_ids":[{"type":"phone","id":"secret"}]}"#;
    format!("{entry}\n{merge}\n{}\n", update("upd_3", "out", ""))
}

fn explain(folder: &Folder, flags: &[&str]) -> Run {
    let arguments = ["--destinations", &*folder.destinations()];
    replay(&[&arguments[..], flags].concat(), three_updates())
}

#[test]
fn explanations_are_in_words_with_types_and_times() {
    let folder = Folder::new("explanations_are_in_words_with_types_and_times");
    let run = explain(&folder, &["--explain", "--update", "upd_1"]);
    let expected = "\
upd_1: use_1 entered the journey step first_mail, computed at 2026-01-05T10:00:00Z
  its external IDs:
    email, created at 2025-01-02T00:00:00Z, attached at 2026-01-06T00:00:00Z, after the update was computed
    email, created at 2025-01-01T00:00:00Z
    user_id, created at an unknown time
  dst_ads (Google Ads) is sent all 3 external IDs
  dst_mail (SendGrid) is sent 1 of 3 external IDs, the latest of type email
    email, created at 2025-01-01T00:00:00Z
  dst_sms (Twilio) is sent nothing, no_relevant_external_id: when the update was computed, the profile had \
no external ID of a type that the destination dedupes on (phone)

";
    assert_eq!((run.stdout.as_str(), run.status), (expected, Some(0)));
    let run = explain(&folder, &["--explain"]);
    for words in [
        "upd_2: use_2 was merged from use_2 (out) and use_3 (in) while in aud_1, computed at an unknown time\n",
        "upd_3: use_1 left aud_1, computed at an unknown time\n  it has no external ID\n",
        "  dst_sms (Twilio) is sent nothing, already_messaged: ",
    ] {
        assert!(run.stdout.contains(words), "{words}: {}", run.stdout);
    }
    assert!(!run.stdout.contains("secret"), "no value of an external ID");
    assert_eq!(run.stdout.matches("\n\n").count(), 3);
}

#[test]
fn changes_are_told_by_their_reason() {
    let folder = Folder::new("changes_are_told_by_their_reason");
    let told = |membership: &str, trigger: &str| {
        let line = update("upd_1", membership, "").replace(r#"{"reason":"value_changed"}"#, trigger);
        let run = replay(&["--explain", "--destinations", &folder.destinations()], line);
        let first = run.stdout.lines().next().unwrap().to_owned();
        first.strip_prefix("upd_1: use_1 ").unwrap().split_once(", computed").unwrap().0.to_owned()
    };
    let value_changed = r#"{"reason":"value_changed"}"#;
    assert_eq!(told("in", value_changed), "entered aud_1");
    assert_eq!(told("out", value_changed), "left aud_1");
    let added = r#"{"reason":"new_external_id","added":[{"type":"email","id":"a"}]}"#;
    assert_eq!(told("in", added), "gained an external ID of type email while in aud_1");
    assert_eq!(told("out", added), "gained an external ID of type email while not in aud_1");
    let removed = r#"{"reason":"external_id_removed","removed":[{"type":"b","id":"1"},{"type":"a","id":"1"},{"type":"a","id":"2"},{"type":"c\n","id":"1"}]}"#;
    assert_eq!(told("in", removed), r"lost 4 external IDs of type a, b and c\n while in aud_1");
}

#[test]
fn consent_is_part_of_what_is_said_of_an_id() {
    let folder = Folder::new("consent_is_part_of_what_is_said_of_an_id");
    let destinations = folder.write(
        "consent.json",
        r#"{"aud_1": [{"id": "dst_1", "dedupes_on": ["email"], "consent": "required"}]}"#,
    );
    let ids = r#"{"type":"email","id":"a","subscribed":true},{"type":"email","id":"b","subscribed":false}"#;
    let run = replay(&["--explain", "--destinations", &destinations], update("upd_1", "in", ids));
    for words in [
        "    email, created at an unknown time, subscribed\n",
        "    email, created at an unknown time, not subscribed\n",
        "  dst_1 is sent 1 of 2 external IDs, ",
    ] {
        assert!(run.stdout.contains(words), "{words}: {}", run.stdout);
    }
    assert!(run.stdout.ends_with("    email, created at an unknown time, subscribed\n\n"), "{}", run.stdout);
}

#[test]
fn explanations_are_those_that_were_asked_for() {
    let folder = Folder::new("explanations_are_those_that_were_asked_for");
    let explained = |flags: &[&str]| {
        let run = explain(&folder, &[&["--explain-json"], flags].concat());
        assert_eq!(run.status, Some(0));
        let verdicts = run.stdout.lines().map(|line| {
            let verdict: serde_json::Value = serde_json::from_str(line).unwrap();
            format!("{} {}", verdict["update_id"], verdict["destination"]).replace('"', "")
        });
        (verdicts.collect::<Vec<_>>(), run)
    };
    let (all, run) = explained(&[]);
    assert_eq!(all.len(), 9);
    assert!(!run.stderr.contains("updates explained"), "{}", run.stderr);
    let check = |flags: &[&str], expected: &[&str], updates: &str| {
        let (found, run) = explained(flags);
        assert_eq!(found, expected, "{flags:?}");
        assert_eq!(count(&run, "updates explained"), updates);
        assert!(run.stderr.starts_with("3 updates, "), "{}", run.stderr);
    };
    let of = |update: &str| ["ads", "mail", "sms"].map(|name| format!("{update} dst_{name}"));
    let [one, two, three] = ["upd_1", "upd_2", "upd_3"].map(of);
    let refs = |lists: &[&[String]]| lists.concat();
    for (flags, lists, updates) in [
        (&["--update", "upd_2"][..], refs(&[&two]), "1"),
        (&["--update", "upd_2", "--update", "upd_1"], refs(&[&one, &two]), "2"),
        (&["--profile", "use_1"], refs(&[&one, &three]), "2"),
        // Merged into another.
        (&["--profile", "use_3"], refs(&[&two]), "1"),
        (&["--profile", "use_3", "--profile", "use_1"], refs(&[&one, &two, &three]), "3"),
        (&["--update", "upd_1", "--profile", "use_2"], vec![], "0"),
        (&["--update", "nobody"], vec![], "0"),
        (&["--destination", "nowhere"], vec![], "0"),
    ] {
        check(flags, &lists.iter().map(String::as_str).collect::<Vec<_>>(), updates);
    }
    check(&["--update", "upd_1", "--destination", "dst_sms"], &["upd_1 dst_sms"], "1");
    check(
        &["--profile", "use_1", "--destination", "dst_sms", "--destination", "dst_ads"],
        &["upd_1 dst_ads", "upd_1 dst_sms", "upd_3 dst_ads", "upd_3 dst_sms"],
        "2",
    );
}

/// Of an update that was not asked for nothing is counted but that it was there.
#[test]
fn numbers_are_those_of_what_was_explained() {
    let folder = Folder::new("numbers_are_those_of_what_was_explained");
    let run = explain(&folder, &["--explain", "--update", "upd_1"]);
    assert_eq!((&*count(&run, "events"), &*count(&run, "verdict drop")), ("2", "1"));
}

#[test]
fn long_lists_of_ids_are_cut() {
    let folder = Folder::new("long_lists_of_ids_are_cut");
    let ids = |number: usize| {
        let ids: Vec<_> = (0..number).map(|id| format!(r#"{{"type":"email","id":"{id}"}}"#)).collect();
        let line = update("upd_1", "in", &ids.join(","));
        replay(&["--explain", "--destinations", &folder.destinations()], line).stdout
    };
    let (all, cut) = (ids(12), ids(13));
    assert_eq!(all.matches("\n    email, ").count(), 12 + 1, "{all}");
    assert!(!all.contains("more"), "{all}");
    assert_eq!(cut.matches("\n    email, ").count(), 12 + 1, "{cut}");
    assert!(cut.contains("\n    and 1 more\n"), "{cut}");
}

#[test]
fn colours_are_for_terminals() {
    let folder = Folder::new("colours_are_for_terminals");
    let (destinations, input) = (folder.destinations(), folder.write("input.ndjson", of_email("upd_1")));
    let run = |variables: &[(&str, &str)]| {
        let mut command = Command::new(binary());
        command.args(["--explain", "--destinations", &destinations, &input]);
        command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").envs(variables.iter().copied());
        of_output(command.output().unwrap()).stdout
    };
    let plain = run(&[]);
    assert!(!plain.contains('\x1b'), "{plain}");
    let coloured = run(&[("CLICOLOR_FORCE", "1")]);
    assert!(coloured.contains("\x1b[1mupd_1: "), "{coloured}");
    assert!(coloured.contains("\x1b[32mdst_ads (Google Ads) is sent the only"), "{coloured}");
    assert!(coloured.contains("\x1b[2mdst_sms (Twilio) is sent nothing"), "{coloured}");
    assert_eq!(run(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]), plain);
}
