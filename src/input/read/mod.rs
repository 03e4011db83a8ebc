//! Reads input from any self-describing format so that every refusal can name its field.
//!
//! A derived `Deserialize` stops at the first value of a wrong type with an error of the format's
//! own making: one that quotes the value, which can be an external ID, and does not say where it
//! was. Here a value of any shape is read to its end and kept as a [`Field`]; what it should have
//! been is checked afterwards, by code that knows its name.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use core::str::FromStr;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::input::error::excerpt;
use crate::input::error::{InputError, Problem};
use crate::input::timestamp::Timestamp;

/// A type that is read as `Raw`, of whatever shape, and then checked.
pub(crate) trait Read<'de>: Sized {
    type Raw: Deserialize<'de>;

    fn check(raw: Self::Raw) -> Result<Self, InputError>;

    /// For the `Deserialize` of public types.
    fn read<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::check(Self::Raw::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Gives public types, and what was read of them, the `Deserialize` of their [`Read`].
macro_rules! deserialize_by_read {
    ($($type:ty),*) => {$(
        impl<'de> ::serde::Deserialize<'de> for $type {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <Self as $crate::input::read::Read<'de>>::read(deserializer)
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $crate::input::checked::Checked<$type> {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let raw = ::serde::Deserialize::deserialize(deserializer)?;
                Ok(Self(<$type as $crate::input::read::Read<'de>>::check(raw)))
            }
        }
    )*};
}
pub(crate) use deserialize_by_read;

/// For the `Deserialize` of types that are a text.
pub(crate) fn from_text<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: FromStr<Err = InputError>,
    D: Deserializer<'de>,
{
    let text = Field::<Text<'de>>::deserialize(deserializer)?.value().map_err(D::Error::custom)?;
    text.0.parse().map_err(D::Error::custom)
}

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
    pub(crate) fn required(self, name: &str) -> Result<T, InputError> {
        self.optional(name)?.ok_or_else(|| InputError::new(name, Problem::Missing))
    }

    /// `null` counts as absent.
    pub(crate) fn optional(self, name: &str) -> Result<Option<T>, InputError> {
        match self {
            Self::Absent | Self::Null => Ok(None),
            Self::Value(value) => Ok(Some(value)),
            Self::Mistyped(found) => {
                Err(InputError::new(name, Problem::Mistyped { expected: T::EXPECTED, found }))
            }
        }
    }

    /// For an element of a list, and for the root: what is there must be a value.
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
    pub(crate) fn read_required<'de, T: Read<'de, Raw = Self>>(self, name: &str) -> Result<T, InputError> {
        self.read_optional(name)?.ok_or_else(|| InputError::new(name, Problem::Missing))
    }

    /// `null` counts as absent.
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
    pub(crate) fn name(self, name: &str) -> Result<Box<str>, InputError> {
        non_empty(name, self.required(name)?.0)
    }

    /// A string that is a `T`.
    pub(crate) fn parsed<T: FromStr<Err = InputError>>(self, name: &str) -> Result<T, InputError> {
        self.required(name)?.0.parse().map_err(|error: InputError| error.within(name))
    }

    pub(crate) fn timestamp(self, name: &str) -> Result<Option<Timestamp>, InputError> {
        let Some(Text(text)) = self.optional(name)? else { return Ok(None) };
        match text.parse() {
            Ok(timestamp) => Ok(Some(timestamp)),
            Err(_) => Err(InputError::new(name, Problem::MalformedTimestamp { value: excerpt(&text) })),
        }
    }
}

impl<T> Field<List<T>> {
    pub(crate) fn required_list(self, name: &str) -> Result<Vec<T>, InputError> {
        self.list(name)?.ok_or_else(|| InputError::new(name, Problem::Missing))
    }

    pub(crate) fn list(self, name: &str) -> Result<Option<Vec<T>>, InputError> {
        match self.optional(name)? {
            Some(List(items)) => items.map(Some).map_err(|error| error.within(name)),
            None => Ok(None),
        }
    }
}

pub(crate) fn non_empty<'a>(name: &str, text: impl Into<Cow<'a, str>>) -> Result<Box<str>, InputError> {
    match text.into() {
        text if text.is_empty() => Err(InputError::new(name, Problem::Empty)),
        text => Ok(text.into_owned().into_boxed_str()),
    }
}

/// What a field of ours can be. Each shape takes the values of its own; all others are read to their
/// end and reported as what they are.
pub(crate) trait Shape: Sized {
    const EXPECTED: &'static str;
}

pub(crate) trait FromShape<'de>: Shape {
    fn from_text(_text: Cow<'de, str>) -> Field<Self> {
        Field::Mistyped("a string")
    }

    fn from_integer(_integer: i128) -> Field<Self> {
        Field::Mistyped("a number")
    }

    fn from_float(_float: f64) -> Field<Self> {
        Field::Mistyped("a number")
    }

    fn from_boolean(_boolean: bool) -> Field<Self> {
        Field::Mistyped("a boolean")
    }

    fn from_list<A: SeqAccess<'de>>(mut list: A) -> Result<Field<Self>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Mistyped("an array"))
    }

    fn from_object<A: MapAccess<'de>>(mut object: A) -> Result<Field<Self>, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Field::Mistyped("an object"))
    }
}

