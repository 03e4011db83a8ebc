//! External IDs: the customer's own identifiers of a profile.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use core::cmp::Ordering;
use core::fmt;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::input::error::InputError;
use crate::input::name::Name;
use crate::input::read::field::non_empty;
use crate::input::timestamp::Timestamp;
use crate::label::labels;

/// What makes an external ID the one it is: collection, type and id, compared byte for byte.
///
/// The `Debug` form leaves the id out, because it is personal data.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExternalIdKey {
    // Declared in the order in which identities are compared.
    pub(super) collection: Collection,
    pub(super) id_type: Name,
    pub(super) id: Name,
}

/// An external ID of a profile, and when it came.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use idgroup::{Collection, ExternalId};
///
/// let email = ExternalId::new("email", "a@example.com")?.with_created_at("2025-12-01T08:00:00Z".parse()?);
/// assert_eq!(email.collection(), Collection::Users);
/// assert_eq!(email.encoding(), "none");
/// assert!(!format!("{email:?}").contains("a@example.com"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ExternalId {
    pub(super) key: ExternalIdKey,
    /// `None` for the encoding `none`, which nearly every ID has.
    pub(super) encoding: Option<Box<str>>,
    pub(super) created_at: Option<Timestamp>,
    /// As given: the default is applied when it is read, after repeats of the ID have been merged.
    pub(super) attached_at: Option<Timestamp>,
    pub(super) subscribed: Option<bool>,
}

/// The kind of object that an external ID identifies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Collection {
    // Declared in the order of their names' bytes, in which they are compared.
    /// A company, a team: `accounts`.
    Accounts,
    /// A person: `users`.
    #[default]
    Users,
}

pub(super) const NO_ENCODING: &str = "none";

impl ExternalIdKey {
    /// An identity in the collection [`Users`](Collection::Users).
    ///
    /// # Errors
    ///
    /// An empty `id_type` or `id`.
    pub fn new<'a>(
        id_type: impl Into<Cow<'a, str>>,
        id: impl Into<Cow<'a, str>>,
    ) -> Result<Self, InputError> {
        Ok(Self {
            collection: Collection::default(),
            id_type: non_empty("type", id_type)?,
            id: non_empty("id", id)?,
        })
    }

    /// The same identity in another collection.
    pub fn with_collection(self, collection: Collection) -> Self {
        Self { collection, ..self }
    }

    /// The collection.
    pub fn collection(&self) -> Collection {
        self.collection
    }

    /// The type, such as `email`.
    pub fn id_type(&self) -> &str {
        &self.id_type
    }

    /// The value: personal data.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl ExternalId {
    /// An external ID in the collection [`Users`](Collection::Users), not encoded, and with
    /// unknown times.
    ///
    /// # Errors
    ///
    /// An empty `id_type` or `id`.
    pub fn new<'a>(
        id_type: impl Into<Cow<'a, str>>,
        id: impl Into<Cow<'a, str>>,
    ) -> Result<Self, InputError> {
        Ok(ExternalIdKey::new(id_type, id)?.into())
    }

    /// The same ID in another collection.
    pub fn with_collection(self, collection: Collection) -> Self {
        Self { key: self.key.with_collection(collection), ..self }
    }

    /// The same ID with the name of its encoding; `none` without this call.
    pub fn with_encoding<'a>(self, encoding: impl Into<Cow<'a, str>>) -> Self {
        let encoding = encoding.into();
        Self { encoding: (encoding != NO_ENCODING).then(|| encoding.into_owned().into()), ..self }
    }

    /// The same ID, first seen at `created_at`.
    pub fn with_created_at(self, created_at: Timestamp) -> Self {
        Self { created_at: Some(created_at), ..self }
    }

    /// The same ID, come to this profile at `attached_at`: needed only where that is later than
    /// when it was first seen, as for an ID that a merge brought.
    pub fn with_attached_at(self, attached_at: Timestamp) -> Self {
        Self { attached_at: Some(attached_at), ..self }
    }

    /// The same ID, first seen at `created_at`, or at an unknown time if `None`.
    pub fn maybe_created_at(self, created_at: Option<Timestamp>) -> Self {
        Self { created_at, ..self }
    }

    /// The same ID, come to this profile at `attached_at`, or when it was first seen if `None`.
    pub fn maybe_attached_at(self, attached_at: Option<Timestamp>) -> Self {
        Self { attached_at, ..self }
    }

    /// The same ID, known to be subscribed or unsubscribed: whether the person agrees to be messaged with
    /// it. Looked at only for destinations that ask for consent.
    pub fn with_subscribed(self, subscribed: bool) -> Self {
        Self { subscribed: Some(subscribed), ..self }
    }

    /// The same ID, subscribed or unsubscribed if that is known.
    pub fn maybe_subscribed(self, subscribed: Option<bool>) -> Self {
        Self { subscribed, ..self }
    }

    /// Collection, type and id.
    pub fn key(&self) -> &ExternalIdKey {
        &self.key
    }

    /// The collection.
    pub fn collection(&self) -> Collection {
        self.key.collection
    }

    /// The type, such as `email`.
    pub fn id_type(&self) -> &str {
        &self.key.id_type
    }

    /// The value: personal data.
    pub fn id(&self) -> &str {
        &self.key.id
    }

    /// How the value is encoded, `none` if it is not.
    pub fn encoding(&self) -> &str {
        self.encoding.as_deref().unwrap_or(NO_ENCODING)
    }

    /// When the ID was first seen, if that is known: back-filled IDs have no such time.
    pub fn created_at(&self) -> Option<Timestamp> {
        self.created_at
    }

    /// When the ID came to this profile: what was given, or else [`created_at`](Self::created_at).
    pub fn attached_at(&self) -> Option<Timestamp> {
        self.attached_at.or(self.created_at)
    }

    /// The same ID as events carry it.
    pub(crate) fn without_times(&self) -> Self {
        Self {
            key: self.key.clone(),
            encoding: self.encoding.clone(),
            created_at: None,
            attached_at: None,
            subscribed: None,
        }
    }

    /// Whether the person agrees to be messaged with this ID, if that is known.
    pub fn subscribed(&self) -> Option<bool> {
        self.subscribed
    }

    /// Takes over what a repeat of this ID knows better: the earlier of two known times, and an
    /// encoding rather than none, of two encodings the smaller. It makes no difference which of the two
    /// comes first, so that the order of a list never does.
    pub(crate) fn merge_repeat(&mut self, repeat: Self) {
        debug_assert!(self.key == repeat.key, "only repeats of one ID are merged");
        self.created_at = smallest_known(self.created_at, repeat.created_at);
        self.attached_at = smallest_known(self.attached_at, repeat.attached_at);
        self.encoding = smallest_known(self.encoding.take(), repeat.encoding);
        // Who has unsubscribed once is not to be messaged.
        self.subscribed = smallest_known(self.subscribed, repeat.subscribed);
    }

    /// The order in which an update lists IDs: by type and, within a type, from latest to earliest. The
    /// latest is the greatest by `created_at`, an unknown one before every known one, then by identity.
    pub(crate) fn cmp_listed(&self, other: &Self) -> Ordering {
        let by_type = self.key.id_type.cmp(&other.key.id_type);
        by_type
            .then_with(|| other.created_at.cmp(&self.created_at))
            .then_with(|| other.key.collection.cmp(&self.key.collection))
            .then_with(|| other.key.id.cmp(&self.key.id))
    }

    /// Whether this ID came to the profile earlier than `other`: by `attached_at`, an unknown one
    /// before every known one, then by identity.
    pub(crate) fn came_earlier_than(&self, other: &Self) -> bool {
        (self.attached_at(), &self.key) < (other.attached_at(), &other.key)
    }

    /// Whether the ID was on the profile when the update was computed, as far as is known.
    pub(crate) fn is_visible_at(&self, computed_at: Option<Timestamp>) -> bool {
        match (self.attached_at(), computed_at) {
            (Some(attached_at), Some(computed_at)) => attached_at <= computed_at,
            _ => true,
        }
    }
}

