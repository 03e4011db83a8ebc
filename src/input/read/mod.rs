//! Reads input from any self-describing format so that every refusal can name its field.
//!
//! A derived `Deserialize` stops at the first value of a wrong type with an error of the format's
//! own making: one that quotes the value, which can be an external ID, and does not say where it
//! was. Here a value of any shape is read to its end and kept as a [`Field`]; what it should have
//! been is checked afterwards, by code that knows its name.

pub(crate) mod field;
pub(crate) mod number;
pub(crate) mod object;
pub(crate) mod shape;
mod visitor;

use core::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error};

use crate::input::error::InputError;
use crate::input::read::field::Field;
use crate::input::read::shape::Text;

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
