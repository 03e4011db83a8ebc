//! Which external IDs a destination is sent: of each type the latest, the first or all, and only those
//! with consent.

use crate::label::labels;

/// Which IDs of a type a destination is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum IdStrategy {
    /// `latest`: the one that was first seen last.
    #[default]
    Latest,
    /// `first`: the one that was first seen first.
    First,
    /// `all`: each one. Not for a destination that dedupes.
    All,
}

labels!(IdStrategy { Latest => "latest", First => "first", All => "all" });

/// Which external IDs a destination may be sent, by whether the person has subscribed with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Consent {
    /// `required`: only IDs that are known to be subscribed.
    Required,
    /// `not_refused`: all IDs but those that are known to be unsubscribed.
    NotRefused,
}

labels!(Consent { Required => "required", NotRefused => "not_refused" });

impl Consent {
    /// Whether an ID may be sent that is known to be subscribed, or unsubscribed, or not known to be
    /// either.
    pub const fn permits(self, subscribed: Option<bool>) -> bool {
        match (self, subscribed) {
            (_, Some(subscribed)) => subscribed,
            (Self::Required, None) => false,
            (Self::NotRefused, None) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consent_is_what_is_known_of_it() {
        let permitted =
            |consent: Consent| [Some(true), None, Some(false)].map(|known| consent.permits(known));
        assert_eq!(permitted(Consent::Required), [true, false, false]);
        assert_eq!(permitted(Consent::NotRefused), [true, true, false]);
    }
}
