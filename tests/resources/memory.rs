//! What a decision, its outbound messages and their comparison take from the heap, counted.

use std::hint::black_box;

use idgroup::compare::{
    Comparator, Comparison, ComparisonBudget, ComparisonKey, ComparisonOutcome, Encoder, Extent, Message,
    NextStep, OutboundSample, compare_events, compare_streams,
};
use idgroup::{Amplification, Destinations, ExternalId, Flow, ProfileUpdate, decide, decide_legacy};

use crate::build::{self, destinations};
use crate::counting_allocator::{Heap, measure};

const KEY: ComparisonKey = ComparisonKey::new(*b"sixteen bytes, !");
const KIB: isize = 1_024;

/// An update whose profile has so many IDs of each of these types, their values beginning with `prefix`.
fn update(prefix: &str, ids: &[(&str, usize)]) -> ProfileUpdate {
    build::entry_of(build::ids(ids, |number| format!("{prefix}{number}")))
}

const NONE: &[&str] = &[];
const EMAIL: &[&str] = &["email"];
const PHONE: &[&str] = &["phone"];
const BOTH: &[&str] = &["email", "phone"];

/// Three types, so that the three sizes differ in nothing but their numbers of IDs.
fn amplified(prefix: &str, messages: u64) -> ProfileUpdate {
    let (emails, phones, user_ids) = match messages {
        1_000 => (10, 10, 10),
        150_000 => (50, 60, 50),
        1_500_000 => (100, 150, 100),
        _ => panic!("one of three sizes"),
    };
    update(prefix, &[("email", emails), ("phone", phones), ("user_id", user_ids)])
}

/// Compares the legacy flow's messages for one profile with the dedupe flow's for another one.
fn compared(
    legacy: &ProfileUpdate,
    dedupe: &ProfileUpdate,
    budget: &ComparisonBudget,
) -> (Comparison<OutboundSample>, Heap) {
    let destinations = destinations([NONE, EMAIL, NONE]);
    let (legacy, dedupe) = (decide_legacy(legacy, &destinations), decide(dedupe, &destinations));
    measure(|| compare_events(&legacy, &dedupe, &KEY, budget))
}

/// What the documentation of the budget says, for so many external IDs in each flow.
fn bytes_for(external_ids: usize) -> isize {
    (ComparisonBudget::BYTES_PER_EXTERNAL_ID * 2 * external_ids).cast_signed()
}

/// As many IDs each time, and up to a million times as many messages.
#[test]
fn comparing_identical_flows_takes_the_same_few_bytes_whatever_their_number() {
    for (emails, phones, user_ids) in [(1, 1, 348), (1, 100, 249), (1, 175, 174), (100, 150, 100)] {
        let update = update("a", &[("email", emails), ("phone", phones), ("user_id", user_ids)]);
        let (comparison, heap) = compared(&update, &update, &ComparisonBudget::default());
        let messages = (emails * phones * user_ids) as u64;
        assert_eq!(comparison, Comparison::Identical { messages });
        println!("identical, {messages} messages per flow: {heap:?}");
        assert_eq!(heap.kept, 0);
        assert!(heap.peak < 10 * KIB + bytes_for(350), "no map: {heap:?}");
    }
}

/// Those of types with one ID, which do not multiply messages, and those of types with several.
#[test]
fn each_external_id_takes_no_more_than_the_budget_says() {
    let types: Vec<String> = (0..20_000).map(|number| format!("type_{number:05}")).collect();
    let of_one: Vec<(&str, usize)> = types.iter().map(|id_type| (&**id_type, 1)).collect();
    let mut of_two = of_one.clone();
    of_two[..20].iter_mut().for_each(|(_, ids)| *ids = 2);
    for (shape, messages) in [(of_one, 1), (of_two, 1 << 20), (vec![("email", 20_000)], 20_000)] {
        let external_ids = shape.iter().map(|(_, ids)| ids).sum();
        let (update, other) = (update("a", &shape), update("b", &shape));
        let budget = ComparisonBudget::default().with_passes(1).with_differing_messages(1);
        let (same, heap) = compared(&update, &update, &budget);
        assert_eq!(same, Comparison::Identical { messages });
        println!("{external_ids} external IDs: {heap:?}");
        assert!(heap.peak <= 10 * KIB + bytes_for(external_ids), "{heap:?}");
        if messages < 100_000 {
            let (different, heap) = compared(&update, &other, &budget);
            assert_eq!(different.outcome(), ComparisonOutcome::Different);
            assert!(heap.peak <= 10 * KIB + bytes_for(external_ids), "{heap:?}");
        }
    }
}

