//! Watching: that it changes nothing, misses nothing, and that what is counted is what was decided.

use std::collections::BTreeMap;

use idgroup::compare::{
    ComparisonBudget, ComparisonKey, ComparisonOutcome, compare, compare_events_with, compare_with,
};
use idgroup::{
    Comparing, Counts, Destinations, DropReason, Flag, Gap, Gate, Membership, Observer, ProfileUpdate,
    Release, Rollout, RouteReason, Share, Step, TriggerReason, Verdict, decide, decide_legacy,
    decide_legacy_with, decide_with, explain, explain_with,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::recorder::{Call, Recorder};
use crate::worlds::{NAMES, World, any_naive_world, any_world, many_cases};

const KEY: ComparisonKey = ComparisonKey::new([3; 16]);

/// Everything that can be watched, once.
fn watch(
    update: &ProfileUpdate,
    destinations: &Destinations,
    release: &Release,
    observer: &mut dyn Observer,
) {
    let _ = decide_with(update, destinations, observer);
    drop(decide_legacy_with(update, destinations, observer));
    let _ = explain_with(update, destinations, observer);
    let _ = compare_with(update, destinations, &KEY, release.budget(), observer);
    let _ = release.decide_with(update, None, destinations, observer);
}

fn any_release() -> impl Strategy<Value = Release> {
    (0_u16..=10_000, any::<bool>(), any::<bool>(), prop_oneof![Just(u64::MAX), 0_u64..4]).prop_map(
        |(share, opens, compares, messages)| {
            let gate = match opens {
                true => {
                    Gate::closed().opened_for_space(NAMES[0]).unwrap().opened_for_space(NAMES[1]).unwrap()
                }
                false => Gate::closed(),
            };
            let comparing = if compares { Comparing::On } else { Comparing::Off };
            let flag = Flag::new("dedupe", Share::from_basis_points(share).unwrap()).unwrap();
            let rollout = Rollout::new(flag).with_gate(gate).with_comparing(comparing);
            Release::new(rollout, KEY).with_budget(ComparisonBudget::default().with_messages(messages))
        },
    )
}

const DECIDE: [Step; 3] = [Step::SelectLatest, Step::FilterByTrigger, Step::GroupIds];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn results_are_the_same_whoever_watches(
        World { update, destinations } in any_world(),
        release in any_release(),
    ) {
        let (decided, explained) = (decide(&update, &destinations), explain(&update, &destinations));
        let legacy = decide_legacy(&update, &destinations);
        let compared = compare(&update, &destinations, &KEY, release.budget());
        let routed = release.decide(&update, None, &destinations);
        let mut both = (Recorder::default(), Counts::default());
        let observers: [&mut dyn Observer; 4] =
            [&mut (), &mut Recorder::default(), &mut Counts::default(), &mut both];
        for observer in observers {
            prop_assert_eq!(&decide_with(&update, &destinations, observer), &decided);
            prop_assert_eq!(&decide_legacy_with(&update, &destinations, observer), &legacy);
            prop_assert!(explain_with(&update, &destinations, observer).iter().eq(explained.iter()));
            prop_assert_eq!(&compare_with(&update, &destinations, &KEY, release.budget(), observer), &compared);
            prop_assert_eq!(&release.decide_with(&update, None, &destinations, observer), &routed);
        }
    }

    #[test]
    fn steps_begin_end_and_never_nest(World { update, destinations } in any_world(), release in any_release()) {
        let mut decided = Recorder::default();
        let _ = decide_with(&update, &destinations, &mut decided);
        prop_assert_eq!(decided.steps(), DECIDE);

        let mut explained = Recorder::default();
        let _ = explain_with(&update, &destinations, &mut explained);
        prop_assert_eq!(explained.steps(), [Step::SelectLatest, Step::FilterByTrigger]);

        let mut legacy = Recorder::default();
        let events = decide_legacy_with(&update, &destinations, &mut legacy);
        prop_assert_eq!(legacy.0, [Call::Began(Step::Legacy), Call::Ended(Step::Legacy)]);

        let mut compared = Recorder::default();
        let comparison = compare_events_with(&events, &events, &KEY, release.budget(), &mut compared);
        let compare = [
            Call::Began(Step::Compare),
            Call::Ended(Step::Compare),
            Call::Compared(comparison.outcome()),
        ];
        prop_assert_eq!(compared.0, compare);

        let mut compared = Recorder::default();
        let comparison = compare_with(&update, &destinations, &KEY, release.budget(), &mut compared);
        prop_assert_eq!(compared.steps(), [&[Step::Legacy], &DECIDE[..], &[Step::Compare]].concat());
        prop_assert_eq!(compared.0.last(), Some(&Call::Compared(comparison.outcome())));

        let mut routed = Recorder::default();
        let outcome = release.decide_with(&update, None, &destinations, &mut routed);
        let route = outcome.route;
        let mut expected = Vec::new();
        if route.runs(idgroup::Flow::Legacy) {
            expected.push(Step::Legacy);
        }
        if route.runs(idgroup::Flow::Dedupe) {
            expected.extend(DECIDE);
        }
        if route.compares() {
            expected.push(Step::Compare);
        }
        prop_assert_eq!(routed.steps(), expected);
        prop_assert_eq!(routed.0[0], Call::Routed(route));
        prop_assert_eq!(routed.calls(|call| matches!(call, Call::Routed(_))).len(), 1);
        let compared: Vec<Call> =
            outcome.comparison.iter().map(|comparison| Call::Compared(comparison.outcome())).collect();
        prop_assert_eq!(routed.calls(|call| matches!(call, Call::Compared(_))), compared);
    }

    #[test]
    fn what_is_heard_is_what_was_decided(World { update, destinations } in any_world()) {
        let mut heard = Recorder::default();
        let events = decide_with(&update, &destinations, &mut heard);
        prop_assert_eq!(heard.0[0], Call::Arrived(update.trigger().reason(), update.membership()));
        prop_assert_eq!(heard.calls(|call| matches!(call, Call::Arrived(..))).len(), 1);
        prop_assert_eq!(heard.calls(|call| matches!(call, Call::Gaps(_))), [Call::Gaps(update.gaps())]);

        let groups: Vec<Call> = events
            .iter()
            .map(|event| Call::Group(event.id_group().external_ids().len(), event.destinations().len()))
            .collect();
        prop_assert_eq!(heard.calls(|call| matches!(call, Call::Group(..))), groups);

        let verdicts = heard.calls(|call| matches!(call, Call::Verdict(..)));
        prop_assert_eq!(verdicts.len(), destinations.distinct_settings());
        let mut explained_heard = Recorder::default();
        let _ = explain_with(&update, &destinations, &mut explained_heard);
        prop_assert_eq!(explained_heard.calls(|call| matches!(call, Call::Verdict(..))), verdicts);
    }

    #[test]
    fn counts_agree_with_explanations_and_events(worlds in vec(any_world(), 0..5)) {
        let mut counts = Counts::default();
        let mut verdicts = BTreeMap::<Verdict, u64>::new();
        let mut triggers = BTreeMap::<(TriggerReason, Membership), u64>::new();
        let mut groups = 0;
        for World { update, destinations } in &worlds {
            groups += decide_with(update, destinations, &mut counts).len() as u64;
            for verdict in &explain(update, destinations) {
                *verdicts.entry(verdict.verdict()).or_default() += 1;
            }
            *triggers.entry((update.trigger().reason(), update.membership())).or_default() += 1;
        }
        prop_assert_eq!(counts.updates(), worlds.len() as u64);
        prop_assert_eq!(counts.groups(), groups);
        for reason in DropReason::ALL {
            let dropped = verdicts.get(&Verdict::Drop(reason)).copied().unwrap_or_default();
            prop_assert_eq!(counts.dropped(reason), dropped);
            prop_assert_eq!(counts.verdict(Verdict::Drop(reason)), dropped);
        }
        for verdict in [Verdict::SendAll, Verdict::SendSome] {
            prop_assert_eq!(counts.verdict(verdict), verdicts.get(&verdict).copied().unwrap_or_default());
        }
        for reason in TriggerReason::ALL {
            for membership in [Membership::In, Membership::Out] {
                let expected = triggers.get(&(reason, membership)).copied().unwrap_or_default();
                prop_assert_eq!(counts.trigger(reason, membership), expected);
            }
        }
        for step in Step::ALL {
            let expected = if DECIDE.contains(&step) { worlds.len() as u64 } else { 0 };
            prop_assert_eq!(counts.step(step), expected);
        }
    }

    #[test]
    fn counts_are_what_was_heard(World { update, destinations } in any_world(), release in any_release()) {
        let mut both = (Recorder::default(), Counts::default());
        watch(&update, &destinations, &release, &mut both);
        let (heard, counts) = both;
        let number = |of: &dyn Fn(&Call) -> bool| heard.0.iter().filter(|call| of(call)).count() as u64;
        prop_assert_eq!(counts.updates(), number(&|call| matches!(call, Call::Arrived(..))));
        for gap in Gap::ALL {
            let with = number(&|call| matches!(call, Call::Gaps(gaps) if gaps.count(gap) > 0));
            prop_assert_eq!(counts.gap(gap), with);
        }
        let all: u64 = counts.iter().map(|(_, count)| count).sum();
        let one_by_one = counts.iter().map(|(counted, _)| counts.of(counted)).sum::<u64>();
        prop_assert_eq!((counts.iter().len(), all), ((&counts).into_iter().count(), one_by_one));
        prop_assert_eq!(counts.groups(), number(&|call| matches!(call, Call::Group(..))));
        for step in Step::ALL {
            prop_assert_eq!(counts.step(step), number(&|call| *call == Call::Ended(step)));
        }
        for reason in RouteReason::ALL {
            let routed = number(&|call| matches!(call, Call::Routed(route) if route.reason() == reason));
            prop_assert_eq!(counts.route(reason), routed);
        }
        for outcome in ComparisonOutcome::ALL {
            prop_assert_eq!(counts.comparison(outcome), number(&|call| *call == Call::Compared(outcome)));
        }
    }

    #[test]
    fn counts_that_are_merged_are_counts_of_all(worlds in [any_world(), any_world(), any_world()], release in any_release()) {
        let count = |worlds: &[World]| {
            let mut counts = Counts::default();
            for World { update, destinations } in worlds {
                watch(update, destinations, &release, &mut counts);
            }
            counts
        };
        let merged = |one: &Counts, other: &Counts| {
            let mut merged = one.clone();
            merged.merge(other);
            merged
        };
        let [a, b, c] = [0, 1, 2].map(|world| count(&worlds[world..=world]));
        let all = count(&worlds);
        prop_assert_eq!(&merged(&merged(&a, &b), &c), &all);
        prop_assert_eq!(&merged(&a, &merged(&b, &c)), &all);
        prop_assert_eq!(&merged(&merged(&c, &a), &b), &all);
        prop_assert_eq!(&merged(&a, &b), &merged(&b, &a));
        prop_assert_eq!(&merged(&all, &Counts::default()), &all);
        prop_assert_eq!(&merged(&Counts::default(), &all), &all);
    }

    #[test]
    fn observers_of_observers_forward_everything(
        World { update, destinations } in any_world(),
        release in any_release(),
    ) {
        let mut heard = Recorder::default();
        watch(&update, &destinations, &release, &mut heard);

        let mut both = (Recorder::default(), Recorder::default());
        watch(&update, &destinations, &release, &mut both);
        prop_assert_eq!(&both.0, &heard);
        prop_assert_eq!(&both.1, &heard);

        let mut borrowed = Recorder::default();
        watch(&update, &destinations, &release, &mut &mut borrowed);
        prop_assert_eq!(&borrowed, &heard);
    }
}

