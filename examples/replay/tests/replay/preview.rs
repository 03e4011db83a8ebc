//! What a change of destinations would change, for whom, and why.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;

use idgroup::memory;
use idgroup::{Completeness, Destinations, IdGroupEvent, Memory, MemoryKey, ProfileUpdate, decide};
use serde_json::{Value, json};

use crate::program::{FIXTURES, Folder, Run, count, of_email, replay, squeezed, update};

/// For each destination and change: the updates, in their order, and the people.
pub type Found = BTreeMap<(String, &'static str), (Vec<String>, BTreeSet<String>)>;

type Connected = HashMap<String, Destinations>;

/// What is remembered with one of the settings.
pub type Remembered = BTreeMap<MemoryKey, Memory>;

/// The same by other means: from the events that are sent anyway.
fn naive(input: &str, both: [&str; 2]) -> Found {
    naive_with(input, both, [None, None])
}

/// With what is remembered with each of both settings, where there is a memory.
pub fn naive_with(input: &str, both: [&str; 2], mut memories: [Option<&mut Remembered>; 2]) -> Found {
    let both: [Connected; 2] = both.map(|text| serde_json::from_str(text).unwrap());
    let mut found = Found::new();
    for update in input.lines().map(|line| serde_json::from_str::<ProfileUpdate>(line).unwrap()) {
        let [before, after] = [0, 1].map(|side| sent(&update, &both[side], memories[side].as_deref_mut()));
        let destinations: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for destination in destinations {
            let change = match (before.get(destination), after.get(destination)) {
                (None, _) => "gained",
                (_, None) => "lost",
                (before, after) if before != after => "moved",
                _ => continue,
            };
            let (updates, people) = found.entry((destination.clone(), change)).or_default();
            updates.push(update.id().into());
            people.insert(format!("{:?}", (update.space_id(), update.profile_id())));
        }
    }
    found
}

/// The IDs that each destination is sent.
fn sent(
    update: &ProfileUpdate,
    connected: &Connected,
    memories: Option<&mut Remembered>,
) -> BTreeMap<String, Value> {
    let none = Destinations::default();
    let destinations = connected.get(update.computation().id()).unwrap_or(&none);
    let events = match memories {
        Some(memories) => decide_and_remember(update, destinations, memories),
        None => decide(update, destinations),
    };
    let events = events.iter().map(|event| serde_json::to_value(event).unwrap());
    let of_event = |event: Value| {
        let ids = event["id_group"]["external_ids"].clone();
        let destinations = event["destinations"].as_array().unwrap().clone();
        destinations.into_iter().map(move |id| (id.as_str().unwrap().to_owned(), ids.clone()))
    };
    events.flat_map(of_event).collect()
}

fn decide_and_remember<'a>(
    update: &'a ProfileUpdate,
    destinations: &'a Destinations,
    memories: &mut Remembered,
) -> Vec<IdGroupEvent<'a>> {
    let recalled = memory::keys(update, 0).recall(|key| memories.get(key).cloned().unwrap_or_default());
    let decision = memory::decide(recalled, destinations, Completeness::Complete);
    memories.extend(decision.changed().map(|(key, memory)| (*key, memory.clone())));
    decision.into_events()
}

/// What the lines say, without the people.
fn printed(run: &Run) -> BTreeMap<(String, String), Vec<String>> {
    let mut printed = BTreeMap::<_, Vec<String>>::new();
    for line in run.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let text = |field: &str| line[field].as_str().unwrap().to_owned();
        printed.entry((text("destination"), text("change"))).or_default().push(text("update_id"));
    }
    printed
}

#[track_caller]
pub fn assert_as_naive(run: &Run, expected: &Found) {
    let updates = expected
        .iter()
        .map(|((id, change), (updates, _))| ((id.clone(), (*change).to_owned()), updates.clone()));
    assert_eq!(printed(run), updates.collect());
    let mut total = BTreeMap::<&str, usize>::new();
    let rows = squeezed(&run.stderr);
    for ((destination, change), (updates, people)) in expected {
        *total.entry(change).or_default() += updates.len();
        let row =
            rows.iter().find(|row| row.starts_with(&format!("{destination} "))).unwrap().replace(',', "");
        let cell = format!("{} / {}", people.len(), updates.len());
        // The cells before it are as wide as they have words.
        let before = ["gained", "lost", "moved"].into_iter().take_while(|other| other != change);
        let is_there = |other| expected.contains_key(&(destination.clone(), other));
        let position: usize = before.map(|other| if is_there(other) { 3 } else { 1 }).sum();
        let words: Vec<&str> = row.split(' ').skip(1 + position).take(3).collect();
        assert_eq!(words.join(" "), cell, "{change} in {row}");
    }
    for (change, updates) in total {
        assert_eq!(count(run, &format!("messages {change}")).replace(',', ""), updates.to_string());
    }
}

