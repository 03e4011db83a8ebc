//! Input of a size or a shape that nobody sends on purpose: decided or refused, with work and memory
//! in proportion to its length, and a short error that names the field.
//!
//! Growth is measured by what is taken from the heap, which is the same on every machine.

use idgroup::compare::{Comparison, ComparisonBudget, ComparisonKey, compare};
use idgroup::{
    Amplification, Counts, Destinations, Flow, ProfileUpdate, Verdict, decide, decide_with, explain,
};

use crate::counting_allocator::{Heap, measure};

const KIB: isize = 1_024;
const MIB: usize = 1_024 * 1_024;

const VALUE_CHANGED: &str = r#"{"reason":"value_changed"}"#;

/// The JSON of an update; `trigger` and the elements of `external_ids` are JSON.
fn update(trigger: &str, external_ids: &str) -> String {
    format!(
        r#"{{"id":"upd_1","space_id":"spa_1","profile_id":"use_1","computation":{{"id":"aud_1"}},"membership":"in","trigger":{trigger},"external_ids":[{external_ids}]}}"#
    )
}

/// The elements of a JSON list, each made from its number.
fn list(count: usize, element: impl Fn(usize) -> String) -> String {
    let elements: Vec<String> = (0..count).map(element).collect();
    elements.join(",")
}

