//! People at random: profiles that get and lose IDs, enter, leave and merge, and the updates about it.
//!
//! What is told is as little as a pipeline with memories needs: IDs carry no times, merges don't state what
//! profiles held, audiences are recomputed, and updates about entries and merges have redundant ones beside.
//! Profiles merge only with others of the same person, whose updates share a key, and so a partition.

use std::collections::{BTreeSet, VecDeque};

use serde_json::{Value, json};

/// How many profiles a person has at first, at most.
const MOST_PROFILES: usize = 3;
/// So many are those to whom something has happened lately.
const LATELY: usize = 100;
/// Two emails and a phone.
const IDS: u8 = 3;
/// 2026-01-05T10:00:00Z, in milliseconds. Every update has a millisecond of its own, which tells it.
const BEGINNING: u64 = 1_767_607_200_000;

/// One of the IDs of a person. More than one of the person's profiles can have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    pub person: usize,
    number: u8,
}

/// What happened, in the order in which it did.
#[derive(Clone, Debug)]
pub enum Event {
    Got {
        profile: usize,
        id: Id,
    },
    Lost {
        profile: usize,
        id: Id,
    },
    Entered {
        profile: usize,
    },
    Left {
        profile: usize,
    },
    Merged {
        into: usize,
        from: usize,
        is_in: bool,
    },
    /// The update with this number was emitted.
    Emitted {
        update: usize,
    },
}

#[derive(Clone, Debug)]
pub struct Update {
    pub number: usize,
    pub profile: usize,
    pub person: usize,
    reason: Reason,
    is_in: bool,
}

#[derive(Clone, Debug)]
enum Reason {
    Changed,
    NewIds(Vec<Id>),
    Removed(Id),
    Merged { from: usize, were_in: [bool; 2] },
}

/// What a profile that was merged away held just before.
#[derive(Clone, Debug)]
pub struct Merge {
    pub from: usize,
    pub into: usize,
    pub update: usize,
    pub held: BTreeSet<Id>,
}

/// What one step changed: rows to be stored first, and then updates to be sent in this order.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// Profiles whose IDs are others now.
    pub changed: BTreeSet<usize>,
    pub merges: Vec<Merge>,
    pub updates: Vec<usize>,
}

struct Profile {
    person: usize,
    held: BTreeSet<Id>,
    is_in: bool,
    /// What it held when it was merged away.
    last: Option<BTreeSet<Id>>,
}

#[derive(Default)]
struct Person {
    /// Those that are not merged away.
    profiles: Vec<usize>,
    updates: Vec<usize>,
    /// How many of its updates have not been looked up yet.
    pending: usize,
    /// The next to happen is the loss of an ID, once all updates before have been looked up: until then their
    /// lists have to hold it.
    is_about_to_lose: bool,
}

pub struct World {
    random: fastrand::Rng,
    people: Vec<Person>,
    profiles: Vec<Profile>,
    is_looked_up: Vec<bool>,
    /// People to whom something has happened lately.
    lately: VecDeque<usize>,
    pub updates: Vec<Update>,
    pub events: Vec<Event>,
}

impl Id {
    pub fn id_type(self) -> &'static str {
        if self.number < IDS - 1 { "email" } else { "phone" }
    }

    pub fn all_of(person: usize) -> impl Iterator<Item = Self> {
        (0..IDS).map(move |number| Self { person, number })
    }

    pub fn value(self) -> String {
        let Self { person, number } = self;
        match self.id_type() {
            "email" => format!("p{person}.{number}@example.com"),
            _ => format!("+1415{person:07}"),
        }
    }
}

impl World {
    /// With so many profiles, of one to three a person.
    pub fn new(seed: u64, profiles: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut world = Self {
            random: random.fork(),
            people: Vec::new(),
            profiles: Vec::new(),
            is_looked_up: Vec::new(),
            lately: VecDeque::new(),
            updates: Vec::new(),
            events: Vec::new(),
        };
        while world.profiles.len() < profiles {
            world.people.push(Person::default());
            for _ in 0..random.usize(1..=MOST_PROFILES) {
                world.appear(world.people.len() - 1);
            }
        }
        world
    }

    pub fn people(&self) -> usize {
        self.people.len()
    }

    pub fn profiles(&self) -> usize {
        self.profiles.len()
    }

    /// The IDs that a profile has: none once it is merged away.
    pub fn held(&self, profile: usize) -> &BTreeSet<Id> {
        &self.profiles[profile].held
    }

