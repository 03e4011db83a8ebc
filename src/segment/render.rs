//! How a call is written. Which field stands where, and why, is in `docs/SEGMENT.md`.

use core::fmt::{self, Write};

use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};

use crate::input::external_id::ExternalId;
use crate::input::membership::Membership;
use crate::segment::call::Call;
use crate::segment::computed::{Class, Computed};
use crate::segment::person::{Carrier, Person};
use crate::segment::settings::CallType;
use crate::segment::text::hexadecimal;

/// As it is sent.
impl<V: Serialize + ?Sized, P: Serialize> Serialize for Call<'_, V, P> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let computed = &self.receivers.computed;
        let is_track = self.call_type() == CallType::Track;
        let fields = 7_usize.saturating_add(is_track.into()).saturating_add(self.is_engage().into());
        let mut call = serializer.serialize_map(Some(fields))?;
        call.serialize_entry("type", &self.call_type())?;
        if is_track {
            call.serialize_entry("event", computed.event_name())?;
        }
        call.serialize_entry("messageId", hexadecimal(self.id.as_bytes()).as_str())?;
        call.serialize_entry("timestamp", computed.timestamp.as_str())?;
        match self.person.carrier {
            Carrier::UserId(id) => call.serialize_entry("userId", id)?,
            Carrier::AnonymousId(id) => call.serialize_entry("anonymousId", id)?,
        }
        // One of the two and never both: half of the destinations look for the membership in the one
        // first, half in the other, and take its absence for an exit.
        match self.call_type() {
            CallType::Identify => call.serialize_entry("traits", &Traits(self))?,
            CallType::Track => call.serialize_entry("properties", &Properties(self))?,
        }
        call.serialize_entry("context", &Context(self))?;
        call.serialize_entry("integrations", &Integrations(self))?;
        if self.is_engage() {
            call.serialize_entry("external_ids", &Addresses(self))?;
        }
        call.end()
    }
}

/// Those of an `identify`.
struct Traits<'c, 'm, V: ?Sized, P>(&'c Call<'m, V, P>);

impl<V: Serialize + ?Sized, P> Serialize for Traits<'_, '_, V, P> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = count(&self.0.person).saturating_add(1);
        let mut traits = serializer.serialize_map(Some(fields))?;
        addresses(&self.0.person, &mut traits)?;
        outcome(self.0, &mut traits)?;
        traits.end()
    }
}

/// Those of a `track`.
struct Properties<'c, 'm, V: ?Sized, P>(&'c Call<'m, V, P>);

impl<V: Serialize + ?Sized, P> Serialize for Properties<'_, '_, V, P> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let computed = &self.0.receivers.computed;
        let fields = count(&self.0.person).saturating_add(2);
        let mut properties = serializer.serialize_map(Some(fields))?;
        properties.serialize_entry(computed.key_property(), computed.key)?;
        outcome(self.0, &mut properties)?;
        addresses(&self.0.person, &mut properties)?;
        properties.end()
    }
}

/// How many addresses there are.
fn count(person: &Person<'_>) -> usize {
    usize::from(person.email.is_some()).saturating_add(person.phone.is_some().into())
}

/// One of each, as strings: for a list of addresses nearly every destination refuses the call.
fn addresses<M: SerializeMap>(person: &Person<'_>, map: &mut M) -> Result<(), M::Error> {
    for (name, address) in [("email", person.email), ("phone", person.phone)] {
        if let Some(address) = address {
            map.serialize_entry(name, address)?;
        }
    }
    Ok(())
}

/// The membership, a boolean and nothing that looks like one, or the value of the trait.
fn outcome<V: Serialize + ?Sized, P, M: SerializeMap>(
    call: &Call<'_, V, P>,
    map: &mut M,
) -> Result<(), M::Error> {
    let Computed { class, key, membership, .. } = call.receivers.computed;
    match (class, membership) {
        (Class::Audience | Class::JourneyStep, _) => {
            map.serialize_entry(key, &(membership == Membership::In))
        }
        (Class::Trait, Membership::In) => map.serialize_entry(key, &call.calls.supplied.value),
        (Class::Trait, Membership::Out) => map.serialize_entry(key, &()),
    }
}

struct Context<'c, 'm, V: ?Sized, P>(&'c Call<'m, V, P>);

impl<V: ?Sized, P: Serialize> Serialize for Context<'_, '_, V, P> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut context = serializer.serialize_struct("Context", 3)?;
        context.serialize_field("traits", &ContextTraits(&self.0.person))?;
        context.serialize_field("externalIds", &Combination(self.0))?;
        context.serialize_field("personas", &Personas(self.0))?;
        context.end()
    }
}

struct ContextTraits<'c, 'm>(&'c Person<'m>);

