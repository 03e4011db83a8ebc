//! A destination: where updates are fanned out to.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::{fmt, mem};

use serde::Serialize;

use crate::input::error::{InputError, Problem};
use crate::input::read::field::{Field, non_empty};
use crate::input::read::object::{RefusingUnknown, object};
use crate::input::read::shape::{List, NonEmptyText, Text};
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
}

impl Destination {
    /// A destination that gets every update with all external IDs.
    ///
    /// # Errors
    ///
    /// An empty `id`.
    pub fn new<'a>(id: impl Into<Cow<'a, str>>) -> Result<Self, InputError> {
        Ok(Self { id: non_empty("id", id)?, name: None, dedupes_on: None })
    }

    /// The same destination with its integration's name, such as `SendGrid`.
    pub fn with_name<'a>(self, name: impl Into<Cow<'a, str>>) -> Self {
        Self { name: Some(name.into().into_owned().into()), ..self }
    }

    /// The same destination with its integration's name, or without one.
    pub fn maybe_name<'a>(self, name: Option<impl Into<Cow<'a, str>>>) -> Self {
        Self { name: name.map(|name| name.into().into_owned().into()), ..self }
    }

    /// The same destination, sending each profile one message, to the latest ID of each of these types.
    ///
    /// # Errors
    ///
    /// No type at all; an empty type.
    pub fn deduping_on<'a, T: Into<Cow<'a, str>>>(
        self,
        id_types: impl IntoIterator<Item = T>,
    ) -> Result<Self, InputError> {
        let id_types = id_types.into_iter().enumerate().map(|(index, id_type)| {
            non_empty("", id_type).map_err(|error| error.at(index).within("dedupes_on"))
        });
        match id_types.collect::<Result<_, _>>().and_then(type_set) {
            Ok(id_types) => Ok(Self { dedupes_on: Some(id_types), ..self }),
            Err(error) => Err(error.of_destination(&self.id)),
        }
    }

    /// The same destination, deduping on these types, or getting every update with all IDs if `None`.
    ///
    /// # Errors
    ///
    /// `Some` of no type at all; an empty type.
    pub fn maybe_deduping_on<'a, T: Into<Cow<'a, str>>>(
        self,
        id_types: Option<impl IntoIterator<Item = T>>,
    ) -> Result<Self, InputError> {
        match id_types {
            Some(id_types) => self.deduping_on(id_types),
            None => Ok(Self { dedupes_on: None, ..self }),
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

    pub(crate) fn id_types(&self) -> Option<&[Box<str>]> {
        self.dedupes_on.as_deref()
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

object! {
    RawDestination<'de>: RefusingUnknown {
        "id" => id: Text<'de>,
        "name" => name: Text<'de>,
        "dedupes_on" => dedupes_on: List<NonEmptyText>,
    }
}

impl<'de> Read<'de> for Destination {
    type Raw = Field<RawDestination<'de>>;

    fn check(raw: Self::Raw) -> Result<Self, InputError> {
        let mut raw = raw.value()?;
        let id = mem::take(&mut raw.id).name("id")?;
        match settings(raw) {
            Ok((name, dedupes_on)) => Ok(Self { id, name, dedupes_on }),
            Err(error) => Err(error.of_destination(&id)),
        }
    }
}

type Settings = (Option<Box<str>>, Option<Box<[Box<str>]>>);

fn settings(raw: RawDestination<'_>) -> Result<Settings, InputError> {
    raw.unknown_fields.refuse()?;
    let name = raw.name.optional("name")?.map(|Text(name)| name.into_owned().into());
    let dedupes_on = match raw.dedupes_on.list("dedupes_on")? {
        Some(types) => Some(type_set(types.into_iter().map(|NonEmptyText(id_type)| id_type).collect())?),
        None => None,
    };
    Ok((name, dedupes_on))
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
        let refused = plain().maybe_deduping_on(Some(["email", ""])).unwrap_err();
        assert_eq!((refused.field(), refused.destination()), ("dedupes_on[1]", Some("dst_1")));
        let refused = plain().maybe_deduping_on(Some([""; 0])).unwrap_err();
        assert_eq!(*refused.problem(), Problem::NoTypes);
    }
}
