//! Where destinations ask for consent, and it is given and taken back whenever, also in a stay, and between
//! an update's deliveries: no stay ever sends two messages, none is sent to an ID without consent, and one is
//! sent where an update's reason has consent at every later moment.

use idgroup::Completeness;

use super::deliveries::{Plan, Wrong};
use super::search::explore;
use super::world::{Beside, Consents, Told};
use super::{FROM_ANYWHERE, IN_ORDER, TOLD, assert_goes_wrong, assert_kept};
use crate::ids::IdSet;

const CHANGING: Told = Told { consent: Consents::Changing, ..TOLD };
const LASTING: Told = Told { consent: Consents::Lasting, ..TOLD };

#[track_caller]
fn assert_kept_with_consent(told: Told, longest: usize) {
    for beside in [Beside::Nothing, Beside::After, Beside::EntryBefore] {
        for timed in [IdSet::NONE, told.ids] {
            let told = Told { timed, beside, ..told };
            let seen = assert_kept(told, Completeness::Complete, IN_ORDER, longest);
            let is_either = seen.owed_either > 0;
            assert!(seen.owed_one > 0 && seen.owed_none > 0, "{seen:?}");
            assert_eq!(is_either, told.consent == Consents::Changing, "{seen:?}");
        }
    }
}

#[test]
fn every_short_history_with_consent_keeps_the_promise() {
    assert_kept_with_consent(CHANGING, 3);
    assert_kept_with_consent(LASTING, 3);
}

#[test]
#[ignore = "the whole: minutes in release"]
fn every_history_with_changing_consent_keeps_the_promise() {
    assert_kept_with_consent(Told { ids: IdSet(0b001), ..CHANGING }, 5);
    assert_kept_with_consent(CHANGING, 4);
    assert_kept_with_consent(Told { ids: IdSet(0b101), ..CHANGING }, 4);
}

#[test]
#[ignore = "the whole: minutes in release"]
fn every_history_with_lasting_consent_keeps_the_promise() {
    assert_kept_with_consent(Told { ids: IdSet(0b001), ..LASTING }, 5);
    assert_kept_with_consent(LASTING, 4);
}

/// What is assumed of a profile's past is what its consent says now.
#[test]
fn a_memory_that_begins_where_consent_changes() {
    let told = Told { consent: Consents::Changing, ..FROM_ANYWHERE };
    let plan = |wrong| Plan { looking_for: Some(wrong), ..IN_ORDER };
    let partial = Completeness::Partial;
    assert_goes_wrong("partial_with_consent_too_many", told, partial, plan(Wrong::TooMany), 3);
}

/// What a merge states is taken without regard to consent.
#[test]
#[ignore = "the whole: minutes in release"]
fn a_memory_that_begins_where_members_refuse() {
    let told = Told { consent: Consents::Lasting, ..FROM_ANYWHERE };
    let plan = |wrong| Plan { looking_for: Some(wrong), ..IN_ORDER };
    let partial = Completeness::Partial;
    assert_goes_wrong("partial_with_refusals_missing", told, partial, plan(Wrong::Missing), 5);
    assert!(explore(told, partial, plan(Wrong::TooMany), 3).1.is_none(), "but nobody is messaged twice");
}
