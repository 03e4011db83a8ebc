//! What a comparison of both flows shows of its samples, and what it refuses.

use idgroup::compare::{Comparison, ComparisonBudget, Copies, Extent, compare, compare_events, compare_with};
use idgroup::{ExternalId, Flow, decide, decide_legacy};
use serde_json::json;

use crate::shop::{KEY, Shop, email, everything, shop, with_bug};

#[test]
fn a_difference_names_ids_and_destinations() {
    let Comparison::Different(found) =
        with_bug(&[Shop { phones: vec![], emails: vec![email("a")], ..shop() }])
    else {
        panic!("the bug is not found")
    };
    let sample = found.samples.iter().find(|sample| sample.copies.legacy == 0).unwrap();
    assert_eq!(sample.copies, Copies { legacy: 0, dedupe: 1 });
    assert_eq!(
        serde_json::to_value(&sample.message).unwrap(),
        json!({
            "external_ids": [{"type": "email", "id": "a", "collection": "users", "encoding": "none"}],
            "destinations": ["ads_1", "ads_2"],
            "is_cut": false,
        }),
    );
    assert_eq!(sample.message.external_ids().len(), 1);
    assert_eq!(sample.message.destinations(), ["ads_1", "ads_2"]);
    assert!(!format!("{found:?}").contains("\"a\""), "IDs are personal data: {found:?}");
}

/// Room for so many bytes, beside the fixed size of an ID or a destination.
#[test]
fn samples_are_cut_where_the_budget_ends() {
    let ids = size_of::<ExternalId>() + "email".len() + "a".len() + "none".len();
    let destination = size_of::<String>() + "ads_1".len();
    let of_both = ids + size_of::<ExternalId>() + "phone".len() + "1".len() + "none".len();
    for (bytes, expected) in [
        (0, (0, 0, true)),
        (ids - 1, (0, 0, true)),
        (ids, (1, 0, true)),
        (of_both - 1, (1, 0, true)),
        (of_both, (2, 0, true)),
        (of_both + destination - 1, (2, 0, true)),
        (of_both + destination, (2, 1, true)),
        (of_both + 2 * destination - 1, (2, 1, true)),
        (of_both + 2 * destination, (2, 2, false)),
        (usize::MAX, (2, 2, false)),
    ] {
        let (update, destinations) = (shop().update(), shop().destinations());
        let legacy = decide_legacy(&update, &destinations);
        let budget = ComparisonBudget::default().with_sample_bytes(bytes);
        let Comparison::Different(found) = compare_events(&legacy, &[], &KEY, &budget) else { panic!() };
        assert_eq!(found.samples.len(), 6);
        for sample in found.samples {
            let message = sample.message;
            let lengths = (message.external_ids().len(), message.destinations().len(), message.is_cut());
            assert_eq!(lengths, expected, "{bytes} bytes");
            let json = serde_json::to_value(&message).unwrap();
            assert_eq!(json["is_cut"], json!(expected.2));
        }
    }
}

#[test]
fn the_default_keeps_sixteen_samples() {
    let emails: Vec<_> = (0..40).map(|number| email(&number.to_string())).collect();
    let (update, destinations) = (Shop { emails, ..shop() }.update(), shop().destinations());
    let legacy = decide_legacy(&update, &destinations);
    let budget = ComparisonBudget::default();
    let Comparison::Different(found) = compare_events(&legacy, &[], &KEY, &budget) else { panic!() };
    assert_eq!((found.only_in_legacy, found.samples.len(), found.extent), (80, 16, Extent::Whole));
    let none = budget.with_samples(0);
    let Comparison::Different(found) = compare_events(&legacy, &[], &KEY, &none) else { panic!() };
    assert_eq!((found.only_in_legacy, found.samples.len(), found.extent), (80, 0, Extent::Whole));
}

/// Refused before a message is made: one of these flows has 2^70 messages.
#[test]
fn an_amplification_above_the_limit_is_refused_at_once() {
    let ids = (0..70)
        .flat_map(|number| ["a", "b"].map(|id| ExternalId::new(format!("type_{number}"), id).unwrap()));
    let monster = Shop { emails: ids.collect(), phones: vec![], ..shop() }.update();
    let (small, destinations) = (shop().update(), shop().destinations());
    let budget = ComparisonBudget::default().with_messages(u64::MAX - 1);
    let compared = |legacy, dedupe| {
        let (legacy, dedupe) = (decide_legacy(legacy, &destinations), decide(dedupe, &destinations));
        compare_events(&legacy, &dedupe, &KEY, &budget)
    };
    let refused = |flow| Comparison::Refused { flow, most: u64::MAX - 1 };
    assert_eq!(compared(&monster, &small), refused(Flow::Legacy));
    assert_eq!(compared(&small, &monster), refused(Flow::Dedupe));
    assert_eq!(compared(&monster, &monster), refused(Flow::Legacy));
    assert_eq!(compared(&small, &small), Comparison::Identical { messages: 6 });
    assert_eq!(compare(&monster, &destinations, &KEY, &budget), refused(Flow::Legacy));
}

/// There are more messages than can be counted, and so more than any budget allows.
#[test]
fn no_budget_allows_what_can_not_be_counted() {
    let ids = (0..70)
        .flat_map(|number| ["a", "b"].map(|id| ExternalId::new(format!("type_{number}"), id).unwrap()));
    let monster = Shop { emails: ids.collect(), phones: vec![], ..shop() }.update();
    let budget = ComparisonBudget::default().with_messages(u64::MAX);
    let refused = Comparison::Refused { flow: Flow::Legacy, most: u64::MAX - 1 };
    assert_eq!(compare(&monster, &shop().destinations(), &KEY, &budget), refused);
}

#[test]
fn the_limit_itself_is_allowed() {
    let (update, destinations) = (shop().update(), shop().destinations());
    let compared = |most| {
        compare_with(&update, &destinations, &KEY, &ComparisonBudget::default().with_messages(most), &mut ())
    };
    assert_eq!(compared(6), Comparison::Identical { messages: 6 });
    assert_eq!(compared(5), Comparison::Refused { flow: Flow::Legacy, most: 5 });
}

/// A comparison that ran out of passes says what it found, and that this is not all.
#[test]
fn a_comparison_that_ran_out_of_passes_names_a_part() {
    let (update, destinations) = (shop().update(), shop().destinations());
    let legacy = decide_legacy(&update, &destinations);
    let budget = everything().with_differing_messages(2).with_passes(2);
    let Comparison::Different(found) = compare_events(&legacy, &[], &KEY, &budget) else { panic!() };
    assert_eq!((found.legacy, found.dedupe, found.only_in_legacy), (6, 0, 2));
    assert_eq!((found.samples.len(), found.extent), (2, Extent::Part));
}