proptest! {
    #![proptest_config(many_cases())]

    #[test]
    fn watching_changes_nothing_and_hears_everything(world in any_naive_world()) {
        let World { update, destinations } = world.read();
        let mut heard = Recorder::default();
        let watched = decide_with(&update, &destinations, &mut heard);
        prop_assert_eq!(&watched, &decide(&update, &destinations));
        let groups: Vec<_> =
            watched.iter().map(|event| (event.id_group().external_ids().len(), event.destinations().len())).collect();
        prop_assert_eq!(heard.groups(), groups);
        let membership = if world.update.is_in { Membership::In } else { Membership::Out };
        prop_assert_eq!(heard.arrivals(), [(world.update.trigger.reason().parse().unwrap(), membership)]);
        prop_assert_eq!(heard.steps(), DECIDE);

        let mut verdicts: BTreeMap<Verdict, usize> = BTreeMap::new();
        for verdict in &explain(&update, &destinations) {
            *verdicts.entry(verdict.verdict()).or_default() += 1;
        }
        prop_assert_eq!(heard.verdicts(), verdicts.clone());

        let mut heard = Recorder::default();
        let watched = explain_with(&update, &destinations, &mut heard);
        prop_assert!(watched.iter().eq(explain(&update, &destinations).iter()));
        prop_assert_eq!(heard.verdicts(), verdicts);
        prop_assert_eq!(heard.steps(), [Step::SelectLatest, Step::FilterByTrigger]);
        prop_assert_eq!(heard.groups(), []);
    }
}

