//! What only the caller knows about destinations: which call each one takes.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, btree_map};
use core::iter::FusedIterator;

use serde::de::MapAccess;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::input::error::{InputError, Problem, excerpt};
use crate::input::read::field::{Field, non_empty};
use crate::input::read::number::{self, ARBITRARY_PRECISION};
use crate::input::read::object::{FieldName, RefusingUnknown, object};
use crate::input::read::shape::{FromShape, Shape, Switch, Text};
use crate::input::read::{Read, deserialize_by_read};
use crate::label::labels;
use crate::segment::audience_settings::AudienceSettings;

/// How destinations are called, by their ids.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use idgroup::segment::{CallSettings, DestinationSettings};
///
/// let from_json: CallSettings = serde_json::from_str(
///     r#"{"dst_1":{"call":"track","engage":true},
///         "dst_2":{"call":"track","external_audience_id":"4711","audience_settings":{}},
///         "dst_3":{"call":"identify"}}"#,
/// )?;
/// let from_code = CallSettings::new([
///     ("dst_1", DestinationSettings::engage()),
///     (
///         "dst_2",
///         DestinationSettings::track()
///             .with_external_audience_id("4711")?
///             .with_audience_settings(serde_json::from_str("{}")?),
///     ),
///     ("dst_3", DestinationSettings::identify()),
/// ])?;
/// assert_eq!(from_json, from_code);
///
/// let misspelt = serde_json::from_str::<CallSettings>(r#"{"dst_1":{"cal":"track"}}"#);
/// assert_eq!(
///     misspelt.unwrap_err().to_string(),
///     "`dst_1.cal` is not a known field, \
///      expected `call`, `engage`, `external_audience_id` or `audience_settings`",
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallSettings(BTreeMap<Box<str>, DestinationSettings>);

/// The settings of [`CallSettings`], with the ids that they belong to, by id.
#[derive(Clone, Debug)]
pub struct CallSettingsIter<'s>(btree_map::Iter<'s, Box<str>, DestinationSettings>);

/// How one destination is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationSettings {
    audience: Audience,
    external_audience_id: Option<Box<str>>,
    audience_settings: Option<AudienceSettings>,
}

/// Who listens to a call, and so its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Audience {
    One(CallType),
    /// An Engage sender: takes a `track` with the list of all addresses, and chooses one itself.
    Sender,
}

/// The two kinds of calls that destinations are told of a computation with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallType {
    /// What happened: somebody entered or exited.
    Track,
    /// Who somebody is, with the membership as a trait.
    Identify,
}

impl CallSettings {
    /// The settings of some destinations, by their ids.
    ///
    /// # Errors
    ///
    /// An empty id; the same id twice.
    pub fn new<'a, I: Into<Cow<'a, str>>>(
        settings: impl IntoIterator<Item = (I, DestinationSettings)>,
    ) -> Result<Self, InputError> {
        let mut by_id = BTreeMap::new();
        for (id, of_destination) in settings {
            insert(&mut by_id, id.into(), of_destination)?;
        }
        Ok(Self(by_id))
    }

    /// The settings of the destination with this id.
    pub fn get(&self, id: &str) -> Option<&DestinationSettings> {
        self.0.get(id)
    }

    /// The settings and the ids that they belong to, by id.
    pub fn iter(&self) -> CallSettingsIter<'_> {
        CallSettingsIter(self.0.iter())
    }
}

impl<'s> Iterator for CallSettingsIter<'s> {
    type Item = (&'s str, &'s DestinationSettings);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(id, settings)| (&**id, settings))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for CallSettingsIter<'_> {}

impl FusedIterator for CallSettingsIter<'_> {}

impl<'s> IntoIterator for &'s CallSettings {
    type Item = (&'s str, &'s DestinationSettings);
    type IntoIter = CallSettingsIter<'s>;

    fn into_iter(self) -> CallSettingsIter<'s> {
        self.iter()
    }
}

fn insert(
    by_id: &mut BTreeMap<Box<str>, DestinationSettings>,
    id: Cow<'_, str>,
    settings: DestinationSettings,
) -> Result<(), InputError> {
    let id: Box<str> = non_empty("", id)?;
    if by_id.contains_key(&id) {
        return Err(InputError::new("", Problem::Duplicate { value: excerpt(&id) }));
    }
    by_id.insert(id, settings);
    Ok(())
}

impl DestinationSettings {
    /// For lists, and whoever wants the event.
    pub fn track() -> Self {
        Self::of(Audience::One(CallType::Track))
    }

    /// For profile stores, which keep the membership as a trait.
    pub fn identify() -> Self {
        Self::of(Audience::One(CallType::Identify))
    }

    /// For Engage senders: one `track` for all IDs of an event, of which the sender takes its pick.
    pub fn engage() -> Self {
        Self::of(Audience::Sender)
    }

    fn of(audience: Audience) -> Self {
        Self { audience, external_audience_id: None, audience_settings: None }
    }

