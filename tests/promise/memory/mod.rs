//! With memories: whatever is left out, and however a log is replayed, each stay sends each deduping
//! destination one message, or none if it is owed none.

mod consent;
mod crashes;
mod deliveries;
mod engine;
mod search;
mod world;

use std::time::Instant;

use idgroup::Completeness;

use crate::ids::IdSet;
use crashes::{Consumer, Ends, Transport, crash_in_every_history};
use deliveries::{Order, Plan, Wrong};
use search::{Seen, explore, shortest, tell};
use world::{Beside, Consents, Told};

const IN_ORDER: Plan = Plan { order: Order::OfChanges, without: 0, looking_for: None };

/// Two profiles, two emails without times, and nothing beside.
const TOLD: Told = Told {
    profiles: 2,
    ids: IdSet(0b011),
    timed: IdSet::NONE,
    beside: Beside::Nothing,
    recomputed: true,
    removals: true,
    holdings: false,
    own_times: true,
    consent: Consents::NotAskedFor,
};

#[track_caller]
fn assert_kept(told: Told, completeness: Completeness, plan: Plan, longest: usize) -> Seen {
    let began = Instant::now();
    let (seen, found) = explore(told, completeness, plan, longest);
    if found.is_some() {
        let found = shortest(told, completeness, plan, longest).unwrap();
        panic!("the promise is broken by:\n{}", tell(&found, told, completeness));
    }
    println!("up to {longest} steps, {told:?}, {plan:?}: {seen:?}, {:?}", began.elapsed());
    assert!(seen.states > seen.histories && seen.decisions > seen.states, "{seen:?}");
    seen
}

/// With all ways in which IDs can carry times or not, and all that can be beside.
#[track_caller]
fn assert_kept_with_all_told(told: Told, longest: usize) {
    for timed in (0..=told.ids.0).map(IdSet).filter(|timed| told.ids.contains_all(*timed)) {
        for beside in [Beside::Nothing, Beside::After, Beside::EntryBefore] {
            for own_times in [true, false].into_iter().take(if timed.is_empty() { 1 } else { 2 }) {
                let told = Told { timed, beside, own_times, ..told };
                assert_kept(told, Completeness::Complete, IN_ORDER, longest);
            }
        }
    }
}

#[test]
fn every_short_history_keeps_the_promise() {
    assert_kept_with_all_told(TOLD, 3);
}

#[test]
#[ignore = "the whole: minutes in release"]
fn every_history_of_two_emails_keeps_the_promise() {
    assert_kept_with_all_told(TOLD, 4);
    for beside in [Beside::Nothing, Beside::After, Beside::EntryBefore] {
        assert_kept(Told { beside, ..TOLD }, Completeness::Complete, IN_ORDER, 5);
    }
}

#[test]
#[ignore = "the whole: minutes in release"]
fn every_history_of_two_types_keeps_the_promise() {
    assert_kept_with_all_told(Told { ids: IdSet(0b101), ..TOLD }, 4);
}

#[test]
#[ignore = "the whole: minutes in release"]
fn every_history_of_one_email_keeps_the_promise() {
    assert_kept_with_all_told(Told { ids: IdSet(0b001), ..TOLD }, 6);
}

#[test]
#[ignore = "the whole: minutes in release"]
fn every_history_of_three_profiles_keeps_the_promise() {
    assert_kept_with_all_told(Told { profiles: 3, ids: IdSet(0b001), ..TOLD }, 5);
}

/// The memory begins anywhere in the history, and what the promise without one rests on holds.
const FROM_ANYWHERE: Told =
    Told { timed: IdSet(0b111), recomputed: false, removals: false, holdings: true, ..TOLD };

#[test]
fn every_short_history_in_which_a_memory_begins_keeps_the_promise() {
    assert_kept(FROM_ANYWHERE, Completeness::Partial, IN_ORDER, 3);
}

#[test]
#[ignore = "the whole: minutes in release"]
fn every_history_in_which_a_memory_begins_keeps_the_promise() {
    assert_kept(FROM_ANYWHERE, Completeness::Partial, IN_ORDER, 5);
    assert_kept(Told { ids: IdSet(0b101), ..FROM_ANYWHERE }, Completeness::Partial, IN_ORDER, 5);
    assert_kept(Told { ids: IdSet(0b111), ..FROM_ANYWHERE }, Completeness::Partial, IN_ORDER, 4);
    let three = Told { profiles: 3, ids: IdSet(0b001), ..FROM_ANYWHERE };
    assert_kept(three, Completeness::Partial, IN_ORDER, 5);
}

