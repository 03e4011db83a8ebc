//! Reads input from any self-describing format so that every refusal can name its field.
//!
//! A derived `Deserialize` stops at the first value of a wrong type with an error of the format's
//! own making: one that quotes the value, which can be an external ID, and does not say where it
//! was. Here a value of any shape is read to its end and kept as a [`Field`]; what it should have
//! been is checked afterwards, by code that knows its name.

pub(crate) mod field;
pub(crate) mod known;
pub(crate) mod number;
pub(crate) mod object;
pub(crate) mod shape;
mod visitor;

use core::mem;
use core::str::FromStr;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error};

use crate::input::error::InputError;
use crate::input::read::field::Field;
use crate::input::read::shape::Text;

/// A type that is read as `Raw`, of whatever shape, and then checked.
pub(crate) trait Read<'de>: Sized {
    type Raw: Place<'de>;

    fn check(raw: Self::Raw) -> Result<Self, InputError>;

    /// The same, where it was read: for what is large, and read often. Leaves nothing behind that is looked at.
    #[inline]
    fn take(raw: &mut Self::Raw) -> Result<Self, InputError> {
        Self::check(mem::take(raw))
    }

    /// For the `Deserialize` of public types.
    fn read<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut raw = Self::Raw::default();
        raw.place().deserialize(deserializer)?;
        Self::take(&mut raw).map_err(D::Error::custom)
    }
}

/// Where what is read is written, without being moved.
pub(crate) trait Place<'de>: Default {
    fn place(&mut self) -> impl DeserializeSeed<'de, Value = ()>;
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
                let mut raw = <<$type as $crate::input::read::Read<'de>>::Raw>::default();
                let seed = $crate::input::read::Place::place(&mut raw);
                ::serde::de::DeserializeSeed::deserialize(seed, deserializer)?;
                Ok(Self(<$type as $crate::input::read::Read<'de>>::take(&mut raw)))
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
