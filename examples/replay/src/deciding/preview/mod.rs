//! The same updates with other destinations: what would change, for whom, and why.

mod remembering;
mod side;

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use idgroup::{Counts, Decision, Destination, Destinations, Lane, ProfileUpdate};
use serde::Serialize;

pub use remembering::RememberingPreview;
use side::{Decided, by_destination, change};

use super::connections::Connections;
use super::{Given, Making, Task};
use crate::options::Addresses;
use crate::summary::changes::{Person, Sample, SettingChange, Why};
use crate::summary::tally::Tally;
use crate::writing::words::excerpt;

/// Prints a line for each update and destination where something changes.
pub struct Preview {
    new: Connections,
    addresses: Addresses,
    /// What the files alone say: destination by destination, once for each computation.
    settings: Vec<(Box<str>, SettingChange)>,
    person_keys: [RandomState; 2],
}

impl Preview {
    pub fn new(current: &Connections, new: Connections, addresses: Addresses) -> Self {
        let settings = setting_changes(current, &new);
        Self { new, addresses, settings, person_keys: [RandomState::new(), RandomState::new()] }
    }

    /// One person is one profile of one space.
    fn person(&self, update: &ProfileUpdate) -> Person {
        let id = (update.space_id(), update.profile_id());
        let [high, low] = self.person_keys.each_ref().map(|key| u128::from(key.hash_one(id)));
        Person(high << 64 | low)
    }

    /// What comes of an update that was decided under both settings, unless it belongs in the slow lane.
    fn show(
        &self,
        update: &ProfileUpdate,
        [before, after]: [&impl Decided; 2],
        new_counts: &Counts,
        made: &mut Making<'_>,
    ) -> Lane {
        if [before, after].iter().any(|decided| made.lane_of(decided.events()) == Lane::Slow) {
            return Lane::Slow;
        }
        made.send(before.events());
        made.tally.previewed.sent.add(after.events());
        made.tally.previewed.counts.merge(new_counts);
        self.compare(update, [before, after], made);
        Lane::Fast
    }

    fn compare(&self, update: &ProfileUpdate, [before, after]: [&impl Decided; 2], made: &mut Making<'_>) {
        let mut is_changed = false;
        for (id, sides) in by_destination(before.sides(), after.sides()) {
            let changes = made.tally.changes.of(id);
            changes.add_messages(sides.each_ref().map(side::messages));
            let Some(change) = change(&sides) else { continue };
            let [before, after] = sides.each_ref().map(side::outcome);
            changes.add(Why { change, before, after }, self.person(update), || Sample {
                update_id: excerpt(update.id()).into(),
                ids: sides.each_ref().map(|side| side::named_ids(side, self.addresses).into()),
            });
            is_changed = true;
            let [before, after] = sides.each_ref().map(|side| side::printed(side, self.addresses));
            made.print(&Line {
                update_id: update.id(),
                profile_id: update.profile_id(),
                computation: update.computation().id(),
                destination: id,
                change: change.as_str(),
                before,
                after,
            });
        }
        if is_changed {
            made.tally.changes.add_update();
        }
    }

    fn count_settings(&self, tally: &mut Tally) {
        self.settings.iter().for_each(|(id, change)| tally.changes.of(id).add_setting(*change));
    }
}

impl Task for Arc<Preview> {
    fn decide(&mut self, given: Given<'_>, made: &mut Making<'_>) -> Lane {
        let Given { update, destinations, .. } = given;
        let mut new_counts = Counts::default();
        let before = Decision::of_with(update, destinations, &mut made.counts);
        let after = Decision::of_with(update, self.new.of(update), &mut new_counts);
        self.show(update, [&before, &after], &new_counts, made)
    }

    fn most_other_destinations(&self) -> usize {
        self.new.most()
    }

    fn begin(&self, tally: &mut Tally) {
        self.count_settings(tally);
    }
}

#[derive(Serialize)]
struct Line<'a> {
    update_id: &'a str,
    profile_id: &'a str,
    computation: &'a str,
    destination: &'a str,
    change: &'static str,
    /// `null` where the destination is not there.
    before: Option<side::Printed<'a>>,
    after: Option<side::Printed<'a>>,
}

fn setting_changes(current: &Connections, new: &Connections) -> Vec<(Box<str>, SettingChange)> {
    let computations: BTreeSet<&str> = current.iter().chain(new.iter()).map(|(id, _)| id).collect();
    let sides = computations.into_iter().map(|id| [current, new].map(|all| all.of_computation(id)));
    sides.flat_map(setting_changes_of_computation).collect()
}

fn setting_changes_of_computation(
    [current, new]: [&Destinations; 2],
) -> impl Iterator<Item = (Box<str>, SettingChange)> {
    let ids: BTreeSet<&str> = current.iter().chain(new.iter()).map(Destination::id).collect();
    ids.into_iter().filter_map(move |id| {
        let change = match (current.get(id), new.get(id)) {
            (None, _) => SettingChange::Appears,
            (_, None) => SettingChange::Vanishes,
            (Some(current), Some(new)) if current != new => SettingChange::IsSetDifferently,
            _ => return None,
        };
        Some((id.into(), change))
    })
}
