//! What a decision costs, beside the original worker's way and the hashing that is the least it can
//! cost. `cargo bench --bench decide`
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

mod yardsticks;

use std::collections::HashMap;
use std::hint::black_box;
use std::io;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use idgroup::{Destinations, ProfileUpdate, decide, explain};
use yardsticks::{
    assert_same, bytes_to_hash, destinations, destinations_all_different, naive, naive_ids, quick,
    sha256_floor, update,
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

/// The same where destinations choose by strategies and ask for consent, of settings that four have.
fn one_more_choosing_destination(c: &mut Criterion) {
    let update: ProfileUpdate = {
        let mut json = yardsticks::update_json(5);
        for id in json["external_ids"].as_array_mut().unwrap() {
            id["subscribed"] = true.into();
        }
        serde_json::from_value(json).unwrap()
    };
    let mut group = c.benchmark_group("destinations_choosing");
    for count in [1_000, 10_000] {
        let destinations = yardsticks::destinations_choosing(count);
        group.bench_with_input(BenchmarkId::from_parameter(count), &destinations, |b, destinations| {
            b.iter(|| decide(black_box(&update), black_box(destinations)));
        });
    }
    group.finish();
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

/// What the example `replay` does with its recording, without the files: parse, decide, serialise.
fn replay(c: &mut Criterion) {
    let recording = include_str!("../fixtures/pipeline/destinations.json");
    let computations: HashMap<String, Destinations> = serde_json::from_str(recording).unwrap();
    let none = Destinations::default();
    let lines: Vec<&[u8]> = include_bytes!("../fixtures/pipeline/updates.ndjson")
        .split(|byte| *byte == b'\n')
        .filter(|line| serde_json::from_slice::<ProfileUpdate>(line).is_ok())
        .collect();
    let bytes: usize = lines.iter().map(|line| line.len() + 1).sum();

    let mut group = c.benchmark_group("replay");
    for (unit, throughput) in [
        ("updates", Throughput::Elements(lines.len() as u64)),
        ("bytes", Throughput::BytesDecimal(bytes as u64)),
    ] {
        group.throughput(throughput);
        group.bench_function(unit, |b| {
            b.iter(|| {
                for line in &lines {
                    let update: ProfileUpdate = serde_json::from_slice(black_box(line)).unwrap();
                    let destinations = computations.get(update.computation().id()).unwrap_or(&none);
                    for event in decide(&update, destinations) {
                        serde_json::to_writer(io::sink(), &event).unwrap();
                    }
                }
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = quick();
    targets = shapes, one_more_destination, one_more_choosing_destination, parse, replay
}
criterion_main!(benches);
