//! How far the promise of one message per stay reaches with this data: what updates leave out.

use std::collections::BTreeMap;

use idgroup::{Counts, Gap, Membership, ProfileUpdate, TriggerReason};

use super::look_alikes;
use super::numbers::grouped;

/// The fields that updates have where they lack one, by what they leave out.
#[derive(Default)]
pub struct LookAlikes(BTreeMap<Gap, Option<String>>);

impl LookAlikes {
    /// Looks at the update with the first gap of each kind: it speaks for the others, and looking costs
    /// another reading of its line.
    pub fn look_at(&mut self, update: &ProfileUpdate, line: &[u8]) {
        if self.0.len() == WITH_LOOK_ALIKES.len() {
            return;
        }
        for gap in update.gaps() {
            if WITH_LOOK_ALIKES.contains(&gap) {
                self.0.entry(gap).or_insert_with(|| look_alike(gap, line));
            }
        }
    }

    pub fn merge(&mut self, other: &Self) {
        for (gap, found) in &other.0 {
            let known = self.0.entry(*gap).or_default();
            if known.is_none() {
                known.clone_from(found);
            }
        }
    }

    fn of(&self, gap: Gap) -> Option<&str> {
        self.0.get(&gap)?.as_deref()
    }
}

const WITH_LOOK_ALIKES: [Gap; 2] = [Gap::NoComputedAt, Gap::IdWithoutTime];

/// A field of the update that was probably meant to fill the gap.
fn look_alike(gap: Gap, line: &[u8]) -> Option<String> {
    let line = str::from_utf8(line).ok()?;
    match gap {
        Gap::NoComputedAt => look_alikes::of_field(line, "computed_at"),
        Gap::IdWithoutTime => ["created_at", "attached_at"]
            .into_iter()
            .find_map(|field| look_alikes::of_external_id(line, field)),
        _ => None,
    }
}

/// For each gap, how many updates have it, what it lets happen, and what to do about it.
pub fn sentences(counts: &Counts, look_alikes: &LookAlikes) -> Vec<String> {
    let gaps = Gap::ALL.into_iter().filter(|gap| counts.gap(*gap) > 0);
    gaps.map(|gap| {
        let merges = [Membership::In, Membership::Out]
            .map(|membership| counts.trigger(TriggerReason::ProfileMerge, membership));
        let (all, of_what) = match gap {
            Gap::UnstatedHoldings => (merges.iter().sum(), "merges"),
            _ => (counts.updates(), "updates"),
        };
        let is_there = match look_alikes.of(gap) {
            Some(name) => format!(", where there is `{}` now", name.escape_debug()),
            None => String::new(),
        };
        format!(
            "{} of {} {of_what} ({gap}): {}. What to do: {}{is_there}.",
            grouped(counts.gap(gap).into()),
            grouped(all.into()),
            gap.meaning(),
            gap.remedy(),
        )
    })
    .collect()
}
