//! What the promise rests on, and what a search may take away.

use crate::ids::IdSet;

/// The bounds of a search, and the one assumption that does not hold in it.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub without: Option<Without>,
    /// How many profiles there are: two or three.
    pub profiles: usize,
    /// The IDs that there are.
    pub ids: IdSet,
    pub consent: Consents,
}

/// Whether the deduping destinations ask for consent, which IDs then have or have not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consents {
    NotAskedFor,
    AskedFor,
}

/// One part of what the promise rests on, dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Without {
    /// Two changes of a profile emit updates with the same id.
    OwnUpdateIds,
    /// An update may never be delivered.
    Delivery,
    /// The list may lack IDs that the profile had when the update was computed.
    CompleteLists,
    /// `computed_at` comes from a clock that is behind.
    ComputedAtOnTime,
    /// `computed_at` comes from a clock that is ahead.
    ComputedAtNotAhead,
    /// Two changes may happen at the same value of the clock.
    DistinctTimes,
    /// IDs that a merge brought do not carry the merge's time.
    MergeTimes,
    /// IDs that came to a profile later than they were first seen carry only the time of the latter.
    AttachTimes,
    /// IDs carry no times at all.
    IdTimes,
    /// IDs carry no times if they came to a profile before it first entered. Harmless.
    IdTimesBeforeEntry,
    /// An ID attached by the moment of entry emits an update of its own once the profile is in.
    SilenceAtEntry,
    /// A messaged ID may be removed.
    KeptIds,
    /// A merge does not state what its profiles held.
    StatedIds,
    /// A merge states that its profiles held nothing.
    TrueStatements,
    /// The receiver keeps repeats of a message id.
    DroppedRepeats,
    /// Updates have no `computed_at`.
    ComputedAt,
    /// An entry by merge emits an entry beside the merge.
    OneUpdatePerEntry,
    /// A merge emits the IDs that it brought as new ones too.
    OneUpdatePerMerge,
    /// Updates of a profile that was merged away are looked up as if they were the survivor's.
    OwnPointOfView,
    /// Updates of a profile that was merged away are delivered again under the survivor's id.
    FixedProfileIds,
    /// Entries are computed after the next change.
    PromptEntries,
    /// Merges are computed after the next change.
    PromptMerges,
    /// New IDs are computed after the next ID came. Harmless.
    PromptNewIds,
    /// The list may hold an ID that was removed and came back with its new time.
    LastingPossession,
    /// Where consent is asked for, it is given and taken back in a stay, too.
    LastingConsent,
    /// Where consent is asked for, it is given and taken back after a stay, and its updates are looked up then.
    ConsentUntilLookedUp,
    /// Where consent is asked for, members with IDs that refuse are merged.
    ConsentOfMergedMembers,
}

impl Rules {
    pub fn all_hold() -> Self {
        Self { without: None, profiles: 2, ids: IdSet(0b1111), consent: Consents::NotAskedFor }
    }

    /// All hold, and destinations ask for consent of two emails and a phone.
    pub fn with_consent() -> Self {
        Self { ids: IdSet(0b0111), consent: Consents::AskedFor, ..Self::all_hold() }
    }

    pub fn without(without: Without) -> Self {
        Self { without: Some(without), ..Self::all_hold() }
    }

    pub fn lack(&self, without: Without) -> bool {
        self.without == Some(without)
    }
}
