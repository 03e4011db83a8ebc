//! The legacy flow, and both flows side by side.

use crate::program::{
    FIXTURES, Folder, amplifying, count, of_email, replay, rows, squeezed, update, update_ids,
};

/// An email, a phone and two user ids: two messages to each destination that does not dedupe.
fn two_messages(id: &str) -> String {
    let ids =
        r#"{"type":"email","id":"a@example.com"},{"type":"user_id","id":"1"},{"type":"user_id","id":"2"}"#;
    update(id, "out", ids)
}

#[test]
fn legacy_sends_everything_to_every_destination() {
    let folder = Folder::new("legacy_sends_everything_to_every_destination");
    let input = format!("{}\n{}\n", two_messages("upd_1"), update("upd_2", "in", ""));
    let run = replay(&["--legacy", "--destinations", &folder.destinations()], input);
    assert_eq!(update_ids(&run.stdout), ["upd_1"]);
    assert!(
        run.stdout.ends_with(
            r#""external_ids":[{"type":"email","id":"a@example.com","collection":"users","encoding":"none"},{"type":"user_id","id":"2","collection":"users","encoding":"none"},{"type":"user_id","id":"1","collection":"users","encoding":"none"}]},"destinations":["dst_ads","dst_mail","dst_sms"]}
"#
        ),
        "{}",
        run.stdout
    );
    assert_eq!(rows(&run), ["events 1", "outbound messages 2", "rejected lines 0"]);
    assert_eq!(run.status, Some(0));
}

#[test]
fn flows_that_agree_print_nothing() {
    let folder = Folder::new("flows_that_agree_print_nothing");
    let input = format!("{}\n{}\n", two_messages("upd_1"), of_email("upd_2"));
    let run = replay(&["--shadow", "--destinations", &folder.destinations()], input.clone());
    assert_eq!((run.stdout.as_str(), run.status), ("", Some(0)));
    let expected = "\
legacy events                2
legacy outbound messages     3
dedupe events                2
dedupe outbound messages     3
dedupe verdict send_all      2
dedupe verdict send_some     1
dedupe verdict drop          3
  exited                     2
  no_relevant_external_id    1
comparison identical         2
comparison different         0
rejected lines               0
";
    assert_eq!(rows(&run), squeezed(expected));
    let run = replay(&["--shadow", "--destinations", &folder.destinations()], input + "bad\n");
    assert_eq!((run.stdout.as_str(), run.status), ("", Some(2)), "rejects alone");
}