    /// What a look-up finds: what the profile holds, or what it held when it was merged away.
    pub fn stored(&self, profile: usize) -> &BTreeSet<Id> {
        let profile = &self.profiles[profile];
        profile.last.as_ref().unwrap_or(&profile.held)
    }

    /// The update has been looked up, for the first time or again.
    pub fn looked_up(&mut self, update: usize) {
        if !std::mem::replace(&mut self.is_looked_up[update], true) {
            self.people[self.updates[update].person].pending -= 1;
        }
    }

    /// How many updates have not been looked up yet.
    pub fn pending(&self) -> usize {
        self.people.iter().map(|person| person.pending).sum()
    }

    /// A few things in the life of somebody. Whoever has to wait for look-ups lets others go first.
    pub fn go_on(&mut self) -> Step {
        let mut step = Step::default();
        let person = self.somebody();
        for _ in 0..self.random.usize(1..=4) {
            if self.people[person].is_about_to_lose {
                if self.people[person].pending > 0 {
                    break;
                }
                self.people[person].is_about_to_lose = false;
                self.lose(person, &mut step);
            } else {
                self.happen(person, &mut step);
            }
        }
        if self.random.u8(..8) == 0 {
            self.repeat(person, &mut step);
        }
        step
    }

    /// Half of what happens comes soon after something else, while that is still on its way.
    fn somebody(&mut self) -> usize {
        let lately = self.random.choice(&self.lately).copied();
        let person = lately.filter(|_| self.random.bool()).unwrap_or(self.random.usize(..self.people.len()));
        self.lately.push_back(person);
        if self.lately.len() > LATELY {
            self.lately.pop_front();
        }
        person
    }

    fn happen(&mut self, person: usize, step: &mut Step) {
        let profile = *self.random.choice(&self.people[person].profiles).unwrap();
        match self.random.u8(..100) {
            0..35 => self.get(profile, step),
            35..45 => self.people[person].is_about_to_lose = true,
            45..90 if self.profiles[profile].is_in => match self.random.bool() {
                true => self.leave(profile, step),
                false => self.emit(profile, Reason::Changed, step), // the audience is recomputed
            },
            45..90 => self.enter(profile, step),
            _ => self.merge(profile, step),
        }
    }

    /// Another profile of a person. Nobody knows of it until something happens to it.
    fn appear(&mut self, person: usize) {
        self.people[person].profiles.push(self.profiles.len());
        self.profiles.push(Profile { person, held: BTreeSet::new(), is_in: false, last: None });
    }

    fn get(&mut self, profile: usize, step: &mut Step) {
        let person = self.profiles[profile].person;
        let mut new = BTreeSet::new();
        for _ in 0..self.random.usize(1..=2) {
            new.insert(Id { person, number: self.random.u8(..IDS) });
        }
        new.retain(|id| !self.profiles[profile].held.contains(id));
        if new.is_empty() {
            return;
        }
        for id in &new {
            self.events.push(Event::Got { profile, id: *id });
        }
        self.profiles[profile].held.extend(&new);
        step.changed.insert(profile);
        self.emit(profile, Reason::NewIds(new.into_iter().collect()), step);
    }

    fn lose(&mut self, person: usize, step: &mut Step) {
        let profile = *self.random.choice(&self.people[person].profiles).unwrap();
        let Some(id) = self.random.choice(&self.profiles[profile].held).copied() else { return };
        self.events.push(Event::Lost { profile, id });
        self.profiles[profile].held.remove(&id);
        step.changed.insert(profile);
        self.emit(profile, Reason::Removed(id), step);
    }

    fn enter(&mut self, profile: usize, step: &mut Step) {
        self.events.push(Event::Entered { profile });
        self.profiles[profile].is_in = true;
        self.emit(profile, Reason::Changed, step);
        if self.random.bool() {
            self.emit_all_ids(profile, step);
        }
    }

    fn leave(&mut self, profile: usize, step: &mut Step) {
        self.events.push(Event::Left { profile });
        self.profiles[profile].is_in = false;
        self.emit(profile, Reason::Changed, step);
    }