/// The history goes wrong in `steps` steps, and in none fewer.
#[track_caller]
fn assert_goes_wrong(name: &str, told: Told, completeness: Completeness, plan: Plan, steps: usize) {
    let found = shortest(told, completeness, plan, steps).unwrap_or_else(|| panic!("kept for {steps} steps"));
    let text = tell(&found, told, completeness);
    assert_eq!(found.world.steps.len(), steps, "{text}");
    insta::assert_snapshot!(name, text);
}

const EACH_PROFILE: Plan = Plan { order: Order::OfEachProfile, ..IN_ORDER };

#[test]
fn profiles_ordered_each_for_itself_lose_a_message() {
    let plan = Plan { looking_for: Some(Wrong::Missing), ..EACH_PROFILE };
    assert_goes_wrong("each_profile_missing", TOLD, Completeness::Complete, plan, 4);
}

#[test]
fn profiles_ordered_each_for_itself_message_twice() {
    let plan = Plan { looking_for: Some(Wrong::TooMany), ..EACH_PROFILE };
    assert_goes_wrong("each_profile_too_many", Told { profiles: 3, ..TOLD }, Completeness::Complete, plan, 4);
}

#[test]
fn an_entry_before_the_merge_that_it_is_part_of_messages_twice() {
    let told = Told { beside: Beside::EntryBeforeAny, ..TOLD };
    assert_goes_wrong("entry_before_merge", told, Completeness::Complete, IN_ORDER, 3);
}

/// What the promise without a memory rests on does not hold, and the memory begins.
#[track_caller]
fn assert_begins_wrong(name: &str, told: Told, wrong: Wrong, steps: usize) {
    let plan = Plan { looking_for: Some(wrong), ..IN_ORDER };
    assert_goes_wrong(name, told, Completeness::Partial, plan, steps);
}

#[test]
fn a_memory_that_begins_where_ids_have_no_times() {
    let told = Told { timed: IdSet::NONE, ..FROM_ANYWHERE };
    assert_begins_wrong("partial_without_times_missing", told, Wrong::Missing, 3);
    assert_begins_wrong("partial_without_times_too_many", told, Wrong::TooMany, 2);
}

#[test]
fn a_memory_that_begins_where_merges_state_no_holdings() {
    let told = Told { holdings: false, ..FROM_ANYWHERE };
    assert_begins_wrong("partial_without_holdings_missing", told, Wrong::Missing, 3);
}

#[test]
fn a_memory_that_begins_where_ids_are_removed() {
    let told = Told { removals: true, ..FROM_ANYWHERE };
    assert_begins_wrong("partial_with_removals_too_many", told, Wrong::TooMany, 4);
}

const TRANSPORTS: [Transport; 3] =
    [Transport::KeepsThenSends, Transport::SendsThenKeeps, Transport::Together];

#[track_caller]
fn assert_survives(longest: usize) {
    for transport in TRANSPORTS {
        for full in [1, 2, 8] {
            let consumer = Consumer { transport, ends: Ends::WhereTheyHaveTo, full };
            let told = Told { beside: Beside::After, ..TOLD };
            let (runs, wrong) = crash_in_every_history(told, consumer, longest);
            assert_eq!(wrong, None, "{consumer:?}");
            println!("up to {longest} steps, {consumer:?}: {runs} runs with up to two crashes");
        }
    }
}

#[test]
fn no_crash_in_a_short_history_loses_or_doubles() {
    assert_survives(2);
}

#[test]
#[ignore = "the whole: minutes in release"]
fn no_crash_loses_or_doubles() {
    assert_survives(3);
}

#[test]
fn a_batch_that_does_not_end_where_it_has_to_loses_a_message() {
    let of = |transport| {
        let consumer = Consumer { transport, ends: Ends::WhereverTheyAreFull, full: 8 };
        crash_in_every_history(TOLD, consumer, 3).1
    };
    let lost = of(Transport::KeepsThenSends).unwrap();
    assert_eq!(lost, "A enters; A gets email 1; A leaves; crashes after [0, 4] things done");
    assert_eq!(of(Transport::SendsThenKeeps), None);
    assert_eq!(of(Transport::Together), None);
}
