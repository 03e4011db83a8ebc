//! The page about a replay, as a file; how it looks in a browser is tested by the browser's tests.

use std::fs;

use serde_json::Value;

use crate::program::{FIXTURES, Folder, amplifying, of_email, replay, update};

fn pipeline(name: &str) -> String {
    format!("{FIXTURES}/pipeline/{name}")
}

/// The values of external IDs in the recording that could not be anything else.
fn addresses() -> Vec<String> {
    let mut found = Vec::new();
    for line in fs::read_to_string(pipeline("clean.ndjson")).unwrap().lines() {
        let update: Value = serde_json::from_str(line).unwrap();
        let ids = update["external_ids"].as_array().unwrap().iter().map(|id| id["id"].as_str().unwrap());
        found.extend(
            ids.filter(|id| id.contains('@') || id.starts_with('+') || id.len() > 24).map(str::to_owned),
        );
    }
    found
}

#[test]
fn no_mode_puts_an_address_into_its_report_unless_asked_to() {
    let folder = Folder::new("no_mode_puts_an_address_into_its_report");
    let (report, addresses) = (folder.path("report.html"), addresses());
    assert!(addresses.len() > 300, "{}", addresses.len());
    let [new, legacy, destinations, clean] =
        ["new_destinations.json", "legacy_destinations.json", "destinations.json", "clean.ndjson"]
            .map(pipeline);
    let [rollout, tiers] = ["rollout.json", "tiers.json"].map(|name| format!("{FIXTURES}/{name}"));
    let with = |flags: &[&str]| {
        let always = ["--report", &*report, "--destinations", &*destinations, &*clean];
        replay(&[&always, flags].concat(), "");
        let page = folder.read("report.html");
        assert!(page.ends_with("</html>"), "{flags:?}");
        addresses.iter().filter(|address| page.contains(&**address)).count()
    };
    for flags in [
        &[][..],
        &["--explain"],
        &["--explain-json"],
        &["--legacy"],
        &["--shadow", "--legacy-destinations", &legacy],
        &["--rollout", &rollout, "--tiers", &tiers],
        &["--preview", &new],
    ] {
        assert_eq!(with(flags), 0, "{flags:?}");
    }
    assert!(with(&["--preview", &new, "--show-addresses"]) > 5);
}

#[test]
fn any_number_of_jobs_comes_to_the_same_report() {
    let folder = Folder::new("any_number_of_jobs_comes_to_the_same_report");
    let line = |number: usize| match number % 4 {
        0 => amplifying(&format!("upd_{number}"), 2, number % 97),
        1 => update(&format!("upd_{number}"), "out", ""),
        _ => of_email(&format!("upd_{number}"))
            .replace(r#""membership""#, &format!(r#""computed_at":{},"membership""#, time(number))),
    };
    let input: String = (0..4_000).map(|number| line(number) + "\n").collect();
    let (input, report) = (folder.write("input.ndjson", input), folder.path("report.html"));
    let destinations = folder.destinations();
    let page = |jobs: &str| {
        let run = replay(&["--report", &report, "--jobs", jobs, "--destinations", &destinations, &input], "");
        assert_eq!(run.status, Some(0), "{}", run.stderr);
        // But for how fast it was.
        folder.read("report.html").split_once("<form").unwrap().1.to_owned()
    };
    let expected = page("1");
    // 96 IDs of each of two types, of an update with the greatest remainder.
    assert!(expected.contains(r#"<td class="number">9,216</td>"#));
    assert!(expected.contains("each column 28 days") || expected.contains("each column a day"), "periods");
    for jobs in ["2", "5"] {
        assert!(page(jobs) == expected, "{jobs} jobs");
    }
}

/// Over some days, in no order.
fn time(number: usize) -> String {
    let minute = number * 7_919 % 40_000;
    format!(r#""2026-01-{:02}T{:02}:{:02}:00Z""#, 1 + minute / 1_440, minute / 60 % 24, minute % 60)
}

#[test]
fn a_page_about_a_part_says_so() {
    let folder = Folder::new("a_page_about_a_part_says_so");
    let (destinations, report) = (folder.destinations(), folder.path("report.html"));
    let whole = folder.write("whole.ndjson", of_email("upd_1"));
    let cut = folder.write("cut.ndjson.gz", &b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x4b"[..]);
    for (inputs, is_whole) in [(&[&*whole][..], true), (&[&*whole, &*cut], false)] {
        let run = replay(&[&["--report", &*report, "--destinations", &*destinations], inputs].concat(), "");
        assert_eq!(run.status, Some(if is_whole { 0 } else { 1 }), "{}", run.stderr);
        assert_eq!(folder.read("report.html").contains("The replay ended before its input did"), !is_whole);
    }
}

#[test]
fn names_from_outside_are_text_and_no_more() {
    let folder = Folder::new("names_from_outside_are_text_and_no_more");
    let hostile = r#"<script>alert(1)</script>\"><img src=x>"#;
    let destinations = folder.write("d.json", format!(r#"{{"aud_1":[{{"id":"{hostile}"}}]}}"#));
    let new = folder.write("new.json", r#"{"aud_1":[]}"#);
    let report = folder.path("report.html");
    let input = amplifying(hostile, 1, 200);
    for flags in [&[][..], &["--preview", &new]] {
        let run =
            replay(&[&["--report", &report, "--destinations", &destinations], flags].concat(), input.clone());
        let page = folder.read("report.html");
        assert!(page.contains("&lt;script&gt;"), "{}", run.stderr);
        assert!(!page.contains("<script>alert") && !page.contains("<img"));
    }
}

#[test]
fn a_report_overwrites_nothing_that_is_read_or_written() {
    let folder = Folder::new("a_report_overwrites_nothing");
    let destinations = folder.destinations();
    let rejects = folder.write("rejects.ndjson", "");
    for taken in [&destinations, &rejects] {
        let run = replay(&["--report", taken, "--rejects", &rejects, "--destinations", &destinations], "");
        assert_eq!(run.status, Some(1));
        assert!(run.stderr.contains(&format!("--report would overwrite `{taken}`")), "{}", run.stderr);
    }
    assert!(folder.read("destinations.json").starts_with("{"));
}