#[test]
fn each_event_takes_no_more_than_the_budget_says() {
    let (update, destinations) = (update("a", &[("email", 2)]), destinations([NONE]));
    let events = vec![decide(&update, &destinations).remove(0); 10_000];
    let (comparison, heap) = measure(|| compare_events(&events, &events, &KEY, &ComparisonBudget::default()));
    assert_eq!(comparison, Comparison::Identical { messages: 20_000 });
    println!("10,000 events: {heap:?}");
    let events = (ComparisonBudget::BYTES_PER_EVENT * 2 * 10_000).cast_signed();
    assert!(heap.peak <= 10 * KIB + bytes_for(20_000) + events, "{heap:?}");
}

/// Of the passes of the default budget the first two are what matters here: the map is filled, and
/// its messages are counted and sampled. Tests with optimizations make all 32.
fn budget_for_different_flows() -> ComparisonBudget {
    match cfg!(debug_assertions) {
        true => ComparisonBudget::default().with_passes(2),
        false => ComparisonBudget::default(),
    }
}

#[test]
fn comparing_wholly_different_flows_stays_below_512_kib_whatever_their_number() {
    let peaks = [1_000, 150_000, 1_500_000].map(|messages| {
        let (legacy, dedupe) = (amplified("a", messages), amplified("b", messages));
        let (comparison, heap) = compared(&legacy, &dedupe, &budget_for_different_flows());
        let Comparison::Different(difference) = comparison else { panic!("{comparison:?}") };
        assert_eq!((difference.legacy, difference.dedupe), (messages, messages));
        assert_eq!(difference.samples.len(), 16);
        println!("different, {messages} messages per flow: {heap:?}");
        if messages == 1_000 {
            assert_eq!(difference.extent, Extent::Whole);
            assert_eq!(difference.messages(), 2_000);
        } else {
            assert!(difference.messages() >= 4_000, "a slice is as large as the budget: {difference:?}");
        }
        assert!(heap.peak < 512 * KIB, "{heap:?}");
        heap.peak
    });
    let [small, large, larger] = peaks;
    assert!(small <= large, "2,000 differing messages do not fill the budget: {peaks:?}");
    // The map never holds more than its budget, but it is a B-tree: how full its nodes are depends
    // on the messages, by some per cent in either direction. Ten times the messages may not show.
    assert!((larger - large).abs() < large / 20, "{peaks:?}");
}

#[test]
fn a_full_map_takes_the_same_whatever_the_number_of_messages() {
    let budget = ComparisonBudget::default().with_differing_messages(256).with_passes(3);
    let peaks = [1_000, 150_000].map(|messages| {
        let of = |first: u64| (first..first + messages).map(Number);
        let (_, heap) = measure(|| compare_streams(&KEY, &budget, || of(0), || of(messages)));
        println!("different, {messages} messages per flow, 256 at a time: {heap:?}");
        heap.peak
    });
    assert!((peaks[1] - peaks[0]).abs() < peaks[0] / 10, "{peaks:?}");
}

struct Number(u64);

impl Message for Number {
    type Sample = u64;

    fn encode(&self, encoder: &mut Encoder) {
        encoder.number(self.0);
    }

    fn sample(&self, _: usize) -> u64 {
        self.0
    }
}

