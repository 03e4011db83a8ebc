//! How large the calls of an event get, without a look at each of them.
//!
//! A call's combination has one ID of each type, and what an ID adds to the size of the call does not depend on the
//! others, with few exceptions: who a call is about, and its addresses, are the first that can be read of types that
//! differ only in case, and the carrier of the call is a user ID if there is any.

use alloc::vec::Vec;

use serde::Serialize;

use crate::input::destination::Destination;
use crate::input::external_id::ExternalId;
use crate::segment::calls::Calls;
use crate::segment::json_size::json_size;
use crate::segment::person::{Carrier, Person, Profile, address, is_readable};
use crate::segment::render::Id;

impl<V: Serialize + ?Sized, P: Serialize> Calls<'_, V, P> {
    /// Of the destinations that share their calls, and of each of the others, the size of the largest call: how many
    /// bytes it has as compact JSON. Calls that are too large to be sent count like others; destinations without a
    /// call are left out.
    ///
    /// Costs a look at each of the event's IDs, whatever the number of calls.
    pub fn largest_sizes(&self) -> impl Iterator<Item = (&[&Destination], usize)> {
        let most = self.most_bytes_of_ids();
        self.receivers.iter().filter_map(move |receivers| {
            let first = self.call_at(receivers, 0)?;
            let mut size = first.json_size();
            // An Engage sender has one call.
            if !first.is_engage() {
                let ids = first.external_ids().map(id_size).fold(0, usize::saturating_add);
                let of_first = ids.saturating_add(person_size(&first.person));
                size = size.saturating_sub(of_first).saturating_add(most);
            }
            Some((self.members(receivers), size))
        })
    }

    /// How many bytes a combination and its person have in a call, at most.
    fn most_bytes_of_ids(&self) -> usize {
        let mut families = Role::ALL.map(|role| (role, Vec::new()));
        let mut others: usize = 0;
        let mut ids = self.event().id_group().external_ids().iter();
        for length in self.messages.lengths() {
            let of_type: Vec<&ExternalId> = ids.by_ref().take(length).collect();
            let Some(id_type) = of_type.first().map(|id| id.id_type()) else { continue };
            let family = families.iter_mut().find(|(role, _)| role.name().eq_ignore_ascii_case(id_type));
            let Some((role, family)) = family else {
                others = others.saturating_add(of_type.into_iter().map(id_size).max().unwrap_or(0));
                continue;
            };
            // The exact name is looked for first.
            let position = if role.name() == id_type { 0 } else { family.len() };
            family.insert(position, OneType::new(*role, &of_type));
        }
        let [email, phone, user_id, anonymous_id] = families.map(|(_, types)| Family::new(&types));
        let carriers = carriers(user_id, anonymous_id, self.profile);
        others.saturating_add(addresses(email, phone)).saturating_add(carriers)
    }
}

/// What an ID can be to its call, by its type.
#[derive(Clone, Copy)]
enum Role {
    Email,
    Phone,
    UserId,
    AnonymousId,
}

impl Role {
    const ALL: [Self; 4] = [Self::Email, Self::Phone, Self::UserId, Self::AnonymousId];

    const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::UserId => "user_id",
            Self::AnonymousId => "anonymous_id",
        }
    }

    /// How many bytes an ID adds that is chosen for this; `None` if that makes no difference.
    fn bytes(self, id: &ExternalId) -> Option<usize> {
        match self {
            Self::Email => address::email(id.id()).map(|email| address_size(self.name(), email)),
            Self::Phone => address::phone(id.id()).map(|phone| address_size(self.name(), phone)),
            Self::UserId => Some(carrier_size(Carrier::UserId(id.id()))),
            Self::AnonymousId => Some(carrier_size(Carrier::AnonymousId(id.id()))),
        }
    }
}

/// The most bytes that an ID of one type adds; `None` where there is no such ID.
struct OneType {
    any: usize,
    unreadable: Option<usize>,
    /// Chosen for its role, and of use.
    useful: Option<usize>,
    /// Chosen for its role, and no address.
    useless: Option<usize>,
}

