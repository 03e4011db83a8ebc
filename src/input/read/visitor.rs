//! Reads a value of whatever shape to its end, and writes it where it is kept.
//!
//! What is read is never moved: an object of many fields is as large as an update, and would be moved
//! once per layer of the format's reader.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::input::read::Place;
use crate::input::read::field::Field;
use crate::input::read::shape::FromShape;

impl<'de, T: FromShape<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut field = Self::Absent;
        deserializer.deserialize_any(&mut field)?;
        Ok(field)
    }
}

impl<'de, T: FromShape<'de>> Place<'de> for Field<T> {
    #[inline]
    fn place(&mut self) -> impl DeserializeSeed<'de, Value = ()> {
        self
    }
}

impl<'de, T: FromShape<'de>> DeserializeSeed<'de> for &mut Field<T> {
    type Value = ();

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: FromShape<'de>> Visitor<'de> for &mut Field<T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<(), E> {
        *self = T::from_text(Cow::Borrowed(text));
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        *self = T::from_text(Cow::Owned(text.into()));
        Ok(())
    }

    fn visit_string<E>(self, text: String) -> Result<(), E> {
        *self = T::from_text(Cow::Owned(text));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        T::read_list(self, list)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<(), A::Error> {
        T::read_object(self, object)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        *self = Field::Null;
        Ok(())
    }

    fn visit_none<E>(self) -> Result<(), E> {
        *self = Field::Null;
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, boolean: bool) -> Result<(), E> {
        *self = T::from_boolean(boolean);
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        *self = T::from_integer(number.into());
        Ok(())
    }

    fn visit_i128<E>(self, number: i128) -> Result<(), E> {
        *self = T::from_integer(number);
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        *self = T::from_integer(number.into());
        Ok(())
    }

    fn visit_u128<E>(self, number: u128) -> Result<(), E> {
        *self = match i128::try_from(number) {
            Ok(number) => T::from_integer(number),
            Err(_) => Field::Mistyped("a number"),
        };
        Ok(())
    }

    fn visit_f64<E>(self, float: f64) -> Result<(), E> {
        *self = T::from_float(float);
        Ok(())
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<(), E> {
        *self = Field::Mistyped("bytes");
        Ok(())
    }
}
