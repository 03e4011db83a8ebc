//! How many bytes a value has as compact JSON, without writing it.
//!
//! No JSON is written here: whoever takes the calls has a writer of their own, and this library has
//! none. It only counts, as `serde_json` would write, to which the tests hold it byte for byte.

use core::fmt::{self, Write};

use serde::ser::{self, Serialize, Serializer};

use crate::segment::float_size::{PLAIN_F32, PLAIN_F64, float_size};

/// The number of bytes of `value` as compact JSON.
///
/// # Errors
///
/// A value that JSON can't hold, such as a map with lists for keys, or that refuses to be written.
pub(super) fn json_size<T: Serialize + ?Sized>(value: &T) -> Result<usize, Uncountable> {
    counted(value).map(|size| size.bytes)
}

/// The same, or `None` for a value that is written as `null`.
pub(super) fn json_size_unless_null<T: Serialize + ?Sized>(value: &T) -> Result<Option<usize>, Uncountable> {
    counted(value).map(|size| (!size.is_null).then_some(size.bytes))
}

fn counted<T: Serialize + ?Sized>(value: &T) -> Result<Size, Uncountable> {
    let mut size = Size { bytes: 0, at_key: false, is_null: false };
    value.serialize(&mut size)?;
    Ok(size)
}

/// A value that is no JSON.
#[derive(Debug, thiserror::Error)]
#[error("the value can't be written as JSON")]
pub(super) struct Uncountable;

impl ser::Error for Uncountable {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

struct Size {
    bytes: usize,
    /// Whether the name of a field is next, which must be a string, or can be written as one.
    at_key: bool,
    /// Whether the value is `null`, and nothing around it.
    is_null: bool,
}

impl Size {
    fn add(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Numbers and booleans are written in quotes where they are the name of a field.
    fn add_bare(&mut self, bytes: usize) {
        self.add(bytes.saturating_add(if self.at_key { 2 } else { 0 }));
    }

    fn add_text(&mut self, text: &str) {
        self.add(2);
        self.add(text.bytes().map(escaped).fold(0, usize::saturating_add));
    }

    fn integer(&mut self, negative: bool, magnitude: u128) {
        let digits = magnitude.checked_ilog10().unwrap_or(0).saturating_add(1);
        self.add_bare(usize::try_from(digits).unwrap_or(usize::MAX).saturating_add(negative.into()));
    }

    /// What is not finite is `null`, which the name of a field can't be.
    fn float(&mut self, size: Option<usize>) -> Result<(), Uncountable> {
        match size {
            Some(size) => {
                self.add_bare(size);
                Ok(())
            }
            None => self.serialize_unit(),
        }
    }

    /// An object or a list, of which the brackets are counted here and the commas as they come.
    fn open(&mut self) -> Result<Elements<'_>, Uncountable> {
        self.not_at_key()?;
        self.add(2);
        Ok(Elements { size: self, are_first: true })
    }

    /// `{"variant":…}`, around what is opened next.
    fn open_variant(&mut self, variant: &str) -> Result<Elements<'_>, Uncountable> {
        self.not_at_key()?;
        self.add_text(variant);
        self.add(3);
        self.open()
    }

    fn not_at_key(&self) -> Result<(), Uncountable> {
        if self.at_key { Err(Uncountable) } else { Ok(()) }
    }
}

/// Texts that are written in pieces.
impl Write for Size {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        self.add(piece.bytes().map(escaped).fold(0, usize::saturating_add));
        Ok(())
    }
}

/// How many bytes a byte of a string takes.
fn escaped(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0C => 2,
        0..=0x1F => 6,
        _ => 1,
    }
}

/// The elements of a list, or the fields of an object.
struct Elements<'s> {
    size: &'s mut Size,
    are_first: bool,
}

