//! What a decision costs, beside the original worker's way and the hashing that is the least it can
//! cost. `cargo bench --bench decide`
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

mod yardsticks;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use idgroup::{Destinations, ProfileUpdate, decide, explain};
use yardsticks::{
    assert_same, bytes_to_hash, destinations, destinations_all_different, naive, naive_ids, sha256_floor,
    update,
};

fn shapes(c: &mut Criterion) {
    for (shape, update, destinations) in [
        ("typical_5x10", update(5), destinations(10)),
        ("deep_1000x10", update(1_000), destinations(10)),
        ("wide_5x10000", update(5), destinations(10_000)),
        ("both_1000x1000", update(1_000), destinations(1_000)),
        ("all_different_1000x1000", update(1_000), destinations_all_different(1_000)),
    ] {
        beside_yardsticks(c, shape, &update, &destinations);
    }
}

fn beside_yardsticks(c: &mut Criterion, shape: &str, update: &ProfileUpdate, destinations: &Destinations) {
    let ids = naive_ids(update);
    let events = decide(update, destinations);
    assert_same(&events, &naive(update, &ids, destinations));
    let bytes = bytes_to_hash(update, &events);

    let mut group = c.benchmark_group(shape);
    group.bench_function("decide", |b| b.iter(|| decide(black_box(update), black_box(destinations))));
    group.bench_function("sha256_floor", |b| b.iter(|| sha256_floor(black_box(&bytes))));
    group.bench_function("naive", |b| {
        b.iter(|| naive(black_box(update), black_box(&ids), black_box(destinations)));
    });
    group.bench_function("explain", |b| {
        b.iter(|| {
            explain(black_box(update), black_box(destinations))
                .iter()
                .map(|verdict| verdict.external_ids().len())
                .sum::<usize>()
        });
    });
    group.finish();
}

/// The slope of these two is what one more destination costs, if others have its setting: where
/// settings have groups of their own, and where a group brings several settings together.
fn one_more_destination(c: &mut Criterion) {
    let without_phone: ProfileUpdate = {
        let mut json = yardsticks::update_json(5);
        json["external_ids"].as_array_mut().unwrap().retain(|id| id["type"] != "phone");
        serde_json::from_value(json).unwrap()
    };
    for (name, update) in [("own_groups", update(5)), ("shared_groups", without_phone)] {
        let mut group = c.benchmark_group(format!("destinations_{name}"));
        for count in [1_000, 10_000] {
            let destinations = destinations(count);
            group.bench_with_input(BenchmarkId::from_parameter(count), &destinations, |b, destinations| {
                b.iter(|| decide(black_box(&update), black_box(destinations)));
            });
        }
        group.finish();
    }
}

fn parse(c: &mut Criterion) {
    for ids in [5, 1_000] {
        let json = serde_json::to_vec(&yardsticks::update_json(ids)).unwrap();
        let mut group = c.benchmark_group(format!("parse_{ids}_ids"));
        group.throughput(Throughput::Bytes(json.len() as u64));
        group.bench_function("profile_update", |b| {
            b.iter(|| serde_json::from_slice::<ProfileUpdate>(black_box(&json)).unwrap());
        });
        group.bench_function("serde_json_value", |b| {
            b.iter(|| serde_json::from_slice::<serde_json::Value>(black_box(&json)).unwrap());
        });
        group.finish();
    }
}

fn quick() -> Criterion {
    Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
}

criterion_group! {
    name = benches;
    config = quick();
    targets = shapes, one_more_destination, parse
}
criterion_main!(benches);