/// One flow after the other is what costs the most: nothing cancels until the map has overflown.
#[test]
fn feeding_one_flow_after_the_other_stays_below_512_kib() {
    let ((), heap) = measure(|| {
        let mut comparator = Comparator::new(KEY, ComparisonBudget::default());
        for flow in [Flow::Legacy, Flow::Dedupe] {
            (0..100_000).for_each(|number| comparator.feed(flow, &Number(number)));
        }
        let NextStep::Done(comparison) = comparator.end_of_streams() else { panic!("they are identical") };
        assert_eq!(comparison, Comparison::Identical { messages: 100_000 });
    });
    println!("one flow after the other: {heap:?}");
    assert!(heap.peak < 512 * KIB, "{heap:?}");
}

#[test]
fn a_differing_message_is_held_in_at_most_70_bytes() {
    for most in [1_024, 4_096, 16_384] {
        let budget = ComparisonBudget::default().with_differing_messages(most).with_samples(0);
        let ((), heap) = measure(|| {
            let mut comparator = Comparator::new(KEY, budget);
            (0..10 * most as u64).for_each(|number| comparator.feed(Flow::Legacy, &Number(number)));
            drop(black_box(comparator));
        });
        println!("{most} differing messages: {heap:?}, {} bytes each", heap.peak / most.cast_signed());
        assert!(heap.peak <= 70 * most.cast_signed(), "{heap:?}");
    }
}

/// One flow lags behind the other by as much as the budget holds: each step adds a message to the
/// map and takes another one out of it, which leaves its nodes as empty as they get.
#[test]
fn a_flow_that_lags_behind_keeps_the_map_as_small() {
    let most = 4_096;
    let (comparator, heap) = measure(|| {
        let mut comparator = Comparator::new(KEY, ComparisonBudget::default());
        (0..most).for_each(|number| comparator.feed(Flow::Legacy, &Number(number)));
        for number in 0..10 * most {
            comparator.feed(Flow::Dedupe, &Number(number));
            comparator.feed(Flow::Legacy, &Number(number + most));
        }
        comparator
    });
    println!("a flow that lags behind: {heap:?}");
    assert!(heap.peak <= 70 * 4_096, "{heap:?}");
    drop(comparator);
}

#[test]
fn samples_are_held_in_about_their_bytes() {
    let long = "x".repeat(100_000);
    let (legacy, dedupe) = (update(&long, &[("email", 100)]), update("b", &[("email", 1)]));
    let budget = |samples| ComparisonBudget::default().with_samples(samples);
    let (_, without) = compared(&legacy, &dedupe, &budget(0));
    let (comparison, with) = compared(&legacy, &dedupe, &budget(16));
    let Comparison::Different(difference) = comparison else { panic!("{comparison:?}") };
    assert_eq!(difference.samples.len(), 16);
    assert!(with.peak - without.peak < 16 * 1_024 + 8 * KIB, "{without:?} {with:?}");
}

#[test]
fn a_message_takes_nothing_from_the_heap() {
    let update = amplified("a", 1_000);
    let destinations = destinations([NONE, EMAIL]);
    let events = decide(&update, &destinations);
    let messages = events[0].outbound_messages();
    assert_eq!(messages.count(), 1_000);
    let (characters, heap) = measure(|| {
        let of_all = messages.iter().flat_map(idgroup::OutboundMessage::external_ids).map(|id| id.id().len());
        let of_some = (0..1_000).filter_map(|position| messages.get(position));
        let of_some = of_some.flat_map(idgroup::OutboundMessage::external_ids).map(|id| id.id().len());
        let sent_to = messages.iter().map(|message| message.destination_ids().len());
        of_all.sum::<usize>() + of_some.sum::<usize>() + sent_to.sum::<usize>()
    });
    assert_eq!(characters, 6_000 + 6_000 + 1_000);
    assert_eq!(heap, Heap::default());
}

#[test]
fn messages_are_counted_in_no_more_memory_than_their_types_take() {
    let destinations = destinations([NONE]);
    for (update, count) in [
        (amplified("a", 1_000), 1_000),
        (amplified("a", 1_500_000), 1_500_000),
        (update("a", &[("email", 1), ("phone", 1), ("user_id", 1)]), 1),
    ] {
        let events = decide(&update, &destinations);
        let (messages, heap) = measure(|| events[0].outbound_messages());
        assert_eq!(messages.count(), count);
        assert!(heap.peak < 256, "{heap:?}");
        let (amplification, heap) = measure(|| Amplification::of(&events));
        assert_eq!(amplification.outbound_messages(), count);
        assert_eq!(heap, Heap::default());
    }
}