/// A property over worlds that are all alike would prove little.
#[test]
fn generated_worlds_reach_every_verdict() {
    let mut runner = TestRunner::deterministic();
    let mut counts = Counts::default();
    for _ in 0..1_000 {
        let World { update, destinations } = any_world().new_tree(&mut runner).unwrap().current();
        let _ = decide_with(&update, &destinations, &mut counts);
    }
    let verdicts = [Verdict::SendAll, Verdict::SendSome].into_iter();
    // Only decisions with a memory say that an update is superseded.
    let reasons = DropReason::ALL.into_iter().filter(|reason| *reason != DropReason::Superseded);
    for verdict in verdicts.chain(reasons.map(Verdict::Drop)) {
        assert!(counts.verdict(verdict) >= 50, "{verdict:?} in {counts:?}");
    }
    assert!(counts.groups() >= 500, "{counts:?}");
}

/// One of every call, each with values of its own.
fn one_of_every_call() -> Recorder {
    Recorder(vec![
        Call::Routed(Rollout::default().route("spa_1", None)),
        Call::Arrived(TriggerReason::ProfileMerge, Membership::Out),
        Call::Began(Step::Legacy),
        Call::Ended(Step::GroupIds),
        Call::Verdict(Verdict::Drop(DropReason::Exited), 11),
        Call::Group(12, 13),
        Call::Compared(ComparisonOutcome::Identical),
    ])
}

