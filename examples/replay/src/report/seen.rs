//! What a report shows beside the summary's numbers, in a form that adds up.

use std::collections::BTreeMap;

use idgroup::{Amplification, Destinations, ProfileUpdate, Verdict, explain};

use super::times::Times;
use crate::writing::words::excerpt;

/// Updates that are listed by name.
const MONSTERS: usize = 10;

/// From how many messages on.
const MONSTER_MESSAGES: u64 = 100;

/// Its memory grows with the destinations and with nothing else.
#[derive(Default)]
pub struct Seen {
    pub by_destination: BTreeMap<Box<str>, BTreeMap<Verdict, u64>>,
    /// How many updates stand for 0 messages, 1, up to 9, up to 99 and so on.
    pub magnitudes: BTreeMap<u32, u64>,
    /// Those with the most messages, the most first.
    pub monsters: Vec<Monster>,
    pub times: Times,
}

#[derive(Clone)]
pub struct Monster {
    pub update_id: Box<str>,
    pub messages: u64,
    pub events: usize,
    pub external_ids: usize,
}

/// Whether an update was decided by the flow that reaches verdicts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verdicts {
    Reached,
    NotReached,
    /// They were, and have been added.
    Seen,
}

impl Seen {
    pub fn look_at(
        &mut self,
        update: &ProfileUpdate,
        destinations: &Destinations,
        verdicts: Verdicts,
        sent: Amplification,
    ) {
        let messages = sent.outbound_messages();
        *self.magnitudes.entry(magnitude(messages)).or_default() += 1;
        self.times.add(update.computed_at(), messages);
        let least = self.monsters.last().filter(|_| self.monsters.len() == MONSTERS);
        if messages >= MONSTER_MESSAGES && least.is_none_or(|least| messages > least.messages) {
            self.monsters.push(Monster {
                update_id: excerpt(update.id()).into(),
                messages,
                events: sent.groups(),
                external_ids: update.external_ids().len(),
            });
            self.keep_most();
        }
        if verdicts == Verdicts::Reached {
            let explanation = explain(update, destinations);
            let verdicts = explanation.iter();
            self.add_verdicts(verdicts.map(|verdict| (verdict.destination().id(), verdict.verdict())));
        }
    }

    /// The verdicts about an update, each with the id of its destination.
    pub fn add_verdicts<'v>(&mut self, verdicts: impl Iterator<Item = (&'v str, Verdict)>) {
        for (id, verdict) in verdicts {
            *of(&mut self.by_destination, id).entry(verdict).or_default() += 1;
        }
    }

    /// `other` comes after what was seen here.
    pub fn merge(&mut self, other: &Self) {
        for (id, verdicts) in &other.by_destination {
            let known = of(&mut self.by_destination, id);
            verdicts.iter().for_each(|(verdict, count)| *known.entry(*verdict).or_default() += count);
        }
        for (magnitude, count) in &other.magnitudes {
            *self.magnitudes.entry(*magnitude).or_default() += count;
        }
        self.monsters.extend(other.monsters.iter().cloned());
        self.keep_most();
        self.times.merge(&other.times);
    }

    /// Of those with equally many, the first ones.
    fn keep_most(&mut self) {
        self.monsters.sort_by_key(|monster| std::cmp::Reverse(monster.messages));
        self.monsters.truncate(MONSTERS);
    }
}

/// The range of numbers of messages that has this magnitude, for people.
pub fn range(magnitude: u32) -> String {
    use crate::summary::numbers::grouped;
    match magnitude {
        0 | 1 => magnitude.to_string(),
        2 => "2 to 9".into(),
        _ => {
            format!("{} to {}", grouped(10_u128.pow(magnitude - 2)), grouped(10_u128.pow(magnitude - 1) - 1))
        }
    }
}

fn magnitude(messages: u64) -> u32 {
    match messages {
        0 | 1 => u32::from(messages == 1),
        _ => messages.ilog10() + 2,
    }
}

fn of<'m, V: Default>(map: &'m mut BTreeMap<Box<str>, V>, id: &str) -> &'m mut V {
    if !map.contains_key(id) {
        map.insert(id.into(), V::default());
    }
    map.get_mut(id).expect("it is there by now")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_messages_fall_into_their_range() {
        let of = |messages| range(magnitude(messages));
        assert_eq!(
            [0, 1, 2, 9, 10, 99, 100].map(of),
            ["0", "1", "2 to 9", "2 to 9", "10 to 99", "10 to 99", "100 to 999"]
        );
        assert_eq!(of(u64::MAX), "10,000,000,000,000,000,000 to 99,999,999,999,999,999,999");
    }
}