impl Serialize for ContextTraits<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut traits = serializer.serialize_map(Some(count(self.0)))?;
        addresses(self.0, &mut traits)?;
        traits.end()
    }
}

struct Combination<'c, 'm, V: ?Sized, P>(&'c Call<'m, V, P>);

impl<V: ?Sized, P> Serialize for Combination<'_, '_, V, P> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.external_ids().map(|id| Id { id, is_subscribed: None }))
    }
}

struct Addresses<'c, 'm, V: ?Sized, P>(&'c Call<'m, V, P>);

impl<V: Serialize + ?Sized, P: Serialize> Serialize for Addresses<'_, '_, V, P> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let addresses = self.0.calls.addresses();
        serializer.collect_seq(addresses.map(|id| Id { id, is_subscribed: Some(is_subscribed(id)) }))
    }
}

/// A sender passes over whatever does not say that it is subscribed: who has not unsubscribed is.
fn is_subscribed(id: &ExternalId) -> bool {
    id.subscribed() != Some(false)
}

pub(super) struct Id<'m> {
    pub(super) id: &'m ExternalId,
    pub(super) is_subscribed: Option<bool>,
}

impl Serialize for Id<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = 4_usize.saturating_add(self.is_subscribed.is_some().into());
        let mut object = serializer.serialize_map(Some(fields))?;
        object.serialize_entry("id", self.id.id())?;
        object.serialize_entry("type", &LowerCase(self.id.id_type()))?;
        object.serialize_entry("collection", self.id.collection().as_str())?;
        object.serialize_entry("encoding", self.id.encoding())?;
        if let Some(is_subscribed) = self.is_subscribed {
            object.serialize_entry("isSubscribed", &is_subscribed)?;
        }
        object.end()
    }
}

/// Senders compare types byte for byte, and know none with a capital.
struct LowerCase<'t>(&'t str);

impl Serialize for LowerCase<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => serializer.collect_str(self),
            false => serializer.serialize_str(self.0),
        }
    }
}

impl fmt::Display for LowerCase<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| f.write_char(character.to_ascii_lowercase()))
    }
}

struct Personas<'c, 'm, V: ?Sized, P>(&'c Call<'m, V, P>);

/// The fields of `context.personas` that a call has of its own.
const OWN_FIELDS: [&str; 7] = [
    "computation_class",
    "computation_id",
    "computation_key",
    "namespace",
    "space_id",
    "external_audience_id",
    "audience_settings",
];

impl<V: ?Sized, P> Personas<'_, '_, V, P> {
    /// What the caller passes through, each name once, and none that a call has of its own.
    fn supplied(&self) -> impl Iterator<Item = &(&str, P)> + Clone {
        let all = self.0.calls.supplied.personas;
        let is_repeat = move |index, name: &str| all.iter().take(index).any(|(earlier, _)| *earlier == name);
        let passes = move |(index, (name, _)): &(usize, &(&str, P))| {
            !is_repeat(*index, name) && !OWN_FIELDS.contains(name)
        };
        all.iter().enumerate().filter(passes).map(|(_, field)| field)
    }
}

impl<V: ?Sized, P: Serialize> Serialize for Personas<'_, '_, V, P> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let computed = &self.0.receivers.computed;
        let settings = self.0.receivers.route.settings;
        let supplied = self.supplied();
        let own = [settings.external_audience_id().is_some(), settings.audience_settings().is_some()];
        let own = own.into_iter().filter(|is_there| *is_there).count().saturating_add(5);
        let fields = own.saturating_add(supplied.clone().count());
        let mut personas = serializer.serialize_map(Some(fields))?;
        personas.serialize_entry("computation_class", computed.class.as_str())?;
        personas.serialize_entry("computation_id", computed.id)?;
        personas.serialize_entry("computation_key", computed.key)?;
        personas.serialize_entry("namespace", computed.space_id)?;
        personas.serialize_entry("space_id", computed.space_id)?;
        if let Some(id) = settings.external_audience_id() {
            personas.serialize_entry("external_audience_id", id)?;
        }
        if let Some(settings) = settings.audience_settings() {
            personas.serialize_entry("audience_settings", settings)?;
        }
        for (name, value) in supplied {
            personas.serialize_entry(name, value)?;
        }
        personas.end()
    }
}

struct Integrations<'c, 'm, V: ?Sized, P>(&'c Call<'m, V, P>);

impl<V: ?Sized, P> Serialize for Integrations<'_, '_, V, P> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = self.0.destinations().len().saturating_add(1);
        let mut integrations = serializer.serialize_map(Some(fields))?;
        integrations.serialize_entry("All", &false)?;
        for name in self.0.destinations().iter().filter_map(|destination| destination.name()) {
            integrations.serialize_entry(name, &true)?;
        }
        integrations.end()
    }
}
