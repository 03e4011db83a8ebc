//! Numbers that arrive as their text.
//!
//! With its feature `arbitrary_precision`, which any crate of a build may turn on for all of them,
//! `serde_json` hands a number over as an object of one field, whose name says what it is and whose value
//! is the number's text.

use serde::de::{IgnoredAny, MapAccess};

use crate::input::read::field::Field;
use crate::input::read::shape::{FromShape, Text};

/// The name of the field that makes an object a number.
pub(crate) const ARBITRARY_PRECISION: &str = "$serde_json::private::Number";

/// The number, after the name of its field.
pub(crate) fn from_entry<'de, S: FromShape<'de>, A: MapAccess<'de>>(
    mut object: A,
) -> Result<Field<S>, A::Error> {
    let text = object.next_value::<Field<Text<'de>>>()?;
    while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(match text {
        Field::Value(Text(text)) => from_text(&text),
        _ => Field::Mistyped("an object"),
    })
}

fn from_text<'de, S: FromShape<'de>>(text: &str) -> Field<S> {
    match (text.parse::<i128>(), text.parse::<f64>()) {
        (Ok(integer), _) => S::from_integer(integer),
        (Err(_), Ok(float)) => S::from_float(float),
        (Err(_), Err(_)) => Field::Mistyped("a number"),
    }
}
