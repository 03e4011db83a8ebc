//! A property proves what its cases reach: that generated worlds reach all verdicts, for all reasons, in
//! all interesting ways.

use std::collections::{BTreeMap, BTreeSet};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::oracle::{self, Destination, Update, Verdict};
use crate::worlds::{NaiveWorld, any_naive_world};

#[test]
fn generated_worlds_reach_everything() {
    const WORLDS: usize = 8000;
    let mut runner = TestRunner::deterministic();
    let mut reached: BTreeMap<String, usize> = BTreeMap::new();
    let mut count = |what: String| *reached.entry(what).or_default() += 1;
    for _ in 0..WORLDS {
        let NaiveWorld { update, destinations } = any_naive_world().new_tree(&mut runner).unwrap().current();
        let reason = update.trigger.reason();
        let verdicts = oracle::verdicts(&update, &destinations);
        for ((_, verdict), destination) in verdicts.iter().zip(&destinations) {
            match destination.dedupes_on {
                Some(_) => count(format!("{reason}: {}", verdict.name())),
                None => count(format!("plain: {}", verdict.name())),
            }
        }
        let listed_once = oracle::listed_once(&update.external_ids);
        if listed_once.len() < update.external_ids.len() {
            count("an ID listed twice".into());
        }
        if let Some(computed_at) = update.computed_at
            && listed_once.iter().any(|id| id.attached_at.is_some_and(|at| at > computed_at))
        {
            count("an ID that came later".into());
            if listed_once.iter().any(|id| id.attached_at == Some(computed_at)) {
                count("an ID that came at the last moment".into());
            }
        }
        for (index, one) in listed_once.iter().enumerate() {
            for other in &listed_once[..index] {
                if one.key.kind == other.key.kind && one.created_at == other.created_at {
                    count("a tie for the latest ID".into());
                }
                if one.attached_at == other.attached_at {
                    count("a tie for the first ID".into());
                }
                if (one.created_at < other.created_at) != (one.attached_at < other.attached_at) {
                    count("two orders that differ".into());
                }
            }
        }
        for group in oracle::groups(&verdicts) {
            let members = || destinations.iter().filter(|to| group.destinations.contains(&to.id));
            let types: BTreeSet<Option<BTreeSet<&str>>> = members().map(types_of).collect();
            let choices: BTreeSet<_> = members().map(choice_of).collect();
            if types.len() > 1 {
                count("a group shared by several settings".into());
                if types.contains(&None) {
                    count("a group shared by plain and deduping destinations".into());
                }
            }
            if choices.len() > types.len() {
                count("a group shared by several ways to choose of the same types".into());
            }
            if group.destinations.len() > choices.len() {
                count("a setting shared by several destinations".into());
            }
            if group.external_ids.len() > 1 && types.iter().all(Option::is_some) {
                count("a deduping group of several IDs".into());
            }
        }
        for ((_, verdict), to) in verdicts.iter().zip(&destinations) {
            count_choices(&update, to, verdict, &mut count);
        }
    }
    for (what, times) in &reached {
        println!("{times:6} {what}");
    }
    for (what, least) in LEAST {
        let times = reached.get(what).copied().unwrap_or_default();
        assert!(times >= least, "{what}: {times} times in {WORLDS} worlds");
    }
}

fn types_of(to: &Destination) -> Option<BTreeSet<&str>> {
    to.dedupes_on.as_ref().map(|types| types.iter().copied().collect())
}

type Choice<'a> = (Option<BTreeSet<&'a str>>, Option<BTreeSet<(&'a str, &'a str)>>, Option<&'a str>);

fn choice_of(to: &Destination) -> Choice<'_> {
    let strategies = to.id_strategies.as_ref().map(|strategies| strategies.iter().copied().collect());
    (types_of(to), strategies, to.consent)
}

fn count_choices(update: &Update, to: &Destination, verdict: &Verdict, count: &mut impl FnMut(String)) {
    let without = |change: fn(&mut Destination)| {
        let mut changed = to.clone();
        change(&mut changed);
        oracle::verdict(update, &changed)
    };
    if let (Verdict::Send(_), Verdict::Send(others)) = (verdict, without(|to| to.consent = None))
        && *verdict != Verdict::Send(others)
    {
        count("other IDs because of consent".into());
    }
    if to.consent.is_some() && *verdict == Verdict::Drop("already_messaged") {
        count("already messaged, with consent".into());
    }
    if without(|to| to.consent = None) == Verdict::Drop("already_messaged")
        && matches!(verdict, Verdict::Send(_))
    {
        count("messaged although an ID without consent came earlier".into());
    }
    if let (Verdict::Send(ids), Verdict::Send(others)) = (verdict, without(|to| to.id_strategies = None))
        && ids.len() == others.len()
        && *ids != others
    {
        count("other IDs because of a strategy".into());
    }
}

const LEAST: [(&str, usize); 34] = [
    ("value_changed: send", 300),
    ("value_changed: exited", 100),
    ("value_changed: no_relevant_external_id", 300),
    ("new_external_id: send", 300),
    ("new_external_id: not_a_member", 300),
    ("new_external_id: added_id_not_relevant", 300),
    ("new_external_id: already_messaged", 200),
    ("profile_merge: send", 100),
    ("profile_merge: not_a_member", 100),
    ("profile_merge: already_messaged", 100),
    ("profile_merge: may_have_been_messaged", 100),
    ("profile_merge: no_relevant_external_id", 100),
    ("external_id_removed: external_id_removed", 300),
    ("plain: send", 1000),
    ("plain: no_external_ids", 100),
    ("value_changed: no_consent", 100),
    ("new_external_id: no_consent", 100),
    ("profile_merge: no_consent", 50),
    ("plain: no_consent", 100),
    ("other IDs because of consent", 300),
    ("other IDs because of a strategy", 100),
    ("already messaged, with consent", 50),
    ("messaged although an ID without consent came earlier", 15),
    ("a group shared by several ways to choose of the same types", 300),
    ("an ID listed twice", 300),
    ("an ID that came later", 300),
    ("an ID that came at the last moment", 100),
    ("a tie for the latest ID", 300),
    ("a tie for the first ID", 300),
    ("two orders that differ", 300),
    ("a group shared by several settings", 300),
    ("a group shared by plain and deduping destinations", 100),
    ("a setting shared by several destinations", 300),
    ("a deduping group of several IDs", 300),
];
