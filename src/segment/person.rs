//! Who a call is about: the carrier of the call, and the addresses.

use crate::input::external_id::ExternalId;
use crate::input::update::ProfileUpdate;

/// Who a call is about, as destinations look for it.
#[derive(Clone, Copy)]
pub(super) struct Person<'a> {
    pub(super) carrier: Carrier<'a>,
    pub(super) email: Option<&'a str>,
    pub(super) phone: Option<&'a str>,
}

/// The one ID that a call can't be without. Never an email, which receivers would take for a new user.
#[derive(Clone, Copy)]
pub(super) enum Carrier<'a> {
    UserId(&'a str),
    AnonymousId(&'a str),
}

/// What the profile gives to a combination that doesn't name its person.
#[derive(Clone, Copy)]
pub(super) struct Profile<'a> {
    user_id: Option<&'a str>,
    anonymous_id: &'a str,
}

impl<'a> Profile<'a> {
    pub(super) fn of(update: &'a ProfileUpdate) -> Self {
        // Of each type the latest comes first.
        let visible = update.external_ids().iter().filter(|id| id.is_visible_at(update.computed_at()));
        let anonymous_id = of_type(visible.clone(), "anonymous_id");
        Self {
            user_id: of_type(visible, "user_id"),
            anonymous_id: anonymous_id.unwrap_or(update.profile_id()),
        }
    }

    /// Who carries a call whose combination names no person.
    pub(super) fn carrier(self) -> Carrier<'a> {
        self.user_id.map_or(Carrier::AnonymousId(self.anonymous_id), Carrier::UserId)
    }
}

impl<'a> Person<'a> {
    pub(super) fn new(
        combination: &(impl Iterator<Item = &'a ExternalId> + Clone),
        profile: Profile<'a>,
    ) -> Self {
        let of_type = |id_type| of_type(combination.clone(), id_type);
        let user_id = of_type("user_id").map(Carrier::UserId);
        let carrier = user_id.unwrap_or_else(|| match (profile.carrier(), of_type("anonymous_id")) {
            (Carrier::AnonymousId(_), Some(anonymous_id)) => Carrier::AnonymousId(anonymous_id),
            (of_profile, _) => of_profile,
        });
        let (email, phone) = (of_type("email"), of_type("phone"));
        Self { carrier, email: email.and_then(address::email), phone: phone.and_then(address::phone) }
    }

    /// How many bytes its texts have, each as often as a call repeats it.
    pub(super) fn bytes(&self) -> usize {
        let (Carrier::UserId(carrier) | Carrier::AnonymousId(carrier)) = self.carrier;
        let addresses = [self.email, self.phone].into_iter().flatten().map(str::len);
        let addresses = addresses.fold(0, usize::saturating_add);
        addresses.saturating_mul(2).saturating_add(carrier.len())
    }
}

/// The first ID of this type, or else of one that differs only in case, whose value can be read.
fn of_type<'a>(ids: impl Iterator<Item = &'a ExternalId> + Clone, id_type: &str) -> Option<&'a str> {
    let mut readable = ids.filter(|id| is_readable(id));
    let exactly = readable.clone().find(|id| id.id_type() == id_type);
    exactly.or_else(|| readable.find(|id| id.id_type().eq_ignore_ascii_case(id_type))).map(ExternalId::id)
}

/// Whether the value is what it says: the hash of an address is no address.
pub(super) fn is_readable(id: &ExternalId) -> bool {
    id.encoding() == "none"
}

/// What of an ID's value is an address.
pub(super) mod address {
    pub(in crate::segment) fn email(id: &str) -> Option<&str> {
        Some(id.trim()).filter(|email| !email.is_empty())
    }

    pub(in crate::segment) fn phone(id: &str) -> Option<&str> {
        Some(id).filter(|phone| super::is_e164(phone))
    }
}

/// A plus and up to 15 digits, the first of which is not 0, after ITU-T recommendation E.164: some
/// destinations refuse the whole call for a phone number of another form.
fn is_e164(phone: &str) -> bool {
    let Some(digits) = phone.strip_prefix('+') else { return false };
    (2..=15).contains(&digits.len())
        && !digits.starts_with('0')
        && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_number_is_a_plus_and_2_to_15_digits() {
        for phone in ["+14155550101", "+12", "+123456789012345"] {
            assert!(is_e164(phone), "{phone}");
        }
        for phone in [
            "",
            "+",
            "+1",
            "14155550101",
            "+04155550101",
            "+1234567890123456",
            "+1415 555",
            "+1415555010a",
            " +12",
            "+１２",
        ] {
            assert!(!is_e164(phone), "{phone}");
        }
    }
}
