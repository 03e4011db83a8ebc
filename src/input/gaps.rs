//! What an update leaves out of what the promise of one message needs.

use core::fmt;
use core::iter::FusedIterator;

use crate::input::external_id::ExternalId;
use crate::input::membership::Membership;
use crate::input::trigger::{MergedProfile, Trigger};
use crate::input::update::ProfileUpdate;
use crate::label::labels;

/// A condition of *once and only once* that an update's data can't meet: a label for metrics.
///
/// A decision is made all the same, by the rules as they are. What a gap says is that this update may
/// be one that messages a person twice, or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Gap {
    /// `no_computed_at`: the update does not say when it was computed.
    NoComputedAt,
    /// `id_without_time`: it is not known when an ID came to the profile.
    IdWithoutTime,
    /// `unstated_holdings`: a merge does not say what a member held.
    UnstatedHoldings,
    /// `entered_while_in`: the profile enters a computation that it is known to be in. Only a memory of
    /// what was decided before can tell, so [`ProfileUpdate::gaps`] never finds it.
    EnteredWhileIn,
}

labels!(Gap {
    NoComputedAt => "no_computed_at",
    IdWithoutTime => "id_without_time",
    UnstatedHoldings => "unstated_holdings",
    EnteredWhileIn => "entered_while_in",
});

impl Gap {
    /// What the gap lets happen, as a sentence for people, without a full stop.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::NoComputedAt => {
                "the update does not say when it was computed, so IDs that came later can't be told from \
                 those that were there"
            }
            Self::IdWithoutTime => {
                "it is not known when an ID came to the profile, so it is taken to have been there before \
                 every other"
            }
            Self::UnstatedHoldings => {
                "a merge does not say which IDs a member held before it, so the member may have been \
                 messaged and nothing is sent"
            }
            Self::EnteredWhileIn => {
                "the profile enters a computation that it is known to be in, so the update is a repeat, or \
                 an exit is missing"
            }
        }
    }

    /// What whoever emits updates can do about it, without a full stop.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::NoComputedAt => "state `computed_at`, by the clock that gives IDs their times",
            Self::IdWithoutTime => {
                "state `created_at` of each ID, and `attached_at` where a merge brought the ID"
            }
            Self::UnstatedHoldings => {
                "state `external_ids` of each profile in `trigger.profiles` that was in, as they were before \
                 the merge"
            }
            Self::EnteredWhileIn => {
                "emit `value_changed` with `in` only where the profile was out, and each exit, with an `id` \
                 of its own"
            }
        }
    }

    /// The place in [`ALL`](Self::ALL).
    const fn place(self) -> usize {
        match self {
            Self::NoComputedAt => 0,
            Self::IdWithoutTime => 1,
            Self::UnstatedHoldings => 2,
            Self::EnteredWhileIn => 3,
        }
    }
}

/// The gaps of one update, and how often each occurs. Made by [`ProfileUpdate::gaps`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use idgroup::{Gap, ProfileUpdate};
///
/// let update: ProfileUpdate = serde_json::from_str(
///     r#"{"id":"upd_1","space_id":"spa_1","profile_id":"use_1","computation":{"id":"aud_1"},
///         "membership":"in","computed_at":"2026-01-05T10:00:00Z","trigger":{"reason":"value_changed"},
///         "external_ids":[{"type":"email","id":"a@example.com"},{"type":"phone","id":"1"}]}"#,
/// )?;
/// let gaps = update.gaps();
/// assert_eq!(gaps.count(Gap::IdWithoutTime), 2);
/// for gap in &gaps {
///     println!("{gap}: {}; {}", gap.meaning(), gap.remedy());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Gaps([usize; Gap::ALL.len()]);

impl Gaps {
    /// How often the gap occurs: once for the update as a whole, or once for each ID, or for each member
    /// of a merge.
    pub fn count(&self, gap: Gap) -> usize {
        self.0.get(gap.place()).copied().unwrap_or_default()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|&count| count == 0)
    }

    /// The gaps that occur, each once, in the order of [`Gap::ALL`].
    pub fn iter(&self) -> GapsIter {
        self.into_iter()
    }
}

/// The gaps that occur in an update, each once.
#[derive(Clone, Debug)]
pub struct GapsIter {
    gaps: Gaps,
    rest: core::array::IntoIter<Gap, { Gap::ALL.len() }>,
}

impl Iterator for GapsIter {
    type Item = Gap;

    fn next(&mut self) -> Option<Gap> {
        let gaps = self.gaps;
        self.rest.find(|&gap| gaps.count(gap) > 0)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.rest.as_slice().iter().filter(|&&gap| self.gaps.count(gap) > 0).count();
        (left, Some(left))
    }
}

impl ExactSizeIterator for GapsIter {}

impl FusedIterator for GapsIter {}

impl IntoIterator for Gaps {
    type Item = Gap;
    type IntoIter = GapsIter;

    fn into_iter(self) -> GapsIter {
        GapsIter { gaps: self, rest: Gap::ALL.into_iter() }
    }
}

impl IntoIterator for &Gaps {
    type Item = Gap;
    type IntoIter = GapsIter;

    fn into_iter(self) -> GapsIter {
        (*self).into_iter()
    }
}