fn email(number: usize) -> String {
    // Of one length each, so that bytes are in proportion to their number.
    format!(r#"{{"type":"email","id":"{number:07}@example.com"}}"#)
}

fn read_update(json: &str) -> ProfileUpdate {
    serde_json::from_str(json).unwrap()
}

fn read_destinations(elements: &str) -> Destinations {
    serde_json::from_str(&format!("[{elements}]")).unwrap()
}

fn usual_destinations() -> Destinations {
    read_destinations(
        r#"{"id":"dst_1","dedupes_on":["email"]},{"id":"dst_2","dedupes_on":["email","phone"]},{"id":"dst_3"}"#,
    )
}

#[track_caller]
fn refusal_of_update(json: &str) -> String {
    let (refusal, heap) = measure(|| serde_json::from_str::<ProfileUpdate>(json).unwrap_err().to_string());
    assert!(refusal.len() < KIB.unsigned_abs(), "an error text of {} bytes", refusal.len());
    assert!(heap.kept < KIB, "{heap:?}");
    refusal
}

/// Eight times the input takes at most eight times the heap. The sizes are powers of two, so that
/// lists which double as they grow are as full at both.
#[track_caller]
fn assert_linear(what: &str, work: impl Fn(usize) -> Heap) {
    let [one, eight] = [8_192, 65_536].map(work);
    println!("{what}: {one:?}, eight times as much: {eight:?}");
    assert!(eight.allocations <= 8 * one.allocations, "{what}: {one:?} {eight:?}");
    assert!(eight.peak <= 8 * one.peak + KIB, "{what}: {one:?} {eight:?}");
    assert!(eight.kept <= 8 * one.kept + KIB, "{what}: {one:?} {eight:?}");
}

#[test]
fn reading_an_update_grows_with_its_lists() {
    let read = |json: String| measure(|| read_update(&json)).1;
    assert_linear("external_ids", |count| read(update(VALUE_CHANGED, &list(count, email))));
    assert_linear("external_ids, all the same", |count| {
        read(update(VALUE_CHANGED, &list(count, |_| email(1))))
    });
    assert_linear("added", |count| {
        let added = list(count, email);
        read(update(&format!(r#"{{"reason":"new_external_id","added":[{added}]}}"#), &email(1)))
    });
    assert_linear("profiles", |count| {
        let profile = |id: &str| format!(r#"{{"profile_id":"{id}","membership":"in","external_ids":[]}}"#);
        let profiles = list(count, |number| profile(&format!("use_{number:07}")));
        let own = profile("use_1");
        read(update(&format!(r#"{{"reason":"profile_merge","profiles":[{own},{profiles}]}}"#), &email(1)))
    });
}

#[test]
fn reading_destinations_grows_with_their_number_and_their_types() {
    let read = |elements: String| measure(|| read_destinations(&elements)).1;
    assert_linear("destinations with one setting", |count| {
        read(list(count, |number| format!(r#"{{"id":"dst_{number:07}","dedupes_on":["email"]}}"#)))
    });
    assert_linear("destinations with settings of their own", |count| {
        let destination = |number| format!(r#"{{"id":"dst_{number:07}","dedupes_on":["type_{number:07}"]}}"#);
        read(list(count, destination))
    });
    assert_linear("types", |count| {
        let types = list(count, |number| format!(r#""type_{number:07}""#));
        read(format!(r#"{{"id":"dst_1","dedupes_on":[{types}]}}"#))
    });
}

#[test]
fn a_decision_grows_with_the_settings_that_send() {
    assert_linear("settings", |count| {
        let of_number = |number| {
            let destination = format!(r#"{{"id":"dst_{number:07}","dedupes_on":["type_{number:07}"]}}"#);
            (destination, format!(r#"{{"type":"type_{number:07}","id":"1"}}"#))
        };
        let destinations = read_destinations(&list(count, |number| of_number(number).0));
        let update = read_update(&update(VALUE_CHANGED, &list(count, |number| of_number(number).1)));
        let (events, heap) = measure(|| decide(&update, &destinations));
        assert_eq!(events.len(), count);
        heap
    });
}

#[test]
fn a_decision_takes_the_same_from_the_heap_whatever_the_number_of_ids() {
    let destinations = usual_destinations();
    let heaps = [10, 100_000].map(|count| {
        let update = read_update(&update(VALUE_CHANGED, &list(count, email)));
        measure(|| decide(&update, &destinations)).1
    });
    assert_eq!(heaps[0], heaps[1]);
}

#[test]
fn a_million_external_ids_are_decided() {
    let json = update(VALUE_CHANGED, &list(1_000_000, email));
    let (update, heap) = measure(|| read_update(&json));
    println!("a million external IDs in {} bytes of JSON: {heap:?}", json.len());
    assert_eq!(update.external_ids().len(), 1_000_000);
    // Less than ten times the text, of which an ID is 43 bytes.
    assert!(heap.peak < 10 * json.len().cast_signed(), "{heap:?}");
    let destinations = usual_destinations();
    let events = decide(&update, &destinations);
    let messages: Vec<u64> = events.iter().map(|event| event.outbound_messages().count()).collect();
    assert_eq!(messages, [1, 1_000_000]);
}

#[test]
fn a_hundred_thousand_destinations_are_decided() {
    let destination = |number| {
        let dedupes_on = ["null", r#"["email"]"#, r#"["phone"]"#, r#"["email","phone"]"#][number % 4];
        format!(r#"{{"id":"dst_{number:07}","dedupes_on":{dedupes_on}}}"#)
    };
    let destinations = read_destinations(&list(100_000, destination));
    let phone = r#"{"type":"phone","id":"+15550100"}"#;
    let update = read_update(&update(VALUE_CHANGED, &[&email(1), &email(2), phone].join(",")));
    let mut counts = Counts::default();
    let (events, heap) = measure(|| decide_with(&update, &destinations, &mut counts));
    let sizes: Vec<usize> = events.iter().map(|event| event.destinations().len()).collect();
    assert_eq!(sizes, [25_000; 4]);
    assert_eq!(counts.verdict(Verdict::SendSome), 75_000);
    assert!(heap.peak < 4 * KIB, "{heap:?}");
    assert_eq!(explain(&update, &destinations).iter().count(), 100_000);
}

#[test]
fn an_id_of_16_mib_is_decided_without_a_copy() {
    let long = "x".repeat(16 * MIB);
    let update = read_update(&update(VALUE_CHANGED, &format!(r#"{{"type":"email","id":"{long}"}}"#)));
    let destinations = usual_destinations();
    let (events, heap) = measure(|| decide(&update, &destinations));
    assert_eq!(events.len(), 1);
    assert!(heap.peak < 4 * KIB, "{heap:?}");
    assert!(explain(&update, &destinations).to_string().len() < KIB.unsigned_abs());
    assert!(format!("{update:?} {events:?}").len() < 8 * KIB.unsigned_abs());
}

#[test]
fn a_value_of_16_mib_is_refused_in_few_words() {
    let long = "x".repeat(16 * MIB);
    let cut = format!("{}…", "x".repeat(64));
    assert_eq!(
        refusal_of_update(&update(
            VALUE_CHANGED,
            &format!(r#"{{"type":"email","id":"1","collection":"{long}"}}"#)
        )),
        format!("`external_ids[0].collection` is `{cut}`, expected `users` or `accounts`"),
    );
    assert_eq!(
        refusal_of_update(&update(&format!(r#"{{"reason":"{long}"}}"#), "")),
        format!(
            "`trigger.reason` is `{cut}`, expected `value_changed`, `new_external_id`, `profile_merge` \
             or `external_id_removed`"
        ),
    );
    let error =
        serde_json::from_str::<Destinations>(&format!(r#"[{{"id":"dst_1","{long}":[]}}]"#)).unwrap_err();
    let cut = format!("[0].{}…", "x".repeat(60));
    assert_eq!(
        error.to_string(),
        format!(
            "`{cut}` of destination `dst_1` is not a known field, expected `id`, `name`, \
             `dedupes_on`, `id_strategies` or `consent`"
        ),
    );
}

#[test]
fn a_line_of_64_mib_is_refused_in_little_memory() {
    let long = "x".repeat(64 * MIB);
    let ignored = format!(r#"{{"unknown":"{long}"}}"#);
    let (refusal, heap) = measure(|| refusal_of_update(&ignored));
    assert_eq!(refusal, "`id` is missing");
    assert!(heap.peak < 4 * KIB, "{heap:?}");

    let (refusal, heap) = measure(|| refusal_of_update(&long));
    assert_eq!(refusal, "expected value at line 1 column 1");
    assert!(heap.peak < 4 * KIB, "{heap:?}");
}

/// What has no place is read to its end without recursion, so that depth is nothing special.
#[test]
fn nesting_10_000_deep_is_refused_for_its_field() {
    let lists = "[".repeat(10_000) + &"]".repeat(10_000);
    let objects = r#"{"id":"#.repeat(10_000) + "1" + &"}".repeat(10_000);
    let added = |deep: &str| format!(r#"{{"reason":"new_external_id","added":{deep}}}"#);
    for (json, expected) in [
        (lists.clone(), "the input must be an object, not an array"),
        (objects.clone(), "`id` must be a string, not an object"),
        (update(&lists, ""), "`trigger` must be an object, not an array"),
        (update(&objects, ""), "`trigger.reason` is missing"),
        (update(&added(&lists), ""), "`trigger.added[0]` must be an object, not an array"),
        (update(&added(&objects), ""), "`trigger.added` must be an array, not an object"),
        (update(VALUE_CHANGED, &lists), "`external_ids[0]` must be an object, not an array"),
        (update(VALUE_CHANGED, &objects), "`external_ids[0].type` is missing"),
        (format!(r#"{{"unknown":{lists}}}"#), "`id` is missing"),
    ] {
        assert_eq!(refusal_of_update(&json), expected);
    }
    let error = serde_json::from_str::<Destinations>(&lists).unwrap_err();
    assert_eq!(error.to_string(), "`[0]` must be an object, not an array");
}

#[test]
fn nesting_10_000_deep_in_an_unknown_field_is_ignored() {
    let lists = "[".repeat(10_000) + &"]".repeat(10_000);
    let json = update(VALUE_CHANGED, &email(1))
        .replace("{\"id\":\"upd_1\"", &format!("{{\"unknown\":{lists},\"id\":\"upd_1\""));
    assert_eq!(decide(&read_update(&json), &usual_destinations()).len(), 1);
}

/// 1,000 IDs of each of seven types are 10^21 messages: more than a number holds.
#[test]
fn more_messages_than_a_number_holds_are_counted_as_the_most_it_holds() {
    let of_type = |number| format!(r#"{{"type":"type_{}","id":"{number}"}}"#, number % 7);
    let update = read_update(&update(VALUE_CHANGED, &list(7_000, of_type)));
    let destinations = usual_destinations();
    let events = decide(&update, &destinations);
    assert_eq!(Amplification::of(&events).outbound_messages(), u64::MAX);

    let (key, budget) = (ComparisonKey::new([7; 16]), ComparisonBudget::default().with_messages(1_000_000));
    let (comparison, heap) = measure(|| compare(&update, &destinations, &key, &budget));
    assert_eq!(comparison, Comparison::Refused { flow: Flow::Legacy, most: 1_000_000 });
    assert!(heap.peak < 4 * KIB, "{heap:?}");
}

#[test]
fn reading_and_deciding_leave_nothing_behind() {
    let json = update(VALUE_CHANGED, &list(10, email));
    let destinations = usual_destinations();
    let ((), heap) = measure(|| {
        for _ in 0..1_000 {
            let update = read_update(&json);
            assert_eq!(decide(&update, &destinations).len(), 2);
        }
    });
    assert_eq!(heap.kept, 0);
    assert!(heap.peak < 16 * KIB, "{heap:?}");
}
