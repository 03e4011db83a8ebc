//! A dedupe flow with a bug is found, and the bug named.

use idgroup::compare::Comparison;
use idgroup::{Collection, ExternalId};

use crate::build::plain;
use crate::shop::{Shop, assert_found, email, phone, shop, with_bug};

#[test]
fn no_bug_is_found_where_there_is_none() {
    assert_eq!(with_bug(&[shop()]), Comparison::Identical { messages: 6 });
}

#[test]
fn a_missing_id_is_found() {
    assert_found(&[Shop { emails: vec![email("a"), email("c")], ..shop() }], 2, 0, 0);
    assert_found(&[Shop { phones: vec![phone("1")], ..shop() }], 3, 0, 0);
}

#[test]
fn a_missing_type_is_found() {
    assert_found(&[Shop { phones: vec![], ..shop() }], 6, 3, 0);
}

#[test]
fn an_id_too_many_is_found() {
    let emails = vec![email("a"), email("b"), email("c"), email("d")];
    assert_found(&[Shop { emails, ..shop() }], 0, 2, 0);
}

#[test]
fn only_the_latest_ids_where_all_belong_are_found() {
    assert_found(&[Shop { emails: vec![email("c")], phones: vec![phone("2")], ..shop() }], 5, 0, 0);
}

/// Right numbers everywhere, and one byte wrong.
#[test]
fn a_wrong_value_type_collection_or_encoding_is_found() {
    let replaced = |c: ExternalId| Shop { emails: vec![email("a"), email("b"), c], ..shop() };
    assert_found(&[replaced(email("C"))], 2, 2, 0);
    assert_found(&[replaced(email("c").with_encoding("sha256"))], 2, 2, 0);
    assert_found(&[replaced(email("c").with_collection(Collection::Accounts))], 2, 2, 0);
    let phones = ["1", "2"].map(|id| ExternalId::new("Phone", id).unwrap()).into();
    assert_found(&[Shop { phones, ..shop() }], 6, 6, 0);
}

#[test]
fn a_value_that_moved_to_another_type_is_found() {
    assert_found(&[Shop { emails: vec![email("a"), email("b"), email("1")], ..shop() }], 2, 2, 0);
}

#[test]
fn a_missing_destination_is_found() {
    let destinations = shop().destinations.into_iter().filter(|d| d.id() != "ads_2").collect();
    assert_found(&[Shop { destinations, ..shop() }], 6, 6, 0);
}

#[test]
fn a_destination_too_many_is_found() {
    let destinations = shop().destinations.into_iter().chain([plain("ads_3")]).collect();
    assert_found(&[Shop { destinations, ..shop() }], 6, 6, 0);
}

#[test]
fn another_destination_is_found() {
    let destinations = vec![plain("ads_1"), plain("ads_3")];
    assert_found(&[Shop { destinations, ..shop() }], 6, 6, 0);
    let destinations = vec![plain("ads_1a"), plain("ds_2")];
    assert_found(&[Shop { destinations, ..shop() }], 6, 6, 0);
}

/// The bug that this library must not have: a destination that does not dedupe, deduped.
#[test]
fn a_destination_that_dedupes_and_should_not_is_found() {
    let [mut one, mut both] = [shop().destinations, shop().destinations];
    one[1] = plain("ads_2").deduping_on(["email"]).unwrap();
    assert_found(&[Shop { destinations: one, ..shop() }], 6, 6, 0);
    both[0] = plain("ads_1").deduping_on(["email"]).unwrap();
    both[1] = plain("ads_2").deduping_on(["email"]).unwrap();
    assert_found(&[Shop { destinations: both, ..shop() }], 6, 0, 0);
}

#[test]
fn a_destination_that_does_not_dedupe_and_should_is_found() {
    let mut destinations = shop().destinations;
    destinations[2] = plain("sendgrid");
    assert_found(&[Shop { destinations, ..shop() }], 6, 6, 0);
}

#[test]
fn an_event_that_is_made_twice_is_found() {
    assert_found(&[shop(), shop()], 0, 0, 6);
}

#[test]
fn an_event_that_is_not_made_is_found() {
    assert_found(&[], 6, 0, 0);
    let nobody = Shop { emails: vec![], phones: vec![], ..shop() };
    assert_found(&[nobody], 6, 0, 0);
}

#[test]
fn an_event_too_many_is_found() {
    let other = Shop { emails: vec![email("x")], phones: vec![], ..shop() };
    assert_found(&[shop(), other], 0, 1, 0);
}

/// One event instead of another: as many messages, and other ones.
#[test]
fn the_event_of_another_profile_is_found() {
    let emails = vec![email("x"), email("y"), email("z")];
    assert_found(&[Shop { emails, ..shop() }], 6, 6, 0);
}

/// Half of the combinations twice, and half not at all: the count alone would agree.
#[test]
fn one_half_twice_and_the_other_not_at_all_is_found() {
    let half = || Shop { phones: vec![phone("1")], ..shop() };
    assert_found(&[half(), half()], 3, 0, 3);
}

/// One event for each destination, where there was one event for both.
#[test]
fn destinations_of_one_event_that_come_apart_are_found() {
    let [one, other] = ["ads_1", "ads_2"].map(|id| Shop { destinations: vec![plain(id)], ..shop() });
    assert_found(&[one, other], 6, 12, 0);
}
