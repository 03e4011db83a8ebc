//! A small world with both flows, and what their messages differ in, by multiplying them out.

use std::collections::BTreeMap;

use idgroup::compare::{
    Comparison, ComparisonBudget, ComparisonKey, Copies, Difference, Extent, OutboundSample, compare_events,
};
use idgroup::{Destination, Destinations, ExternalId, IdGroupEvent, ProfileUpdate, decide, decide_legacy};
use serde_json::{Value, json};

use crate::build::{self, plain};
use crate::product::combinations;

pub const KEY: ComparisonKey = ComparisonKey::new([9; 16]);

pub fn everything() -> ComparisonBudget {
    ComparisonBudget::default().with_samples(usize::MAX).with_sample_bytes(usize::MAX)
}

/// A combination of external IDs with all that goes out of each, and the destinations that do not
/// dedupe: in full, by looking at every ID of every event.
pub type Plain = (Vec<Value>, Vec<String>);

pub fn multiplied_out(events: &[IdGroupEvent<'_>]) -> Vec<Plain> {
    let mut messages = Vec::new();
    for event in events {
        let ids: Vec<Value> =
            serde_json::to_value(event).unwrap()["id_group"]["external_ids"].as_array().unwrap().clone();
        let destinations: Vec<String> = event
            .destinations()
            .iter()
            .filter(|destination| destination.takes_all())
            .map(|destination| destination.id().to_owned())
            .collect();
        if destinations.is_empty() {
            continue;
        }
        let combinations = combinations(&ids, |id| id["type"].as_str().unwrap());
        messages.extend(combinations.into_iter().map(|ids| (ids, destinations.clone())));
    }
    messages
}

/// By its text, how often each flow has each message that they do not have equally often.
pub fn differing(legacy: &[Plain], dedupe: &[Plain]) -> BTreeMap<String, Copies> {
    let mut differing = BTreeMap::<String, Copies>::new();
    for (ids, destinations) in legacy {
        differing.entry(json!([ids, destinations]).to_string()).or_default().legacy += 1;
    }
    for (ids, destinations) in dedupe {
        differing.entry(json!([ids, destinations]).to_string()).or_default().dedupe += 1;
    }
    differing.retain(|_, copies| copies.legacy != copies.dedupe);
    differing
}

pub fn sampled(difference: &Difference<OutboundSample>) -> BTreeMap<String, Copies> {
    let samples = difference.samples.iter().map(|sample| {
        let message = serde_json::to_value(&sample.message).unwrap();
        assert_eq!(message["is_cut"], json!(false));
        (json!([message["external_ids"], message["destinations"]]).to_string(), sample.copies)
    });
    let named: BTreeMap<_, _> = samples.collect();
    assert_eq!(named.len(), difference.samples.len());
    named
}

/// What the comparison says of these events is what multiplying them out says.
#[track_caller]
pub fn assert_as_multiplied_out(
    legacy: &[IdGroupEvent<'_>],
    dedupe: &[IdGroupEvent<'_>],
    budget: &ComparisonBudget,
) -> Comparison<OutboundSample> {
    let (all_legacy, all_dedupe) = (multiplied_out(legacy), multiplied_out(dedupe));
    let differing = differing(&all_legacy, &all_dedupe);
    let comparison = compare_events(legacy, dedupe, &KEY, budget);
    match &comparison {
        Comparison::Identical { messages } => {
            assert!(differing.is_empty() && *messages > 0, "{differing:?}");
            assert_eq!(*messages, all_legacy.len() as u64);
        }
        Comparison::NothingToCompare => assert!(all_legacy.is_empty() && all_dedupe.is_empty()),
        Comparison::Different(difference) => {
            assert_eq!(
                (difference.legacy, difference.dedupe),
                (all_legacy.len() as u64, all_dedupe.len() as u64)
            );
            assert_eq!(sampled(difference), differing);
            assert_eq!(difference.messages(), differing.len() as u64);
            assert_eq!(difference.extent, Extent::Whole);
            for (number, kind) in [
                (difference.only_in_legacy, "only_in_legacy"),
                (difference.only_in_dedupe, "only_in_dedupe"),
                (difference.in_different_numbers, "in_different_numbers"),
            ] {
                let of_kind = differing.values().filter(|copies| copies.as_str() == kind).count();
                assert_eq!(number, of_kind as u64, "{kind}");
            }
        }
        other => panic!("nothing limits it: {other:?}"),
    }
    comparison
}

/// A world to plant bugs in: 2 phones × 3 emails for two destinations that do not dedupe, and for
/// two that do.
pub struct Shop {
    pub emails: Vec<ExternalId>,
    pub phones: Vec<ExternalId>,
    pub id: &'static str,
    pub destinations: Vec<Destination>,
}

pub fn email(id: &str) -> ExternalId {
    build::id("email", id).with_created_at("2026-01-01T00:00:00Z".parse().unwrap())
}

pub fn phone(id: &str) -> ExternalId {
    build::id("phone", id)
}

pub fn shop() -> Shop {
    Shop {
        emails: vec![email("a"), email("b"), email("c")],
        phones: vec![phone("1"), phone("2")],
        id: "upd_1",
        destinations: vec![
            plain("ads_1"),
            plain("ads_2"),
            plain("sendgrid").deduping_on(["email"]).unwrap(),
            plain("twilio").deduping_on(["phone"]).unwrap(),
        ],
    }
}

impl Shop {
    pub fn update(&self) -> ProfileUpdate {
        let ids = self.emails.iter().chain(&self.phones).cloned();
        build::entry().id(self.id).external_ids(ids).build().unwrap()
    }

    pub fn destinations(&self) -> Destinations {
        Destinations::new(self.destinations.iter().cloned()).unwrap()
    }
}

/// Compares the legacy flow for the shop with what the dedupe flow would send for these: for one
/// shop with a bug, or for several, one after the other.
#[track_caller]
pub fn with_bug(shops: &[Shop]) -> Comparison<OutboundSample> {
    let (update, destinations) = (shop().update(), shop().destinations());
    let legacy = decide_legacy(&update, &destinations);
    let inputs: Vec<_> = shops.iter().map(|shop| (shop.update(), shop.destinations())).collect();
    let dedupe: Vec<_> =
        inputs.iter().flat_map(|(update, destinations)| decide(update, destinations)).collect();
    assert_as_multiplied_out(&legacy, &dedupe, &everything())
}

/// Asserts how many messages differ in which way, and that the first sample is named so.
#[track_caller]
pub fn assert_found(shops: &[Shop], only_in_legacy: u64, only_in_dedupe: u64, in_different_numbers: u64) {
    let Comparison::Different(found) = with_bug(shops) else { panic!("the bug is not found") };
    assert_eq!(
        (found.only_in_legacy, found.only_in_dedupe, found.in_different_numbers),
        (only_in_legacy, only_in_dedupe, in_different_numbers),
    );
}
