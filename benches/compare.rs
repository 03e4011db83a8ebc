//! What outbound messages and their comparison cost, beside the least it can cost and the way of
//! the original worker, which held every message of both flows in a map. `cargo bench --bench compare`
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

mod yardsticks;

use std::hash::Hasher;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use idgroup::compare::{ComparisonBudget, ComparisonKey, compare_events};
use idgroup::{Destinations, IdGroupEvent, decide, decide_legacy};
use siphasher::sip128::{Hasher128, SipHasher24};
use yardsticks::{monster, two_maps, update_of_shape};

const KEY: [u8; 16] = *b"sixteen random b";

/// 150,000 messages: generating them and looking at each ID; at most 10 ns per message.
fn outbound(c: &mut Criterion) {
    let (update, destinations) = monster(50, 60, 50);
    let events = decide_legacy(&update, &destinations);
    let messages = events[0].outbound_messages();
    let mut group = c.benchmark_group("outbound_150000");
    group.throughput(Throughput::Elements(messages.count()));
    group.bench_function("iterate", |b| {
        b.iter(|| {
            for message in black_box(&messages).iter() {
                for id in message.external_ids() {
                    black_box(id);
                }
            }
        });
    });
    group.bench_function("random_access", |b| {
        b.iter(|| {
            for i in 0..messages.count() {
                let message = messages.get(i.wrapping_mul(7_919) % messages.count()).unwrap();
                message.external_ids().for_each(|id| {
                    black_box(id);
                });
            }
        });
    });
    group.finish();
}

fn compare(c: &mut Criterion) {
    for user_ids in [1, 50, 500] {
        let (update, destinations) = monster(50, 60, user_ids);
        let (legacy, dedupe) = (decide_legacy(&update, &destinations), decide(&update, &destinations));
        let (key, budget) = (ComparisonKey::new(KEY), ComparisonBudget::default());
        assert!(compare_events(&legacy, &dedupe, &key, &budget).is_identical());

        let per_flow = legacy[0].outbound_messages().count();
        let mut group = c.benchmark_group("compare");
        group.throughput(Throughput::Elements(2 * per_flow));
        group.bench_with_input(BenchmarkId::new("streaming", per_flow), &(), |b, ()| {
            b.iter(|| compare_events(black_box(&legacy), black_box(&dedupe), &key, &budget));
        });
        group.bench_with_input(BenchmarkId::new("generate_and_hash", per_flow), &(), |b, ()| {
            b.iter(|| {
                generate_and_hash(black_box(&legacy)).wrapping_sub(generate_and_hash(black_box(&dedupe)))
            });
        });
        if per_flow <= 150_000 {
            group.bench_with_input(BenchmarkId::new("two_maps", per_flow), &(), |b, ()| {
                b.iter(|| two_maps(black_box(&legacy)) == two_maps(black_box(&dedupe)));
            });
        }
        group.finish();
    }
}

/// How many types there are of so many IDs each.
type Types = &'static [(usize, usize)];

/// What profiles of up to 1,000 IDs can make a comparison cost under the default budget, in multiples of
/// what one with 2 types of 1,000 IDs makes it cost: the shortest of three runs each, with flows that
/// are the same, and with flows that differ in every message, which takes all passes.
fn work(_: &mut Criterion) {
    let shapes: [(&str, Types, usize); 11] = [
        ("2 types of 1,000 IDs", &[(2, 1_000)], 24),
        ("2 types of 500", &[(2, 500)], 24),
        ("1,000 types of 1", &[(1_000, 1)], 24),
        ("20 types of 2, 960 of 1", &[(20, 2), (960, 1)], 24),
        ("960 types of 1, 20 of 2", &[(960, 1), (20, 2)], 24),
        ("17 types of 2, 1 of 15, 951 of 1", &[(17, 2), (1, 15), (951, 1)], 24),
        ("13 types of 3, 961 of 1", &[(13, 3), (961, 1)], 24),
        ("3 types of 125 and 126", &[(1, 125), (2, 126)], 24),
        ("20 types of 2, IDs of 1 MB", &[(20, 2)], 1_000_000),
        ("2 types of 500, IDs of 100 kB", &[(2, 500)], 100_000),
        ("20 types of 2, 960 of 1, IDs of 100 kB", &[(20, 2), (960, 1)], 100_000),
    ];
    let destinations: Destinations = serde_json::from_str(r#"[{"id":"dst_1"},{"id":"dst_2"}]"#).unwrap();
    let others: Destinations = serde_json::from_str(r#"[{"id":"dst_1"}]"#).unwrap();
    let (key, budget) = (ComparisonKey::new(KEY), ComparisonBudget::default());
    let mut yardstick: Option<[Duration; 3]> = None;
    println!("{:<40} {:>10} {:>20} {:>20} {:>20}", "work", "messages", "same", "all differ", "other IDs");
    for (name, shape, bytes) in shapes {
        let [update, other] = ["a", "b"].map(|prefix| update_of_shape(prefix, shape, bytes));
        let (legacy, dedupe) = (decide_legacy(&update, &destinations), decide(&update, &destinations));
        let (elsewhere, other) = (decide(&update, &others), decide(&other, &destinations));
        let times = [dedupe, elsewhere, other].map(|dedupe| {
            let run = |_| {
                let began = Instant::now();
                let _ = black_box(compare_events(black_box(&legacy), black_box(&dedupe), &key, &budget));
                began.elapsed()
            };
            (0..3).map(run).min().unwrap()
        });
        let yardstick = *yardstick.get_or_insert(times);
        let [same, all_differ, other_ids] = [0, 1, 2].map(|column| {
            let ratio = times[column].as_secs_f64() / yardstick[column].as_secs_f64();
            format!("{:.1?} = {ratio:.2} x", times[column])
        });
        let messages = legacy[0].outbound_messages().count();
        println!("{name:<40} {messages:>10} {same:>20} {all_differ:>20} {other_ids:>20}");
    }
}

/// Every message of a flow that goes to plain destinations, once, hashed with the same function.
fn generate_and_hash(events: &[IdGroupEvent<'_>]) -> u128 {
    let mut sum: u128 = 0;
    let mut bytes = Vec::new();
    for event in events.iter().filter(|event| event.destinations().iter().any(|d| d.dedupes_on().is_none())) {
        for message in event.outbound_messages().iter() {
            bytes.clear();
            push_part(&mut bytes, &[0; 16]);
            bytes.extend((message.external_ids().count() as u64).to_le_bytes());
            for id in message.external_ids() {
                for part in [id.collection().as_str(), id.id_type(), id.id(), id.encoding()] {
                    push_part(&mut bytes, part.as_bytes());
                }
            }
            let mut hasher = SipHasher24::new_with_key(&KEY);
            hasher.write(&bytes);
            sum = sum.wrapping_add(hasher.finish128().as_u128());
        }
    }
    sum
}

fn push_part(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend((part.len() as u64).to_le_bytes());
    bytes.extend(part);
}

fn quick() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
}

criterion_group! {
    name = benches;
    config = quick();
    targets = outbound, compare, work
}
criterion_main!(benches);