/// 5 IDs, and destinations with four settings.
fn typical(destinations_per_setting: usize) -> (ProfileUpdate, Destinations) {
    let update = update("a", &[("email", 2), ("phone", 1), ("user_id", 1), ("anonymous_id", 1)]);
    let settings = [NONE, EMAIL, PHONE, BOTH].into_iter().cycle();
    (update, destinations(settings.take(4 * destinations_per_setting)))
}

#[test]
fn a_typical_decision_allocates_this_often() {
    let update = typical(1).0;
    let settings = [NONE, EMAIL, NONE, PHONE, NONE, BOTH, NONE, EMAIL, NONE, PHONE];
    let destinations = destinations(settings);
    assert_eq!(
        (update.external_ids().len(), destinations.len(), destinations.distinct_settings()),
        (5, 10, 4)
    );
    let (events, heap) = measure(|| decide(&update, &destinations));
    println!("a typical decision: {heap:?}");
    assert_eq!(events.len(), 4);
    // The list of events: all else is few enough to need none.
    assert_eq!(heap.allocations, 1, "{heap:?}");
    assert!(heap.peak < 2 * KIB, "{heap:?}");
}

#[test]
fn a_decision_that_sends_nothing_allocates_nothing() {
    let update: ProfileUpdate = serde_json::from_str(
        r#"{"id":"upd_1","space_id":"spa_1","profile_id":"use_1","computation":{"id":"aud_1"},"membership":"out",
            "trigger":{"reason":"value_changed"},"external_ids":[{"type":"email","id":"a@example.com"}]}"#,
    )
    .unwrap();
    let destinations = destinations([EMAIL, PHONE, BOTH]);
    let (events, heap) = measure(|| decide(&update, &destinations));
    assert_eq!(events, []);
    assert_eq!(heap, Heap::default());
}

#[test]
fn destinations_that_share_a_setting_take_nothing_more_from_the_heap() {
    let [one, ten, thousand] = [1, 10, 1_000].map(|destinations_per_setting| {
        let (update, destinations) = typical(destinations_per_setting);
        let (events, heap) = measure(|| decide(&update, &destinations));
        assert_eq!(events.iter().map(|event| event.destinations().len()).sum::<usize>(), destinations.len());
        heap
    });
    assert_eq!(one, ten);
    assert_eq!(one, thousand);
}

/// Where settings come to the same IDs, their destinations are listed anew: one list, however long,
/// which may grow once per setting, and be sorted with the help of one more.
#[test]
fn settings_that_send_the_same_ids_take_one_list_of_their_destinations() {
    let update = update("a", &[("email", 2), ("user_id", 1)]);
    let allocations = [1, 10, 10_000].map(|destinations_per_setting| {
        let settings = [EMAIL, BOTH].into_iter().cycle().take(2 * destinations_per_setting);
        let destinations = destinations(settings);
        let (events, heap) = measure(|| decide(&update, &destinations));
        assert_eq!(events.len(), 1);
        heap.allocations
    });
    println!("settings that send the same IDs: {allocations:?}");
    let [one, ten, ten_thousand] = allocations;
    assert!(ten <= one + 1 && ten_thousand <= one + 2, "{allocations:?}");
}

#[test]
fn what_is_kept_of_an_event_grows_with_its_selection_and_not_with_its_destinations() {
    let (update, destinations) = typical(1_000);
    let (events, heap) = measure(|| decide_legacy(&update, &destinations));
    assert_eq!(events[0].destinations().len(), 4_000);
    assert_eq!(heap.allocations, 1, "the list of one event: {heap:?}");
}