impl OneType {
    fn new(role: Role, ids: &[&ExternalId]) -> Self {
        let readable = || ids.iter().copied().filter(|id| is_readable(id));
        let useful = readable().filter_map(|id| Some(id_size(id).saturating_add(role.bytes(id)?)));
        let useless = readable().filter(|id| role.bytes(id).is_none());
        let unreadable = ids.iter().copied().filter(|id| !is_readable(id));
        Self {
            any: ids.iter().copied().map(id_size).max().unwrap_or(0),
            unreadable: unreadable.map(id_size).max(),
            useful: useful.max(),
            useless: useless.map(id_size).max(),
        }
    }
}

/// The most bytes that IDs of types add which differ only in case, by what is chosen of them; `None` where that
/// can't be.
#[derive(Clone, Copy)]
struct Family {
    /// Nothing is.
    none: Option<usize>,
    useful: Option<usize>,
    useless: Option<usize>,
    /// Whatever is, without what it adds as the chosen one.
    any: usize,
}

impl Family {
    /// The first that can be read is chosen.
    fn new(types: &[OneType]) -> Self {
        let nothing = Self { none: Some(0), useful: None, useless: None, any: 0 };
        types.iter().fold(nothing, |before, one| Self {
            useful: before.useful.and_plus(Some(one.any)).max(before.none.and_plus(one.useful)),
            useless: before.useless.and_plus(Some(one.any)).max(before.none.and_plus(one.useless)),
            none: before.none.and_plus(one.unreadable),
            any: before.any.saturating_add(one.any),
        })
    }

    fn without(self) -> Option<usize> {
        self.none.max(self.useless)
    }
}

trait AndPlus {
    fn and_plus(self, other: Self) -> Self;
}

impl AndPlus for Option<usize> {
    fn and_plus(self, other: Self) -> Self {
        Some(self?.saturating_add(other?))
    }
}

fn addresses(email: Family, phone: Family) -> usize {
    let both = email.useful.and_plus(phone.useful).and_plus(Some(BETWEEN_ADDRESSES));
    let one = email.useful.and_plus(phone.without()).max(email.without().and_plus(phone.useful));
    both.max(one).max(email.without().and_plus(phone.without())).unwrap_or(0)
}

fn carriers(user_id: Family, anonymous_id: Family, profile: Profile<'_>) -> usize {
    let instead = match profile.carrier() {
        user_id @ Carrier::UserId(_) => Some(carrier_size(user_id).saturating_add(anonymous_id.any)),
        id @ Carrier::AnonymousId(_) => {
            anonymous_id.useful.max(anonymous_id.none.and_plus(Some(carrier_size(id))))
        }
    };
    let chosen = user_id.useful.and_plus(Some(anonymous_id.any));
    chosen.max(user_id.none.and_plus(instead)).unwrap_or(0)
}

fn id_size(id: &ExternalId) -> usize {
    size_of_text(&Id { id, is_subscribed: None })
}

/// All that a call's person adds to it.
fn person_size(person: &Person<'_>) -> usize {
    let addresses = [(Role::Email, person.email), (Role::Phone, person.phone)]
        .map(|(role, address)| Some(address_size(role.name(), address?)));
    let between = if addresses.iter().all(Option::is_some) { BETWEEN_ADDRESSES } else { 0 };
    let addresses = addresses.into_iter().flatten().fold(between, usize::saturating_add);
    addresses.saturating_add(carrier_size(person.carrier))
}

/// The comma in `context.traits`; in `traits` and `properties` each address has its own.
const BETWEEN_ADDRESSES: usize = 1;

/// `"email":…` or `"phone":…` twice, and a comma.
fn address_size(name: &str, address: &str) -> usize {
    let once = size_of_text(address).saturating_add(size_of_text(name)).saturating_add(1);
    once.saturating_mul(2).saturating_add(1)
}

fn carrier_size(carrier: Carrier<'_>) -> usize {
    let (name, id) = match carrier {
        Carrier::UserId(id) => ("userId", id),
        Carrier::AnonymousId(id) => ("anonymousId", id),
    };
    size_of_text(id).saturating_add(name.len())
}

/// Texts, and objects of texts, can always be written.
fn size_of_text<T: Serialize + ?Sized>(text: &T) -> usize {
    json_size(text).unwrap_or(usize::MAX)
}
