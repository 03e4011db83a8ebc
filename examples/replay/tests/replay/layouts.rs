//! How updates stand in an input: compressed, in an array, behind a byte order mark.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::program::{Folder, Run, count, of_email, replay, update_ids};

fn gzip(content: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn zstandard(content: &str) -> Vec<u8> {
    compress_to_vec(content.as_bytes(), CompressionLevel::Fastest)
}

/// Replays a file and standard input with this content, which must come to the same.
#[track_caller]
fn run(folder: &Folder, content: &[u8]) -> Run {
    let rejects = folder.path("rejects.ndjson");
    let arguments = ["--destinations", &folder.destinations(), "--rejects", &rejects];
    let by_pipe = replay(&arguments, content);
    let file = folder.write("updates", content);
    let by_file = replay(&[&arguments[..], &[&file]].concat(), "");
    assert_eq!((&by_pipe.stdout, by_pipe.status), (&by_file.stdout, by_file.status));
    by_file
}

#[track_caller]
fn assert_ids(run: &Run, ids: &[&str]) {
    assert_eq!((update_ids(&run.stdout), run.status), (ids.iter().map(|id| (*id).into()).collect(), Some(0)));
}

#[test]
fn compressed_inputs_are_read_as_they_are() {
    let folder = Folder::new("compressed_inputs_are_read_as_they_are");
    let (one, two) = (of_email("upd_1") + "\n", of_email("upd_2"));
    for compress in [gzip as fn(&str) -> Vec<u8>, zstandard] {
        let both = run(&folder, &compress(&(one.clone() + &two)));
        assert_ids(&both, &["upd_1", "upd_2"]);
        assert!(both.stderr.contains(&format!("2 updates, 0.{} kB, ", (one.len() + two.len()) / 100)));
        // As several compressors leave them behind each other, and in the middle of a line.
        let (start, end) = two.split_at(20);
        let parts = [compress(&one), compress(start), compress(end)].concat();
        assert_ids(&run(&folder, &parts), &["upd_1", "upd_2"]);
        assert_ids(&run(&folder, &compress("")), &[]);
        assert_ids(&run(&folder, &compress(&format!("\u{feff}[{two}]"))), &["upd_2"]);
    }
}

#[test]
fn zstandard_frames_without_data_are_skipped() {
    let folder = Folder::new("zstandard_frames_without_data_are_skipped");
    let skipped = [&[0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"xyz"].concat();
    let frames = [&skipped[..], &zstandard(&of_email("upd_1")), &skipped].concat();
    assert_ids(&run(&folder, &frames), &["upd_1"]);
}

/// More than any window, buffer or chunk.
#[test]
fn long_compressed_inputs_are_read_to_their_end() {
    let folder = Folder::new("long_compressed_inputs_are_read_to_their_end");
    let many: String = (0..20_000).map(|number| of_email(&format!("upd_{number}")) + "\n").collect();
    let rejects = folder.path("rejects.ndjson");
    let arguments = ["--destinations", &folder.destinations(), "--rejects", &rejects];
    let expected = replay(&arguments, many.clone());
    assert_eq!((update_ids(&expected.stdout).len(), expected.status), (20_000, Some(0)));
    for compressed in [gzip(&many), zstandard(&many)] {
        let run = replay(&arguments, compressed);
        assert!(run.stdout == expected.stdout);
        assert_eq!(count(&run, "events"), "20,000");
    }
}

#[test]
fn broken_compression_ends_with_what_it_is() {
    let folder = Folder::new("broken_compression_ends_with_what_it_is");
    let path = folder.path("updates");
    let check = |content: &[u8]| {
        let run = run(&folder, content);
        assert!(run.stderr.contains(&format!("replay: can't read `{path}`: ")), "{}", run.stderr);
        assert_eq!(run.status, Some(1));
    };
    for (content, checksum_bytes) in [(gzip(&of_email("upd_1")), 8), (zstandard(&of_email("upd_1")), 4)] {
        let checksum = content.len() - checksum_bytes;
        check(&content[..checksum - 1]);
        check(&content[..checksum + 1]);
        let mut other = content.clone();
        other[checksum] ^= 1;
        check(&other);
    }
    // A frame without data that is cut.
    check(&[&zstandard("")[..], &[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1]].concat());
}

#[test]
fn what_only_begins_like_compression_is_a_bad_line() {
    let folder = Folder::new("what_only_begins_like_compression_is_a_bad_line");
    for start in ["(", "P*", "\u{1f}"] {
        let run = run(&folder, format!("{start}\n{}", of_email("upd_1")).as_bytes());
        assert_eq!((update_ids(&run.stdout), run.status), (vec!["upd_1".into()], Some(2)), "{start:?}");
    }
}

#[test]
fn arrays_are_read_like_lines() {
    let folder = Folder::new("arrays_are_read_like_lines");
    let ids = ["upd_1", "upd_2", "upd_3"];
    let [one, two, three] = ids.map(of_email);
    let value: serde_json::Value = serde_json::from_str(&format!("[{one},{two},{three}]")).unwrap();
    for content in [
        format!("[{one},{two},{three}]"),
        format!("\u{feff}\n \t[\n{one},\r\n{two}\n,{three}\n]\n\n"),
        serde_json::to_string_pretty(&value).unwrap(),
        // Pages of an interface, one after the other.
        format!("[{one}]\n[{two},{three}]"),
        format!("[]\n{one}\n{two}\n{three}"),
        format!("[{one},{two}]{three}"),
    ] {
        assert_ids(&run(&folder, content.as_bytes()), &ids);
    }
    assert_ids(&run(&folder, b"[]"), &[]);
    assert_ids(&run(&folder, b" [ \n ] "), &[]);
}

#[test]
fn brackets_and_commas_in_texts_are_part_of_them() {
    let folder = Folder::new("brackets_and_commas_in_texts_are_part_of_them");
    let texts = [r"]", r"}", r"[{", r",", r#"\""#, r"\\", r#"\\\"],["#, r"\u005d"];
    let ids: Vec<String> = (0..texts.len()).map(|index| format!("upd_{index}")).collect();
    let updates = ids.iter().zip(texts).map(|(id, text)| {
        of_email(id).replacen('{', &format!(r#"{{"note":"{text}","notes":["{text}",{{"a":[1]}}],"#), 1)
    });
    let content = format!("[{}]", updates.collect::<Vec<_>>().join(","));
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    assert_ids(&run(&folder, content.as_bytes()), &ids);
}

#[test]
fn bad_elements_are_set_aside_with_line_and_position() {
    let folder = Folder::new("bad_elements_are_set_aside_with_line_and_position");
    let [one, two] = ["upd_1", "upd_2"].map(of_email);
    let check = |content: String, rejects: &[&str]| {
        let run = run(&folder, content.as_bytes());
        assert_eq!((update_ids(&run.stdout), run.status), (vec!["upd_1".into(), "upd_2".into()], Some(2)));
        assert_eq!(folder.read("rejects.ndjson").lines().collect::<Vec<_>>(), rejects, "{content}");
    };
    check(
        format!("[\n{one},\n 12 ,\n{two}]"),
        &[r#"{"line":3,"element":2,"error":"the input must be an object, not a number","input":"12 "}"#],
    );
    check(
        format!("[{one},[{{}}],{{\n\"id\": \"\"}},{two}]"),
        &[
            r#"{"line":1,"element":2,"error":"the input must be an object, not an array","input":"[{}]"}"#,
            r#"{"line":1,"element":3,"error":"`id` is empty","input":"{\n\"id\": \"\"}"}"#,
        ],
    );
    // Elements of several lines count with all of them.
    check(
        format!("[{},\n12,{two}]", one.replacen('{', "{\n\n", 1)),
        &[r#"{"line":4,"element":2,"error":"the input must be an object, not a number","input":"12"}"#],
    );
    // A quotation mark too few costs the rest of its line, and no more.
    check(
        format!("[{one},\n{{\"id\":\"upd_3,\n{two}]"),
        &[
            r#"{"line":2,"element":2,"error":"can't be read as JSON: EOF while parsing a string at column 13","input":"{\"id\":\"upd_3,"}"#,
        ],
    );
    check(
        format!("[{one},}}{two}]"),
        &[
            r#"{"line":1,"element":2,"error":"can't be read as JSON: expected value at column 1","input":"}"}"#,
        ],
    );
    check(
        format!("[{one},{two}"),
        &[r#"{"line":1,"error":"the input ends before its array does","input":""}"#],
    );
    check(
        format!("[{one},{two},{{\"id\""),
        &[
            r#"{"line":1,"element":3,"error":"can't be read as JSON: EOF while parsing an object at column 5","input":"{\"id\""}"#,
        ],
    );
    check(
        format!("[{one}]\nbad\n{two}"),
        &[r#"{"line":2,"error":"can't be read as JSON: expected value at column 1","input":"bad"}"#],
    );
}

#[test]
fn elements_are_cut_like_lines() {
    let folder = Folder::new("elements_are_cut_like_lines");
    let (destinations, rejects) = (folder.destinations(), folder.path("rejects.ndjson"));
    let arguments = ["--destinations", &destinations, "--rejects", &rejects, "--max-line-bytes", "1000"];
    let long = format!(r#"{{"text":"{}"}}"#, "x".repeat(300_000));
    let run = replay(&arguments, format!("[{},{long},{}]", of_email("upd_1"), of_email("upd_2")));
    assert_eq!((update_ids(&run.stdout), run.status), (vec!["upd_1".into(), "upd_2".into()], Some(2)));
    let reject: serde_json::Value = serde_json::from_str(&folder.read("rejects.ndjson")).unwrap();
    assert_eq!(reject["element"], 2);
    assert_eq!(reject["input"], long[..1024]);
}

#[test]
fn elements_that_are_set_aside_are_lines() {
    let folder = Folder::new("elements_that_are_set_aside_are_lines");
    let (destinations, slow) = (folder.destinations(), folder.path("slow.ndjson"));
    let value: serde_json::Value = serde_json::from_str(&of_email("upd_1")).unwrap();
    let pretty = format!("[{}]", serde_json::to_string_pretty(&value).unwrap());
    let run = replay(&["--max-messages", "0", "--slow", &slow, "--destinations", &destinations], pretty);
    assert_eq!((count(&run, "slow updates").as_str(), run.status), ("1", Some(0)));
    let lines = folder.read("slow.ndjson");
    assert_eq!(lines.lines().count(), 1);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&lines).unwrap(), value);
}

#[test]
fn a_byte_order_mark_is_fine_in_every_file() {
    let folder = Folder::new("a_byte_order_mark_is_fine_in_every_file");
    let marked = |name: &str, text: &str| folder.write(name, format!("\u{feff}{text}"));
    let destinations = marked("d.json", r#"{"aud_1": [{"id": "dst_1"}]}"#);
    let rollout = marked(
        "r.json",
        r#"{"flag":{"name":"dedupe","share_basis_points":10000},"gate":{"tiers":["beta"]}}"#,
    );
    let tiers = marked("t.json", r#"{"spa_1": "beta"}"#);
    let updates = marked("u.ndjson", &of_email("upd_1"));
    let run =
        replay(&["--rollout", &rollout, "--tiers", &tiers, "--destinations", &destinations, &updates], "");
    assert_ids(&run, &["upd_1"]);
    assert_eq!(count(&run, "tier_open"), "1");
    let run = replay(
        &["--shadow", "--legacy-destinations", &destinations, "--destinations", &destinations, &updates],
        "",
    );
    assert_eq!((run.stdout.as_str(), run.status), ("", Some(0)));
}

#[test]
fn half_a_byte_order_mark_is_part_of_a_bad_line() {
    let folder = Folder::new("half_a_byte_order_mark_is_part_of_a_bad_line");
    for content in [&b"\xEF\xBB"[..], b"\xEF\xBBx"] {
        let run = run(&folder, content);
        assert_eq!((run.stdout.as_str(), run.status), ("", Some(2)));
        assert!(folder.read("rejects.ndjson").contains("not UTF-8 at column 1"));
    }
    let run = run(&folder, "\u{feff}".as_bytes());
    assert_ids(&run, &[]);
}
