//! What the summary says about updates that leave out what the promise needs.

use crate::program::{Folder, Run, of_email, replay};

const COMPLETE: &str = r#"{"id":"upd_1","space_id":"spa_1","profile_id":"use_1","computation":{"id":"aud_1"},"membership":"in","computed_at":"2026-01-05T10:00:00Z","trigger":{"reason":"value_changed"},"external_ids":[{"type":"email","id":"a@example.com","created_at":"2026-01-05T09:00:00Z"}]}"#;

/// An update of two profiles that were in, merged; `held` is what is said of the second.
fn merge(held: &str) -> String {
    COMPLETE.replace(
        r#"{"reason":"value_changed"}"#,
        &format!(
            r#"{{"reason":"profile_merge","profiles":[{{"profile_id":"use_1","membership":"in","external_ids":[]}},{{"profile_id":"use_2","membership":"in"{held}}}]}}"#
        ),
    )
}

fn run(folder: &Folder, flags: &[&str], lines: &[&str]) -> Run {
    replay(&[&["--destinations", &*folder.destinations()], flags].concat(), lines.join("\n"))
}

/// What the summary says below its numbers, on one line.
fn sentences(run: &Run) -> String {
    let (_, sentences) = run.stderr.split_once("How far the promise").unwrap_or_default();
    sentences.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn complete_updates_leave_nothing_to_say() {
    let folder = Folder::new("complete_updates_leave_nothing_to_say");
    let complete = merge(r#","external_ids":[]"#);
    let run = run(&folder, &[], &[COMPLETE, &complete]);
    assert_eq!((sentences(&run).as_str(), run.status), ("", Some(0)));
}

#[test]
fn each_gap_is_counted_and_says_what_to_do() {
    let folder = Folder::new("each_gap_is_counted_and_says_what_to_do");
    let of_one_gap = [
        (COMPLETE.replace(r#""computed_at":"2026-01-05T10:00:00Z","#, ""), "updates (no_computed_at): "),
        (COMPLETE.replace(r#","created_at":"2026-01-05T09:00:00Z""#, ""), "updates (id_without_time): "),
        (merge(""), "(unstated_holdings): "),
    ];
    let [no_computed_at, id_without_time, unstated] = &of_one_gap;
    for (update, words) in &of_one_gap {
        let said = sentences(&run(&folder, &[], &[update]));
        assert!(said.contains(words), "{said}");
        assert_eq!(said.matches("What to do: ").count(), 1, "{said}");
        assert!(!said.contains("where there is"), "{said}");
    }
    let all = [COMPLETE, &no_computed_at.0, &no_computed_at.0, &id_without_time.0, &unstated.0];
    let said = sentences(&run(&folder, &[], &all));
    for words in [
        "- 2 of 5 updates (no_computed_at): ",
        "- 1 of 5 updates (id_without_time): ",
        "- 1 of 1 merges (unstated_holdings): ",
        "What to do: state `computed_at`",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn a_field_that_was_probably_meant_is_named() {
    let folder = Folder::new("a_field_that_was_probably_meant_is_named");
    for name in ["computedAt", "ComputedAt", "COMPUTED_AT", "computed-at", "computedat"] {
        let update = COMPLETE.replace("computed_at", name);
        let said = sentences(&run(&folder, &[], &[COMPLETE, &update]));
        assert!(said.contains("1 of 2 updates (no_computed_at)"), "{said}");
        assert!(said.contains(&format!(", where there is `{name}` now.")), "{said}");
    }
    for name in ["createdAt", "attachedAt"] {
        let said = sentences(&run(&folder, &[], &[&COMPLETE.replace("created_at", name)]));
        assert!(said.contains(&format!(", where there is `{name}` now.")), "{said}");
    }
    for name in ["computed", "computed_at_ms", "not_computed_at"] {
        let said = sentences(&run(&folder, &[], &[&COMPLETE.replace("computed_at", name)]));
        assert!(said.contains("no_computed_at") && !said.contains("where there is"), "{said}");
    }
}

#[test]
fn a_field_that_is_there_and_empty_is_no_other_field() {
    let folder = Folder::new("a_field_that_is_there_and_empty_is_no_other_field");
    let update = COMPLETE.replace(r#""2026-01-05T10:00:00Z""#, "null");
    let said = sentences(&run(&folder, &[], &[&update]));
    assert!(said.contains("no_computed_at") && !said.contains("where there is"), "{said}");
}

/// A name is what an outsider has chosen: it can't break a line, or colour a terminal.
#[test]
fn a_field_stays_on_its_line() {
    let folder = Folder::new("a_field_stays_on_its_line");
    let said = sentences(&run(&folder, &[], &[&COMPLETE.replace("computed_at", r"computed\u001b\nat")]));
    assert!(said.contains(r", where there is `computed\u{1b}\nat` now."), "{said}");
}

#[test]
fn a_required_field_that_was_probably_meant_is_named() {
    let folder = Folder::new("a_required_field_that_was_probably_meant_is_named");
    for (name, other) in [("profile_id", "profileId"), ("external_ids", "externalIds"), ("id", "ID")] {
        let bad = COMPLETE.replacen(&format!(r#""{name}":"#), &format!(r#""{other}":"#), 1);
        let run = run(&folder, &[], &[&bad]);
        let error = format!(r#""error":"`{name}` is missing, and `{other}` is there""#);
        assert!(run.stderr.contains(&error), "{}", run.stderr);
    }
}

#[test]
fn what_the_legacy_flow_needs_is_not_missing() {
    let folder = Folder::new("what_the_legacy_flow_needs_is_not_missing");
    let run = |flags: &[&str]| sentences(&run(&folder, flags, &[&of_email("upd_1")]));
    assert_eq!(run(&["--legacy"]), "");
    for flags in [&["--explain"][..], &["--explain-json"], &["--shadow"]] {
        assert!(run(flags).contains("1 of 1 updates (no_computed_at)"), "{flags:?}");
    }
}