#[test]
fn every_call_is_forwarded_with_its_values() {
    let calls = one_of_every_call();
    let mut both = (Recorder::default(), Recorder::default());
    calls.replay(&mut both);
    assert_eq!((&both.0, &both.1), (&calls, &calls));

    let mut borrowed = Recorder::default();
    calls.replay(&mut &mut borrowed);
    assert_eq!(borrowed, calls);

    let mut through_dyn = Recorder::default();
    let observer: &mut dyn Observer = &mut through_dyn;
    calls.replay(&mut { observer });
    assert_eq!(through_dyn, calls);
}

#[test]
fn counts_count_each_call() {
    let mut counts = Counts::default();
    one_of_every_call().replay(&mut counts);
    assert_eq!(counts.updates(), 1);
    assert_eq!(counts.trigger(TriggerReason::ProfileMerge, Membership::Out), 1);
    assert_eq!(counts.trigger(TriggerReason::ProfileMerge, Membership::In), 0);
    assert_eq!(counts.step(Step::GroupIds), 1);
    assert_eq!(counts.step(Step::Legacy), 0, "it has not ended");
    assert_eq!(counts.verdict(Verdict::Drop(DropReason::Exited)), 11);
    assert_eq!(counts.groups(), 1);
    assert_eq!(counts.route(RouteReason::NotAdmitted), 1);
    assert_eq!(counts.comparison(ComparisonOutcome::Identical), 1);
    assert_eq!(counts.comparison(ComparisonOutcome::Different), 0);
}

#[test]
fn counts_saturate() {
    let mut counts = Counts::default();
    for destinations in [usize::MAX, 5] {
        counts.verdict_reached(Verdict::SendAll, destinations);
    }
    assert_eq!(counts.verdict(Verdict::SendAll), u64::MAX);
    let other = counts.clone();
    counts.merge(&other);
    assert_eq!(counts.verdict(Verdict::SendAll), u64::MAX);
}

/// Counts that fit each, and together don't: 2^63 of each kind after 63 doublings, the most after 64.
#[test]
fn counts_that_are_merged_saturate_and_so_does_their_sum() {
    let mut counts = Counts::default();
    for membership in [Membership::In, Membership::Out] {
        counts.update_arrived(TriggerReason::ValueChanged, membership);
    }
    counts.group_formed(1, 1);
    counts.step_ended(Step::Compare);
    let mut expected = 1;
    for _ in 0..65 {
        for membership in [Membership::In, Membership::Out] {
            assert_eq!(counts.trigger(TriggerReason::ValueChanged, membership), expected);
        }
        assert_eq!((counts.groups(), counts.step(Step::Compare)), (expected, expected));
        assert_eq!(counts.updates(), expected.saturating_mul(2));
        counts.merge(&counts.clone());
        expected = expected.saturating_mul(2);
    }
    assert_eq!(expected, u64::MAX);
}

#[test]
fn steps_have_names() {
    let names = Step::ALL.map(|step| step.to_string());
    assert_eq!(names, ["select_latest", "filter_by_trigger", "group_ids", "legacy", "compare"]);
    assert_eq!(format!("{:>9}|", Step::Compare), "  compare|");
}

/// The observer that implements nothing hears nothing, and may be anything.
#[test]
fn every_method_may_be_left_out() {
    struct Deaf;

    impl Observer for Deaf {}

    one_of_every_call().replay(&mut Deaf);
    one_of_every_call().replay(&mut ());
}