    /// The same settings with the id that the list has at the destination.
    ///
    /// # Errors
    ///
    /// An empty id.
    pub fn with_external_audience_id<'a>(self, id: impl Into<Cow<'a, str>>) -> Result<Self, InputError> {
        Ok(Self { external_audience_id: Some(non_empty("external_audience_id", id)?), ..self })
    }

    /// The same settings with the id that the list has at the destination, or without one.
    ///
    /// # Errors
    ///
    /// `Some` of an empty id.
    pub fn maybe_external_audience_id<'a>(
        self,
        id: Option<impl Into<Cow<'a, str>>>,
    ) -> Result<Self, InputError> {
        match id {
            Some(id) => self.with_external_audience_id(id),
            None => Ok(Self { external_audience_id: None, ..self }),
        }
    }

    /// The same settings with what the destination was told when the list was made.
    pub fn with_audience_settings(self, settings: AudienceSettings) -> Self {
        Self { audience_settings: Some(settings), ..self }
    }

    /// The same settings with what the destination was told when the list was made, or without.
    pub fn maybe_audience_settings(self, settings: Option<AudienceSettings>) -> Self {
        Self { audience_settings: settings, ..self }
    }

    /// The kind of call.
    pub fn call(&self) -> CallType {
        match self.audience {
            Audience::One(call) => call,
            Audience::Sender => CallType::Track,
        }
    }

    /// Whether the destination is an Engage sender.
    pub fn is_engage(&self) -> bool {
        self.audience == Audience::Sender
    }

    /// The id that the list has at the destination.
    pub fn external_audience_id(&self) -> Option<&str> {
        self.external_audience_id.as_deref()
    }

    /// What the destination was told when the list was made.
    pub fn audience_settings(&self) -> Option<&AudienceSettings> {
        self.audience_settings.as_ref()
    }

    /// Whether the destination keeps a list of members.
    pub(super) fn is_list(&self) -> bool {
        self.external_audience_id.is_some() || self.audience_settings.is_some()
    }
}

labels!(CallType { Track => "track", Identify => "identify" });

object! {
    RawSettings<'de>: RefusingUnknown {
        "call" => call: Text<'de>,
        "engage" => engage: Switch,
        "external_audience_id" => external_audience_id: Text<'de>,
        "audience_settings" => audience_settings: AudienceSettings,
    }
}

impl<'de> Read<'de> for DestinationSettings {
    type Raw = Field<RawSettings<'de>>;

    fn check(raw: Self::Raw) -> Result<Self, InputError> {
        let raw = raw.value()?;
        raw.unknown_fields.refuse()?;
        let call = raw.call.parsed("call")?;
        let audience = match (call, raw.engage.optional("engage")?) {
            (call, None | Some(Switch(false))) => Audience::One(call),
            (CallType::Track, Some(Switch(true))) => Audience::Sender,
            // Senders listen to nothing else.
            (CallType::Identify, Some(Switch(true))) => {
                return Err(InputError::unknown("call", call.as_str(), &["track"]));
            }
        };
        let external_audience_id = match raw.external_audience_id.optional("external_audience_id")? {
            Some(Text(id)) => Some(non_empty("external_audience_id", id)?),
            None => None,
        };
        let audience_settings = raw.audience_settings.optional("audience_settings")?;
        Ok(Self { audience, external_audience_id, audience_settings })
    }
}

/// The settings of all destinations, or the first one's error.
pub(crate) struct RawCallSettings(Result<BTreeMap<Box<str>, DestinationSettings>, InputError>);

impl Shape for RawCallSettings {
    const EXPECTED: &'static str = "an object";
}

impl<'de> FromShape<'de> for RawCallSettings {
    fn read_object<A: MapAccess<'de>>(field: &mut Field<Self>, mut object: A) -> Result<(), A::Error> {
        let mut all = Ok(BTreeMap::new());
        let mut next: Option<FieldName<'de>> = object.next_key()?;
        if next.as_ref().is_some_and(|name| name.0 == ARBITRARY_PRECISION) {
            *field = number::from_entry(object)?;
            return Ok(());
        }
        while let Some(FieldName(id)) = next {
            let raw = object.next_value()?;
            if let Ok(by_id) = &mut all {
                let settings = DestinationSettings::check(raw).map_err(|error| error.within(&id));
                if let Err(error) = settings.and_then(|settings| insert(by_id, id, settings)) {
                    all = Err(error);
                }
            }
            next = object.next_key()?;
        }
        *field = Field::Value(Self(all));
        Ok(())
    }
}

impl<'de> Read<'de> for CallSettings {
    type Raw = Field<RawCallSettings>;

    fn check(raw: Self::Raw) -> Result<Self, InputError> {
        raw.value()?.0.map(Self)
    }
}

deserialize_by_read!(CallSettings, DestinationSettings);

impl Serialize for DestinationSettings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let optional =
            [self.is_engage(), self.external_audience_id.is_some(), self.audience_settings.is_some()];
        let fields = optional.into_iter().filter(|is_there| *is_there).count().saturating_add(1);
        let mut object = serializer.serialize_struct("DestinationSettings", fields)?;
        object.serialize_field("call", &self.call())?;
        if self.is_engage() {
            object.serialize_field("engage", &true)?;
        }
        if let Some(id) = &self.external_audience_id {
            object.serialize_field("external_audience_id", id)?;
        }
        if let Some(settings) = &self.audience_settings {
            object.serialize_field("audience_settings", settings)?;
        }
        object.end()
    }
}

impl Serialize for CallSettings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}
