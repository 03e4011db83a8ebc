//! Objects of which unknown fields are refused.

use alloc::borrow::Cow;

use serde::de::{Deserialize, Deserializer, Error, MapAccess};

use crate::input::read::field::Field;
use crate::input::read::shape::{FromShape, Text};

/// Makes a struct of [`Field`]s for an object of which unknown fields are refused, and not only
/// that: the first one is kept, so that its error can say what the rest of the object is.
macro_rules! strict_object {
    ($raw:ident<$de:lifetime> { $($field:ident: $shape:ty),* $(,)? }) => {
        #[derive(Default)]
        pub(crate) struct $raw<$de> {
            $($field: $crate::input::read::field::Field<$shape>,)*
            unknown_field: Option<($crate::input::error::InputError, ::core::marker::PhantomData<&$de ()>)>,
        }

        impl $crate::input::read::shape::Shape for $raw<'_> {
            const EXPECTED: &'static str = "an object";
        }

        impl<$de> $crate::input::read::shape::FromShape<$de> for $raw<$de> {
            fn from_object<A: ::serde::de::MapAccess<$de>>(
                mut object: A,
            ) -> Result<$crate::input::read::field::Field<Self>, A::Error> {
                let mut raw = Self::default();
                while let Some($crate::input::read::strict_object::FieldName(name)) = object.next_key()? {
                    match &*name {
                        $(stringify!($field) => {
                            $crate::input::read::strict_object::once(&mut raw.$field, stringify!($field), &mut object)?;
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
                Ok($crate::input::read::field::Field::Value(raw))
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
