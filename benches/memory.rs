//! What decisions and comparisons take from the heap, beside the original worker's ways.
//! `cargo bench --bench memory`

#[path = "../tests/support/counting_allocator.rs"]
mod counting_allocator;
mod yardsticks;

use counting_allocator::{Heap, measure};
use idgroup::compare::{ComparisonBudget, ComparisonKey, compare_events};
use idgroup::{Destinations, decide, decide_legacy};
use yardsticks::{destinations, monster, naive, naive_ids, two_maps, update};

fn main() {
    println!("{:<46} {:>12} {:>14}", "heap", "allocations", "peak, bytes");
    let update = update(5);
    let ids = naive_ids(&update);
    for count in [10, 1_000] {
        let destinations = destinations(count);
        row(&format!("decide, 5 IDs, {count} destinations"), measure(|| decide(&update, &destinations)).1);
        row(
            &format!("naive, 5 IDs, {count} destinations"),
            measure(|| naive(&update, &ids, &destinations)).1,
        );
    }
    for user_ids in [1, 50, 500] {
        compare(user_ids);
    }
}

fn compare(user_ids: usize) {
    let (update, destinations) = monster(50, 60, user_ids);
    let other_destinations: Destinations = serde_json::from_str(r#"[{"id":"dst_2"}]"#).unwrap();
    let (legacy, dedupe) = (decide_legacy(&update, &destinations), decide(&update, &destinations));
    let all_differ = decide(&update, &other_destinations);
    let (key, budget) = (ComparisonKey::new(*b"sixteen random b"), ComparisonBudget::default());
    let messages = legacy[0].outbound_messages().count();

    let (same, heap) = measure(|| compare_events(&legacy, &dedupe, &key, &budget));
    assert!(same.is_identical());
    row(&format!("compare, {messages} messages, identical"), heap);
    let (different, heap) = measure(|| compare_events(&legacy, &all_differ, &key, &budget));
    assert_eq!(different.as_str(), "different");
    row(&format!("compare, {messages} messages, all different"), heap);
    let (same, heap) = measure(|| two_maps(&legacy) == two_maps(&dedupe));
    assert!(same);
    row(&format!("two maps, {messages} messages, identical"), heap);
}

fn row(what: &str, heap: Heap) {
    println!("{what:<46} {:>12} {:>14}", heap.allocations, heap.peak);
}