#[test]
fn flows_that_differ_are_named_message_by_message() {
    let folder = Folder::new("flows_that_differ_are_named_message_by_message");
    let others = folder.write(
        "others.json",
        r#"{"aud_1": [{"id": "dst_crm"}, {"id": "dst_ads"}, {"id": "dst_mail", "dedupes_on": ["email"]}]}"#,
    );
    let arguments = ["--shadow", "--legacy-destinations", &others, "--destinations", &folder.destinations()];
    let nowhere = of_email("upd_2").replace("aud_1", "aud_2");
    let run = replay(&arguments, format!("{}\n{nowhere}\nbad\n", two_messages("upd_1")));
    let message = |flow: &str, legacy: u8, user_id: u8, destinations: &str| {
        format!(
            r#"{{"update_id":"upd_1","difference":"only_in_{flow}","legacy":{legacy},"dedupe":{},"external_ids":[{{"type":"email","id":"a@example.com","collection":"users","encoding":"none"}},{{"type":"user_id","id":"{user_id}","collection":"users","encoding":"none"}}],"destinations":[{destinations}],"is_cut":false}}"#,
            1 - legacy
        )
    };
    let expected = [
        r#"{"update_id":"upd_1","comparison":"different","legacy":2,"dedupe":2,"only_in_legacy":2,"only_in_dedupe":2,"in_different_numbers":0,"extent":"whole"}"#.to_owned(),
        message("dedupe", 0, 1, r#""dst_ads""#),
        message("dedupe", 0, 2, r#""dst_ads""#),
        message("legacy", 1, 1, r#""dst_ads","dst_crm""#),
        message("legacy", 1, 2, r#""dst_ads","dst_crm""#),
    ];
    assert_eq!(run.stdout.lines().collect::<Vec<_>>(), expected);
    assert_eq!(count(&run, "comparison nothing_to_compare"), "1");
    assert_eq!(count(&run, "comparison different"), "1");
    assert_eq!(count(&run, "messages only_in_legacy"), "2");
    assert_eq!(count(&run, "messages only_in_dedupe"), "2");
    assert_eq!(count(&run, "rejected lines"), "1");
    assert_eq!(run.status, Some(3), "above what rejects say");
}

#[test]
fn destinations_that_legacy_does_not_know_are_a_difference() {
    let folder = Folder::new("destinations_that_legacy_does_not_know_are_a_difference");
    let others = folder.write("others.json", "{}");
    let arguments = ["--shadow", "--legacy-destinations", &others, "--destinations", &folder.destinations()];
    let run = replay(&arguments, of_email("upd_1"));
    assert!(
        run.stdout.starts_with(r#"{"update_id":"upd_1","comparison":"different","legacy":0,"dedupe":1,"#)
    );
    assert_eq!(run.status, Some(3));
}

#[test]
fn more_than_is_counted_is_said_to_be_more() {
    let folder = Folder::new("more_than_is_counted_is_said_to_be_more");
    let others = folder.write("others.json", r#"{"aud_1": [{"id": "dst_other"}]}"#);
    let arguments = ["--shadow", "--legacy-destinations", &others, "--destinations", &folder.destinations()];
    let run = replay(&arguments, amplifying("upd_1", 2, 200));
    let first: serde_json::Value = serde_json::from_str(run.stdout.lines().next().unwrap()).unwrap();
    assert_eq!((&first["legacy"], &first["extent"]), (&40_000.into(), &"part".into()));
    assert!(first["only_in_legacy"].as_u64().unwrap() < 40_000);
    assert_eq!(run.stdout.lines().count(), 1 + 16);
    assert_eq!(count(&run, "updates with more, not counted"), "1");
    assert_eq!(run.status, Some(3));
}

#[test]
fn what_is_not_compared_does_not_read_as_identical() {
    let folder = Folder::new("what_is_not_compared_does_not_read_as_identical");
    // Two to the power of 24 is more than ten million; of 64, more than can be counted.
    for (types, flow) in [(24, "legacy"), (64, "legacy")] {
        let input = format!("{}\n{}\n", amplifying("upd_1", types, 2), of_email("upd_2"));
        let run = replay(&["--shadow", "--destinations", &folder.destinations()], input);
        let expected = format!(
            "{{\"update_id\":\"upd_1\",\"comparison\":\"refused\",\"flow\":\"{flow}\",\"most\":10000000}}\n"
        );
        assert_eq!(run.stdout, expected);
        assert_eq!((&*count(&run, "comparison refused"), &*count(&run, "comparison identical")), ("1", "1"));
        assert_eq!(run.status, Some(3));
    }
}

#[test]
fn the_recordings_agree() {
    let pipeline = format!("{FIXTURES}/pipeline");
    let (destinations, updates) =
        (format!("{pipeline}/destinations.json"), format!("{pipeline}/updates.ndjson"));
    let run = replay(&["--shadow", "--destinations", &destinations, "--rejects", "/dev/null", &updates], "");
    assert_eq!((run.stdout.as_str(), run.status), ("", Some(2)));
    assert_eq!(count(&run, "comparison identical"), "298");
    assert_eq!(count(&run, "comparison nothing_to_compare"), "142");
}

/// The old worker did not know of TikTok, and still knew of a webhook that is gone.
#[test]
fn what_a_change_of_destinations_changes_is_found() {
    let file = |name: &str| format!("{FIXTURES}/pipeline/{name}");
    let (destinations, legacy) = (file("destinations.json"), file("legacy_destinations.json"));
    let arguments = ["--shadow", "--legacy-destinations", &legacy, "--destinations", &destinations];
    let run = replay(&[&arguments[..], &[&file("clean.ndjson")]].concat(), "");
    assert_eq!(run.status, Some(3));
    assert!(run.stdout.contains("\"difference\":\"only_in_dedupe\""), "{}", run.stdout);
    let messages = run.stdout.lines().filter(|line| line.contains("difference"));
    for message in messages.map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()) {
        let has = |id: &str| message["destinations"].as_array().unwrap().iter().any(|found| found == id);
        let is_known = match message["difference"].as_str() {
            Some("only_in_legacy") => has("dst_webhook_old") || !has("dst_tiktok"),
            _ => has("dst_tiktok") || !has("dst_webhook_old"),
        };
        assert!(is_known, "{message}");
    }
    assert_eq!((&*count(&run, "comparison different"), &*count(&run, "comparison identical")), ("66", "232"));
}

#[test]
fn a_monster_is_compared() {
    let monster = format!("{FIXTURES}/monster");
    let (destinations, updates) =
        (format!("{monster}/destinations.json"), format!("{monster}/updates.ndjson"));
    let run = replay(&["--shadow", "--destinations", &destinations, &updates], "");
    assert_eq!((run.stdout.as_str(), run.status), ("", Some(0)));
    assert_eq!(count(&run, "legacy outbound messages"), "153,017");
    assert_eq!(count(&run, "dedupe outbound messages"), "153,023");
    assert_eq!(count(&run, "comparison identical"), "6");
}