/// A string, borrowed from the input where it has no escapes.
pub(crate) struct Text<'de>(pub(crate) Cow<'de, str>);

impl Shape for Text<'_> {
    const EXPECTED: &'static str = "a string";
}

impl<'de: 'a, 'a> FromShape<'de> for Text<'a> {
    fn from_text(text: Cow<'de, str>) -> Field<Self> {
        Field::Value(Self(text))
    }
}

/// A whole number.
pub(crate) struct Number(pub(crate) i128);

impl Shape for Number {
    const EXPECTED: &'static str = "a whole number";
}

impl FromShape<'_> for Number {
    fn from_integer(integer: i128) -> Field<Self> {
        Field::Value(Self(integer))
    }

    fn from_float(_float: f64) -> Field<Self> {
        Field::Mistyped("a floating-point number")
    }
}

/// A string that is not empty, as an element of a list.
pub(crate) struct NonEmptyText(pub(crate) Box<str>);

impl<'de> Read<'de> for NonEmptyText {
    type Raw = Field<Text<'de>>;

    fn check(raw: Self::Raw) -> Result<Self, InputError> {
        non_empty("", raw.value()?.0).map(Self)
    }
}

/// `true` or `false`.
pub(crate) struct Switch(pub(crate) bool);

impl Shape for Switch {
    const EXPECTED: &'static str = "a boolean";
}

impl FromShape<'_> for Switch {
    fn from_boolean(boolean: bool) -> Field<Self> {
        Field::Value(Self(boolean))
    }
}

/// A list, each element checked as it comes, so that a long list is in memory once; or the first
/// element's error.
pub(crate) struct List<T>(pub(crate) Result<Vec<T>, InputError>);

impl<T> Shape for List<T> {
    const EXPECTED: &'static str = "an array";
}

impl<'de, T: Read<'de>> FromShape<'de> for List<T> {
    fn from_list<A: SeqAccess<'de>>(mut list: A) -> Result<Field<Self>, A::Error> {
        let mut items = Ok(Vec::new());
        let mut index: usize = 0;
        while let Some(raw) = list.next_element::<T::Raw>()? {
            if let Ok(checked) = &mut items {
                match T::check(raw) {
                    Ok(item) => checked.push(item),
                    Err(error) => items = Err(error.at(index)),
                }
            }
            index = index.saturating_add(1);
        }
        Ok(Field::Value(Self(items)))
    }
}

/// An object with the fields of `T`, a struct of [`Field`]s that derives `Deserialize`.
pub(crate) struct Object<T>(pub(crate) T);

impl<T> Shape for Object<T> {
    const EXPECTED: &'static str = "an object";
}

impl<'de, T: Deserialize<'de>> FromShape<'de> for Object<T> {
    fn from_object<A: MapAccess<'de>>(object: A) -> Result<Field<Self>, A::Error> {
        Ok(Field::Value(Self(T::deserialize(MapAccessDeserializer::new(object))?)))
    }
}

