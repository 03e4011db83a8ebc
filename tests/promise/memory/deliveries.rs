//! Every way in which a log of updates can be delivered, and what the receivers have afterwards.
//!
//! A consumer reads on from where it is, or goes back to any older position and reads from there. With
//! `Order::OfChanges` there is one log; with `Order::OfEachProfile` each profile has its own. Every update is
//! delivered with any of its lists, again with the same one or one that holds more.

use std::collections::HashSet;

use super::engine::{DEDUPING, Engine, Memories};
use super::world::{Due, List, MOST_UPDATES, PROFILES, Told, World, set};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    OfChanges,
    OfEachProfile,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wrong {
    /// A message that is owed is not sent.
    Missing,
    /// More messages than are owed.
    TooMany,
}

#[derive(Clone, Copy, Debug)]
pub struct Broken {
    pub wrong: Wrong,
    pub stay: Option<usize>,
    pub destination: usize,
}

/// One delivery: the update, and the list that it is delivered with.
pub type Delivery = (usize, usize);

/// How many of the updates are decided before there are memories, and how.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub order: Order,
    /// So many updates, from the first, are decided without a memory.
    pub without: usize,
    pub looking_for: Option<Wrong>,
}

/// For each destination, a bit for each update and set of IDs that were received.
type Received = [u128; DEDUPING.len()];

#[derive(Clone, PartialEq, Eq, Hash)]
struct Node {
    /// For each log, how far it was read at most, and where the consumer is.
    read: [u8; PROFILES],
    at: [u8; PROFILES],
    memories: Memories,
    received: Received,
    /// For each update, the list of its first delivery, or of a later one that held more.
    lists: [u8; MOST_UPDATES],
}

const NOT_YET: u8 = u8::MAX;

pub struct Deliveries<'w, 'e> {
    world: &'w World,
    engine: &'e mut Engine,
    plan: Plan,
    logs: Vec<Vec<usize>>,
    lists: Vec<Vec<List>>,
    due: Vec<DueAt>,
    seen: HashSet<Node>,
    path: Vec<Delivery>,
    pub states: u64,
}

impl<'w, 'e> Deliveries<'w, 'e> {
    pub fn new(world: &'w World, engine: &'e mut Engine, plan: Plan) -> Self {
        let all = 0..world.updates.len();
        let logs = match plan.order {
            Order::OfChanges => vec![all.collect()],
            Order::OfEachProfile => (0..PROFILES)
                .map(|profile| {
                    all.clone().filter(|&number| world.updates[number].profile == profile).collect()
                })
                .collect(),
        };
        let lists = world.updates.iter().map(|update| world.lists_of(update)).collect();
        let due = due(world, engine.told);
        Self { world, engine, plan, logs, lists, due, seen: HashSet::new(), path: Vec::new(), states: 0 }
    }

    /// The deliveries that break the promise, if any do.
    pub fn broken(&mut self) -> Option<(Vec<Delivery>, Broken)> {
        let start = Node {
            read: [0; PROFILES],
            at: [0; PROFILES],
            memories: [0; PROFILES],
            received: [0; DEDUPING.len()],
            lists: [NOT_YET; MOST_UPDATES],
        };
        let broken = self.visit(&start);
        self.states = self.seen.len() as u64;
        broken.map(|broken| (self.path.clone(), broken))
    }

    fn visit(&mut self, node: &Node) -> Option<Broken> {
        if !self.seen.insert(node.clone()) {
            return None;
        }
        let is_all = (0..self.logs.len()).all(|log| usize::from(node.read[log]) == self.logs[log].len());
        if let Some(broken) = self.check(&node.received, is_all) {
            return Some(broken);
        }
        for log in 0..self.logs.len() {
            // From where the consumer is, and from everywhere that it can go back to.
            let length = u8::try_from(self.logs[log].len()).unwrap();
            for at in (0..length.min(node.at[log] + 1)).rev() {
                if self.is_before_memories(node) && at != node.at[log] {
                    continue;
                }
                if let Some(broken) = self.read_on(node, log, at) {
                    return Some(broken);
                }
            }
        }
        None
    }

    fn is_before_memories(&self, node: &Node) -> bool {
        usize::from(node.read[0]) < self.plan.without
    }

