//! Every history up to a length, none left out, and the shortest that breaks the promise.

use std::fmt;

use crate::engine::Engine;
use crate::rules::Rules;
use crate::world::{Broken, Checked, Step, World, Wrong};

/// What a search saw.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    pub histories: u64,
    pub updates: u64,
    pub lookups: u64,
    /// Different updates with their lists, each decided by the library.
    pub distinct_inputs: usize,
    /// Ways in which the updates of all these histories can be looked up and redelivered.
    pub outcomes: u128,
    pub checked: Checked,
}

/// A history that breaks the promise.
pub struct Counterexample {
    pub steps: Vec<Step>,
    pub broken: Broken,
}

/// Explores all histories of at most `longest` steps; stops at the first that breaks the promise
/// in the way that is looked for.
pub fn explore(rules: &Rules, longest: usize, wrong: Option<Wrong>) -> (Seen, Option<Counterexample>) {
    let mut search = Search {
        rules,
        wrong,
        engine: Engine::new(rules.consent),
        seen: Seen::default(),
        path: Vec::new(),
        found: None,
    };
    search.descend(&World::new(), longest);
    search.seen.lookups = search.engine.lookups;
    search.seen.distinct_inputs = search.engine.distinct_inputs();
    (search.seen, search.found)
}

/// The shortest history that breaks the promise, if one of at most `longest` steps does.
pub fn shortest(rules: &Rules, longest: usize, wrong: Option<Wrong>) -> Option<Counterexample> {
    (1..=longest).find_map(|length| explore(rules, length, wrong).1)
}

struct Search<'r> {
    rules: &'r Rules,
    wrong: Option<Wrong>,
    engine: Engine,
    seen: Seen,
    path: Vec<Step>,
    found: Option<Counterexample>,
}

impl Search<'_> {
    fn descend(&mut self, world: &World, steps_left: usize) {
        if steps_left == 0 {
            return;
        }
        for step in world.next_steps(self.rules) {
            let mut next = *world;
            let updates_before = next.updates().count();
            next.take(step, self.rules, &mut self.engine);
            if next.is_exempt() {
                continue;
            }
            self.seen.histories += 1;
            self.seen.updates += (next.updates().count() - updates_before) as u64;
            self.seen.outcomes += next.outcomes();
            self.path.push(step);
            let broken = next.broken(self.rules, &mut self.seen.checked);
            if let Some(broken) = broken.filter(|broken| self.wrong.is_none_or(|wrong| wrong == broken.wrong))
            {
                self.found = Some(Counterexample { steps: self.path.clone(), broken });
                return;
            }
            self.descend(&next, steps_left - 1);
            self.path.pop();
            if self.found.is_some() {
                return;
            }
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { histories, updates, lookups, distinct_inputs, outcomes, checked } = self;
        writeln!(f, "  {histories} histories, whose last steps emitted {updates} updates")?;
        writeln!(
            f,
            "  {lookups} lookups ({distinct_inputs} different inputs), {outcomes} outcomes of deliveries"
        )?;
        let Checked { one, none, none_because_continued, one_or_none } = checked;
        writeln!(f, "  stays checked, once per destination: {one} owed one message, {none} owed none,")?;
        write!(f, "  {none_because_continued} owed none because a stay that they continue was messaged")?;
        match one_or_none {
            0 => Ok(()),
            _ => write!(f, ",\n  {one_or_none} may have one or none, because consent came or went"),
        }
    }
}
