//! Verdicts and drop reasons, as labels: few values, never an ID.

use core::fmt;

use crate::label::labels;

/// What a decision says about a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// All external IDs are sent: the destination takes all.
    SendAll,
    /// Those external IDs are sent that the destination's settings choose: where it dedupes, one of each
    /// type that it dedupes on.
    SendSome,
    /// Nothing is sent.
    Drop(DropReason),
}

/// Why nothing is sent to a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// The profile left the computation.
    Exited,
    /// When the update was computed, the profile had no external ID of a type that the destination
    /// dedupes on.
    NoRelevantExternalId,
    /// The profile gained an ID, or was merged, but is not in the computation.
    NotAMember,
    /// None of the added IDs was, when the update was computed, one of the profile's and of a type that
    /// the destination dedupes on.
    AddedIdNotRelevant,
    /// The profile, or one that was merged into it, was messaged before.
    AlreadyMessaged,
    /// A profile that was merged into this one was in the computation, and the update does not say what
    /// IDs it held.
    MayHaveBeenMessaged,
    /// The profile lost an ID, which is no reason to message it.
    ExternalIdRemoved,
    /// The profile has no external ID that the destination is sent, which does not dedupe.
    NoExternalIds,
    /// There are external IDs that would be a reason to send something, and none of them has the consent
    /// that the destination asks for.
    NoConsent,
    /// A newer change of the profile's standing is remembered. Only a
    /// [decision with memory](crate::memory) says so.
    Superseded,
}

impl Verdict {
    /// The name on the wire and in metrics: `send_all`, `send_some` or `drop`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SendAll => "send_all",
            Self::SendSome => "send_some",
            Self::Drop(_) => "drop",
        }
    }

    /// Why nothing is sent, if nothing is.
    pub const fn drop_reason(self) -> Option<DropReason> {
        match self {
            Self::Drop(reason) => Some(reason),
            Self::SendAll | Self::SendSome => None,
        }
    }
}

labels!(DropReason {
    Exited => "exited",
    NoRelevantExternalId => "no_relevant_external_id",
    NotAMember => "not_a_member",
    AddedIdNotRelevant => "added_id_not_relevant",
    AlreadyMessaged => "already_messaged",
    MayHaveBeenMessaged => "may_have_been_messaged",
    ExternalIdRemoved => "external_id_removed",
    NoExternalIds => "no_external_ids",
    NoConsent => "no_consent",
    Superseded => "superseded",
});

impl DropReason {
    /// The reason as a sentence's end, for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Exited => "the profile left the computation",
            Self::NoRelevantExternalId => {
                "when the update was computed, the profile had no external ID of a type that the destination dedupes on"
            }
            Self::NotAMember => "the profile is not in the computation",
            Self::AddedIdNotRelevant => {
                "none of the added external IDs was, when the update was computed, one of the profile's and of a type that the destination dedupes on"
            }
            Self::AlreadyMessaged => "the profile, or one that was merged into it, was messaged before",
            Self::MayHaveBeenMessaged => {
                "a profile that was merged into this one may have been messaged: it was in the computation, and the update does not say what external IDs it held"
            }
            Self::ExternalIdRemoved => "losing an external ID is no reason to message a profile",
            Self::NoExternalIds => "the profile has no external IDs that the destination is sent",
            Self::NoConsent => {
                "no external ID that would be a reason to send something has the consent that the destination asks for"
            }
            Self::Superseded => "a newer change of the profile's standing is remembered",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
