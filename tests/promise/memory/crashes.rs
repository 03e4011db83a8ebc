//! A consumer that crashes between any two of what it does, and starts over from where it had committed.
//!
//! It takes a batch of updates, decides them one after the other with the memories handed on, and then keeps
//! the memories, sends the events, and commits its position, in one of three orders. A crash loses what was
//! neither kept nor sent.

use idgroup::{Batch, Completeness, memory};

use super::deliveries::received_wrongly;
use super::engine::{DEDUPING, Engine, Memories, Sent, sent};
use super::world::{List, Told, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Memories are kept, then events are sent; a list may hold more the next time, and never less.
    KeepsThenSends,
    /// Events are sent, then memories are kept; the list travels in the log.
    SendsThenKeeps,
    /// Both in one transaction; a list may hold more the next time, or less of what came later.
    Together,
}

/// Whether batches end where they have to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    WhereTheyHaveTo,
    WhereverTheyAreFull,
}

#[derive(Clone, Copy, Debug)]
pub struct Consumer {
    pub transport: Transport,
    pub ends: Ends,
    /// So many updates fill a batch.
    pub full: usize,
}

struct Run<'w, 'e> {
    world: &'w World,
    engine: &'e mut Engine,
    consumer: Consumer,
    kept: Memories,
    received: [u128; DEDUPING.len()],
    committed: usize,
    deliveries: Vec<usize>,
    /// Things that can be done before the next crash, and before the one after it.
    until_crash: Vec<usize>,
}

/// The consumer crashed.
struct Crash;

/// With a crash after each number of things done, and a second one after each number from there. Returns how
/// many runs there were, and which crashes broke the promise first.
pub fn crash_everywhere(world: &World, engine: &mut Engine, consumer: Consumer) -> (u64, Option<[usize; 2]>) {
    let mut runs = 0;
    for first in 0.. {
        let mut is_over = false;
        for second in 0.. {
            let mut run = Run {
                world,
                engine,
                consumer,
                kept: Memories::default(),
                received: [0; DEDUPING.len()],
                committed: 0,
                deliveries: vec![0; world.updates.len()],
                until_crash: vec![second, first],
            };
            run.until_the_end();
            runs += 1;
            let left = run.until_crash.len();
            let received = run.received;
            if received_wrongly(world, engine.told, &received) {
                return (runs, Some([first, second]));
            }
            if left > 0 {
                is_over = left == 2;
                break;
            }
        }
        if is_over {
            break;
        }
    }
    (runs, None)
}

impl Run<'_, '_> {
    fn until_the_end(&mut self) {
        while self.committed < self.world.updates.len() {
            // A crash starts over from where it was committed.
            let _ = self.batch();
        }
    }

    fn step(&mut self) -> Result<(), Crash> {
        match self.until_crash.last_mut() {
            Some(0) => {
                self.until_crash.pop();
                Err(Crash)
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn batch(&mut self) -> Result<(), Crash> {
        let (mut memories, mut batch, mut sending) = (self.kept, Batch::default(), Vec::new());
        let mut next = self.committed;
        while next < self.world.updates.len() && sending.len() < self.consumer.full {
            self.step()?;
            let before = memories;
            let (sent, must_end) = self.decide(next, &mut memories, &mut batch);
            if must_end && self.consumer.ends == Ends::WhereTheyHaveTo {
                memories = before;
                break;
            }
            sending.push((next, sent));
            next += 1;
        }
        match self.consumer.transport {
            Transport::KeepsThenSends => {
                self.keep(memories)?;
                self.send(&sending)?;
            }
            Transport::SendsThenKeeps => {
                self.send(&sending)?;
                self.keep(memories)?;
            }
            Transport::Together => {
                self.step()?;
                self.kept = memories;
                for &(number, sent) in &sending {
                    self.receive(number, sent);
                }
            }
        }
        self.step()?;
        self.committed = next;
        Ok(())
    }

    fn decide(&mut self, number: usize, memories: &mut Memories, batch: &mut Batch) -> (Sent, bool) {
        let update = self.world.updates[number];
        let list = self.list(number);
        let delivered = self.engine.delivered(number, &update, &list);
        let mut known = [Some(update.profile), update.other()].into_iter().flatten();
        let recalled = memory::keys(&delivered, 0)
            .recall(|_| self.engine.memory(memories[known.next().unwrap()]).clone());
        let decision = memory::decide(recalled, &self.engine.destinations, Completeness::Complete);
        let must_end = batch.must_end_before(&decision);
        batch.add(&decision);
        let sent = sent(decision.events());
        // Decided one by one through their bytes, as the search does, they are the same.
        assert_eq!(sent, self.engine.remember(number, &update, &list, memories));
        self.deliveries[number] += usize::from(!must_end);
        (sent, must_end)
    }

    /// What the list holds at this delivery: every time as much more as there is.
    fn list(&self, number: usize) -> List {
        let lists = self.world.lists_of(&self.world.updates[number]);
        let this_time = self.deliveries[number].min(lists.len() - 1);
        match self.consumer.transport {
            Transport::SendsThenKeeps => lists[0],
            // What was kept and not sent is sent the next time, if it is still there.
            Transport::KeepsThenSends => {
                let both = |one: List, other: &List| {
                    let held = std::array::from_fn(|id| one.held[id].or(other.held[id]));
                    List { held, ..*other }
                };
                lists[1..=this_time].iter().fold(lists[0], both)
            }
            Transport::Together => lists[this_time],
        }
    }

    fn keep(&mut self, memories: Memories) -> Result<(), Crash> {
        self.step()?;
        self.kept = memories;
        Ok(())
    }

    fn send(&mut self, sending: &[(usize, Sent)]) -> Result<(), Crash> {
        for &(number, sent) in sending {
            self.step()?;
            self.receive(number, sent);
        }
        Ok(())
    }

    /// A receiver drops repeats.
    fn receive(&mut self, number: usize, sent: Sent) {
        for (received, ids) in self.received.iter_mut().zip(sent) {
            if !ids.is_empty() {
                *received |= 1 << (number * 8 + usize::from(ids.0));
            }
        }
    }
}

/// All histories of at most `longest` steps. Returns how many runs there were, and the first history that
/// goes wrong, in words.
pub fn crash_in_every_history(told: Told, consumer: Consumer, longest: usize) -> (u64, Option<String>) {
    let mut engine = Engine::new(told, Completeness::Complete);
    let mut runs = 0;
    for length in 1..=longest {
        let mut worlds = vec![World::new()];
        for _ in 0..length {
            let longer = worlds.iter().flat_map(|world| {
                world.next_steps(&told).into_iter().map(|step| world.take(step, &told)).collect::<Vec<_>>()
            });
            worlds = longer.collect();
        }
        for world in worlds {
            let (more, wrong) = crash_everywhere(&world, &mut engine, consumer);
            runs += more;
            if let Some(crashes) = wrong {
                let steps: Vec<_> = world.steps.iter().map(|step| step.in_words()).collect();
                return (runs, Some(format!("{}; crashes after {crashes:?} things done", steps.join("; "))));
            }
        }
    }
    (runs, None)
}