/// An update whose [`Gaps`] can be looked up: by who watches, and at nobody else's cost.
#[derive(Clone, Copy)]
pub struct GapsOf<'a> {
    update: &'a ProfileUpdate,
    entered_while_in: bool,
}

impl<'a> GapsOf<'a> {
    pub(crate) fn update(update: &'a ProfileUpdate) -> Self {
        Self { update, entered_while_in: false }
    }

    /// Of an update about a profile of which is remembered whether it was in.
    pub(crate) fn remembering(update: &'a ProfileUpdate, entered_while_in: bool) -> Self {
        Self { update, entered_while_in }
    }

    /// The gaps. Costs a look at each ID and at each merged profile.
    pub fn find(self) -> Gaps {
        let mut gaps = self.update.gaps();
        if let Some(count) = gaps.0.get_mut(Gap::EnteredWhileIn.place()) {
            *count = usize::from(self.entered_while_in);
        }
        gaps
    }
}

/// What is missing, and nothing of the update.
impl fmt::Debug for GapsOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.find().fmt(f)
    }
}

impl ProfileUpdate {
    /// What the update leaves out of what *once and only once* needs. Costs a look at each ID and at
    /// each merged profile, and no allocation.
    pub fn gaps(&self) -> Gaps {
        let without_time = |id: &&ExternalId| id.attached_at().is_none();
        let unstated = |profile: &&MergedProfile| {
            profile.membership() == Membership::In && profile.external_ids().is_none()
        };
        Gaps([
            usize::from(self.computed_at().is_none()),
            self.external_ids().iter().filter(without_time).count(),
            match self.trigger() {
                Trigger::ProfileMerge(profiles) => profiles.as_slice().iter().filter(unstated).count(),
                _ => 0,
            },
            0,
        ])
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::build::{at, entry};
    use crate::input::builder::ProfileUpdateBuilder;
    use crate::input::external_id::ExternalIdKey;

    fn complete(trigger: Trigger) -> ProfileUpdateBuilder {
        entry().computed_at(at(5)).trigger(trigger)
    }

    #[track_caller]
    fn assert_gaps(update: ProfileUpdateBuilder, expected: &[(Gap, usize)]) {
        let gaps = update.build().unwrap().gaps();
        let found: Vec<_> = gaps.iter().map(|gap| (gap, gaps.count(gap))).collect();
        assert_eq!(found, expected);
        assert_eq!(gaps.is_empty(), expected.is_empty());
        let counted: usize = Gap::ALL.into_iter().map(|gap| gaps.count(gap)).sum();
        assert_eq!(counted, expected.iter().map(|(_, count)| count).sum::<usize>());
        let mut iter = gaps.iter();
        for left in (0..expected.len()).rev() {
            iter.next().unwrap();
            assert_eq!(iter.len(), left);
        }
        assert_eq!(iter.next(), None);
    }

    #[test]
    fn an_update_that_says_all_has_none() {
        let id = ExternalId::new("email", "a").unwrap();
        let seen = id.clone().with_created_at(at(9));
        assert_gaps(complete(Trigger::ValueChanged).external_id(seen), &[]);
        assert_gaps(complete(Trigger::ValueChanged).external_id(id.with_attached_at(at(1))), &[]);
    }

    #[test]
    fn ids_without_a_time_are_counted() {
        let id = |id| ExternalId::new("email", id).unwrap();
        let ids = [id("a"), id("b").with_created_at(at(1)), id("c"), id("d"), id("d")];
        let update = complete(Trigger::ValueChanged).external_ids(ids);
        assert_gaps(update, &[(Gap::IdWithoutTime, 3)]);
    }

    #[test]
    fn members_of_which_nothing_is_known_are_counted() {
        let profile = |id, membership| MergedProfile::new(id, membership).unwrap();
        let key = ExternalIdKey::new("email", "a").unwrap();
        let merge = Trigger::profile_merge([
            profile("use_1", Membership::In),
            profile("use_2", Membership::Out),
            profile("use_3", Membership::In).holding([]),
            profile("use_4", Membership::In).holding([key]),
            profile("use_5", Membership::In),
        ]);
        assert_gaps(complete(merge.unwrap()), &[(Gap::UnstatedHoldings, 2)]);
    }

    #[test]
    fn gaps_add_up_and_come_in_the_order_of_their_table() {
        let own = MergedProfile::new("use_1", Membership::In).unwrap();
        let update = entry()
            .membership(Membership::Out)
            .trigger(Trigger::profile_merge([own]).unwrap())
            .external_id(ExternalId::new("email", "a").unwrap());
        assert_gaps(update, &[(Gap::NoComputedAt, 1), (Gap::IdWithoutTime, 1), (Gap::UnstatedHoldings, 1)]);
    }

    #[test]
    fn every_gap_has_its_place_and_texts_of_its_own() {
        for (place, gap) in Gap::ALL.into_iter().enumerate() {
            assert_eq!(gap.place(), place);
            let texts: Vec<_> = Gap::ALL.iter().flat_map(|gap| [gap.meaning(), gap.remedy()]).collect();
            assert_eq!(texts.iter().filter(|text| **text == gap.meaning()).count(), 1, "{gap}");
            assert_eq!(texts.iter().filter(|text| **text == gap.remedy()).count(), 1, "{gap}");
        }
    }
}
