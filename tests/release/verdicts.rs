//! What a comparison says: names, texts, JSON, and what `Debug` keeps to itself.

use idgroup::compare::{
    Comparator, Comparison, ComparisonBudget, ComparisonKey, ComparisonOutcome, Copies, Difference,
    DifferenceKind, Encoder, Extent, Message, NextStep, compare_streams,
};
use idgroup::{Flow, InputError};
use serde_json::json;

const KEY: ComparisonKey = ComparisonKey::new([7; 16]);

/// A message whose sample is its text, which `Debug` of a text shows.
struct Mail(&'static str);

impl Message for Mail {
    type Sample = String;

    fn encode(&self, encoder: &mut Encoder) {
        encoder.part(self.0);
        assert_eq!(format!("{encoder:?}"), "Encoder { .. }");
    }

    fn sample(&self, _: usize) -> String {
        self.0.to_owned()
    }
}

fn different() -> Difference<String> {
    let legacy = || [Mail("a@example.com")];
    let comparison = compare_streams(&KEY, &ComparisonBudget::default(), legacy, || -> [Mail; 0] { [] });
    let Comparison::Different(difference) = comparison else { panic!("{comparison:?}") };
    difference
}

fn one_of_each() -> [Comparison<String>; 5] {
    [
        Comparison::Identical { messages: 1 },
        Comparison::Different(different()),
        Comparison::NothingToCompare,
        Comparison::CutShort { legacy: 1, dedupe: 2 },
        Comparison::Refused { flow: Flow::Legacy, most: 3 },
    ]
}

#[test]
fn outcomes_have_names_and_one_of_them_is_identical() {
    let names = ["identical", "different", "nothing_to_compare", "cut_short", "refused"];
    assert_eq!(one_of_each().map(|comparison| comparison.outcome()), ComparisonOutcome::ALL);
    assert_eq!(one_of_each().map(|comparison| comparison.as_str()), names);
    assert_eq!(ComparisonOutcome::ALL.map(ComparisonOutcome::as_str), names);
    assert_eq!(names.map(|name| name.parse::<ComparisonOutcome>().unwrap()), ComparisonOutcome::ALL);
    let error: InputError = "same".parse::<ComparisonOutcome>().unwrap_err();
    assert!(error.to_string().contains("`same`"), "{error}");
    let identical = one_of_each().map(|comparison| comparison.is_identical());
    assert_eq!(identical, [true, false, false, false, false]);
}

#[test]
fn kinds_of_difference_have_names() {
    let copies = |legacy, dedupe| Copies { legacy, dedupe };
    assert_eq!(copies(2, 0).kind(), Some(DifferenceKind::OnlyInLegacy));
    assert_eq!(copies(0, 2).kind(), Some(DifferenceKind::OnlyInDedupe));
    assert_eq!(copies(1, 2).kind(), Some(DifferenceKind::InDifferentNumbers));
    assert_eq!([copies(0, 0).kind(), copies(2, 2).kind()], [None, None]);
    assert_eq!(
        [copies(2, 0), copies(0, 2), copies(1, 2), copies(2, 2)].map(Copies::as_str),
        ["only_in_legacy", "only_in_dedupe", "in_different_numbers", "in_equal_numbers"],
    );
    assert_eq!(
        serde_json::to_value(DifferenceKind::ALL).unwrap(),
        json!(["only_in_legacy", "only_in_dedupe", "in_different_numbers"])
    );
    assert_eq!(serde_json::to_value(Extent::ALL).unwrap(), json!(["whole", "part"]));
}

#[test]
fn comparisons_are_json_that_can_be_read_back() {
    let expected = [
        json!({"outcome": "identical", "messages": 1}),
        json!({
            "outcome": "different",
            "legacy": 1, "dedupe": 0,
            "only_in_legacy": 1, "only_in_dedupe": 0, "in_different_numbers": 0,
            "samples": [{"message": "a@example.com", "copies": {"legacy": 1, "dedupe": 0}}],
            "extent": "whole",
        }),
        json!({"outcome": "nothing_to_compare"}),
        json!({"outcome": "cut_short", "legacy": 1, "dedupe": 2}),
        json!({"outcome": "refused", "flow": "legacy", "most": 3}),
    ];
    for (comparison, expected) in one_of_each().into_iter().zip(expected) {
        assert_eq!(expected["outcome"], json!(comparison.outcome()));
        assert_eq!(serde_json::to_value(&comparison).unwrap(), expected);
        assert_eq!(serde_json::from_value::<Comparison<String>>(expected).unwrap(), comparison);
    }
}

#[test]
fn budgets_are_read_as_they_are_written() {
    let read = |json: serde_json::Value| serde_json::from_value::<ComparisonBudget>(json);
    let all = json!({
        "differing_messages": 1, "samples": 2, "sample_bytes": 3, "passes": 4, "messages": 5,
    });
    let budget = ComparisonBudget::default()
        .with_differing_messages(1)
        .with_samples(2)
        .with_sample_bytes(3)
        .with_passes(4)
        .with_messages(5);
    assert_eq!(serde_json::to_value(budget).unwrap(), all);
    assert_eq!(read(all).unwrap(), budget);
    let of = (budget.differing_messages(), budget.samples(), budget.sample_bytes());
    assert_eq!((of, budget.passes(), budget.messages()), ((1, 2, 3), 4, 5));
    assert_eq!(read(json!({})).unwrap(), ComparisonBudget::default());
    assert_eq!(
        read(json!({"passes": null, "samples": 0})).unwrap(),
        ComparisonBudget::default().with_samples(0)
    );
    assert_eq!(read(json!({"messages": u64::MAX})).unwrap().messages(), u64::MAX - 1);
    assert_eq!(read(json!({"messages": 0, "sample_bytes": 0})).unwrap().messages(), 0);
    for (refused, field) in [
        (json!({"passes": 0}), "passes"),
        (json!({"differing_messages": 0}), "differing_messages"),
        (json!({"passes": u64::from(u32::MAX) + 1}), "passes"),
        (json!({"samples": -1}), "samples"),
        (json!({"messages": "many"}), "messages"),
        (json!({"message": 1}), "message"),
    ] {
        let error = read(refused.clone()).unwrap_err().to_string();
        assert!(error.contains(&format!("`{field}`")), "{refused}: {error}");
    }
}

#[test]
fn debug_shows_no_key_and_no_message() {
    assert_eq!(format!("{:?}", ComparisonKey::new([77; 16])), "ComparisonKey { .. }");
    let mut comparator = Comparator::new(KEY, ComparisonBudget::default());
    let mut steps = 0;
    let done = loop {
        comparator.feed(Flow::Legacy, &Mail("a@example.com"));
        // In the second pass it holds a sample.
        let shown = format!("{comparator:?}");
        assert!(shown.contains("legacy: 1, dedupe: 0"), "{shown}");
        assert!(!shown.contains("example.com"), "{shown}");
        let step = comparator.end_of_streams();
        let shown = format!("{step:?}");
        assert!(!shown.contains("example.com"), "{shown}");
        steps += 1;
        match step {
            NextStep::FeedAgain(again) => comparator = again,
            NextStep::Done(comparison) => break comparison,
        }
    };
    assert_eq!((steps, done.outcome()), (2, ComparisonOutcome::Different));
    let shown = format!("{done:?}");
    assert!(shown.contains("Sample { copies: Copies { legacy: 1, dedupe: 0 }, .. }"), "{shown}");
    assert!(!shown.contains("example.com"), "{shown}");
}