#[test]
fn the_recording_changes_as_its_events_do() {
    let [current, new, clean] = ["destinations.json", "new_destinations.json", "clean.ndjson"]
        .map(|name| format!("{FIXTURES}/pipeline/{name}"));
    let run = replay(&["--preview", &new, "--destinations", &current, &clean], "");
    let [current, new, clean] = [current, new, clean].map(|path| fs::read_to_string(path).unwrap());
    let expected = naive(&clean, [&current, &new]);
    assert!(Vec::from_iter(expected.keys().map(|(_, change)| *change)).contains(&"moved"));
    assert_as_naive(&run, &expected);
    assert_eq!(run.status, Some(3));
    assert_eq!(count(&run, "updates that change"), "68");
    assert_eq!(count(&run, "new outbound messages"), "1,042");
    let rows = squeezed(&run.stderr);
    for row in [
        "dst_braze 1 / 1 4 / 4 4 / 4 19 16 -3 is set differently in 1 computation",
        "dst_facebook - 3 / 5 10 / 29 321 193 -128 is set differently in 1 computation",
        "dst_hubspot 11 / 22 - - 0 39 +39 appears in 1 computation",
        "dst_twilio_acme - - - 21 21 0 is set differently in 1 computation",
        "dst_braze gained 1 drop already_messaged send_some upd_0250 (nothing -> email)",
        "dst_mailchimp lost 3 send_some drop no_consent upd_0090 (email -> nothing), upd_0094, upd_0265",
    ] {
        assert!(rows.iter().any(|found| found == row), "no `{row}` in {}", run.stderr);
    }
}

/// People with several updates, of kinds that the settings below tell apart.
pub fn generated(updates: usize) -> String {
    let line = |number: usize| {
        let person = number % 997;
        let email = |which: usize, subscribed: bool| {
            format!(
                r#"{{"type":"email","id":"{person}.{which}@example.com","subscribed":{subscribed},"created_at":"2026-01-05T08:00:0{which}Z"}}"#
            )
        };
        let ids = match number % 5 {
            0 => format!("{},{}", email(1, true), email(2, number.is_multiple_of(3))),
            1 => email(1, number.is_multiple_of(2)),
            2 => format!(r#"{},{{"type":"phone","id":"{person}"}}"#, email(3, false)),
            3 => format!(r#"{{"type":"phone","id":"{person}"}},{{"type":"user_id","id":"{person}"}}"#),
            _ => String::new(),
        };
        let membership = if number.is_multiple_of(11) { "out" } else { "in" };
        update(&format!("upd_{number}"), membership, &ids).replace("use_1", &format!("use_{person}"))
    };
    (0..updates).map(|number| line(number) + "\n").collect()
}

pub const NEW: &str = r#"{"aud_1": [
    {"id": "dst_sms", "name": "Twilio", "dedupes_on": ["phone", "email"]},
    {"id": "dst_mail", "name": "SendGrid", "dedupes_on": ["email"], "consent": "required"},
    {"id": "dst_ads", "name": "Google Ads", "id_strategies": {"email": "first"}},
    {"id": "dst_new", "dedupes_on": ["user_id"]}
], "aud_empty": []}"#;

#[test]
fn many_updates_change_as_their_events_do_whoever_decides() {
    let folder = Folder::new("many_updates_change_as_their_events_do_whoever_decides");
    let (current, new) = (folder.destinations(), folder.write("new.json", NEW));
    let input = generated(20_000);
    let file = folder.write("input.ndjson", &input);
    let arguments = ["--preview", &*new, "--destinations", &*current, &*file];
    let run = replay(&arguments, "");
    assert_as_naive(&run, &naive(&input, [&folder.read("destinations.json"), NEW]));
    assert_eq!(run.status, Some(3));
    for jobs in ["2", "5"] {
        let with_jobs = replay(&[&arguments[..], &["--jobs", jobs]].concat(), "");
        assert!(with_jobs.stdout == run.stdout, "{jobs} jobs");
        let numbers = |run: &Run| run.stderr.split_once('\n').unwrap().1.to_owned();
        assert_eq!(numbers(&with_jobs), numbers(&run));
    }
}

