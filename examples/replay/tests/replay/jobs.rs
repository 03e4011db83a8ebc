//! More workers do the same work, and nothing of it in another order.

use std::fmt::Write;

use crate::program::{Folder, amplifying, of_email, replay, update, update_ids};

/// Updates of every kind, of very different sizes, and bad lines between.
fn varied(updates: usize) -> String {
    let mut input = String::new();
    for number in 0..updates {
        let id = format!("upd_{number}");
        let email = format!(r#"{{"type":"email","id":"{number}@example.com"}}"#);
        let line = match number % 7 {
            0 => update(&id, "in", &email),
            1 => update(&id, "out", &email),
            2 => update(&id, "in", ""),
            3 => amplifying(&id, 3, number % 5),
            4 => update(&id, "in", &email).replace("aud_1", "aud_unknown"),
            5 if number % 3 == 0 => format!("bad {number}"),
            5 => amplifying(&id, 1, number % 90),
            _ => update(&id, "in", &format!(r#"{email},{{"type":"phone","id":"{number}"}}"#)),
        };
        writeln!(input, "{line}").unwrap();
    }
    input
}

/// All that a replay leaves but how fast it was. With so few messages in the fast lane, all that differ
/// are shown, and not a choice that is another one in every run.
fn all_of(folder: &Folder, flags: &[&str], files: &[&str], jobs: &str) -> [String; 4] {
    let (rejects, slow) = (folder.path("rejects.ndjson"), folder.path("slow.ndjson"));
    let lanes = ["--rejects", &*rejects, "--max-messages", "8", "--slow", &slow, "--jobs", jobs];
    let run = replay(&[&lanes, flags, files].concat(), "");
    let (_, summary) = run.stderr.split_once('\n').unwrap();
    [run.stdout, summary.into(), folder.read("rejects.ndjson"), folder.read("slow.ndjson")]
}

/// With a computation that nobody is in and that has so many destinations, a chunk holds a hundred updates,
/// and the input is dozens of chunks.
fn with_many_of_nobody(destinations: &str) -> String {
    let many: Vec<String> = (0..98).map(|id| format!(r#"{{"id":"dst_{id}"}}"#)).collect();
    let many = format!(r#"{{"aud_of_nobody":[{}],"#, many.join(","));
    std::fs::read_to_string(destinations).unwrap().replacen('{', &many, 1)
}

#[test]
fn any_number_of_jobs_leaves_the_same() {
    let folder = Folder::new("any_number_of_jobs_leaves_the_same");
    let destinations = folder.write("destinations_of_many.json", with_many_of_nobody(&folder.destinations()));
    let others = folder.write("others.json", r#"{"aud_1": [{"id": "dst_ads"}, {"id": "dst_crm"}]}"#);
    let rollout = folder.write(
        "rollout.json",
        r#"{"flag":{"name":"dedupe","share_basis_points":10000},"gate":{"spaces":["spa_1"]},"compare":true}"#,
    );
    let (one, other) = (folder.write("one.ndjson", varied(6_000)), folder.write("other.ndjson", varied(500)));
    for flags in [
        &[][..],
        &["--explain"],
        &["--explain-json"],
        &["--legacy"],
        &["--shadow", "--legacy-destinations", &others],
        &["--rollout", &rollout],
        &["--preview", &others, "--show-addresses"],
    ] {
        let flags = [flags, &["--destinations", &destinations]].concat();
        let expected = all_of(&folder, &flags, &[&one, &other], "1");
        assert!(expected.iter().all(|text| text.lines().count() > 3), "{flags:?}");
        for jobs in ["2", "7"] {
            let found = all_of(&folder, &flags, &[&one, &other], jobs);
            assert!(found == expected, "{flags:?} with {jobs} jobs");
        }
    }
}

/// With so many destinations a chunk holds two updates, and what is read at once is many chunks.
#[test]
fn nothing_is_lost_where_there_are_many_destinations() {
    let folder = Folder::new("nothing_is_lost_where_there_are_many_destinations");
    let all: Vec<String> = (0..5_000).map(|id| format!(r#"{{"id":"dst_{id}"}}"#)).collect();
    let destinations = folder.write("many.json", format!(r#"{{"aud_1":[{}]}}"#, all.join(",")));
    let ids: Vec<String> = (0..101).map(|number| format!("upd_{number}")).collect();
    let input: Vec<String> = ids.iter().map(|id| of_email(id)).collect();
    for jobs in ["1", "3"] {
        let run = replay(&["--jobs", jobs, "--destinations", &destinations], input.join("\n"));
        assert_eq!((update_ids(&run.stdout), run.status), (ids.clone(), Some(0)));
    }
}
