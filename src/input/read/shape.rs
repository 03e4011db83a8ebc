//! What a field can be: a text, a number, a switch, a list, an object.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::de::{IgnoredAny, MapAccess, SeqAccess};

use crate::input::error::InputError;
use crate::input::read::field::{Field, non_empty};
use crate::input::read::number::{self, ARBITRARY_PRECISION};
use crate::input::read::object::FieldName;
use crate::input::read::{Place, Read};

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

    fn read_list<A: SeqAccess<'de>>(field: &mut Field<Self>, mut list: A) -> Result<(), A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        *field = Field::Mistyped("an array");
        Ok(())
    }

    fn read_object<A: MapAccess<'de>>(field: &mut Field<Self>, mut object: A) -> Result<(), A::Error> {
        match object.next_key::<Field<Text<'de>>>()? {
            Some(Field::Value(Text(name))) if name == ARBITRARY_PRECISION => {
                *field = number::from_entry(object)?;
                return Ok(());
            }
            Some(_) => drop(object.next_value::<IgnoredAny>()?),
            None => {}
        }
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        *field = Field::Mistyped("an object");
        Ok(())
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

/// An object whose names are data: its entries as they were found, in the order of the input.
pub(crate) struct Entries<'de>(pub(crate) Vec<(Cow<'de, str>, Field<Text<'de>>)>);

impl Shape for Entries<'_> {
    const EXPECTED: &'static str = "an object";
}

impl<'de> FromShape<'de> for Entries<'de> {
    fn read_object<A: MapAccess<'de>>(field: &mut Field<Self>, mut object: A) -> Result<(), A::Error> {
        let mut entries = Vec::new();
        while let Some(FieldName(name)) = object.next_key()? {
            if entries.is_empty() && name == ARBITRARY_PRECISION {
                *field = number::from_entry(object)?;
                return Ok(());
            }
            entries.push((name, object.next_value()?));
        }
        *field = Field::Value(Self(entries));
        Ok(())
    }
}

/// A list, each element checked as it comes, so that a long list is in memory once; or the first
/// element's error.
pub(crate) struct List<T>(pub(crate) Result<Vec<T>, InputError>);

impl<T> Shape for List<T> {
    const EXPECTED: &'static str = "an array";
}

impl<'de, T: Read<'de>> FromShape<'de> for List<T> {
    fn read_list<A: SeqAccess<'de>>(field: &mut Field<Self>, mut list: A) -> Result<(), A::Error> {
        let mut items = Ok(Vec::new());
        let mut index: usize = 0;
        let mut raw = T::Raw::default();
        while list.next_element_seed(raw.place())?.is_some() {
            if let Ok(checked) = &mut items {
                match T::take(&mut raw) {
                    Ok(item) => checked.push(item),
                    Err(error) => items = Err(error.at(index)),
                }
            }
            index = index.saturating_add(1);
        }
        *field = Field::Value(Self(items));
        Ok(())
    }
}
