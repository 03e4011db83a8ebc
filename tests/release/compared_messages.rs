//! What makes two messages the same, and how a comparison names what differs.

use idgroup::compare::{Comparison, ComparisonKey, Copies, Extent, compare_streams};

use crate::two_maps::{AMPLE, Mail, compared, difference, mail, numbered};

#[test]
fn two_copies_of_one_message_are_not_two_copies_of_another() {
    let (a, b) = (mail(&["a"]), mail(&["b"]));
    let found = difference(compared(&[a.clone(), a.clone()], &[b.clone(), b.clone()]));
    assert_eq!((found.legacy, found.dedupe), (2, 2));
    assert_eq!((found.only_in_legacy, found.only_in_dedupe, found.in_different_numbers), (1, 1, 0));
    let mut samples: Vec<_> = found.samples.into_iter().map(|s| (s.message.0, s.copies)).collect();
    samples.sort_by(|(a, _), (b, _)| a.cmp(b));
    assert_eq!(samples, [(a, Copies { legacy: 2, dedupe: 0 }), (b, Copies { legacy: 0, dedupe: 2 })]);
    assert_eq!(found.extent, Extent::Whole);
}

/// A sum of 2^16 copies loses 16 of its 128 bits, and no more.
#[test]
fn copies_by_a_power_of_two_do_not_cancel() {
    let (a, b) = (mail(&["a"]), mail(&["b"]));
    let copies = 65_536;
    let many = |mail: &Mail| vec![mail.clone(); copies];
    let found = difference(compared(&many(&a), &many(&b)));
    assert_eq!((found.legacy, found.dedupe), (65_536, 65_536));
    assert_eq!((found.only_in_legacy, found.only_in_dedupe, found.in_different_numbers), (1, 1, 0));
    let copies: Vec<_> = found.samples.iter().map(|sample| sample.copies).collect();
    assert!(copies.contains(&Copies { legacy: 65_536, dedupe: 0 }));
    assert!(copies.contains(&Copies { legacy: 0, dedupe: 65_536 }));
    assert!(compared(&many(&a), &many(&a)).is_identical());
}

#[test]
fn where_one_part_ends_and_the_next_begins_is_a_part_of_a_message() {
    assert!(!compared(&[mail(&["x0", "y"])], &[mail(&["x", "0y"])]).is_identical());
    assert!(!compared(&[mail(&["x", ""])], &[mail(&["", "x"])]).is_identical());
    assert!(!compared(&[mail(&[""])], &[mail(&[])]).is_identical());
    assert!(!compared(&[mail(&["\0\0\0\0\0\0\0\0"])], &[mail(&["", ""])]).is_identical());
    assert!(compared(&[mail(&["x0", "y"])], &[mail(&["x0", "y"])]).is_identical());
}

/// A length that were cut to a byte, or to two, would make these the same: all their bytes are zeros.
#[test]
fn lengths_of_parts_are_written_in_full() {
    for length in [256, 65_536] {
        let zeros = "\0".repeat(length);
        assert!(!compared(&[mail(&[&zeros, ""])], &[mail(&["", &zeros])]).is_identical(), "{length}");
    }
}

/// Short parts are gathered before they are hashed, and long ones are not: wherever that changes,
/// no byte of a message gets lost, and what follows still counts.
#[test]
fn long_messages_are_compared_to_their_last_byte() {
    for length in (0..8).chain(220..270).chain([500, 512, 600, 5_000]) {
        let long = "x".repeat(length);
        let message = mail(&["a", &long, "b"]);
        let same = |other: &[&str]| compared(std::slice::from_ref(&message), &[mail(other)]).is_identical();
        assert!(same(&["a", &long, "b"]), "{length}");
        assert!(!same(&["c", &long, "b"]), "{length}");
        assert!(!same(&["a", &long, "c"]), "{length}");
        assert!(!same(&["a", &format!("{long}x"), "b"]), "{length}");
        assert!(!same(&["a", &long.replacen('x', "y", 1), "b"]) || length == 0, "{length}");
    }
}

/// Equal sums are not enough: the hash of a message could be anything, 0 included.
#[test]
fn a_number_of_messages_is_a_part_of_the_verdict() {
    let a = mail(&["a"]);
    let found = difference(compared(&[], std::slice::from_ref(&a)));
    assert_eq!((found.legacy, found.dedupe, found.only_in_dedupe), (0, 1, 1));
    let found = difference(compared(&[a.clone(), a.clone(), a.clone()], &[a.clone(), a]));
    assert_eq!((found.legacy, found.dedupe, found.in_different_numbers), (3, 2, 1));
    assert_eq!(found.samples[0].copies, Copies { legacy: 3, dedupe: 2 });
    assert_eq!(compared(&[], &[]), Comparison::NothingToCompare);
}

/// Of two messages the sum of whose hashes is known another pair with the same sum could be made;
/// who does not know the key knows no sum. Nothing but the order of samples shows it.
#[test]
fn the_key_takes_part_in_the_hash() {
    let messages: Vec<_> = (0..16).map(numbered).collect();
    let order = |key| -> Vec<Mail> {
        let budget = AMPLE.into();
        let found = difference(compare_streams(
            &ComparisonKey::new(key),
            &budget,
            || &messages,
            || -> [Mail; 0] { [] },
        ));
        found.samples.into_iter().map(|sample| sample.message.0).collect()
    };
    assert_eq!(order([7; 16]), order([7; 16]));
    for position in 0..16 {
        let mut other = [7; 16];
        other[position] = 8;
        assert_ne!(order([7; 16]), order(other), "byte {position} of the key");
    }
}
