//! Looks up the names of fields where a format has them, without keeping them.

use core::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// What the name of a field says.
pub(crate) enum FieldKey<K> {
    Known(K),
    Unknown,
    /// That this is no object but a number.
    Number,
}

pub(crate) const NOT_A_TEXT: &str = "the name of a field must be a string";

/// Reads the name of a field as what is known of it.
#[inline]
pub(crate) fn known_as<K, F: FnOnce(&str) -> FieldKey<K>>(known: F) -> KnownAs<F> {
    KnownAs(known)
}

pub(crate) struct KnownAs<F>(F);

impl<'de, K, F: FnOnce(&str) -> FieldKey<K>> DeserializeSeed<'de> for KnownAs<F> {
    type Value = FieldKey<K>;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<FieldKey<K>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Without these, an error would quote what it found.
macro_rules! refused {
    ($($visit:ident: $found:ty),*) => {$(
        fn $visit<E: Error>(self, _: $found) -> Result<FieldKey<K>, E> {
            Err(E::custom(NOT_A_TEXT))
        }
    )*};
}

impl<'de, K, F: FnOnce(&str) -> FieldKey<K>> Visitor<'de> for KnownAs<F> {
    type Value = FieldKey<K>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    #[inline]
    fn visit_str<E>(self, name: &str) -> Result<FieldKey<K>, E> {
        Ok(self.0(name))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<FieldKey<K>, D::Error> {
        deserializer.deserialize_any(self)
    }

    refused!(visit_bool: bool, visit_i64: i64, visit_i128: i128, visit_u64: u64, visit_u128: u128);
    refused!(visit_f64: f64, visit_bytes: &[u8]);

    fn visit_unit<E: Error>(self) -> Result<FieldKey<K>, E> {
        Err(E::custom(NOT_A_TEXT))
    }

    fn visit_none<E: Error>(self) -> Result<FieldKey<K>, E> {
        Err(E::custom(NOT_A_TEXT))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<FieldKey<K>, A::Error> {
        Err(A::Error::custom(NOT_A_TEXT))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<FieldKey<K>, A::Error> {
        Err(A::Error::custom(NOT_A_TEXT))
    }
}
