//! The calls that Segment's destinations understand.

use std::io::{BufRead, BufReader};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::program::{FIXTURES, Folder, Run, count, replay, rows, start};

fn fixture(name: &str) -> String {
    format!("{FIXTURES}/{name}")
}

/// What a case is about, with what it supplies in the update's computation, where a pipeline says it.
fn update_of(case: &Value) -> Value {
    let mut update = case["update"].clone();
    let supplied = &case["supplied"];
    if let Some(computation) = update["computation"].as_object_mut() {
        let others = supplied["personas"].as_object().into_iter().flatten();
        computation.extend(others.map(|(name, value)| (name.clone(), value.clone())));
        if let Some(value) = supplied.get("value") {
            computation.insert("value".into(), value.clone());
        }
    }
    update
}

fn replay_case(folder: &Folder, case: &Value) -> Run {
    let update = update_of(case);
    let id = update["computation"]["id"].as_str().unwrap();
    let destinations = folder.write("destinations.json", json!({ id: case["destinations"] }).to_string());
    let settings = folder.write("settings.json", case["settings"].to_string());
    let rejects = folder.path("rejects.ndjson");
    let arguments =
        ["--destinations", &*destinations, "--segment", &settings, "--rejects", &rejects, "--jobs", "2"];
    replay(&arguments, update.to_string())
}

/// The calls were computed by a program in another language.
#[test]
fn calls_are_those_of_the_fixtures() {
    let folder = Folder::new("calls_are_those_of_the_fixtures");
    let (mut values, mut fields, mut refused) = (0, 0, 0);
    for file in ["people", "forms", "judged", "refused"] {
        let cases = std::fs::read(fixture(&format!("segment/{file}.json"))).unwrap();
        let cases: Vec<Value> = serde_json::from_slice(&cases).unwrap();
        for case in cases.iter().filter(|case| case["supplied"].get("timestamp").is_none()) {
            let run = replay_case(&folder, case);
            let expected: Vec<&Value> =
                case["calls"].as_array().unwrap().iter().map(|call| &call["call"]).collect();
            let calls: Vec<Value> =
                run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!(calls.iter().collect::<Vec<_>>(), expected, "{}: {}", case["name"], run.stderr);
            let refusals = case["refusals"].as_array().unwrap();
            assert_eq!(run.status, Some(if refusals.is_empty() { 0 } else { 2 }), "{}", case["name"]);
            let set_aside = folder.read("rejects.ndjson");
            assert_eq!(set_aside.lines().count(), usize::from(!refusals.is_empty()), "{}", case["name"]);
            for refusal in refusals {
                let destination = format!("`{}`", refusal["destinations"][0].as_str().unwrap());
                assert!(set_aside.contains(&destination), "{set_aside}");
                assert_ne!(count(&run, refusal["reason"].as_str().unwrap()), "0");
            }
            values += u32::from(case["supplied"].get("value").is_some());
            fields += u32::from(case["supplied"].get("personas").is_some());
            refused += u32::from(!refusals.is_empty());
        }
    }
    assert!(values > 2 && fields > 0 && refused > 5, "{values}, {fields}, {refused}");
}

const DESTINATIONS: &str = r#"{"aud_1": [
    {"id": "dst_ads", "name": "Google Ads"},
    {"id": "dst_crm", "name": "Salesforce"},
    {"id": "dst_mail", "name": "SendGrid", "dedupes_on": ["email"]}
]}"#;

const SETTINGS: &str =
    r#"{"dst_ads": {"call": "track"}, "dst_crm": {"call": "track"}, "dst_mail": {"call": "identify"}}"#;