fn smallest_known<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

labels!(Collection { Users => "users", Accounts => "accounts" });

impl From<ExternalIdKey> for ExternalId {
    fn from(key: ExternalIdKey) -> Self {
        Self { key, encoding: None, created_at: None, attached_at: None, subscribed: None }
    }
}

impl fmt::Debug for ExternalIdKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExternalIdKey")
            .field("collection", &self.collection)
            .field("id_type", &self.id_type)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ExternalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExternalId")
            .field("key", &self.key)
            .field("encoding", &self.encoding())
            .field("created_at", &self.created_at)
            .field("attached_at", &self.attached_at)
            .field("subscribed", &self.subscribed)
            .finish()
    }
}

impl Serialize for ExternalIdKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("ExternalIdKey", 3)?;
        object.serialize_field("type", self.id_type())?;
        object.serialize_field("id", self.id())?;
        object.serialize_field("collection", &self.collection)?;
        object.end()
    }
}

/// As in an update: with what is known, as it was given.
impl Serialize for ExternalId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let known = [self.created_at.is_some(), self.attached_at.is_some(), self.subscribed.is_some()];
        let fields = known.into_iter().filter(|known| *known).count().saturating_add(4);
        let mut object = serializer.serialize_struct("ExternalId", fields)?;
        object.serialize_field("type", self.id_type())?;
        object.serialize_field("id", self.id())?;
        object.serialize_field("collection", &self.collection())?;
        object.serialize_field("encoding", self.encoding())?;
        if let Some(created_at) = &self.created_at {
            object.serialize_field("created_at", created_at)?;
        }
        if let Some(attached_at) = &self.attached_at {
            object.serialize_field("attached_at", attached_at)?;
        }
        if let Some(subscribed) = &self.subscribed {
            object.serialize_field("subscribed", subscribed)?;
        }
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_may_be_given_as_options() {
        let id = || ExternalId::new("email", "a").unwrap();
        let (first, second) = (Timestamp::MIN, Timestamp::MAX);
        let known = id().with_created_at(first).with_attached_at(second);
        assert_eq!(id().maybe_created_at(Some(first)).maybe_attached_at(Some(second)), known);
        assert_eq!(known.clone().maybe_attached_at(None).attached_at(), Some(first));
        assert_eq!(known.maybe_created_at(None).maybe_attached_at(None), id());
    }
}