/// At every length near where the list of IDs grows, which is when it is held twice.
#[test]
fn reading_an_update_takes_at_most_three_times_the_bytes_of_its_line() {
    for ids in [1, 2, 4, 5, 8, 9, 16, 17, 64, 65, 1_024, 1_025] {
        let id = |number: usize| {
            format!(
                r#"{{"type":"email","id":"person-{number}@example.com","collection":"users","encoding":"none","created_at":"2025-12-01T08:00:{:02}.125Z"}}"#,
                number % 60
            )
        };
        let ids = (0..ids).map(id).collect::<Vec<_>>().join(",");
        let line = format!(
            r#"{{"id":"upd_2Yq0FJx3mVvUeZrB1n7cTgKpLdS","space_id":"spa_kJ8sPq2LxVt4","profile_id":"use_2Yq0FGh8PzXwNtRk","computation":{{"class":"audience","id":"aud_2YpzrUuQvWcX","key":"first_time_shopper"}},"membership":"in","computed_at":"2026-01-05T10:00:00Z","trigger":{{"reason":"value_changed"}},"external_ids":[{ids}]}}"#
        );
        let (update, heap) = measure(|| serde_json::from_str::<ProfileUpdate>(&line).unwrap());
        println!("a line of {} bytes: {heap:?}", line.len());
        assert!(heap.peak <= 3 * line.len().cast_signed(), "{} bytes: {heap:?}", line.len());
        assert!(heap.kept <= 2 * line.len().cast_signed(), "{} bytes: {heap:?}", line.len());
        drop(update);
    }
}

/// An ID that says no more than it must takes a fourth of the bytes that it has in memory: there it is
/// the number of IDs that bounds what is held, three times while their list grows.
#[test]
fn reading_many_short_ids_takes_at_most_what_so_many_ids_take() {
    // And its place among the identities.
    let id_bytes = size_of::<ExternalId>() + size_of::<usize>();
    assert!(id_bytes <= 112, "{id_bytes}");
    for ids in [64, 65, 1_024, 1_025, 40_000] {
        let all: Vec<String> = (0..ids).map(|number| format!(r#"{{"type":"e","id":"{number}"}}"#)).collect();
        let line = line_of_ids(&all.join(","));
        let (update, heap) = measure(|| serde_json::from_str::<ProfileUpdate>(&line).unwrap());
        println!("{ids} short IDs in a line of {} bytes: {heap:?}", line.len());
        assert_eq!(update.external_ids().len(), ids);
        assert!(heap.peak <= (3 * ids * id_bytes).cast_signed() + KIB, "{heap:?}");
        assert!(heap.peak <= 14 * line.len().cast_signed(), "{heap:?}");
        drop(update);
    }
}

/// What is refused is read to its end, and not kept until then.
#[test]
fn reading_many_ids_that_are_refused_holds_none_of_them() {
    let peaks = [10, 100_000].map(|ids| {
        let line = line_of_ids(&vec!["{}"; ids].join(","));
        let (refused, heap) = measure(|| serde_json::from_str::<ProfileUpdate>(&line));
        assert!(refused.unwrap_err().to_string().contains("`external_ids[0].type` is missing"));
        heap.peak
    });
    assert_eq!(peaks[0], peaks[1]);
}

fn line_of_ids(ids: &str) -> String {
    format!(
        r#"{{"id":"upd_1","space_id":"spa_1","profile_id":"use_1","computation":{{"id":"aud_1"}},"membership":"in","trigger":{{"reason":"value_changed"}},"external_ids":[{ids}]}}"#
    )
}

/// Texts of up to 23 bytes lie in the update itself.
#[test]
fn an_update_of_short_texts_is_read_into_one_list() {
    let line = r#"{"id":"upd_1","space_id":"spa_1","profile_id":"use_1","computation":{"class":"audience","id":"aud_1","key":"vip"},
        "membership":"in","computed_at":"2026-01-05T10:00:00Z","trigger":{"reason":"value_changed"},
        "external_ids":[{"type":"email","id":"twenty-three@bytes.here"},{"type":"phone","id":"1"}]}"#;
    let (update, heap) = measure(|| serde_json::from_str::<ProfileUpdate>(line).unwrap());
    assert_eq!(update.external_ids()[0].id().len(), 23);
    assert_eq!(heap.allocations, 1, "{heap:?}");
}
