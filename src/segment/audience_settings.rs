//! What a destination was told when a list was made: any JSON object, kept as it came.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, Serializer};

use crate::input::error::InputError;
use crate::input::read::field::Field;
use crate::input::read::number::ARBITRARY_PRECISION;
use crate::input::read::object::FieldName;
use crate::input::read::shape::{FromShape, Shape, Text};
use crate::input::read::{Read, deserialize_by_read};

/// What a destination was told when a list was made: an object of its own shape, which calls carry
/// as it came, with its fields in the order that they came in.
///
/// Read from JSON, or from any other value that serde reads: this library looks at none of it.
#[derive(Clone, Default, PartialEq)]
pub struct AudienceSettings(Fields);

/// Equal are settings that are written alike: a number that is not equal to itself is none of JSON's.
impl Eq for AudienceSettings {}

type Fields = Vec<(Box<str>, Value)>;

/// A value of JSON.
#[derive(Clone, PartialEq)]
enum Value {
    Null,
    Boolean(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(Box<str>),
    List(Vec<Value>),
    Object(Fields),
}

/// Without what is in it, which is the customer's.
impl fmt::Debug for AudienceSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AudienceSettings").field("fields", &self.0.len()).finish_non_exhaustive()
    }
}

impl Shape for AudienceSettings {
    const EXPECTED: &'static str = "an object";
}

impl<'de> FromShape<'de> for AudienceSettings {
    fn read_object<A: MapAccess<'de>>(field: &mut Field<Self>, object: A) -> Result<(), A::Error> {
        *field = match value(object)? {
            Value::Object(fields) => Field::Value(Self(fields)),
            _ => Field::Mistyped("a number"),
        };
        Ok(())
    }
}

impl<'de> Read<'de> for AudienceSettings {
    type Raw = Field<Self>;

    fn check(raw: Self::Raw) -> Result<Self, InputError> {
        raw.value()
    }
}

deserialize_by_read!(AudienceSettings);

/// An object, or the number that arrives as one.
fn value<'de, A: MapAccess<'de>>(mut object: A) -> Result<Value, A::Error> {
    let mut fields = Vec::new();
    while let Some(FieldName(name)) = object.next_key()? {
        if name == ARBITRARY_PRECISION && fields.is_empty() {
            let text = object.next_value::<Field<Text<'de>>>()?;
            return number(text).ok_or_else(|| A::Error::custom(NOT_FINITE));
        }
        fields.push((name.into_owned().into(), object.next_value()?));
    }
    Ok(Value::Object(fields))
}

const NOT_FINITE: &str = "a number of the audience settings is not finite";

fn number(text: Field<Text<'_>>) -> Option<Value> {
    let Field::Value(Text(text)) = text else { return None };
    let unsigned = text.parse().ok().map(Value::Unsigned);
    let signed = || text.parse().ok().map(Value::Signed);
    let float = || text.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Float);
    unsigned.or_else(signed).or_else(float)
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, boolean: bool) -> Result<Value, E> {
        Ok(Value::Boolean(boolean))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Signed(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Unsigned(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        match number.is_finite() {
            true => Ok(Value::Float(number)),
            false => Err(E::custom(NOT_FINITE)),
        }
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.into()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Value, A::Error> {
        value(object)
    }
}

impl Serialize for AudienceSettings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_fields(&self.0, serializer)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Boolean(boolean) => serializer.serialize_bool(*boolean),
            Self::Signed(number) => serializer.serialize_i64(*number),
            Self::Unsigned(number) => serializer.serialize_u64(*number),
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(values) => serializer.collect_seq(values),
            Self::Object(fields) => serialize_fields(fields, serializer),
        }
    }
}

fn serialize_fields<S: Serializer>(fields: &Fields, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(fields.iter().map(|(name, value)| (name, value)))
}
