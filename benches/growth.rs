//! How the time grows with the input, one measure at a time, beside the original worker's way.
//! `cargo bench --bench growth`, and then `cargo run --package growth-plots` for the pictures.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

mod yardsticks;

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main};
use idgroup::compare::{ComparisonBudget, ComparisonKey, compare_events};
use idgroup::{Destinations, ProfileUpdate, decide, decide_legacy};
use yardsticks::{
    assert_same, destinations, destinations_of_pairs, monster, naive, naive_ids, two_maps, update,
    update_of_types,
};

const SIZES: [usize; 9] = [1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000];

/// More IDs of five types, for ten destinations.
fn external_ids(c: &mut Criterion) {
    let destinations = destinations(10);
    let mut group = c.benchmark_group("growth_external_ids");
    for size in SIZES {
        decision(&mut group, size, &update(size), &destinations);
    }
}

/// More destinations with the same four settings, for five IDs.
fn destinations_of_one_setting(c: &mut Criterion) {
    let update = update(5);
    let mut group = c.benchmark_group("growth_destinations");
    for size in SIZES {
        decision(&mut group, size, &update, &destinations(size));
    }
}

/// More distinct settings, each of two types and with IDs of its own to send: a group each.
fn distinct_settings(c: &mut Criterion) {
    let types = 142; // the least that have 10,000 pairs
    let update = update_of_types(types);
    let mut group = c.benchmark_group("growth_distinct_settings");
    for size in SIZES {
        let destinations = destinations_of_pairs(types, size);
        assert_eq!(decide(&update, &destinations).len(), size);
        decision(&mut group, size, &update, &destinations);
    }
}

fn decision(
    group: &mut BenchmarkGroup<'_, WallTime>,
    size: usize,
    update: &ProfileUpdate,
    destinations: &Destinations,
) {
    let ids = naive_ids(update);
    assert_same(&decide(update, destinations), &naive(update, &ids, destinations));
    group.bench_with_input(BenchmarkId::new("idgroup", size), &(), |b, ()| {
        b.iter(|| decide(black_box(update), black_box(destinations)));
    });
    group.bench_with_input(BenchmarkId::new("naive", size), &(), |b, ()| {
        b.iter(|| naive(black_box(update), black_box(&ids), black_box(destinations)));
    });
}

/// More outbound messages of one update, in both flows, that are found to be identical.
fn messages(c: &mut Criterion) {
    let (key, budget) = (ComparisonKey::new(*b"sixteen random b"), ComparisonBudget::default());
    let mut group = c.benchmark_group("growth_messages");
    for (emails, phones, user_ids) in
        [(1, 1, 1), (3, 1, 1), (10, 1, 1), (10, 3, 1), (10, 10, 1), (10, 10, 3), (10, 10, 10), (30, 10, 10)]
            .into_iter()
            .chain([(100, 10, 10), (300, 10, 10), (100, 100, 10)])
    {
        let (update, destinations) = monster(emails, phones, user_ids);
        let (legacy, dedupe) = (decide_legacy(&update, &destinations), decide(&update, &destinations));
        assert!(compare_events(&legacy, &dedupe, &key, &budget).is_identical());
        let size = legacy[0].outbound_messages().count();
        group.bench_with_input(BenchmarkId::new("idgroup", size), &(), |b, ()| {
            b.iter(|| compare_events(black_box(&legacy), black_box(&dedupe), &key, &budget));
        });
        group.bench_with_input(BenchmarkId::new("naive", size), &(), |b, ()| {
            b.iter(|| two_maps(black_box(&legacy)) == two_maps(black_box(&dedupe)));
        });
    }
}

fn quick() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(300))
}

criterion_group! {
    name = benches;
    config = quick();
    targets = external_ids, destinations_of_one_setting, distinct_settings, messages
}
criterion_main!(benches);
