//! The same people through the library alone: finds mistakes of the generator, of the account and of the
//! rules before any server is there.

use std::collections::{BTreeMap, VecDeque};

use idgroup::{Completeness, Destinations, IdGroupEvent, Memory, MemoryKey, ProfileUpdate, decide, memory};
use serde_json::json;

use crate::people::account::{Account, Message, Received};
use crate::people::owed::DESTINATIONS;
use crate::people::world::World;

/// What goes wrong on the way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mistake {
    None,
    /// The message with this number is lost.
    Loses(usize),
    /// It is sent again under another id.
    Doubles(usize),
    /// It is sent to somebody else.
    Misdirects(usize),
}

struct Pipeline {
    destinations: Destinations,
    remembers: bool,
    memories: BTreeMap<MemoryKey, Vec<u8>>,
    received: Received,
    mistake: Mistake,
    sent: usize,
}

/// Every person has a log, of which look-ups take some at a time, late.
fn run(seed: u64, remembers: bool, mistake: Mistake) -> Account {
    let mut world = World::new(seed, 300);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut logs: Vec<VecDeque<usize>> = vec![VecDeque::new(); world.people()];
    let mut pipeline = Pipeline {
        destinations: destinations(),
        remembers,
        memories: BTreeMap::new(),
        received: Received::default(),
        mistake,
        sent: 0,
    };
    for _ in 0..4_000 {
        for update in world.go_on().updates {
            logs[world.updates[update].person].push_back(update);
        }
        let person = random.usize(..logs.len());
        for _ in 0..random.usize(..8) {
            pipeline.take_next(&mut logs[person], &mut world);
        }
    }
    for log in &mut logs {
        while !log.is_empty() {
            pipeline.take_next(log, &mut world);
        }
    }
    Account::of(&world, &pipeline.received)
}

fn destinations() -> Destinations {
    let destinations = DESTINATIONS.map(|(id, types)| json!({"id": id, "dedupes_on": types}));
    serde_json::from_value(destinations.into_iter().collect()).unwrap()
}

impl Pipeline {
    fn take_next(&mut self, log: &mut VecDeque<usize>, world: &mut World) {
        let Some(number) = log.pop_front() else { return };
        world.looked_up(number);
        let mut json = world.updates[number].json();
        let ids = world.stored(world.updates[number].profile).iter();
        json["external_ids"] = ids.map(|id| json!({"type": id.id_type(), "id": id.value()})).collect();
        let update: ProfileUpdate = serde_json::from_value(json).unwrap();
        let destinations = self.destinations.clone();
        if !self.remembers {
            return self.send(number, &decide(&update, &destinations));
        }
        let recalled = memory::keys(&update, 0).recall(|key| match self.memories.get(key) {
            Some(bytes) => Memory::from_bytes(bytes).unwrap(),
            None => Memory::default(),
        });
        let decision = memory::decide(recalled, &destinations, Completeness::Complete);
        for (key, memory) in decision.changed() {
            self.memories.insert(*key, memory.to_bytes());
        }
        self.send(number, decision.events());
    }

    fn send(&mut self, update: usize, events: &[IdGroupEvent<'_>]) {
        for event in events {
            let addresses = event.id_group().external_ids().iter().map(|id| id.id().to_owned());
            for destination in event.destinations() {
                let message = Message {
                    destination: DESTINATIONS.iter().position(|(id, _)| *id == destination.id()).unwrap(),
                    message_id: event.message_id().to_string(),
                    update,
                    addresses: addresses.clone().collect(),
                };
                self.sent += 1;
                match self.mistake {
                    Mistake::Loses(number) if number == self.sent => continue,
                    Mistake::Doubles(number) if number == self.sent => {
                        self.received.add(Message { message_id: "another".to_owned(), ..message.clone() });
                    }
                    Mistake::Misdirects(number) if number == self.sent => {
                        let addresses = [String::from("somebody@example.com")].into();
                        self.received.add(Message { addresses, ..message });
                        continue;
                    }
                    _ => (),
                }
                self.received.add(message);
            }
        }
    }
}

#[test]
fn with_memories_each_stay_has_its_message() {
    for seed in 0..20 {
        let account = run(seed, true, Mistake::None);
        assert!(account.is_right(), "seed {seed}:\n{account}");
        assert!(account.owed > 500 && account.repeats > 50 && account.to_later_ids > 0, "{account}");
    }
}

#[test]
fn without_memories_both_mistakes_are_made() {
    let account = run(0, false, Mistake::None);
    assert!(account.missing > 0 && account.doubled > 1_000, "{account}");
    assert_eq!((account.astray, account.altered), (0, 0), "{account}");
}

/// One message among hundreds.
#[test]
fn the_account_sees_a_single_mistake() {
    let right = run(0, true, Mistake::None);
    for number in [1, right.sent / 2] {
        let doubled = run(0, true, Mistake::Doubles(number));
        assert_eq!((doubled.missing, doubled.doubled), (0, 1), "{doubled}");
        let astray = run(0, true, Mistake::Misdirects(number));
        // Its repeats, where there are any, go to the right address under the id of the wrong one.
        assert_eq!((astray.missing, astray.doubled, astray.astray), (0, 0, 1), "{astray}");
    }
    // One that is lost comes again with a repeat, or is missing; so all are tried until one of each is found.
    let lost: Vec<usize> = (1..40).map(|number| run(0, true, Mistake::Loses(number)).missing).collect();
    assert!(lost.contains(&1) && lost.iter().all(|missing| *missing <= 1), "{lost:?}");
}
