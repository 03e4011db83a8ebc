//! What each stay is owed, from what happened alone: neither the library nor the worker has a say in it.

use std::collections::{BTreeMap, BTreeSet};

use crate::people::world::{Event, Id, World};

/// The destinations, and the types that each dedupes on.
pub const DESTINATIONS: [(&str, &[&str]); 3] =
    [("email", &["email"]), ("phone", &["phone"]), ("both", &["email", "phone"])];

/// A stay up to its end or to a merge: what follows a merge continues the stays that it joined.
#[derive(Clone, Debug, Default)]
pub struct Stay {
    pub profile: usize,
    pub continues: Vec<usize>,
    /// For each destination, whether the profile had an ID for it at any moment.
    pub had_id: [bool; DESTINATIONS.len()],
}

/// When a profile had an ID: from this event up to that one.
type Possession = (usize, Option<usize>);

#[derive(Default)]
pub struct Owed {
    pub stays: Vec<Stay>,
    /// The stay in which each update was emitted, if it was in one.
    pub stay_of_update: Vec<Option<usize>>,
    /// After how many events each update was emitted.
    emitted_after: Vec<usize>,
    possessions: BTreeMap<(usize, Id), Vec<Possession>>,
    merged: BTreeMap<usize, (usize, usize)>,
}

#[derive(Default)]
struct Standing {
    held: BTreeSet<Id>,
    stay: Option<usize>,
}

impl Owed {
    pub fn of(world: &World) -> Self {
        let mut owed = Self::default();
        let mut standings: Vec<Standing> = (0..world.profiles()).map(|_| Standing::default()).collect();
        for (when, event) in world.events.iter().enumerate() {
            match *event {
                Event::Got { profile, id } => owed.get(&mut standings, profile, id, when),
                Event::Lost { profile, id } => owed.lose(&mut standings, profile, id, when),
                Event::Entered { profile } => owed.begin(&mut standings, profile, Vec::new()),
                Event::Left { profile } => standings[profile].stay = None,
                Event::Merged { into, from, is_in } => owed.merge(&mut standings, [into, from], is_in, when),
                Event::Emitted { update } => {
                    owed.stay_of_update.push(standings[world.updates[update].profile].stay);
                    owed.emitted_after.push(when);
                }
            }
        }
        owed
    }

    /// Whether the profile, or the one that it became part of, had this ID when the update was emitted, or
    /// since.
    pub fn had_since(&self, update: usize, profile: usize, id: Id) -> bool {
        let (mut profile, mut since) = (profile, self.emitted_after[update]);
        loop {
            let known = self.possessions.get(&(profile, id));
            if known.is_some_and(|known| known.iter().any(|(_, to)| to.is_none_or(|to| to > since))) {
                return true;
            }
            match self.merged.get(&profile) {
                Some(&(into, when)) => (profile, since) = (into, since.max(when)),
                None => return false,
            }
        }
    }

    fn get(&mut self, standings: &mut [Standing], profile: usize, id: Id, when: usize) {
        let standing = &mut standings[profile];
        standing.held.insert(id);
        self.possessions.entry((profile, id)).or_default().push((when, None));
        if let Some(stay) = standing.stay {
            self.stays[stay].has(id);
        }
    }

    fn lose(&mut self, standings: &mut [Standing], profile: usize, id: Id, when: usize) {
        standings[profile].held.remove(&id);
        let known = self.possessions.get_mut(&(profile, id)).and_then(|known| known.last_mut());
        known.expect("only what is held is lost").1 = Some(when);
    }

    fn begin(&mut self, standings: &mut [Standing], profile: usize, continues: Vec<usize>) {
        let standing = &mut standings[profile];
        standing.stay = Some(self.stays.len());
        let mut stay = Stay { profile, continues, ..Stay::default() };
        standing.held.iter().for_each(|id| stay.has(*id));
        self.stays.push(stay);
    }

    fn merge(&mut self, standings: &mut [Standing], profiles: [usize; 2], is_in: bool, when: usize) {
        let [into, from] = profiles;
        let continues = profiles.iter().filter_map(|profile| standings[*profile].stay.take()).collect();
        for id in std::mem::take(&mut standings[from].held) {
            // What it had, it has had until the merge; its updates are looked up with that later, too.
            if !standings[into].held.contains(&id) {
                self.get(standings, into, id, when);
            }
        }
        self.merged.insert(from, (into, when));
        if is_in {
            self.begin(standings, into, continues);
        }
    }
}

impl Stay {
    fn has(&mut self, id: Id) {
        for (had_id, (_, types)) in self.had_id.iter_mut().zip(DESTINATIONS) {
            *had_id |= types.contains(&id.id_type());
        }
    }
}
