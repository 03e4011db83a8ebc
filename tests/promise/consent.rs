//! What consent needs to keep the promise, told one update after the other, to a destination on `email` that
//! requires it. The search takes consent through every history; these are for reading.

use idgroup::{
    Consent, Destination, Destinations, DropReason, ExternalId, ExternalIdKey, Membership, MergedProfile,
    ProfileUpdateBuilder, Trigger, explain,
};

use crate::build::{at, entry, id};

type Subscribed = Option<bool>;

const YES: Subscribed = Some(true);
const NO: Subscribed = Some(false);

/// An email that came at this second, as it is when an update is looked up.
fn email(value: &str, second: i128, subscribed: Subscribed) -> ExternalId {
    id("email", value).with_created_at(at(second)).maybe_subscribed(subscribed)
}

fn key(value: &str) -> ExternalIdKey {
    ExternalIdKey::new("email", value).unwrap()
}

fn new_email(value: &str) -> Trigger {
    Trigger::new_external_id([key(value)]).unwrap()
}

/// What the destination is sent, computed at this second and looked up with this list.
#[track_caller]
fn assert_sent<const N: usize>(
    update: ProfileUpdateBuilder,
    second: i128,
    list: [ExternalId; N],
    expected: Result<&str, DropReason>,
) {
    let destination = Destination::new("dst_1").unwrap().deduping_on(["email"]).unwrap();
    let destinations = Destinations::new([destination.with_consent(Consent::Required)]).unwrap();
    let update = update.computed_at(at(second)).external_ids(list).build().unwrap();
    let explanation = explain(&update, &destinations);
    let verdict = explanation.of("dst_1").unwrap();
    let sent = verdict.external_ids().get(0).map(|id| id.id().to_owned());
    assert_eq!(sent.ok_or_else(|| verdict.verdict().drop_reason().unwrap()), expected.map(ToOwned::to_owned));
}

#[test]
fn consent_that_stays_keeps_the_promise() {
    let old = || [email("a", 1, YES)];
    assert_sent(entry(), 2, old(), Ok("a"));
    let list = [email("a", 1, YES), email("b", 3, YES)];
    assert_sent(entry().trigger(new_email("b")), 3, list, Err(DropReason::AlreadyMessaged));
    // Of two addresses one refuses all along, and is as if it were not there.
    assert_sent(entry(), 2, [email("a", 1, NO)], Err(DropReason::NoConsent));
    let list = [email("a", 1, NO), email("b", 3, YES)];
    assert_sent(entry().trigger(new_email("b")), 3, list, Ok("b"));
    let list = [email("a", 1, NO), email("b", 3, YES), email("c", 4, YES)];
    assert_sent(entry().trigger(new_email("c")), 4, list, Err(DropReason::AlreadyMessaged));
}

#[test]
fn consent_taken_back_before_a_new_id_sends_twice() {
    assert_sent(entry(), 2, [email("a", 1, YES)], Ok("a"));
    let list = [email("a", 1, NO), email("b", 3, YES)];
    assert_sent(entry().trigger(new_email("b")), 3, list, Ok("b"));
}

#[test]
fn consent_taken_back_before_a_redelivery_sends_twice() {
    assert_sent(entry(), 3, [email("a", 1, YES), email("b", 2, YES)], Ok("b"));
    assert_sent(entry(), 3, [email("a", 1, YES), email("b", 2, NO)], Ok("a"));
}

/// Giving consent is no change that emits an update: the next stay is the first to have a message.
#[test]
fn consent_given_during_a_stay_sends_none() {
    assert_sent(entry(), 2, [email("a", 1, NO)], Err(DropReason::NoConsent));
    let exit = entry().membership(Membership::Out);
    assert_sent(exit, 4, [email("a", 1, YES)], Err(DropReason::Exited));
    assert_sent(entry().id("upd_2"), 5, [email("a", 1, YES)], Ok("a"));
}

/// The older address looks as if it had been messaged.
#[test]
fn consent_given_before_a_new_id_sends_none() {
    assert_sent(entry(), 2, [email("a", 1, NO)], Err(DropReason::NoConsent));
    let list = [email("a", 1, YES), email("b", 3, YES)];
    assert_sent(entry().trigger(new_email("b")), 3, list, Err(DropReason::AlreadyMessaged));
}

/// What merged profiles held is stated without consent.
#[test]
fn a_member_that_refused_and_is_merged_is_sent_none() {
    assert_sent(entry(), 2, [email("a", 1, NO)], Err(DropReason::NoConsent));
    let own = MergedProfile::new("use_1", Membership::In).unwrap().holding([key("a")]);
    let other = MergedProfile::new("use_2", Membership::Out).unwrap().holding([key("b")]);
    let merge = Trigger::profile_merge([own, other]).unwrap();
    let list = [email("a", 1, NO), email("b", 1, YES).with_attached_at(at(3))];
    assert_sent(entry().trigger(merge), 3, list, Err(DropReason::AlreadyMessaged));
}
