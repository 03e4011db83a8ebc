//! A destination: where updates are fanned out to.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::{fmt, mem};

use serde::{Serialize, Serializer};

use crate::input::error::{InputError, Problem, excerpt};
use crate::input::id_choice::{Consent, IdStrategy};
use crate::input::read::field::{Field, non_empty};
use crate::input::read::object::{RefusingUnknown, object};
use crate::input::read::shape::{Entries, List, NonEmptyText, Text};
use crate::input::read::{Read, deserialize_by_read};

/// A destination that is connected to a computation.
///
/// Unknown fields in its JSON are refused: a misspelt `dedupes_on` would message people who must
/// not be messaged.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use idgroup::Destination;
///
/// let from_code = Destination::new("dst_1")?.with_name("SendGrid").deduping_on(["email"])?;
/// let from_json: Destination =
///     serde_json::from_str(r#"{"id":"dst_1","name":"SendGrid","dedupes_on":["email"]}"#)?;
/// assert_eq!(from_code, from_json);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Destination {
    id: Box<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dedupes_on: Option<Box<[Box<str>]>>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "serialize_strategies")]
    id_strategies: Option<Strategies>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consent: Option<Consent>,
}

/// By type, each once.
type Strategies = Box<[(Box<str>, IdStrategy)]>;

impl Destination {
    /// A destination that gets every update with all external IDs.
    ///
    /// # Errors
    ///
    /// An empty `id`.
    pub fn new<'a>(id: impl Into<Cow<'a, str>>) -> Result<Self, InputError> {
        Ok(Self {
            id: non_empty("id", id)?,
            name: None,
            dedupes_on: None,
            id_strategies: None,
            consent: None,
        })
    }

    /// The same destination with its integration's name, such as `SendGrid`.
    pub fn with_name<'a>(self, name: impl Into<Cow<'a, str>>) -> Self {
        Self { name: Some(name.into().into_owned().into()), ..self }
    }

    /// The same destination with its integration's name, or without one.
    pub fn maybe_name<'a>(self, name: Option<impl Into<Cow<'a, str>>>) -> Self {
        Self { name: name.map(|name| name.into().into_owned().into()), ..self }
    }

    /// The same destination, sending each profile one message, to the latest ID of each of these types
    /// unless a strategy says otherwise.
    ///
    /// # Errors
    ///
    /// No type at all; an empty type; a type with a strategy that is not among them.
    pub fn deduping_on<'a, T: Into<Cow<'a, str>>>(
        self,
        id_types: impl IntoIterator<Item = T>,
    ) -> Result<Self, InputError> {
        let id_types = id_types.into_iter().enumerate().map(|(index, id_type)| {
            non_empty("", id_type).map_err(|error| error.at(index).within("dedupes_on"))
        });
        let id_types = id_types.collect::<Result<_, _>>().and_then(type_set);
        id_types
            .map_err(|error| error.of_destination(&self.id))
            .and_then(|id_types| Self { dedupes_on: Some(id_types), ..self }.with_strategies_checked())
    }

    /// The same destination, deduping on these types, or getting every update with all IDs if `None`.
    ///
    /// # Errors
    ///
    /// Those of [`deduping_on`](Self::deduping_on).
    pub fn maybe_deduping_on<'a, T: Into<Cow<'a, str>>>(
        self,
        id_types: Option<impl IntoIterator<Item = T>>,
    ) -> Result<Self, InputError> {
        match id_types {
            Some(id_types) => self.deduping_on(id_types),
            None => Ok(Self { dedupes_on: None, ..self }),
        }
    }

    /// The same destination, sent only these types: of each the latest ID, the first, or all. Where it
    /// dedupes, this says which ID of a type that it dedupes on is sent.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use idgroup::{Destination, IdStrategy};
    ///
    /// let ads = Destination::new("ads")?;
    /// let ads = ads.with_id_strategies([("email", IdStrategy::Latest), ("phone", IdStrategy::All)])?;
    /// let mail = Destination::new("mail")?.deduping_on(["email"])?;
    /// assert!(mail.clone().with_id_strategies([("email", IdStrategy::First)]).is_ok());
    /// assert!(mail.with_id_strategies([("email", IdStrategy::All)]).is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// No type at all; an empty type; a type twice; where the destination dedupes, a type that it does
    /// not dedupe on, and [`IdStrategy::All`].
    pub fn with_id_strategies<'a, T: Into<Cow<'a, str>>>(
        self,
        strategies: impl IntoIterator<Item = (T, IdStrategy)>,
    ) -> Result<Self, InputError> {
        let named = strategies.into_iter().map(|(id_type, strategy)| Ok((id_type.into(), strategy)));
        match named.collect::<Result<Vec<_>, _>>().and_then(strategies_by_type) {
            Ok(strategies) => Self { id_strategies: Some(strategies), ..self }.with_strategies_checked(),
            Err(error) => Err(error.of_destination(&self.id)),
        }
    }

    /// The same destination with these strategies, or with none if `None`.
    ///
    /// # Errors
    ///
    /// Those of [`with_id_strategies`](Self::with_id_strategies).
    pub fn maybe_id_strategies<'a, T: Into<Cow<'a, str>>>(
        self,
        strategies: Option<impl IntoIterator<Item = (T, IdStrategy)>>,
    ) -> Result<Self, InputError> {
        match strategies {
            Some(strategies) => self.with_id_strategies(strategies),
            None => Ok(Self { id_strategies: None, ..self }),
        }
    }

    /// The same destination, sent only IDs with this consent, or whatever their consent if `None`.
    pub fn with_consent(self, consent: impl Into<Option<Consent>>) -> Self {
        Self { consent: consent.into(), ..self }
    }

    fn with_strategies_checked(self) -> Result<Self, InputError> {
        match check_strategies(self.dedupes_on.as_deref(), self.id_strategies.as_deref()) {
            Ok(()) => Ok(self),
            Err(error) => Err(error.of_destination(&self.id)),
        }
    }

    /// The id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The integration's name, if it was given.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The external ID types that the destination dedupes on, each once and sorted; `None` for a
    /// destination that gets every update with all IDs.
    pub fn dedupes_on(&self) -> Option<impl ExactSizeIterator<Item = &str> + Clone> {
        self.dedupes_on.as_ref().map(|id_types| id_types.iter().map(|id_type| &**id_type))
    }

    /// Which ID of each type is sent, by type; `None` where nothing is said.
    pub fn id_strategies(&self) -> Option<impl ExactSizeIterator<Item = (&str, IdStrategy)> + Clone> {
        self.id_strategies.as_ref().map(|named| named.iter().map(|(name, strategy)| (&**name, *strategy)))
    }

    /// The consent that an ID needs to be sent, if any.
    pub fn consent(&self) -> Option<Consent> {
        self.consent
    }

    /// Whether the destination gets every update with all external IDs, because it says nothing else.
    pub fn takes_all(&self) -> bool {
        self.dedupes_on.is_none() && self.id_strategies.is_none() && self.consent.is_none()
    }

    pub(crate) fn id_types(&self) -> Option<&[Box<str>]> {
        self.dedupes_on.as_deref()
    }

    pub(crate) fn strategies(&self) -> Option<&[(Box<str>, IdStrategy)]> {
        self.id_strategies.as_deref()
    }
}

