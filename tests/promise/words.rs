//! A history in words.

use std::fmt::Write;

use crate::engine::{Engine, Lookup};
use crate::rules::Rules;
use crate::search::Counterexample;
use crate::world::{World, Wrong};

const DEDUPES_ON: [&str; 3] = ["email", "phone", "email and phone"];

/// Tells the history that breaks the promise, and which lookups it takes.
pub fn tell(found: &Counterexample, rules: &Rules) -> String {
    let mut engine = Engine::new(rules.consent);
    engine.log = Some(Vec::new());
    let mut world = World::new();
    let mut told = String::new();
    for (number, step) in (1..).zip(&found.steps) {
        world.take(*step, rules, &mut engine);
        writeln!(told, "{number}. {}", step.in_words()).unwrap();
    }
    let broken = found.broken;
    let log = engine.log.take().unwrap();
    for (position, update) in world.updates().enumerate().filter(|(_, update)| update.stay == broken.stay) {
        let lookups = log.iter().filter(|lookup| lookup.update == position);
        for lookup in worst(lookups, broken.destination, broken.wrong) {
            let verdict = engine.verdict(&lookup.input, broken.destination);
            let emitted = update.emitted_at_step;
            writeln!(told, "update of step {emitted}, looked up after step {}: {verdict}", lookup.after_step)
                .unwrap();
        }
    }
    let stay = match broken.stay.map(|stay| world.stay(stay)) {
        Some(stay) => {
            let name = ["A", "B", "C"][stay.profile];
            let continued = if stay.continues { ", which continues one from before the merge" } else { "" };
            format!("in the stay of {name} since step {}{continued}", stay.began_at_step)
        }
        None => "outside of any stay".to_owned(),
    };
    let types = DEDUPES_ON[broken.destination];
    let (owed, sent) = (broken.owed, broken.sent);
    writeln!(told, "=> {stay}, who dedupes on {types} owes {owed} and may send {sent}").unwrap();
    told
}

/// The lookups of one update that bring the fewest messages, or the most.
fn worst<'l>(lookups: impl Iterator<Item = &'l Lookup>, destination: usize, wrong: Wrong) -> Vec<&'l Lookup> {
    let mut distinct: Vec<&Lookup> = Vec::new();
    for lookup in lookups {
        if distinct.iter().all(|known| known.sent[destination] != lookup.sent[destination]) {
            distinct.push(lookup);
        }
    }
    let silent = |lookup: &&Lookup| lookup.sent[destination].is_empty();
    match wrong {
        Wrong::Missing => {
            let first = distinct.iter().copied().find(silent).or(distinct.first().copied());
            first.into_iter().collect()
        }
        Wrong::TooMany if distinct.iter().all(silent) => distinct,
        Wrong::TooMany => distinct.into_iter().filter(|lookup| !silent(lookup)).collect(),
    }
}