/// One update of a profile with so many emails, and more fields of the update and its computation.
fn update(id: &str, emails: usize, fields: &str, of_computation: &str) -> String {
    let ids: Vec<String> =
        (0..emails).map(|of| format!(r#"{{"type":"email","id":"{of}@example.com"}}"#)).collect();
    format!(
        r#"{{"id":"{id}","space_id":"spa_1","profile_id":"use_1",{fields}"computation":{{"class":"audience","id":"aud_1","key":"vip"{of_computation}}},"membership":"in","trigger":{{"reason":"value_changed"}},"external_ids":[{}]}}"#,
        ids.join(",")
    )
}

const TIME: &str = r#""computed_at":"2026-01-05T10:00:00Z","#;

#[test]
fn refusals_are_counted_and_set_aside_with_their_reasons() {
    let folder = Folder::new("refusals_are_counted_and_set_aside_with_their_reasons");
    let destinations = folder.write("destinations.json", DESTINATIONS);
    let settings = folder.write("settings.json", SETTINGS.replace("dst_crm", "dst_other"));
    let (good, without_time) = (update("upd_1", 1, TIME, ""), update("upd_2", 1, "", ""));
    let (one, other) =
        (folder.write("one.ndjson", &good), folder.write("other.ndjson", "\n".to_owned() + &without_time));
    for jobs in ["1", "3"] {
        let arguments = ["--destinations", &destinations, "--segment", &settings, "--jobs", jobs];
        let run = replay(&[&arguments[..], &[&*one, &*other]].concat(), "");
        assert_eq!(run.stdout.lines().count(), 2, "of the first update, to the two that have settings");
        let (set_aside, _) = run.stderr.split_once("2 updates, ").unwrap();
        let expected = [
            json!({"file": one, "line": 1, "input": good,
                "error": "no call to `dst_crm`: the settings say nothing about the destination"}),
            json!({"file": other, "line": 2, "input": without_time,
                "error": "no call to `dst_ads`, `dst_crm`, `dst_mail`: `computed_at` is missing, \
                    and no other time was given"}),
        ];
        let set_aside: Vec<Value> =
            set_aside.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(set_aside, expected);
        assert_eq!(run.status, Some(2));
        let rows = rows(&run);
        let expected = [
            "events 2",
            "outbound messages 2",
            "calls 2",
            "calls refused, by destination 4",
            "time_missing 3",
            "settings_missing 1",
            "verdict send_all 4",
            "verdict send_some 2",
        ];
        assert_eq!(rows[..expected.len()], expected);
        assert!(rows.contains(&"rejected lines 0".to_owned()), "{rows:?}");
    }
}

/// Each of 200 calls is too large, and the line is set aside once.
#[test]
fn calls_that_are_refused_for_themselves_are_set_aside_once() {
    let folder = Folder::new("calls_that_are_refused_for_themselves_are_set_aside_once");
    let destinations = folder.write("destinations.json", DESTINATIONS);
    let settings = folder.write("settings.json", SETTINGS);
    let large = format!(r#","journey_metadata":"{}""#, "x".repeat(33_000));
    let rejects = folder.path("rejects.ndjson");
    let arguments = ["--destinations", &destinations, "--segment", &settings, "--rejects", &rejects];
    let run = replay(&arguments, update("upd_1", 200, TIME, &large));
    assert_eq!((run.stdout.as_str(), run.status), ("", Some(2)));
    assert_eq!((&*count(&run, "calls"), &*count(&run, "too_large")), ("0", "401"));
    let reject: Value = serde_json::from_str(&folder.read("rejects.ndjson")).unwrap();
    assert_eq!(
        reject["error"],
        "no call to `dst_ads`, `dst_crm`: the call would have 32 KB or more; \
         no call to `dst_mail`: the call would have 32 KB or more"
    );
}

#[test]
fn the_slow_lane_takes_no_call() {
    let folder = Folder::new("the_slow_lane_takes_no_call");
    let destinations = folder.write("destinations.json", DESTINATIONS);
    let settings = folder.write("settings.json", SETTINGS);
    let slow = folder.path("slow.ndjson");
    let arguments = ["--destinations", &*destinations, "--segment", &settings];
    let lanes = ["--max-messages", "3", "--slow", &slow];
    let input = format!("{}\n{}", update("upd_1", 4, "", ""), update("upd_2", 2, TIME, ""));
    let run = replay(&[&arguments[..], &lanes].concat(), input);
    assert_eq!((run.stdout.lines().count(), run.status), (3, Some(0)), "{}", run.stderr);
    assert_eq!((&*count(&run, "slow updates"), &*count(&run, "calls")), ("1", "3"));
    assert_eq!(folder.read("slow.ndjson").lines().count(), 1);
}

#[test]
fn any_number_of_jobs_prints_the_same_calls() {
    let folder = Folder::new("any_number_of_jobs_prints_the_same_calls");
    let (destinations, settings) = (fixture("pipeline/destinations.json"), fixture("pipeline/segment.json"));
    let updates = std::fs::read_to_string(fixture("pipeline/clean.ndjson")).unwrap();
    let input = folder.write("input.ndjson", updates.repeat(10) + "bad\n" + &updates);
    let all_of = |jobs| {
        let arguments = ["--destinations", &*destinations, "--segment", &settings, "--jobs", jobs, &input];
        let run = replay(&arguments, "");
        let set_aside =
            run.stderr.lines().filter(|line| line.starts_with('{')).collect::<Vec<_>>().join("\n");
        (run.status, rows(&run), set_aside, run.stdout)
    };
    let expected = all_of("1");
    assert!(expected.3.lines().count() > 10_000 && expected.2.lines().count() > 1_000);
    for jobs in ["2", "5"] {
        assert!(all_of(jobs) == expected, "{jobs} jobs");
    }
}

/// It would print ten thousand million calls.
#[test]
fn a_closed_output_ends_an_update_of_many_calls() {
    let folder = Folder::new("a_closed_output_ends_an_update_of_many_calls");
    let destinations = folder.write("destinations.json", DESTINATIONS);
    let settings = folder.write("settings.json", SETTINGS);
    let ids = (0..10)
        .flat_map(|of_type| (0..10).map(move |id| format!(r#"{{"type":"type_{of_type}","id":"{id}"}}"#)));
    let many =
        update("upd_1", 0, TIME, "").replace("[]", &format!("[{}]", ids.collect::<Vec<_>>().join(",")));
    let input = folder.write("input.ndjson", many);
    let mut child = start(&["--destinations", &destinations, "--segment", &settings, &input]);
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("{\"type\":\"track\""), "{line}");
    let began = Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if began.elapsed() > Duration::from_secs(60) => {
                child.kill().unwrap();
                panic!("it goes on though nobody reads");
            }
            None => thread::sleep(Duration::from_millis(10)),
        }
    };
    assert_eq!(status.code(), Some(0));
}

#[test]
fn unusable_settings_are_refused() {
    let folder = Folder::new("unusable_settings_are_refused");
    let destinations = folder.write("destinations.json", DESTINATIONS);
    let check = |settings: &str, message: &str| {
        let path = folder.write("settings.json", settings);
        let run = replay(&["--destinations", &destinations, "--segment", &path], "");
        assert_eq!(run.stderr, format!("replay: can't use the settings in `{path}`: {message}\n"));
        assert_eq!((run.stdout.as_str(), run.status), ("", Some(1)));
    };
    check(
        r#"{"dst_1":{"cal":"track"}}"#,
        "`dst_1.cal` is not a known field, \
         expected `call`, `engage`, `external_audience_id` or `audience_settings`",
    );
    check("{", "can't be read as JSON: EOF while parsing an object at line 1 column 1");
    let missing = folder.path("missing.json");
    let run = replay(&["--destinations", &destinations, "--segment", &missing], "");
    assert!(run.stderr.starts_with(&format!("replay: can't read `{missing}`: ")), "{}", run.stderr);
    let settings = folder.write("settings.json", SETTINGS);
    let run = replay(&["--destinations", &destinations, "--segment", &settings, "--rejects", &settings], "");
    assert_eq!(run.stderr, format!("replay: --rejects would overwrite `{settings}`\n"));
    assert_eq!(folder.read("settings.json"), SETTINGS);
}
