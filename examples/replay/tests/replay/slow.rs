//! Updates that amplify beyond what is allowed.

use crate::program::{Folder, amplifying, count, of_email, replay, update_ids};

#[test]
fn monsters_are_set_aside_as_they_were() {
    let folder = Folder::new("monsters_are_set_aside_as_they_were");
    let (destinations, slow) = (folder.destinations(), folder.path("slow.ndjson"));
    // 8 messages are as many as are allowed. Spaces and unknown fields are part of a line.
    let monster = amplifying("upd_2", 2, 3).replacen('{', r#"{ "unknown":"é" , "#, 1);
    let input = format!("{}\n{monster}\r\nbad\n{}\n{monster}", amplifying("upd_1", 3, 2), of_email("upd_3"));
    let rollout = folder.write(
        "rollout.json",
        r#"{"flag":{"name":"dedupe","share_basis_points":10000},"gate":{"spaces":["spa_1"]},"compare":true}"#,
    );
    for flags in [&[][..], &["--explain-json"], &["--legacy"], &["--shadow"], &["--rollout", &rollout]] {
        let lane = ["--max-messages", "8", "--slow", &slow, "--destinations", &destinations];
        let run = replay(&[&lane, flags].concat(), input.clone());
        assert_eq!(folder.read("slow.ndjson"), format!("{monster}\n{monster}\n"), "{flags:?}");
        assert!(!run.stdout.contains("upd_2"), "{flags:?}");
        if flags != ["--shadow"] {
            let mut printed = update_ids(&run.stdout);
            printed.dedup();
            assert_eq!(printed, ["upd_1", "upd_3"], "{flags:?}");
        }
        assert_eq!(run.status, Some(2), "{flags:?}: {}", run.stderr);
        assert_eq!((&*count(&run, "slow updates"), &*count(&run, "rejected lines")), ("2", "1"));
        if flags == ["--shadow"] || flags == ["--rollout", &rollout] {
            assert_eq!((&*count(&run, "comparison identical")), "2", "{flags:?}");
            assert!(!run.stderr.contains("refused"), "{}", run.stderr);
        } else {
            assert_eq!(count(&run, "outbound messages"), "9", "{flags:?}");
        }
        // What was set aside replays.
        let again = replay(&["--destinations", &destinations, &slow], "");
        assert_eq!((update_ids(&again.stdout), again.status), (vec!["upd_2".into(); 2], Some(0)));
    }
}

#[test]
fn more_messages_are_compared_where_more_are_allowed() {
    let folder = Folder::new("more_messages_are_compared_where_more_are_allowed");
    let run = replay(
        &[
            "--shadow",
            "--max-messages",
            "20000",
            "--slow",
            &folder.path("slow.ndjson"),
            "--destinations",
            &folder.destinations(),
        ],
        format!("{}\n{}", amplifying("upd_1", 2, 100), amplifying("upd_2", 64, 2)),
    );
    assert_eq!((run.stdout.as_str(), run.status), ("", Some(0)));
    assert_eq!((&*count(&run, "comparison identical"), &*count(&run, "slow updates")), ("1", "1"));
    assert_eq!(folder.read("slow.ndjson").lines().count(), 1);
}

/// Of an exit the dedupe flow sends these destinations nothing.
#[test]
fn monsters_of_the_legacy_flow_alone_are_set_aside() {
    let folder = Folder::new("monsters_of_the_legacy_flow_alone_are_set_aside");
    let destinations =
        folder.write("deduping.json", r#"{"aud_1": [{"id": "dst_1", "dedupes_on": ["email"]}]}"#);
    let slow = folder.path("slow.ndjson");
    let arguments = ["--shadow", "--max-messages", "8", "--slow", &slow, "--destinations", &destinations];
    let monster = amplifying("upd_1", 2, 3).replace(r#""in""#, r#""out""#);
    let run = replay(&arguments, monster.clone());
    assert_eq!((count(&run, "slow updates").as_str(), run.status), ("1", Some(0)));
    assert_eq!(folder.read("slow.ndjson"), monster + "\n");
}

#[test]
fn nothing_slow_leaves_an_empty_file() {
    let folder = Folder::new("nothing_slow_leaves_an_empty_file");
    let slow = folder.write("slow.ndjson", "of another replay");
    let arguments = ["--max-messages", "1", "--slow", &slow, "--destinations", &folder.destinations()];
    let run = replay(&arguments, of_email("upd_1"));
    assert_eq!((folder.read("slow.ndjson").as_str(), run.status), ("", Some(0)));
    assert_eq!(count(&run, "slow updates"), "0");
}

#[test]
fn the_slow_lane_overwrites_nothing_that_is_used() {
    let folder = Folder::new("the_slow_lane_overwrites_nothing_that_is_used");
    let rollout = folder.write("rollout.json", r#"{"flag":{"name":"dedupe","share_basis_points":0}}"#);
    let tiers = folder.write("tiers.json", "{}");
    let input = folder.write("input.ndjson", of_email("upd_1"));
    let (destinations, rejects) = (folder.destinations(), folder.path("rejects.ndjson"));
    for taken in [&rollout, &tiers, &input, &destinations, &rejects] {
        let run = replay(
            &[
                "--rollout",
                &rollout,
                "--tiers",
                &tiers,
                "--rejects",
                &rejects,
                "--destinations",
                &destinations,
                "--max-messages",
                "1",
                "--slow",
                taken,
                &input,
            ],
            "",
        );
        assert_eq!(run.stderr, format!("replay: --slow would overwrite `{taken}`\n"));
        assert_eq!((run.stdout.as_str(), run.status), ("", Some(1)));
    }
    assert_eq!(folder.read("input.ndjson"), of_email("upd_1"));
}