fn type_set(mut id_types: Vec<Box<str>>) -> Result<Box<[Box<str>]>, InputError> {
    if id_types.is_empty() {
        return Err(InputError::new("dedupes_on", Problem::NoTypes));
    }
    id_types.sort_unstable();
    id_types.dedup();
    Ok(id_types.into())
}

fn strategies_by_type(named: Vec<(Cow<'_, str>, IdStrategy)>) -> Result<Strategies, InputError> {
    if named.is_empty() {
        return Err(InputError::new(ID_STRATEGIES, Problem::Empty));
    }
    let non_empty = |(index, (name, strategy))| match non_empty("", name) {
        Ok(name) => Ok((name, strategy)),
        Err(error) => Err(error.at(index).within(ID_STRATEGIES)),
    };
    let mut named =
        named.into_iter().enumerate().map(non_empty).collect::<Result<Vec<(Box<str>, IdStrategy)>, _>>()?;
    named.sort_unstable();
    let twice = named.iter().zip(named.iter().skip(1)).find(|((a, _), (b, _))| a == b);
    match twice {
        Some(((name, _), _)) => {
            Err(InputError::new(ID_STRATEGIES, Problem::Duplicate { value: excerpt(name) }))
        }
        None => Ok(named.into()),
    }
}

/// Where a destination dedupes, its strategies are about types that it dedupes on, and choose one ID.
fn check_strategies(
    dedupes_on: Option<&[Box<str>]>,
    strategies: Option<&[(Box<str>, IdStrategy)]>,
) -> Result<(), InputError> {
    let (Some(dedupes_on), Some(strategies)) = (dedupes_on, strategies) else { return Ok(()) };
    for (name, strategy) in strategies {
        let problem = match strategy {
            IdStrategy::All => {
                Problem::Unknown { value: strategy.as_str().into(), expected: &["latest", "first"] }
            }
            _ if dedupes_on.binary_search(name).is_err() => Problem::NotDedupedOn,
            IdStrategy::Latest | IdStrategy::First => continue,
        };
        return Err(InputError::new(excerpt(name), problem).within(ID_STRATEGIES));
    }
    Ok(())
}

const ID_STRATEGIES: &str = "id_strategies";

object! {
    RawDestination<'de>: RefusingUnknown {
        "id" => id: Text<'de>,
        "name" => name: Text<'de>,
        "dedupes_on" => dedupes_on: List<NonEmptyText>,
        "id_strategies" => id_strategies: Entries<'de>,
        "consent" => consent: Text<'de>,
    }
}