    fn merge(&mut self, into: usize, step: &mut Step) {
        let person = self.profiles[into].person;
        let others: Vec<usize> =
            self.people[person].profiles.iter().copied().filter(|other| *other != into).collect();
        let Some(&from) = self.random.choice(&others) else { return self.appear(person) };
        let is_in = self.random.u8(..4) > 0;
        let were_in = [into, from].map(|profile| self.profiles[profile].is_in);
        self.events.push(Event::Merged { into, from, is_in });
        let held = std::mem::take(&mut self.profiles[from].held);
        self.profiles[into].held.extend(&held);
        self.profiles[into].is_in = is_in;
        self.profiles[from].is_in = false;
        self.profiles[from].last = Some(held.clone());
        self.people[person].profiles.retain(|profile| *profile != from);
        step.changed.extend([into, from]);
        step.merges.push(Merge { from, into, update: self.updates.len(), held });
        self.emit(into, Reason::Merged { from, were_in }, step);
        if is_in && self.random.bool() {
            self.emit(into, Reason::Changed, step);
            self.emit_all_ids(into, step);
        }
    }

    fn emit_all_ids(&mut self, profile: usize, step: &mut Step) {
        let held: Vec<Id> = self.profiles[profile].held.iter().copied().collect();
        if !held.is_empty() {
            self.emit(profile, Reason::NewIds(held), step);
        }
    }

    fn emit(&mut self, profile: usize, reason: Reason, step: &mut Step) {
        let number = self.updates.len();
        let Profile { person, is_in, .. } = self.profiles[profile];
        self.updates.push(Update { number, profile, person, reason, is_in });
        self.events.push(Event::Emitted { update: number });
        self.is_looked_up.push(false);
        self.people[person].updates.push(number);
        self.people[person].pending += 1;
        step.updates.push(number);
    }

    /// The person's log once more from some older position, or a single one of its updates.
    fn repeat(&mut self, person: usize, step: &mut Step) {
        let updates = &self.people[person].updates;
        if updates.is_empty() {
            return;
        }
        let from = updates.len() - self.random.usize(1..=updates.len().min(12));
        let to = if self.random.bool() { updates.len() } else { from + 1 };
        step.updates.extend(&updates[from..to]);
    }
}

impl Update {
    /// As the compute engine writes it.
    pub fn json(&self) -> Value {
        let membership = |is_in: bool| if is_in { "in" } else { "out" };
        let key = |id: &Id| json!({"type": id.id_type(), "id": id.value()});
        let keys = |ids: &[Id]| ids.iter().map(key).collect::<Value>();
        let trigger = match &self.reason {
            Reason::Changed => json!({"reason": "value_changed"}),
            Reason::NewIds(ids) => json!({"reason": "new_external_id", "added": keys(ids)}),
            Reason::Removed(id) => json!({"reason": "external_id_removed", "removed": keys(&[*id])}),
            Reason::Merged { from, were_in } => json!({"reason": "profile_merge", "profiles": [
                {"profile_id": profile_id(self.profile), "membership": membership(were_in[0])},
                {"profile_id": profile_id(*from), "membership": membership(were_in[1])},
            ]}),
        };
        json!({
            "id": format!("upd_{}", self.number),
            "space_id": SPACE,
            "profile_id": profile_id(self.profile),
            "computation": {"class": "audience", "id": AUDIENCE, "key": "people"},
            "membership": membership(self.is_in),
            "computed_at": computed_at(self.number),
            "trigger": trigger,
        })
    }

    /// What decides about its partition: merges concern profiles that share it.
    pub fn key(&self) -> String {
        format!("person_{}", self.person)
    }

    /// In a word, for who looks for a mistake.
    pub fn in_words(&self) -> String {
        let Self { number, profile, reason, is_in, .. } = self;
        format!("update {number} of {profile}, {reason:?}, in: {is_in}")
    }
}

pub const SPACE: &str = "spa_people";
pub const AUDIENCE: &str = "aud_people";

pub fn profile_id(profile: usize) -> String {
    format!("use_{profile}")
}

/// The time of an update, which no other has.
pub fn computed_at(update: usize) -> String {
    let milliseconds = BEGINNING + update as u64;
    let time = idgroup::Timestamp::from_unix_nanoseconds(i128::from(milliseconds) * 1_000_000);
    time.unwrap().to_string()
}

/// The number of the update with this time.
pub fn update_at(time: &str) -> Option<usize> {
    let time: idgroup::Timestamp = time.parse().ok()?;
    let milliseconds = u64::try_from(time.unix_nanoseconds() / 1_000_000).ok()?;
    usize::try_from(milliseconds.checked_sub(BEGINNING)?).ok()
}
