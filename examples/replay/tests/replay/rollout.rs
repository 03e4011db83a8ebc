//! Updates that are routed to one flow or the other.

use crate::program::{Folder, Run, amplifying, count, of_email, replay, rows, squeezed, update};

/// Left the audience: nothing from the dedupe flow to those that dedupe, everything from the legacy one.
fn of_space(space: &str) -> String {
    update(&format!("upd_{space}"), "out", r#"{"type":"email","id":"a@example.com"}"#)
        .replace("spa_1", &format!("spa_{space}"))
}

fn run(folder: &Folder, rollout: &str, flags: &[&str], input: String) -> Run {
    let rollout = folder.write("rollout.json", rollout);
    replay(&[&["--rollout", &rollout, "--destinations", &folder.destinations()], flags].concat(), input)
}

/// For each event, the update's id and the destinations.
fn sent(run: &Run) -> Vec<(String, String)> {
    let event = |line| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        (event["update_id"].as_str().unwrap().to_owned(), event["destinations"].to_string())
    };
    run.stdout.lines().map(event).collect()
}

#[test]
fn each_update_is_sent_from_the_flow_of_its_space() {
    let folder = Folder::new("each_update_is_sent_from_the_flow_of_its_space");
    let tiers = folder.write("tiers.json", r#"{"spa_beta": "beta", "spa_blocked": "beta"}"#);
    let spaces = ["beta", "blocked", "open", "other", "open"];
    let input = spaces.map(of_space).join("\n");
    let rollout = r#"{"flag":{"name":"dedupe","share_basis_points":10000},
        "gate":{"tiers":["beta"],"spaces":["spa_open"],"blocked_spaces":["spa_blocked"]}}"#;
    let (legacy, dedupe) = (r#"["dst_ads","dst_mail","dst_sms"]"#, r#"["dst_ads"]"#);
    let expect = |flows: [&str; 5]| -> Vec<(String, String)> {
        spaces.iter().zip(flows).map(|(space, to)| (format!("upd_{space}"), to.to_owned())).collect()
    };

    let with_tiers = run(&folder, rollout, &["--tiers", &tiers], input.clone());
    assert_eq!(sent(&with_tiers), expect([dedupe, legacy, dedupe, legacy, dedupe]));
    let expected = "\
updates to legacy        2
  space_blocked          1
  gate_closed            1
updates to dedupe        3
  space_open             2
  tier_open              1
events                   5
outbound messages        5
dedupe verdict send_all   5
dedupe verdict send_some  0
dedupe verdict drop      10
  exited                 10
rejected lines            0
";
    assert_eq!(rows(&with_tiers), squeezed(expected));
    assert_eq!(with_tiers.status, Some(0));

    let without = run(&folder, rollout, &[], input.clone());
    assert_eq!(sent(&without), expect([legacy, legacy, dedupe, legacy, dedupe]));
    assert_eq!(count(&without, "gate_closed"), "2");

    let shut_off = run(&folder, &rollout.replace("10000", "0"), &["--tiers", &tiers], input);
    assert_eq!(sent(&shut_off), expect([legacy; 5]));
    assert_eq!((&*count(&shut_off, "updates to dedupe"), &*count(&shut_off, "not_admitted")), ("0", "5"));
    assert_eq!(count(&shut_off, "dedupe verdict drop"), "0", "the dedupe flow does not run");
}

#[test]
fn comparisons_are_made_where_they_are_on() {
    let folder = Folder::new("comparisons_are_made_where_they_are_on");
    let rollout = |share: u16| {
        format!(
            r#"{{"flag":{{"name":"dedupe","share_basis_points":{share}}},"gate":{{"spaces":["spa_1"]}},"compare":true}}"#
        )
    };
    let input = format!("{}\n{}\nbad\n", of_email("upd_1"), of_space("other"));
    let both = run(&folder, &rollout(10_000), &[], input.clone());
    assert_eq!(count(&both, "comparison identical"), "2");
    assert_eq!((sent(&both).len(), both.status), (2, Some(2)));

    let shut_off = run(&folder, &rollout(0), &[], input.clone());
    assert!(!shut_off.stderr.contains("comparison"), "{}", shut_off.stderr);

    let input = amplifying("upd_1", 24, 2);
    let refused = run(&folder, &rollout(10_000), &[], input);
    assert_eq!(count(&refused, "comparison refused"), "1");
    assert_eq!((sent(&refused).len(), refused.status), (1, Some(3)));
}

#[test]
fn unusable_rollouts_and_tiers_name_the_field() {
    let folder = Folder::new("unusable_rollouts_and_tiers_name_the_field");
    let path = folder.path("rollout.json");
    let good = r#"{"flag":{"name":"dedupe","share_basis_points":1}}"#;
    for (rollout, message) in [
        (
            r#"{"flag":{"name":"dedupe","share_basis_points":10001}}"#,
            "`flag.share_basis_points` is 10001, expected 0 to 10000",
        ),
        ("{}", "`flag` is missing"),
        (
            r#"{"flag":{"name":"dedupe","share_basis_points":1},"gates":{}}"#,
            "`gates` is not a known field, expected `flag`, `gate` or `compare`",
        ),
        ("{", "can't be read as JSON: EOF while parsing an object at line 1 column 1"),
    ] {
        let run = run(&folder, rollout, &[], of_email("upd_1"));
        assert_eq!(run.stderr, format!("replay: can't use the rollout in `{path}`: {message}\n"));
        assert_eq!((run.stdout.as_str(), run.status), ("", Some(1)));
    }
    let tiers = folder.path("tiers.json");
    for (text, message) in [
        (
            r#"{"spa_1": 1}"#,
            "the tier of space `spa_1` in TIERS: invalid type: integer `1`, expected a string",
        ),
        (
            r#"{"spa_1": "a", "spa_1": "b"}"#,
            "the tier of space `spa_1` in TIERS: the space was listed before",
        ),
        ("[]", "the tier in TIERS: invalid type: sequence, expected an object from space id to tier"),
    ] {
        folder.write("tiers.json", text);
        let run = run(&folder, good, &["--tiers", &tiers], of_email("upd_1"));
        let message = message.replace("TIERS", &format!("`{tiers}`"));
        assert_eq!(run.stderr, format!("replay: can't use {message}, near line 1\n"));
        assert_eq!((run.stdout.as_str(), run.status), ("", Some(1)));
    }
}

#[test]
fn the_recording_is_routed_by_the_rollout_that_comes_with_it() {
    let file = |name: &str| format!("{}/../../fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    let run = replay(
        &[
            "--rollout",
            &file("rollout.json"),
            "--tiers",
            &file("tiers.json"),
            "--destinations",
            &file("pipeline/destinations.json"),
            "--rejects",
            "/dev/null",
            &file("pipeline/updates.ndjson"),
        ],
        "",
    );
    assert_eq!((&*count(&run, "gate_closed"), &*count(&run, "tier_open")), ("324", "116"));
    assert_eq!((&*count(&run, "comparison identical"), run.status), ("298", Some(2)));
    // Of the other updates no destination is without `dedupes_on`.
    assert_eq!(count(&run, "comparison nothing_to_compare"), "142");
}