/// Runs the preview with these destinations of `aud_1`, over updates on standard input.
fn preview(test: &str, [current, new]: [&str; 2], flags: &[&str], input: &str) -> Run {
    let folder = Folder::new(test);
    let [current, new] = [("current.json", current), ("new.json", new)]
        .map(|(name, destinations)| folder.write(name, format!(r#"{{"aud_1":[{destinations}]}}"#)));
    replay(&[&["--preview", &*new, "--destinations", &*current], flags].concat(), input)
}

#[test]
fn both_verdicts_are_named() {
    let ids = r#"{"type":"email","id":"a@example.com"},{"type":"email","id":"b@example.com"},{"type":"phone","id":"1"}"#;
    let current = r#"{"id":"dst_a"},{"id":"dst_b","dedupes_on":["email"]},{"id":"dst_c"}"#;
    let new = r#"{"id":"dst_a"},{"id":"dst_b","dedupes_on":["push"]},{"id":"dst_d","id_strategies":{"email":"all"}}"#;
    let run = preview("both_verdicts_are_named", [current, new], &[], &update("upd_1", "in", ids));
    let lines: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let line = |destination: &str, change: &str, before: Value, after: Value| {
        json!({"update_id": "upd_1", "profile_id": "use_1", "computation": "aud_1",
            "destination": destination, "change": change, "before": before, "after": after})
    };
    let side = |verdict: &str, reason: Option<&str>, messages: u64, types: Value| json!({"verdict": verdict, "drop_reason": reason, "messages": messages, "id_types": types});
    let dropped = side("drop", Some("no_relevant_external_id"), 0, json!({}));
    let expected = [
        line("dst_b", "lost", side("send_some", None, 1, json!({"email": 1})), dropped),
        line("dst_c", "lost", side("send_all", None, 2, json!({"email": 2, "phone": 1})), Value::Null),
        line("dst_d", "gained", Value::Null, side("send_some", None, 2, json!({"email": 2}))),
    ];
    assert_eq!(lines, expected);
    assert_eq!(count(&run, "updates that change"), "1");
}

#[test]
fn nothing_is_said_of_what_stays() {
    let current = r#"{"id":"dst_a","dedupes_on":["email"]}"#;
    let new = r#"{"id":"dst_a","name":"Another","dedupes_on":["email","phone"],"consent":"not_refused"}"#;
    let input = format!("{}\n{}\n", of_email("upd_1"), update("upd_2", "out", ""));
    let run = preview("nothing_is_said_of_what_stays", [current, new], &[], &input);
    assert_eq!((run.stdout.as_str(), run.status), ("", Some(0)));
    assert_eq!(count(&run, "updates that change"), "0");
    assert!(squeezed(&run.stderr).contains(&"dst_a - - - 1 1 0 is set differently in 1 computation".into()));
    let run = preview("nothing_is_said_of_what_stays", [current, current], &[], &input);
    assert!(!run.stderr.contains("What would change"), "{}", run.stderr);
}

#[test]
fn destinations_that_come_or_go_are_a_change_by_themselves() {
    let one = r#"{"id":"dst_a"}"#;
    for [current, new] in [["", one], [one, ""]] {
        let both = [current, new];
        let run = preview("destinations_that_come_or_go", both, &[], &update("upd_1", "in", ""));
        assert_eq!((run.stdout.as_str(), run.status), ("", Some(3)), "{}", run.stderr);
    }
}

#[test]
fn no_address_is_printed_unless_asked_for() {
    let both = [r#"{"id":"dst_a"}"#, r#"{"id":"dst_a","id_strategies":{"email":"latest"}}"#];
    let input =
        update("upd_1", "in", r#"{"type":"email","id":"secret@example.com"},{"type":"phone","id":"1"}"#);
    let run = preview("no_address_is_printed", both, &[], &input);
    assert!(!(run.stdout + &run.stderr).contains("secret"));
    let run = preview("no_address_is_printed", both, &["--show-addresses"], &input);
    assert!(
        run.stdout.contains(r#""external_ids":[{"type":"email","id":"secret@example.com""#),
        "{}",
        run.stdout
    );
    assert!(run.stderr.contains("upd_1 (secret@example.com, 1 -> secret@example.com)"), "{}", run.stderr);
}

#[test]
fn new_destinations_that_cannot_be_used_are_refused_by_name() {
    let folder = Folder::new("new_destinations_that_cannot_be_used");
    let destinations = folder.destinations();
    let new = folder.write("new.json", r#"{"aud_1":[{"id":"dst_1","consent":"perhaps"}]}"#);
    let run = replay(&["--preview", &new, "--destinations", &destinations], of_email("upd_1"));
    assert!(
        run.stderr.contains(&format!("the destinations of computation `aud_1` in `{new}`")),
        "{}",
        run.stderr
    );
    assert_eq!((run.stdout.as_str(), run.status), ("", Some(1)));
    let run = replay(&["--preview", &new, "--report", &new, "--destinations", &destinations], "");
    assert_eq!(run.status, Some(1));
    assert!(folder.read("new.json").contains("perhaps"), "it was not overwritten");
}

#[test]
fn updates_of_the_slow_lane_are_not_previewed() {
    let folder = Folder::new("updates_of_the_slow_lane_are_not_previewed");
    let lanes = ["--max-messages", "1", "--slow", &folder.path("slow.ndjson")];
    let both = [r#"{"id":"dst_a","dedupes_on":["email"]}"#, r#"{"id":"dst_a"}"#];
    let ids = r#"{"type":"email","id":"a"},{"type":"email","id":"b"}"#;
    let run = preview("slow_preview", both, &lanes, &update("upd_1", "in", ids));
    assert_eq!((run.stdout.as_str(), run.status), ("", Some(0)), "{}", run.stderr);
    assert_eq!(count(&run, "slow updates"), "1");
    assert_eq!(count(&run, "current verdict send_some"), "0");
    assert_eq!(count(&run, "new verdict send_all"), "0");
}
