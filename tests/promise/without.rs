//! For each assumption, the shortest history that breaks the promise without it.

use crate::ids::IdSet;
use crate::rules::{Rules, Without};
use crate::search::shortest;
use crate::words::tell;
use crate::world::Wrong::{self, Missing, TooMany};

/// The promise breaks in `steps` steps, and in none fewer.
#[track_caller]
fn assert_breaks(without: Without, wrong: Wrong, steps: usize) {
    assert_breaks_of(Rules::without(without), without, wrong, steps);
}

#[track_caller]
fn assert_breaks_of(rules: Rules, without: Without, wrong: Wrong, steps: usize) {
    let found = shortest(&rules, steps, Some(wrong))
        .unwrap_or_else(|| panic!("without {without:?} the promise is kept for {steps} steps"));
    assert_eq!((found.broken.wrong, found.steps.len()), (wrong, steps), "{}", tell(&found, &rules));
    insta::assert_snapshot!(format!("{without:?}_{wrong:?}"), tell(&found, &rules));
}

macro_rules! breaks {
    ($($name:ident: $without:ident, $wrong:ident in $steps:literal;)*) => {$(
        #[test]
        fn $name() {
            assert_breaks(Without::$without, $wrong, $steps);
        }
    )*};
}

breaks! {
    an_id_shared_by_two_updates_breaks_the_promise: OwnUpdateIds, Missing in 4;
    a_lost_update_breaks_the_promise: Delivery, Missing in 2;
    a_list_that_lacks_ids_breaks_the_promise: CompleteLists, Missing in 2;
    a_clock_that_is_behind_breaks_the_promise: ComputedAtOnTime, Missing in 2;
    a_clock_that_is_ahead_breaks_the_promise: ComputedAtNotAhead, TooMany in 2;
    two_changes_at_once_break_the_promise: DistinctTimes, TooMany in 3;
    a_merge_without_its_time_breaks_the_promise: MergeTimes, TooMany in 3;
    an_id_that_came_late_without_its_time_breaks_the_promise: AttachTimes, TooMany in 3;
    ids_without_times_break_the_promise: IdTimes, TooMany in 2;
    an_update_for_ids_attached_by_entry_breaks_the_promise: SilenceAtEntry, TooMany in 2;
    a_messaged_id_removed_breaks_the_promise: KeptIds, TooMany in 4;
    a_merge_that_states_no_ids_breaks_the_promise: StatedIds, Missing in 3;
    a_merge_that_states_wrongly_that_there_were_none_breaks_the_promise: TrueStatements, TooMany in 3;
    repeats_that_are_kept_break_the_promise: DroppedRepeats, TooMany in 2;
    no_computed_at_breaks_the_promise: ComputedAt, TooMany in 2;
    an_entry_beside_a_merge_breaks_the_promise: OneUpdatePerEntry, TooMany in 2;
    new_ids_beside_a_merge_break_the_promise: OneUpdatePerMerge, TooMany in 2;
    a_survivors_list_for_a_merged_profile_breaks_the_promise: OwnPointOfView, Missing in 3;
    a_survivors_list_for_a_profile_that_had_nothing_breaks_the_promise: OwnPointOfView, TooMany in 3;
    an_update_renamed_after_a_merge_breaks_the_promise: FixedProfileIds, TooMany in 3;
    an_entry_computed_late_breaks_the_promise: PromptEntries, TooMany in 2;
    a_merge_computed_late_breaks_the_promise: PromptMerges, TooMany in 2;
}

#[test]
#[ignore = "the whole: minutes in release"]
fn an_id_that_came_back_before_the_lookup_breaks_the_promise() {
    assert_breaks(Without::LastingPossession, Missing, 5);
}

/// Where destinations ask for consent.
#[track_caller]
fn assert_breaks_with_consent(without: Without, wrong: Wrong, steps: usize) {
    let rules = Rules { without: Some(without), ids: IdSet(0b0011), ..Rules::with_consent() };
    assert_breaks_of(rules, without, wrong, steps);
}

#[test]
fn consent_that_changes_in_a_stay_breaks_the_promise() {
    assert_breaks_with_consent(Without::LastingConsent, TooMany, 3);
}

#[test]
fn consent_that_changes_in_a_stay_loses_a_message() {
    assert_breaks_with_consent(Without::LastingConsent, Missing, 4);
}

#[test]
fn consent_taken_back_before_the_lookup_breaks_the_promise() {
    assert_breaks_with_consent(Without::ConsentUntilLookedUp, Missing, 4);
}

#[test]
fn consent_taken_back_before_a_redelivery_breaks_the_promise() {
    assert_breaks_with_consent(Without::ConsentUntilLookedUp, TooMany, 4);
}

#[test]
fn a_member_that_refuses_and_is_merged_breaks_the_promise() {
    assert_breaks_with_consent(Without::ConsentOfMergedMembers, Missing, 5);
}
