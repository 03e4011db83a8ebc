//! What a decision with a memory costs, beside the same one without. `cargo bench --bench remember`
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

mod yardsticks;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use idgroup::{Completeness, Destinations, Memory, MemoryKey, ProfileUpdate, decide, memory};
use yardsticks::{destinations, quick, update, update_json};

fn recomputed(ids: usize) -> ProfileUpdate {
    let mut json = update_json(ids);
    json["id"] = "upd_2Yq0FJx3mVvUeZrB1n7cTgKpLdT".into();
    json["computed_at"] = "2026-01-06T10:00:00Z".into();
    serde_json::from_value(json).unwrap()
}

fn remember(update: &ProfileUpdate, memory: &Memory, destinations: &Destinations) -> Memory {
    let recalled = memory::keys(update, 0).recall(|_| memory.clone());
    memory::decide(recalled, destinations, Completeness::Complete).own().clone()
}

fn shapes(c: &mut Criterion) {
    for (shape, ids, count) in [
        ("typical_5x10", 5, 10),
        ("deep_1000x10", 1_000, 10),
        ("wide_5x10000", 5, 10_000),
        ("both_1000x1000", 1_000, 1_000),
    ] {
        let destinations = destinations(count);
        let (first, again) = (update(ids), recomputed(ids));
        let settled = remember(&first, &Memory::default(), &destinations);
        let mut group = c.benchmark_group(format!("remember_{shape}"));
        group.bench_function("without", |b| {
            // As the others are measured: without the time that dropping the events takes.
            let decide = |()| decide(black_box(&first), black_box(&destinations));
            b.iter_batched(|| (), decide, BatchSize::NumIterations(100));
        });
        // Nothing is known yet: everything is sent, and settled.
        with_memory(&mut group, "first", &first, &Memory::default(), &destinations);
        // The very update once more: everything is sent again.
        with_memory(&mut group, "repeat", &first, &settled, &destinations);
        // A recomputed audience: nothing is sent but to plain destinations.
        with_memory(&mut group, "settled", &again, &settled, &destinations);
        group.bench_function("keys", |b| {
            b.iter(|| memory::keys(black_box(&first), 0).iter().collect::<Vec<MemoryKey>>());
        });
        let bytes = settled.to_bytes();
        group.bench_function("to_bytes", |b| b.iter(|| black_box(&settled).to_bytes()));
        group.bench_function("from_bytes", |b| b.iter(|| Memory::from_bytes(black_box(&bytes)).unwrap()));
        group.finish();
    }
}

/// The memories are at hand, as a store has handed them over; a hundred at a time, as many as a batch may have. With
/// a hundred thousand of them, a decision would wait for memory of the machine's.
fn with_memory(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    name: &str,
    update: &ProfileUpdate,
    memory: &Memory,
    destinations: &Destinations,
) {
    group.bench_function(name, |b| {
        b.iter_batched(
            || memory::keys(update, 0).recall(|_| memory.clone()),
            |recalled| memory::decide(recalled, black_box(destinations), Completeness::Complete),
            BatchSize::NumIterations(100),
        );
    });
}

criterion_group! {
    name = benches;
    config = quick();
    targets = shapes
}
criterion_main!(benches);
