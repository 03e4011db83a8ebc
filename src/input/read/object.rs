//! Objects, field by field, of which unknown fields are ignored or refused.

use alloc::borrow::Cow;

use serde::de::{Deserialize, Deserializer, Error, MapAccess};

use crate::input::error::InputError;
use crate::input::read::field::Field;
use crate::input::read::known::NOT_A_TEXT;
use crate::input::read::shape::{FromShape, Text};

/// Makes a struct of [`Field`]s for an object, and says what becomes of fields that it does not know:
/// [`IgnoringUnknown`] or [`RefusingUnknown`].
macro_rules! object {
    ($raw:ident<$de:lifetime>: $unknown:ty { $($name:literal => $field:ident: $shape:ty),* $(,)? }) => {
        #[derive(Default)]
        pub(crate) struct $raw<$de> {
            $($field: $crate::input::read::field::Field<$shape>,)*
            unknown_fields: $unknown,
            marker: ::core::marker::PhantomData<&$de ()>,
        }

        impl $crate::input::read::shape::Shape for $raw<'_> {
            const EXPECTED: &'static str = "an object";
        }

        impl<$de> $crate::input::read::shape::FromShape<$de> for $raw<$de> {
            fn read_object<A: ::serde::de::MapAccess<$de>>(
                field: &mut $crate::input::read::field::Field<Self>,
                mut object: A,
            ) -> Result<(), A::Error> {
                use $crate::input::read::field::Field;
                use $crate::input::read::number;
                use $crate::input::read::known::{FieldKey, known_as};
                use $crate::input::read::object::{UnknownFields, once};

                #[allow(non_camel_case_types, reason = "named as the fields are")]
                enum Known {
                    $($field,)*
                }

                *field = Field::Value(Self::default());
                let Field::Value(raw) = field else { return Ok(()) };
                let mut is_first = true;
                while let Some(key) = object.next_key_seed(known_as(|name| match name {
                    $($name => FieldKey::Known(Known::$field),)*
                    number::ARBITRARY_PRECISION if is_first => FieldKey::Number,
                    name => {
                        raw.unknown_fields.found(name, &[$($name),*]);
                        FieldKey::Unknown
                    }
                }))? {
                    match key {
                        $(FieldKey::Known(Known::$field) => once(&mut raw.$field, $name, &mut object)?,)*
                        FieldKey::Unknown => _ = object.next_value::<::serde::de::IgnoredAny>()?,
                        FieldKey::Number => {
                            *field = number::from_entry(object)?;
                            return Ok(());
                        }
                    }
                    is_first = false;
                }
                Ok(())
            }
        }
    };
}
pub(crate) use object;

#[inline]
pub(crate) fn once<'de, T: FromShape<'de>, A: MapAccess<'de>>(
    field: &mut Field<T>,
    name: &'static str,
    object: &mut A,
) -> Result<(), A::Error> {
    match field {
        Field::Absent => object.next_value_seed(field),
        _ => Err(A::Error::duplicate_field(name)),
    }
}

/// What becomes of fields that an object does not know.
pub(crate) trait UnknownFields {
    fn found(&mut self, name: &str, known: &'static [&'static str]);
}

/// They are ignored: what emits updates evolves.
#[derive(Default)]
pub(crate) struct IgnoringUnknown;

/// They are refused: one that is misspelt would not do what it was meant to. The first one is kept, so
/// that its error can say what the rest of the object is.
#[derive(Default)]
pub(crate) struct RefusingUnknown(Option<InputError>);

impl UnknownFields for IgnoringUnknown {
    fn found(&mut self, _name: &str, _known: &'static [&'static str]) {}
}

impl UnknownFields for RefusingUnknown {
    fn found(&mut self, name: &str, known: &'static [&'static str]) {
        self.0.get_or_insert_with(|| InputError::unknown_field(name, known));
    }
}

impl RefusingUnknown {
    pub(crate) fn refuse(self) -> Result<(), InputError> {
        self.0.map_or(Ok(()), Err)
    }
}

/// The name of a field, borrowed where it has no escapes.
pub(crate) struct FieldName<'de>(pub(crate) Cow<'de, str>);

impl<'de> Deserialize<'de> for FieldName<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Field::<Text<'de>>::deserialize(deserializer)? {
            Field::Value(Text(name)) => Ok(Self(name)),
            _ => Err(D::Error::custom(NOT_A_TEXT)),
        }
    }
}
