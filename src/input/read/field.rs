//! The value of a field as it was found, and what it should have been.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::str::FromStr;

use crate::input::error::{InputError, Problem};
use crate::input::name::Name;
use crate::input::read::Read;
use crate::input::read::shape::{List, Shape, Text};

/// The value of a field, or of an element, as it was found.
#[derive(Default)]
pub(crate) enum Field<T> {
    #[default]
    Absent,
    Null,
    Value(T),
    /// What was found instead, in JSON's terms.
    Mistyped(&'static str),
}

impl<T: Shape> Field<T> {
    /// The value where it is, for an element of a list, and for the root.
    #[inline]
    pub(crate) fn value_mut(&mut self) -> Result<&mut T, InputError> {
        match self {
            Self::Value(value) => Ok(value),
            Self::Absent => Err(missing("")),
            Self::Null => Err(mistyped::<T>("", "null")),
            Self::Mistyped(found) => Err(mistyped::<T>("", found)),
        }
    }

    /// The value where it is; `null` counts as absent.
    #[inline]
    pub(crate) fn as_optional(&self, name: &str) -> Result<Option<&T>, InputError> {
        match self {
            Self::Value(value) => Ok(Some(value)),
            Self::Absent | Self::Null => Ok(None),
            Self::Mistyped(found) => Err(mistyped::<T>(name, found)),
        }
    }

    /// The value where it is.
    #[inline]
    pub(crate) fn as_required(&self, name: &str) -> Result<&T, InputError> {
        match self {
            Self::Value(value) => Ok(value),
            Self::Absent | Self::Null => Err(missing(name)),
            Self::Mistyped(found) => Err(mistyped::<T>(name, found)),
        }
    }

    #[inline]
    pub(crate) fn required(self, name: &str) -> Result<T, InputError> {
        self.optional(name)?.ok_or_else(|| missing(name))
    }

    /// `null` counts as absent.
    #[inline]
    pub(crate) fn optional(self, name: &str) -> Result<Option<T>, InputError> {
        match self {
            Self::Absent | Self::Null => Ok(None),
            Self::Value(value) => Ok(Some(value)),
            Self::Mistyped(found) => Err(mistyped::<T>(name, found)),
        }
    }

    /// For an element of a list, and for the root: what is there must be a value.
    #[inline]
    pub(crate) fn value(self) -> Result<T, InputError> {
        match self {
            Self::Null => Self::Mistyped("null"),
            other => other,
        }
        .required("")
    }
}

impl<S: Shape> Field<S> {
    /// A required object, checked, with errors seen from the object that it is a field of.
    #[inline]
    pub(crate) fn read_required<'de, T: Read<'de, Raw = Self>>(self, name: &str) -> Result<T, InputError> {
        self.read_optional(name)?.ok_or_else(|| missing(name))
    }

    /// A required object, checked where it is.
    #[inline]
    pub(crate) fn take_required<'de, T: Read<'de, Raw = Self>>(
        &mut self,
        name: &str,
    ) -> Result<T, InputError> {
        self.as_required(name)?;
        T::take(self).map_err(|error| error.within(name))
    }

    /// `null` counts as absent.
    #[inline]
    pub(crate) fn read_optional<'de, T: Read<'de, Raw = Self>>(
        self,
        name: &str,
    ) -> Result<Option<T>, InputError> {
        match self.optional(name)? {
            Some(value) => T::check(Self::Value(value)).map(Some).map_err(|error| error.within(name)),
            None => Ok(None),
        }
    }
}

impl Field<Text<'_>> {
    /// A string that must not be empty.
    #[inline]
    pub(crate) fn name(&self, name: &str) -> Result<Name, InputError> {
        self.non_empty(name).map(Name::from)
    }

    /// The same, where it was read: what is made of it is then made in its place.
    #[inline]
    pub(crate) fn non_empty(&self, name: &str) -> Result<&str, InputError> {
        match &*self.as_required(name)?.0 {
            "" => Err(empty(name)),
            text => Ok(text),
        }
    }

    /// A string that is a `T`.
    pub(crate) fn parsed<T: FromStr<Err = InputError>>(self, name: &str) -> Result<T, InputError> {
        self.required(name)?.0.parse().map_err(|error: InputError| error.within(name))
    }
}

impl<T> Field<List<T>> {
    #[inline]
    pub(crate) fn required_list(self, name: &str) -> Result<Vec<T>, InputError> {
        self.list(name)?.ok_or_else(|| missing(name))
    }

    #[inline]
    pub(crate) fn list(self, name: &str) -> Result<Option<Vec<T>>, InputError> {
        match self.optional(name)? {
            Some(List(items)) => items.map(Some).map_err(|error| error.within(name)),
            None => Ok(None),
        }
    }
}

#[cold]
fn missing(name: &str) -> InputError {
    InputError::new(name, Problem::Missing)
}

#[cold]
fn empty(name: &str) -> InputError {
    InputError::new(name, Problem::Empty)
}

#[cold]
fn mistyped<T: Shape>(name: &str, found: &'static str) -> InputError {
    InputError::new(name, Problem::Mistyped { expected: T::EXPECTED, found })
}

#[inline]
pub(crate) fn non_empty<'a, T: From<Cow<'a, str>>>(
    name: &str,
    text: impl Into<Cow<'a, str>>,
) -> Result<T, InputError> {
    match text.into() {
        text if text.is_empty() => Err(empty(name)),
        text => Ok(text.into()),
    }
}
