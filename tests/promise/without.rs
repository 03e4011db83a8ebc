//! For each assumption, the shortest history that breaks the promise without it.

use crate::rules::{Rules, Without};
use crate::search::shortest;
use crate::words::tell;
use crate::world::Wrong::{self, Missing, TooMany};

/// The promise breaks in `steps` steps, and in none fewer.
#[track_caller]
fn assert_breaks(without: Without, wrong: Wrong, steps: usize) {
    let rules = Rules::without(without);
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
    an_id_shared_by_two_updates: OwnUpdateIds, Missing in 4;
    a_lost_update: Delivery, Missing in 2;
    a_list_that_lacks_ids: CompleteLists, Missing in 2;
    a_clock_that_is_behind: ComputedAtOnTime, Missing in 2;
    a_clock_that_is_ahead: ComputedAtNotAhead, TooMany in 2;
    two_changes_at_once: DistinctTimes, TooMany in 3;
    a_merge_without_its_time: MergeTimes, TooMany in 3;
    an_id_that_came_late_without_its_time: AttachTimes, TooMany in 3;
    ids_without_times: IdTimes, TooMany in 2;
    an_update_for_ids_attached_by_entry: SilenceAtEntry, TooMany in 2;
    a_messaged_id_removed: KeptIds, TooMany in 4;
    a_merge_that_states_no_ids: StatedIds, Missing in 3;
    a_merge_that_states_wrongly_that_there_were_none: TrueStatements, TooMany in 3;
    repeats_that_are_kept: DroppedRepeats, TooMany in 2;
    no_computed_at_messages_twice: ComputedAt, TooMany in 2;
    an_entry_beside_a_merge: OneUpdatePerEntry, TooMany in 2;
    new_ids_beside_a_merge: OneUpdatePerMerge, TooMany in 2;
    a_survivors_list_for_a_merged_profile: OwnPointOfView, Missing in 3;
    a_survivors_list_for_a_profile_that_had_nothing: OwnPointOfView, TooMany in 3;
    an_update_renamed_after_a_merge: FixedProfileIds, TooMany in 3;
    an_entry_computed_late: PromptEntries, TooMany in 2;
    a_merge_computed_late: PromptMerges, TooMany in 2;
}

#[test]
#[ignore = "the whole: minutes in release"]
fn an_id_that_came_back_before_the_lookup() {
    assert_breaks(Without::LastingPossession, Missing, 5);
}