/// Makes a struct of [`Field`]s for an object of which unknown fields are refused, and not only
/// that: the first one is kept, so that its error can say what the rest of the object is.
macro_rules! strict_object {
    ($raw:ident<$de:lifetime> { $($field:ident: $shape:ty),* $(,)? }) => {
        #[derive(Default)]
        pub(crate) struct $raw<$de> {
            $($field: $crate::input::read::Field<$shape>,)*
            unknown_field: Option<($crate::input::error::InputError, ::core::marker::PhantomData<&$de ()>)>,
        }

        impl $crate::input::read::Shape for $raw<'_> {
            const EXPECTED: &'static str = "an object";
        }

        impl<$de> $crate::input::read::FromShape<$de> for $raw<$de> {
            fn from_object<A: ::serde::de::MapAccess<$de>>(
                mut object: A,
            ) -> Result<$crate::input::read::Field<Self>, A::Error> {
                let mut raw = Self::default();
                while let Some($crate::input::read::FieldName(name)) = object.next_key()? {
                    match &*name {
                        $(stringify!($field) => {
                            $crate::input::read::once(&mut raw.$field, stringify!($field), &mut object)?;
                        })*
                        _ => {
                            object.next_value::<::serde::de::IgnoredAny>()?;
                            raw.unknown_field.get_or_insert_with(|| {
                                let error = $crate::input::error::InputError::unknown_field(&name, &[$(stringify!($field)),*]);
                                (error, ::core::marker::PhantomData)
                            });
                        }
                    }
                }
                Ok($crate::input::read::Field::Value(raw))
            }
        }

        impl $raw<'_> {
            fn refuse_unknown_field(&mut self) -> Result<(), $crate::input::error::InputError> {
                self.unknown_field.take().map_or(Ok(()), |(error, _)| Err(error))
            }
        }
    };
}
pub(crate) use strict_object;

pub(crate) fn once<'de, T: FromShape<'de>, A: MapAccess<'de>>(
    field: &mut Field<T>,
    name: &'static str,
    object: &mut A,
) -> Result<(), A::Error> {
    match field {
        Field::Absent => *field = object.next_value()?,
        _ => return Err(A::Error::duplicate_field(name)),
    }
    Ok(())
}

/// The name of a field, borrowed where it has no escapes.
pub(crate) struct FieldName<'de>(pub(crate) Cow<'de, str>);

impl<'de> Deserialize<'de> for FieldName<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Field::<Text<'de>>::deserialize(deserializer)? {
            Field::Value(Text(name)) => Ok(Self(name)),
            _ => Err(D::Error::custom("the name of a field must be a string")),
        }
    }
}

impl<'de, T: FromShape<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor(PhantomData))
    }
}

struct FieldVisitor<T>(PhantomData<T>);

impl<'de, T: FromShape<'de>> Visitor<'de> for FieldVisitor<T> {
    type Value = Field<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Field<T>, E> {
        Ok(T::from_text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Field<T>, E> {
        Ok(T::from_text(Cow::Owned(text.into())))
    }

    fn visit_string<E>(self, text: String) -> Result<Field<T>, E> {
        Ok(T::from_text(Cow::Owned(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Field<T>, A::Error> {
        T::from_list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Field<T>, A::Error> {
        T::from_object(object)
    }

    fn visit_unit<E>(self) -> Result<Field<T>, E> {
        Ok(Field::Null)
    }

    fn visit_none<E>(self) -> Result<Field<T>, E> {
        Ok(Field::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Field<T>, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, boolean: bool) -> Result<Field<T>, E> {
        Ok(T::from_boolean(boolean))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Field<T>, E> {
        Ok(T::from_integer(number.into()))
    }

    fn visit_i128<E>(self, number: i128) -> Result<Field<T>, E> {
        Ok(T::from_integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Field<T>, E> {
        Ok(T::from_integer(number.into()))
    }

    fn visit_u128<E>(self, _: u128) -> Result<Field<T>, E> {
        Ok(Field::Mistyped("a number"))
    }

    fn visit_f64<E>(self, float: f64) -> Result<Field<T>, E> {
        Ok(T::from_float(float))
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Field<T>, E> {
        Ok(Field::Mistyped("bytes"))
    }
}