    fn read_on(&mut self, node: &Node, log: usize, at: u8) -> Option<Broken> {
        let number = self.logs[log][usize::from(at)];
        let update = self.world.updates[number];
        for list in 0..self.lists[number].len() {
            let held = self.lists[number][list];
            let before = node.lists[number];
            if before != NOT_YET
                && !set(&held.held).contains_all(set(&self.lists[number][usize::from(before)].held))
            {
                continue;
            }
            let mut next = node.clone();
            next.at[log] = at + 1;
            next.read[log] = next.read[log].max(at + 1);
            next.lists[number] = u8::try_from(list).unwrap();
            let sent = match self.is_before_memories(node) {
                true => self.engine.infer(number, &update, &held),
                false => self.engine.remember(number, &update, &held, &mut next.memories),
            };
            for (received, ids) in next.received.iter_mut().zip(sent) {
                if !ids.is_empty() {
                    *received |= 1 << (number * 8 + usize::from(ids.0));
                }
            }
            self.path.push((number, list));
            if let Some(broken) = self.visit(&next) {
                return Some(broken);
            }
            self.path.pop();
        }
        None
    }

    /// Whether these messages, or the lack of more, break the promise.
    fn check(&self, received: &Received, is_all: bool) -> Option<Broken> {
        let goes_on = self.plan.order == Order::OfEachProfile;
        broken_by(self.world, self.engine.told, &self.due, received, is_all, goes_on)
            .into_iter()
            .find(|broken| self.plan.looking_for.is_none_or(|looked_for| looked_for == broken.wrong))
    }
}

/// Whether receivers have too much or too little once everything is delivered.
pub fn received_wrongly(world: &World, told: Told, received: &Received) -> bool {
    !broken_by(world, told, &due(world, told), received, true, false).is_empty()
}

/// Of a stay, for each destination.
pub type DueAt = [Due; DEDUPING.len()];

pub fn due(world: &World, told: Told) -> Vec<DueAt> {
    (0..world.stays.len()).map(|stay| DEDUPING.map(|types| world.due(stay, types, &told))).collect()
}

/// What is wrong with these messages, for each stay and destination. Where a merge can overtake what it
/// joins, a stay that goes on may have its message only then.
fn broken_by(
    world: &World,
    told: Told,
    due: &[DueAt],
    received: &Received,
    is_all: bool,
    goes_on: bool,
) -> Vec<Broken> {
    let mut found = Vec::new();
    for (destination, &received) in received.iter().enumerate() {
        let messages = |stay: Option<usize>| -> u32 {
            let numbers = (0..world.updates.len()).filter(|&number| world.updates[number].stay == stay);
            numbers.map(|number| ((received >> (number * 8)) & 0xff).count_ones()).sum()
        };
        let mut broken = |wrong, stay| found.push(Broken { wrong, stay, destination });
        if messages(None) > 0 {
            broken(Wrong::TooMany, None);
        }
        // In a stay and in those that it continues: in all of them, and on the way that had the most.
        let (mut all, mut most) = (vec![0_u64; world.stays.len()], vec![0; world.stays.len()]);
        for (position, stay) in world.stays.iter().enumerate() {
            let own = messages(Some(position));
            let before = stay.continues.iter().flatten();
            most[position] = own + before.clone().map(|&before| most[before]).max().unwrap_or(0);
            all[position] = u64::from(own) + before.map(|&before| all[before]).sum::<u64>();
            let Due { at_least_one, at_most_one } = due[position][destination];
            // Where IDs carry no times, or those of another profile, one that came later can be sent to.
            let tells_what_came_later = told.timed.contains_all(told.ids) && told.own_times;
            if most[position] > 1 || (own > 0 && !at_most_one && tells_what_came_later) {
                broken(Wrong::TooMany, Some(position));
            }
            let later = || later_stays(world, position).into_iter().any(|stay| messages(Some(stay)) > 0);
            if is_all && at_least_one && all[position] == 0 && !(goes_on && later()) {
                broken(Wrong::Missing, Some(position));
            }
        }
    }
    found
}

/// The stays that continue this one.
fn later_stays(world: &World, stay: usize) -> Vec<usize> {
    let mut later = vec![stay];
    for (position, of) in world.stays.iter().enumerate() {
        if of.continues.iter().flatten().any(|before| later.contains(before)) {
            later.push(position);
        }
    }
    later
}