impl<'de> Read<'de> for Destination {
    type Raw = Field<RawDestination<'de>>;

    fn check(raw: Self::Raw) -> Result<Self, InputError> {
        let mut raw = raw.value()?;
        let id = mem::take(&mut raw.id).name("id")?;
        settings(&id, raw).map_err(|error| error.of_destination(&id))
    }
}

fn settings(id: &str, raw: RawDestination<'_>) -> Result<Destination, InputError> {
    raw.unknown_fields.refuse()?;
    let name = raw.name.optional("name")?.map(|Text(name)| name.into_owned().into());
    let dedupes_on = match raw.dedupes_on.list("dedupes_on")? {
        Some(types) => Some(type_set(types.into_iter().map(|NonEmptyText(id_type)| id_type).collect())?),
        None => None,
    };
    let id_strategies = match raw.id_strategies.optional(ID_STRATEGIES)? {
        Some(Entries(entries)) => {
            let mut named = Vec::with_capacity(entries.len());
            for (name, value) in entries {
                let strategy = value.parsed(&excerpt(&name)).map_err(|error| error.within(ID_STRATEGIES))?;
                named.push((name, strategy));
            }
            Some(strategies_by_type(named)?)
        }
        None => None,
    };
    check_strategies(dedupes_on.as_deref(), id_strategies.as_deref())?;
    let consent = match raw.consent.optional("consent")? {
        Some(Text(name)) => Some(Consent::from_name("consent", &name)?),
        None => None,
    };
    Ok(Destination { id: id.into(), name, dedupes_on, id_strategies, consent })
}

#[allow(clippy::ref_option, reason = "what serde calls with a field")]
fn serialize_strategies<S: Serializer>(
    strategies: &Option<Strategies>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    // Of a known length, which some formats write first.
    let strategies = strategies.as_deref().unwrap_or_default();
    serializer.collect_map(strategies.iter().map(|(name, strategy)| (&**name, strategy)))
}

deserialize_by_read!(Destination);

/// The id, and the name if there is one, on one line whatever they hold.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{} ({})", self.id.escape_debug(), name.escape_debug()),
            None => write!(f, "{}", self.id.escape_debug()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_optional_may_be_given_as_an_option() {
        let plain = || Destination::new("dst_1").unwrap();
        let full = || plain().with_name("SendGrid").deduping_on(["email", "phone"]).unwrap();
        let types = || Some(["phone", "email"]);
        assert_eq!(plain().maybe_name(Some("SendGrid")).maybe_deduping_on(types()).unwrap(), full());
        let none = full().maybe_name(None::<&str>).maybe_deduping_on(None::<[&str; 1]>).unwrap();
        assert_eq!(none, plain());
        let strategies = [("email", IdStrategy::First)];
        let choosing = plain().maybe_id_strategies(Some(strategies)).unwrap();
        assert_eq!(choosing, plain().with_id_strategies(strategies).unwrap());
        assert_eq!(choosing.maybe_id_strategies(None::<[(&str, IdStrategy); 0]>).unwrap(), plain());
        let refused = plain().maybe_deduping_on(Some(["email", ""])).unwrap_err();
        assert_eq!((refused.field(), refused.destination()), ("dedupes_on[1]", Some("dst_1")));
        let refused = plain().maybe_deduping_on(Some([""; 0])).unwrap_err();
        assert_eq!(*refused.problem(), Problem::NoTypes);
    }
}
