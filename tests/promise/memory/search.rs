//! Every history up to a length, delivered in every way.

use std::fmt::Write;

use idgroup::{Completeness, memory};

use super::deliveries::{Broken, Deliveries, Delivery, Plan, Wrong, due};
use super::engine::{DESTINATION_IDS, Engine};
use super::world::{Due, Reason, Told, World};

#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    pub histories: u64,
    /// States of memories, positions and receivers that deliveries reach, over all histories.
    pub states: u64,
    pub decisions: u64,
    /// Stays, once for each history and destination, that are owed a message, that are owed none, and
    /// that may have one or none because consent came or went.
    pub owed_one: u64,
    pub owed_none: u64,
    pub owed_either: u64,
}

pub struct Counterexample {
    pub world: World,
    pub deliveries: Vec<Delivery>,
    pub broken: Broken,
    pub without: usize,
}

/// Delivers all histories of at most `longest` steps in every way; stops at the first that goes wrong.
pub fn explore(
    told: Told,
    completeness: Completeness,
    plan: Plan,
    longest: usize,
) -> (Seen, Option<Counterexample>) {
    let mut engine = Engine::new(told, completeness);
    let mut seen = Seen::default();
    let found = descend(&World::new(), &mut engine, plan, longest, &mut seen);
    seen.decisions = engine.decisions;
    (seen, found)
}

/// The shortest history that goes wrong, if one of at most `longest` steps does.
pub fn shortest(
    told: Told,
    completeness: Completeness,
    plan: Plan,
    longest: usize,
) -> Option<Counterexample> {
    (1..=longest).find_map(|length| explore(told, completeness, plan, length).1)
}

fn descend(
    world: &World,
    engine: &mut Engine,
    plan: Plan,
    left: usize,
    seen: &mut Seen,
) -> Option<Counterexample> {
    if left == 0 {
        return None;
    }
    for step in world.next_steps(&engine.told.clone()) {
        let next = world.take(step, &engine.told);
        seen.histories += 1;
        for Due { at_least_one, at_most_one } in due(&next, engine.told).into_iter().flatten() {
            seen.owed_one += u64::from(at_least_one);
            seen.owed_none += u64::from(!at_most_one);
            seen.owed_either += u64::from(at_most_one && !at_least_one);
        }
        // A memory that begins begins anywhere.
        let begins = match engine.completeness {
            Completeness::Complete => 0..=0,
            Completeness::Partial => 1..=next.updates.len(),
        };
        for without in begins {
            let mut deliveries = Deliveries::new(&next, engine, Plan { without, ..plan });
            let broken = deliveries.broken();
            seen.states += deliveries.states;
            if let Some((deliveries, broken)) = broken {
                return Some(Counterexample { world: next, deliveries, broken, without });
            }
        }
        let found = descend(&next, engine, plan, left - 1, seen);
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Tells what happened, and what was decided.
pub fn tell(found: &Counterexample, told: Told, completeness: Completeness) -> String {
    let mut engine = Engine::new(told, completeness);
    let mut text = String::new();
    for (number, step) in (1..).zip(&found.world.steps) {
        writeln!(text, "{number}. {}", step.in_words()).unwrap();
    }
    let mut memories = [0; super::world::PROFILES];
    for (count, &(number, list)) in found.deliveries.iter().enumerate() {
        let update = found.world.updates[number];
        let list = found.world.lists_of(&update)[list];
        let what = match update.reason {
            Reason::Changed if update.is_in => "an entry",
            Reason::Changed => "an exit",
            Reason::NewIds { .. } => "new IDs",
            Reason::Merged { .. } => "a merge",
            Reason::Removed { .. } => "a removal",
        };
        let profile = ["A", "B", "C"][update.profile];
        write!(
            text,
            "update {} of step {}, {what} of {profile}, listing {}",
            number + 1,
            update.step,
            list.in_words()
        )
        .unwrap();
        let id = DESTINATION_IDS[found.broken.destination];
        if count < found.without {
            let sent = engine.infer(number, &update, &list)[found.broken.destination];
            writeln!(text, ", without a memory: is sent {}", sent.in_words()).unwrap();
            continue;
        }
        let delivered = engine.delivered(number, &update, &list);
        let profiles = [Some(update.profile), update.other()].into_iter().flatten();
        let mut known = profiles.map(|profile| engine.memory(memories[profile]).clone());
        let recalled = memory::keys(&delivered, 0).recall(|_| known.next().unwrap());
        let decision = memory::decide(recalled, &engine.destinations, completeness);
        let verdict = decision.explanation().of(id).unwrap();
        if let Some(reason) = verdict.verdict().drop_reason() {
            writeln!(text, ": is sent nothing ({reason})").unwrap();
        } else {
            let again = if verdict.is_repeat() { " again" } else { "" };
            let ids = crate::engine::set_of(verdict.external_ids().iter());
            writeln!(text, ": is sent {}{again}", ids.in_words()).unwrap();
        }
        drop(decision);
        engine.remember(number, &update, &list, &mut memories);
    }
    let stay = match found.broken.stay.map(|stay| found.world.stays[stay]) {
        Some(stay) => format!("in the stay of {} since step {}", ["A", "B", "C"][stay.profile], stay.step),
        None => "outside of any stay".to_owned(),
    };
    let wrong = match found.broken.wrong {
        Wrong::Missing => "the message is missing",
        Wrong::TooMany => "there is a message too many",
    };
    let types = ["email", "email and phone"][found.broken.destination];
    writeln!(text, "=> {stay}, for who dedupes on {types}, {wrong}").unwrap();
    text
}
