//! The same updates with other destinations: what would change, for whom, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::iter::Peekable;
use std::sync::Arc;

use idgroup::{
    Counts, Decision, Destination, DestinationVerdict, Destinations, DropReason, ExternalId, Lane,
    ProfileUpdate, SelectedIds,
};
use serde::Serialize;

use super::connections::Connections;
use super::{Given, Making, Task};
use crate::options::Addresses;
use crate::summary::changes::{Change, Outcome, Person, Sample, SettingChange, Why};
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

/// External IDs that a sample names of each side.
const SAMPLED_IDS: usize = 3;

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

    fn compare(&self, update: &ProfileUpdate, [before, after]: [&Decision<'_>; 2], made: &mut Making<'_>) {
        let [before, after] = [before, after].map(|decision| decision.explanation().iter());
        let mut is_changed = false;
        for (id, sides) in by_destination(before, after) {
            let sides = sides.map(Side);
            let changes = made.tally.changes.of(id);
            changes.add_messages([sides[0].messages(), sides[1].messages()]);
            let Some(change) = change(&sides) else { continue };
            let why = Why { change, before: sides[0].outcome(), after: sides[1].outcome() };
            changes.add(why, self.person(update), || Sample {
                update_id: excerpt(update.id()).into(),
                ids: sides.each_ref().map(|side| side.named_ids(self.addresses).into()),
            });
            is_changed = true;
            let [before, after] = sides.each_ref().map(|side| side.printed(self.addresses));
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
}

impl Task for Arc<Preview> {
    /// Each of the two settings is decided at one place: where a decision asks for more than an update
    /// and its destinations, it is these two lines that it takes.
    fn decide(&mut self, given: Given<'_>, made: &mut Making<'_>) -> Lane {
        let Given { update, destinations, .. } = given;
        let mut new_counts = Counts::default();
        let before = Decision::of_with(update, destinations, &mut made.counts);
        let after = Decision::of_with(update, self.new.of(update), &mut new_counts);
        if [&before, &after].iter().any(|decision| made.lane_of(decision.events()) == Lane::Slow) {
            return Lane::Slow;
        }
        made.send(before.events());
        made.tally.previewed.sent.add(after.events());
        made.tally.previewed.counts.merge(&new_counts);
        self.compare(update, [&before, &after], made);
        Lane::Fast
    }

    fn most_other_destinations(&self) -> usize {
        self.new.most()
    }

    fn begin(&self, tally: &mut Tally) {
        self.settings.iter().for_each(|(id, change)| tally.changes.of(id).add_setting(*change));
    }
}

/// The verdict about a destination under one of the settings, if it is there.
struct Side<'a>(Option<DestinationVerdict<'a>>);

#[derive(Serialize)]
struct Line<'a> {
    update_id: &'a str,
    profile_id: &'a str,
    computation: &'a str,
    destination: &'a str,
    change: &'static str,
    /// `null` where the destination is not there.
    before: Option<Printed<'a>>,
    after: Option<Printed<'a>>,
}

#[derive(Serialize)]
struct Printed<'a> {
    verdict: &'static str,
    drop_reason: Option<DropReason>,
    messages: u64,
    /// How many external IDs it is sent with of which type.
    id_types: BTreeMap<&'a str, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_ids: Option<&'a SelectedIds<'a>>,
}

impl<'a> Side<'a> {
    fn outcome(&self) -> Outcome {
        Outcome(self.0.as_ref().map(DestinationVerdict::verdict))
    }

    /// What is sent, if anything is.
    fn sent(&self) -> Option<&SelectedIds<'a>> {
        self.0.as_ref().map(DestinationVerdict::external_ids).filter(|ids| !ids.is_empty())
    }

    fn messages(&self) -> u64 {
        self.sent().map_or(0, SelectedIds::combinations)
    }

    fn id_types(&self) -> BTreeMap<&'a str, u64> {
        let mut types = BTreeMap::new();
        for id in self.sent().into_iter().flatten() {
            *types.entry(id.id_type()).or_default() += 1;
        }
        types
    }

    /// For people: types, or values if they are asked for.
    fn named_ids(&self, addresses: Addresses) -> String {
        let (named, all): (Vec<String>, usize) = match addresses {
            Addresses::Hidden => {
                let types = self.id_types();
                let named = types.iter().take(SAMPLED_IDS).map(|(id_type, count)| match count {
                    1 => excerpt(id_type),
                    _ => format!("{count} {}", excerpt(id_type)),
                });
                (named.collect(), types.len())
            }
            Addresses::Shown => {
                let ids = self.sent().into_iter().flatten().map(ExternalId::id);
                let named = ids.take(SAMPLED_IDS).map(excerpt);
                (named.collect(), self.sent().map_or(0, SelectedIds::len))
            }
        };
        match all - named.len() {
            _ if all == 0 => "nothing".into(),
            0 => named.join(", "),
            more => format!("{} and {more} more", named.join(", ")),
        }
    }

    fn printed(&self, addresses: Addresses) -> Option<Printed<'_>> {
        self.0.as_ref().map(|verdict| Printed {
            verdict: verdict.verdict().as_str(),
            drop_reason: verdict.verdict().drop_reason(),
            messages: self.messages(),
            id_types: self.id_types(),
            external_ids: (addresses == Addresses::Shown).then(|| verdict.external_ids()),
        })
    }
}

/// None where the same is sent, or nothing, for whatever reason.
fn change([before, after]: &[Side<'_>; 2]) -> Option<Change> {
    match (before.sent(), after.sent()) {
        (None, None) => None,
        (None, Some(_)) => Some(Change::Gained),
        (Some(_), None) => Some(Change::Lost),
        (Some(before), Some(after)) => (before != after).then_some(Change::Moved),
    }
}

/// Both lists, which are sorted by id, as one.
fn by_destination<'a>(
    before: impl Iterator<Item = DestinationVerdict<'a>>,
    after: impl Iterator<Item = DestinationVerdict<'a>>,
) -> impl Iterator<Item = (&'a str, [Option<DestinationVerdict<'a>>; 2])> {
    fn id<'a>(verdicts: &mut Peekable<impl Iterator<Item = DestinationVerdict<'a>>>) -> Option<&'a str> {
        verdicts.peek().map(|verdict| verdict.destination().id())
    }
    let (mut before, mut after) = (before.peekable(), after.peekable());
    std::iter::from_fn(move || {
        let ids = [id(&mut before), id(&mut after)];
        let first = ids.into_iter().flatten().min()?;
        let is_first = ids.map(|id| id == Some(first));
        let next =
            [if is_first[0] { before.next() } else { None }, if is_first[1] { after.next() } else { None }];
        Some((first, next))
    })
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