impl Elements<'_> {
    fn comma(&mut self) {
        if !self.are_first {
            self.size.add(1);
        }
        self.are_first = false;
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Uncountable> {
        self.comma();
        value.serialize(&mut *self.size)
    }

    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Uncountable> {
        self.comma();
        self.size.at_key = true;
        key.serialize(&mut *self.size)?;
        self.size.at_key = false;
        self.size.add(1);
        Ok(())
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Uncountable> {
        self.key(name)?;
        value.serialize(&mut *self.size)
    }
}

macro_rules! integers {
    ($($method:ident: $type:ty),*) => {$(
        fn $method(self, number: $type) -> Result<(), Uncountable> {
            self.serialize_i128(number.into())
        }
    )*};
}

impl<'s> Serializer for &'s mut Size {
    type Ok = ();
    type Error = Uncountable;
    type SerializeSeq = Elements<'s>;
    type SerializeTuple = Elements<'s>;
    type SerializeTupleStruct = Elements<'s>;
    type SerializeTupleVariant = Elements<'s>;
    type SerializeMap = Elements<'s>;
    type SerializeStruct = Elements<'s>;
    type SerializeStructVariant = Elements<'s>;

    integers! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64
    }

    fn serialize_i128(self, number: i128) -> Result<(), Uncountable> {
        self.integer(number < 0, number.unsigned_abs());
        Ok(())
    }

    fn serialize_u128(self, number: u128) -> Result<(), Uncountable> {
        self.integer(false, number);
        Ok(())
    }

    fn serialize_f32(self, number: f32) -> Result<(), Uncountable> {
        self.float(number.is_finite().then(|| float_size(format_args!("{number:e}"), &PLAIN_F32)))
    }

    fn serialize_f64(self, number: f64) -> Result<(), Uncountable> {
        self.float(number.is_finite().then(|| float_size(format_args!("{number:e}"), &PLAIN_F64)))
    }

    fn serialize_bool(self, value: bool) -> Result<(), Uncountable> {
        self.add_bare(if value { 4 } else { 5 });
        Ok(())
    }

    fn serialize_char(self, character: char) -> Result<(), Uncountable> {
        self.add_text(character.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, text: &str) -> Result<(), Uncountable> {
        self.add_text(text);
        Ok(())
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<(), Uncountable> {
        self.add(2);
        write!(self, "{value}").map_err(|_| Uncountable)
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Uncountable> {
        self.collect_seq(bytes)
    }

    fn serialize_unit(self) -> Result<(), Uncountable> {
        self.not_at_key()?;
        self.is_null = self.bytes == 0;
        self.add(4);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Uncountable> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Uncountable> {
        value.serialize(self)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Uncountable> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> Result<(), Uncountable> {
        self.serialize_str(name)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Uncountable> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        value: &T,
    ) -> Result<(), Uncountable> {
        self.open()?.field(name, value)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Elements<'s>, Uncountable> {
        self.open()
    }

    fn serialize_tuple(self, _: usize) -> Result<Elements<'s>, Uncountable> {
        self.open()
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Elements<'s>, Uncountable> {
        self.open()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Elements<'s>, Uncountable> {
        self.open_variant(name)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Elements<'s>, Uncountable> {
        self.open()
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Elements<'s>, Uncountable> {
        self.open()
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Elements<'s>, Uncountable> {
        self.open_variant(name)
    }
}

/// The parts of what serde tells apart and JSON does not.
macro_rules! elements {
    ($($part:ident :: $method:ident),*) => {$(
        impl ser::$part for Elements<'_> {
            type Ok = ();
            type Error = Uncountable;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Uncountable> {
                self.element(value)
            }

            fn end(self) -> Result<(), Uncountable> {
                Ok(())
            }
        }
    )*};
}

elements! {
    SerializeSeq::serialize_element, SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field, SerializeTupleVariant::serialize_field
}

macro_rules! fields {
    ($($part:ident),*) => {$(
        impl ser::$part for Elements<'_> {
            type Ok = ();
            type Error = Uncountable;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Uncountable> {
                self.field(name, value)
            }

            fn end(self) -> Result<(), Uncountable> {
                Ok(())
            }
        }
    )*};
}

fields! { SerializeStruct, SerializeStructVariant }

impl ser::SerializeMap for Elements<'_> {
    type Ok = ();
    type Error = Uncountable;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Uncountable> {
        self.key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Uncountable> {
        value.serialize(&mut *self.size)
    }

    fn end(self) -> Result<(), Uncountable> {
        Ok(())
    }
}
