//! What everybody was sent in each stay, against what was owed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::people::owed::{DESTINATIONS, Owed};
use crate::people::world::{Id, World};

/// A message as a destination has it, after it has dropped repeats.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Message {
    /// Which of the destinations.
    pub destination: usize,
    pub message_id: String,
    /// The update that it is of.
    pub update: usize,
    /// The addresses that it goes to.
    pub addresses: BTreeSet<String>,
}

#[derive(Default)]
pub struct Received {
    messages: BTreeSet<Message>,
    seen: BTreeSet<(usize, String)>,
    /// How many came again.
    pub repeats: usize,
    /// Messages with an id that another one has had: they could be dropped for each other.
    pub altered: usize,
}

/// The table.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub people: usize,
    pub profiles: usize,
    pub updates: usize,
    /// Of anybody, each until its end, through all merges.
    pub stays: usize,
    /// Messages, one for each stay and destination that had an ID to send to.
    pub owed: usize,
    pub sent: usize,
    pub missing: usize,
    /// Messages beyond the first of a stay, and those to who is out.
    pub doubled: usize,
    /// Messages to an ID which came only after a stay that is owed none: allowed where IDs carry no times.
    pub to_later_ids: usize,
    /// Messages to what the profile neither had at the update nor got since.
    pub astray: usize,
    pub altered: usize,
    pub repeats: usize,
    /// How often something failed, by what.
    pub faults: BTreeMap<&'static str, usize>,
    /// The first that went wrong, told.
    pub wrong: Vec<String>,
}

/// So many mistakes are told.
const MOST_TOLD: usize = 10;

impl Received {
    /// Takes in what a destination was sent, as often as it was.
    pub fn add(&mut self, message: Message) {
        if self.messages.contains(&message) {
            self.repeats += 1;
        } else if !self.seen.insert((message.destination, message.message_id.clone())) {
            self.altered += 1;
        } else {
            self.messages.insert(message);
        }
    }
}

impl Account {
    pub fn of(world: &World, received: &Received) -> Self {
        let owed = Owed::of(world);
        let mut account = Self {
            people: world.people(),
            profiles: world.profiles(),
            updates: world.updates.len(),
            stays: owed.stays.iter().filter(|stay| stay.continues.is_empty()).count(),
            sent: received.messages.len(),
            altered: received.altered,
            repeats: received.repeats,
            ..Self::default()
        };
        let mut own = vec![[0_usize; DESTINATIONS.len()]; owed.stays.len()];
        for message in &received.messages {
            account.find_astray(world, &owed, message);
            match owed.stay_of_update[message.update] {
                Some(stay) => own[stay][message.destination] += 1,
                None => {
                    account.doubled += 1;
                    account.tell(|| format!("to who is out: {}", in_words(world, message)));
                }
            }
        }
        for (destination, _) in DESTINATIONS.iter().enumerate() {
            account.count(world, &owed, destination, |stay| own[stay][destination]);
        }
        account
    }

    pub fn is_right(&self) -> bool {
        self.owed > 0 && [self.missing, self.doubled, self.astray, self.altered] == [0; 4]
    }

    fn find_astray(&mut self, world: &World, owed: &Owed, message: &Message) {
        let update = &world.updates[message.update];
        let ids = Id::all_of(update.person).filter(|id| owed.had_since(update.number, update.profile, *id));
        let known: BTreeSet<String> = ids.map(Id::value).collect();
        if message.addresses.is_empty() || !message.addresses.is_subset(&known) {
            self.astray += 1;
            self.tell(|| format!("astray: {}", in_words(world, message)));
        }
    }

    /// A message may have come in any of the stays that one continues; and no more than one on any way there.
    fn count(&mut self, world: &World, owed: &Owed, destination: usize, own: impl Fn(usize) -> usize) {
        let stays = owed.stays.len();
        let (mut all, mut most, mut owes) = (vec![0; stays], vec![0; stays], vec![false; stays]);
        for (position, stay) in owed.stays.iter().enumerate() {
            let own = own(position);
            let before = most_of(&stay.continues, &most);
            most[position] = own + before;
            all[position] = own + stay.continues.iter().map(|stay| all[*stay]).sum::<usize>();
            let owed_before = stay.continues.iter().any(|stay| owes[*stay]);
            owes[position] = owed_before || stay.had_id[destination];
            let told = |wrong: &str| {
                format!("{wrong}: {}: {}", DESTINATIONS[destination].0, stay_in_words(world, owed, position))
            };
            if owes[position] && !owed_before {
                self.owed += 1;
                if all[position] == 0 {
                    self.missing += 1;
                    self.tell(|| told("missing"));
                }
            }
            let allowed = usize::from(before == 0);
            if own > allowed {
                self.doubled += own - allowed;
                self.tell(|| told("doubled"));
            }
            self.to_later_ids += usize::from(own > 0 && !owes[position]);
        }
    }

    fn tell(&mut self, wrong: impl FnOnce() -> String) {
        if self.wrong.len() < MOST_TOLD {
            self.wrong.push(wrong());
        }
    }
}

fn most_of(stays: &[usize], most: &[usize]) -> usize {
    stays.iter().map(|stay| most[*stay]).max().unwrap_or_default()
}

fn in_words(world: &World, message: &Message) -> String {
    let Message { destination, message_id, update, .. } = message;
    format!("{} got {message_id} of {}", DESTINATIONS[*destination].0, world.updates[*update].in_words())
}

fn stay_in_words(world: &World, owed: &Owed, stay: usize) -> String {
    let updates = world.updates.iter().filter(|update| owed.stay_of_update[update.number] == Some(stay));
    let updates: Vec<String> = updates.map(|update| update.in_words()).collect();
    format!("stay {stay} of {}, {}", owed.stays[stay].profile, updates.join("; "))
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, count) in [
            ("people", self.people),
            ("profiles", self.profiles),
            ("updates", self.updates),
            ("stays", self.stays),
            ("faults", self.faults.values().sum()),
            ("messages owed", self.owed),
            ("messages sent", self.sent),
            ("of these to IDs that came after the stay", self.to_later_ids),
            ("repeats dropped", self.repeats),
            ("missing", self.missing),
            ("doubled", self.doubled),
            ("astray", self.astray),
            ("altered", self.altered),
        ] {
            writeln!(f, "| {name:<42} | {count:>9} |")?;
        }
        for (fault, count) in &self.faults {
            writeln!(f, "| . {fault:<40} | {count:>9} |")?;
        }
        self.wrong.iter().try_for_each(|wrong| writeln!(f, "{wrong}"))
    }
}
