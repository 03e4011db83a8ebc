//! What is said about gaps, and about times and labels that are read on their own.

use std::fmt::Write as _;

use idgroup::{Checked, Gap, Timestamp};

#[test]
fn gaps_say_what_they_mean_and_what_to_do() {
    let mut texts = String::new();
    for gap in Gap::ALL {
        writeln!(texts, "{gap}\n    {}\n    {}", gap.meaning(), gap.remedy()).unwrap();
    }
    insta::assert_snapshot!(texts);
}

#[test]
fn times_and_labels_are_refused_on_their_own() {
    let mut texts = String::new();
    for json in [r#""2026-01-05""#, r#""2026-01-05T10:00:00\n""#, "1767607200", "null", "[]", r#""""#] {
        let Checked(time) = serde_json::from_str::<Checked<Timestamp>>(json).unwrap();
        writeln!(texts, "time {json}\n    {}", time.unwrap_err()).unwrap();
        let label = serde_json::from_str::<Gap>(json).unwrap_err();
        writeln!(texts, "label {json}\n    {label}").unwrap();
    }
    insta::assert_snapshot!(texts);
}
