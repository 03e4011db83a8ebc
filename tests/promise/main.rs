//! Every history: whatever happens to profiles, and whenever their updates are delivered, each stay
//! in a computation sends each deduping destination one message, or none if it is owed none.

#[path = "../support/build.rs"]
mod build;

mod consent;
mod deliveries;
mod engine;
mod ids;
mod memory;
mod rules;
mod search;
mod without;
mod words;
mod world;

use deliveries::check_every_order;
use ids::IdSet;
use rules::{Rules, Without};
use search::{explore, shortest};
use words::tell;

#[track_caller]
fn assert_kept(rules: &Rules, longest: usize) {
    let (seen, found) = explore(rules, longest, None);
    if found.is_some() {
        let found = shortest(rules, longest, None).unwrap();
        panic!("the promise is broken by:\n{}", tell(&found, rules));
    }
    let Rules { without, profiles, ids, consent } = rules;
    let without = without.map(|without| format!(", without {without:?}")).unwrap_or_default();
    println!(
        "up to {longest} steps, {profiles} profiles, {}, consent {consent:?}{without}:\n{seen}",
        ids.in_words()
    );
    let checked = seen.checked;
    assert!(checked.one > 0 && checked.none > 0 && checked.none_because_continued > 0, "{checked:?}");
}

#[test]
fn every_short_history_keeps_the_promise() {
    assert_kept(&Rules::all_hold(), 4);
}

#[test]
fn every_short_history_with_consent_keeps_the_promise() {
    assert_kept(&Rules::with_consent(), 4);
}

#[test]
#[ignore = "the whole: minutes in release"]
fn every_history_with_consent_keeps_the_promise() {
    assert_kept(&Rules::with_consent(), 6);
    assert_kept(&Rules { ids: IdSet(0b0011), profiles: 3, ..Rules::with_consent() }, 6);
    assert_kept(&Rules { ids: IdSet(0b0001), ..Rules::with_consent() }, 8);
}

/// With an update computed late, an ID that came later is visible: only here the order of IDs counts.
#[test]
fn every_short_history_keeps_the_promise_with_new_ids_computed_late() {
    assert_kept(&Rules::without(Without::PromptNewIds), 4);
}

#[test]
#[ignore = "the whole: minutes in release"]
fn every_history_keeps_the_promise() {
    assert_kept(&Rules::all_hold(), 6);
    assert_kept(&Rules { ids: IdSet(0b0111), ..Rules::all_hold() }, 7);
    assert_kept(&Rules { profiles: 3, ids: IdSet(0b0111), ..Rules::all_hold() }, 6);
}

#[test]
#[ignore = "the whole: minutes in release"]
fn what_is_harmless_keeps_the_promise() {
    assert_kept(&Rules::without(Without::IdTimesBeforeEntry), 5);
    assert_kept(&Rules::without(Without::PromptNewIds), 5);
}

/// Where decisions depend on the list as well as where they do not.
#[track_caller]
fn assert_order_is_irrelevant(longest: usize) {
    let lacking = [Without::ComputedAt, Without::MergeTimes, Without::IdTimes].map(Rules::without);
    for rules in [Rules::all_hold()].into_iter().chain(lacking) {
        let rules = Rules { ids: IdSet(0b0111), ..rules };
        let sequences = check_every_order(&rules, longest);
        println!("up to {longest} steps, without {:?}: {sequences} sequences of deliveries", rules.without);
    }
}

#[test]
fn order_is_irrelevant_in_the_shortest_histories() {
    assert_order_is_irrelevant(2);
}

#[test]
#[ignore = "the whole: minutes in release"]
fn order_is_irrelevant() {
    assert_order_is_irrelevant(3);
}
