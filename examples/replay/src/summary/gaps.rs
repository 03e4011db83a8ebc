//! What updates leave out of what the promise of one message per stay needs.

use std::collections::BTreeMap;

use idgroup::{ExternalId, Membership, ProfileUpdate, Trigger};

use super::look_alikes;
use super::numbers::grouped;

/// How many updates leave something out, of all that were looked at.
#[derive(Default)]
pub struct Gaps {
    updates: u64,
    merges: u64,
    by_gap: BTreeMap<Gap, u64>,
    /// The fields that updates have where they lack one, by which they lack.
    look_alikes: BTreeMap<Gap, String>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    NoComputedAt,
    IdWithoutTime,
    MergeWithoutHoldings,
}

impl Gaps {
    /// `line` is what the update was read from.
    pub fn count(&mut self, update: &ProfileUpdate, line: &[u8]) {
        self.updates += 1;
        self.merges += u64::from(matches!(update.trigger(), Trigger::ProfileMerge(_)));
        for gap in gaps_of(update) {
            let count = self.by_gap.entry(gap).or_default();
            *count += 1;
            // The first of many speaks for the others, and costs another reading of its line.
            if *count == 1
                && let Some(name) = gap.look_alike(line)
            {
                self.look_alikes.insert(gap, name);
            }
        }
    }

    pub fn merge(&mut self, other: &Self) {
        self.updates += other.updates;
        self.merges += other.merges;
        for (gap, count) in &other.by_gap {
            *self.by_gap.entry(*gap).or_default() += count;
        }
        for (gap, name) in &other.look_alikes {
            self.look_alikes.entry(*gap).or_insert_with(|| name.clone());
        }
    }

    /// For each gap, what it is, and what to do about it.
    pub fn sentences(&self) -> impl Iterator<Item = String> + '_ {
        self.by_gap.iter().map(|(gap, count)| {
            let of_all = if *gap == Gap::MergeWithoutHoldings { self.merges } else { self.updates };
            let is_there = match (self.look_alikes.get(gap), gap.fields()) {
                (Some(name), [.., field]) => {
                    format!(" There is `{}`: is that `{field}`?", name.escape_debug())
                }
                _ => String::new(),
            };
            format!("{} of {} {}{is_there}", grouped((*count).into()), grouped(of_all.into()), gap.advice())
        })
    }
}

fn gaps_of(update: &ProfileUpdate) -> impl Iterator<Item = Gap> {
    // Whatever has no time is visible at any time.
    let has_id_without_time = update.external_ids().iter().any(|id: &ExternalId| id.attached_at().is_none());
    let has_merge_without_holdings = match update.trigger() {
        Trigger::ProfileMerge(profiles) => profiles
            .as_slice()
            .iter()
            .any(|profile| profile.membership() == Membership::In && profile.external_ids().is_none()),
        _ => false,
    };
    [
        (Gap::NoComputedAt, update.computed_at().is_none()),
        (Gap::IdWithoutTime, has_id_without_time),
        (Gap::MergeWithoutHoldings, has_merge_without_holdings),
    ]
    .into_iter()
    .filter_map(|(gap, is_there)| is_there.then_some(gap))
}

impl Gap {
    /// A field that would fill the gap, the usual one last.
    fn fields(self) -> &'static [&'static str] {
        match self {
            Self::NoComputedAt => &["computed_at"],
            Self::IdWithoutTime => &["attached_at", "created_at"],
            Self::MergeWithoutHoldings => &["external_ids"],
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::NoComputedAt => {
                "updates have no `computed_at`: what arrives late or again is decided by the external \
                 IDs of that moment, and may be sent twice. Let the emitter state when it computed the \
                 update."
            }
            Self::IdWithoutTime => {
                "updates have external IDs without a time, which count as older than all others. Hand \
                 `created_at` on, and `attached_at` for what a merge brought; of back-filled IDs, any \
                 time before the first update."
            }
            Self::MergeWithoutHoldings => {
                "merges don't say what a profile that was in held, so nothing is sent, lest somebody is \
                 messaged twice. Let them state the `external_ids` of each profile, an empty list too."
            }
        }
    }

    /// A field of the update that probably is meant to fill the gap.
    fn look_alike(self, line: &[u8]) -> Option<String> {
        let line = str::from_utf8(line).ok()?;
        match self {
            Self::NoComputedAt => look_alikes::of_field(line, "computed_at"),
            Self::IdWithoutTime => {
                self.fields().iter().find_map(|field| look_alikes::of_external_id(line, field))
            }
            Self::MergeWithoutHoldings => None,
        }
    }
}
