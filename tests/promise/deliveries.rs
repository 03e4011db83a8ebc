//! Deliveries one by one, to check what the search takes as given: that the fewest and the most
//! messages of a stay follow from each update's lookups alone, in whatever order, and however often,
//! updates are delivered.

use std::collections::{BTreeMap, BTreeSet};

use idgroup::{MessageId, decide};

use crate::engine::{DESTINATION_IDS, Engine, Lookup};
use crate::rules::Rules;
use crate::world::World;

/// For each history of at most `longest` steps, delivers each update once or twice, each time with
/// any of its lookups, in every order, to receivers that drop repeats of a message id. Returns how
/// many sequences of deliveries there were.
pub fn check_every_order(rules: &Rules, longest: usize) -> u64 {
    let mut sequences = 0;
    descend(&World::new(), Vec::new(), rules, longest, &mut sequences);
    sequences
}

fn descend(world: &World, log: Vec<Lookup>, rules: &Rules, steps_left: usize, sequences: &mut u64) {
    let mut engine = Engine::new(rules.consent);
    engine.log = Some(log);
    for step in if steps_left == 0 { Vec::new() } else { world.next_steps(rules) } {
        let (mut next, before) = (*world, engine.log.clone());
        next.take(step, rules, &mut engine);
        let log = std::mem::replace(&mut engine.log, before).unwrap();
        *sequences += check_orders(&next, &log, &engine, rules);
        descend(&next, log, rules, steps_left - 1, sequences);
    }
}

/// A message, as one receiver gets it.
type Message = (usize, MessageId);

fn check_orders(world: &World, log: &[Lookup], engine: &Engine, rules: &Rules) -> u64 {
    let mut messages: Vec<BTreeSet<Vec<Message>>> = vec![BTreeSet::new(); world.updates().count()];
    for lookup in log {
        let profile = world.updates().nth(lookup.update).unwrap().profile;
        let update = lookup.input.update(&format!("upd_{}", lookup.update), &format!("use_{profile}"));
        let sent = decide(&update, engine.destinations()).into_iter().flat_map(|event| {
            let message_id = event.message_id();
            let receivers = event
                .destinations()
                .iter()
                .filter_map(|destination| DESTINATION_IDS.iter().position(|id| *id == destination.id()));
            receivers.map(|receiver| (receiver, message_id)).collect::<Vec<_>>()
        });
        messages[lookup.update].insert(sent.collect());
    }
    let messages: Vec<Vec<_>> = messages.into_iter().map(|distinct| distinct.into_iter().collect()).collect();
    let mut pipeline = Pipeline {
        stays: world.updates().map(|update| update.stay).collect(),
        delivered: vec![0; messages.len()],
        messages,
        received: BTreeMap::new(),
        fewest_and_most: BTreeMap::new(),
        sequences: 0,
    };
    pipeline.deliver();
    for stay in (0..world.stays()).map(Some).chain([None]) {
        for destination in 0..DESTINATION_IDS.len() {
            let found = pipeline.fewest_and_most.get(&(stay, destination)).copied().unwrap_or_default();
            assert_eq!(found, world.messages(stay, destination, rules), "{stay:?} {destination} {log:?}");
        }
    }
    pipeline.sequences
}

struct Pipeline {
    stays: Vec<Option<usize>>,
    /// For each update, what each of its lookups that differ makes of it.
    messages: Vec<Vec<Vec<Message>>>,
    delivered: Vec<u8>,
    /// The stay in which each message was received first.
    received: BTreeMap<Message, Option<usize>>,
    fewest_and_most: BTreeMap<(Option<usize>, usize), (u8, u8)>,
    sequences: u64,
}

impl Pipeline {
    fn deliver(&mut self) {
        if self.delivered.iter().all(|&times| times > 0) {
            self.sequences += 1;
            self.count();
        }
        for update in
            (0..self.messages.len()).filter(|&update| self.delivered[update] < 2).collect::<Vec<_>>()
        {
            self.delivered[update] += 1;
            for lookup in 0..self.messages[update].len() {
                let stay = self.stays[update];
                let before = self.received.clone();
                for &message in &self.messages[update][lookup] {
                    self.received.entry(message).or_insert(stay);
                }
                self.deliver();
                self.received = before;
            }
            self.delivered[update] -= 1;
        }
    }

    fn count(&mut self) {
        for stay in self.stays.iter().copied().chain([None]) {
            for destination in 0..DESTINATION_IDS.len() {
                let received = self
                    .received
                    .iter()
                    .filter(|((receiver, _), received_in)| *receiver == destination && **received_in == stay);
                let count = u8::try_from(received.count()).unwrap();
                let (fewest, most) =
                    self.fewest_and_most.entry((stay, destination)).or_insert((count, count));
                *fewest = count.min(*fewest);
                *most = count.max(*most);
            }
        }
    }
}
