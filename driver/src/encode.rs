//! Values into postcard's format: <https://postcard.jamesmunns.com/wire-format>. What serde says on the way leaves a trace.

use std::fmt;

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use crate::shape::{Atom, Elements, Trace};

/// Appends a value; its trace.
pub(crate) fn append<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<Trace, Unfit> {
    let mut writer = Writer { out, trace: Trace::START };
    value.serialize(&mut writer)?;
    Ok(writer.trace)
}

/// Why a value can't be serialised.
#[derive(Debug)]
pub(crate) struct Unfit(pub(crate) String);

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unfit {}

impl serde::ser::Error for Unfit {
    fn custom<T: fmt::Display>(text: T) -> Unfit {
        Unfit(text.to_string())
    }
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    trace: Trace,
}

impl<'a> Writer<'a> {
    /// LEB128.
    #[inline]
    fn varint(&mut self, mut number: u64) {
        while number > 0x7f {
            self.out.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.out.push(number as u8);
    }

    /// The same for what no register holds.
    fn long_varint(&mut self, mut number: u128) {
        while number > 0x7f {
            self.out.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.out.push(number as u8);
    }

    #[inline]
    fn octets(&mut self, octets: &[u8]) {
        self.varint(octets.len() as u64);
        self.out.extend_from_slice(octets);
    }

    #[inline]
    fn variant(&mut self, index: u32, name: &str) {
        self.varint(index.into());
        self.trace.variant(index);
        self.trace.name(name);
    }

    fn group(&mut self) -> Group<'_, 'a> {
        Group { writer: self, count: 0 }
    }

    fn row(&mut self, len: Option<usize>, is_map: bool) -> Result<Row<'_, 'a>, Unfit> {
        let unknown = || Unfit("a row or map of unknown length, such as `flatten` makes of a struct".into());
        self.varint(len.ok_or_else(unknown)? as u64);
        let outer = self.trace;
        Ok(Row { writer: self, outer, elements: Elements::new(is_map) })
    }
}

/// Small numbers of either sign are short: 0, -1, 1, -2 and so on.
macro_rules! zigzag {
    ($number:ident: $signed:ty as $unsigned:ty) => {
        (($number << 1) ^ ($number >> (<$signed>::BITS - 1))) as $unsigned
    };
}

impl<'w, 'a> Serializer for &'w mut Writer<'a> {
    type Ok = ();
    type Error = Unfit;
    type SerializeSeq = Row<'w, 'a>;
    type SerializeTuple = Group<'w, 'a>;
    type SerializeTupleStruct = Group<'w, 'a>;
    type SerializeTupleVariant = Group<'w, 'a>;
    type SerializeMap = Row<'w, 'a>;
    type SerializeStruct = Group<'w, 'a>;
    type SerializeStructVariant = Group<'w, 'a>;

    fn is_human_readable(&self) -> bool {
        false
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Result<(), Unfit> {
        self.trace.atom(Atom::Bool);
        self.out.push(value.into());
        Ok(())
    }

    #[inline]
    fn serialize_i8(self, value: i8) -> Result<(), Unfit> {
        self.trace.atom(Atom::I8);
        self.out.push(value as u8);
        Ok(())
    }

    #[inline]
    fn serialize_i16(self, value: i16) -> Result<(), Unfit> {
        self.trace.atom(Atom::I16);
        self.varint(zigzag!(value: i16 as u16).into());
        Ok(())
    }

    #[inline]
    fn serialize_i32(self, value: i32) -> Result<(), Unfit> {
        self.trace.atom(Atom::I32);
        self.varint(zigzag!(value: i32 as u32).into());
        Ok(())
    }

    #[inline]
    fn serialize_i64(self, value: i64) -> Result<(), Unfit> {
        self.trace.atom(Atom::I64);
        self.varint(zigzag!(value: i64 as u64));
        Ok(())
    }

    fn serialize_i128(self, value: i128) -> Result<(), Unfit> {
        self.trace.atom(Atom::I128);
        self.long_varint(zigzag!(value: i128 as u128));
        Ok(())
    }

    #[inline]
    fn serialize_u8(self, value: u8) -> Result<(), Unfit> {
        self.trace.atom(Atom::U8);
        self.out.push(value);
        Ok(())
    }

    #[inline]
    fn serialize_u16(self, value: u16) -> Result<(), Unfit> {
        self.trace.atom(Atom::U16);
        self.varint(value.into());
        Ok(())
    }

    #[inline]
    fn serialize_u32(self, value: u32) -> Result<(), Unfit> {
        self.trace.atom(Atom::U32);
        self.varint(value.into());
        Ok(())
    }

    #[inline]
    fn serialize_u64(self, value: u64) -> Result<(), Unfit> {
        self.trace.atom(Atom::U64);
        self.varint(value);
        Ok(())
    }

    fn serialize_u128(self, value: u128) -> Result<(), Unfit> {
        self.trace.atom(Atom::U128);
        self.long_varint(value);
        Ok(())
    }

    #[inline]
    fn serialize_f32(self, value: f32) -> Result<(), Unfit> {
        self.trace.atom(Atom::F32);
        self.out.extend_from_slice(&value.to_le_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Result<(), Unfit> {
        self.trace.atom(Atom::F64);
        self.out.extend_from_slice(&value.to_le_bytes());
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Unfit> {
        self.trace.atom(Atom::Char);
        self.octets(value.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<(), Unfit> {
        self.trace.atom(Atom::Text);
        self.octets(value.as_bytes());
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Unfit> {
        self.trace.octets(value.is_empty());
        self.octets(value);
        Ok(())
    }

    #[inline]
    fn serialize_none(self) -> Result<(), Unfit> {
        self.trace.atom(Atom::None);
        self.out.push(0);
        Ok(())
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unfit> {
        self.trace.atom(Atom::Some);
        self.out.push(1);
        value.serialize(self)
    }

    #[inline]
    fn serialize_unit(self) -> Result<(), Unfit> {
        self.trace.group(0);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Unfit> {
        self.serialize_unit()
    }

    #[inline]
    fn serialize_unit_variant(self, _: &'static str, index: u32, variant: &'static str) -> Result<(), Unfit> {
        self.variant(index, variant);
        self.serialize_unit()
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Unfit> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Unfit> {
        self.variant(index, variant);
        value.serialize(self)
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<Row<'w, 'a>, Unfit> {
        self.row(len, false)
    }

    #[inline]
    fn serialize_tuple(self, _: usize) -> Result<Group<'w, 'a>, Unfit> {
        Ok(self.group())
    }

    #[inline]
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Group<'w, 'a>, Unfit> {
        Ok(self.group())
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Group<'w, 'a>, Unfit> {
        self.variant(index, variant);
        Ok(self.group())
    }

    #[inline]
    fn serialize_map(self, len: Option<usize>) -> Result<Row<'w, 'a>, Unfit> {
        self.row(len, true)
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Group<'w, 'a>, Unfit> {
        Ok(self.group())
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Group<'w, 'a>, Unfit> {
        self.variant(index, variant);
        Ok(self.group())
    }
}

/// A row or map that is being written.
struct Row<'w, 'a> {
    writer: &'w mut Writer<'a>,
    /// The trace of what it lies in.
    outer: Trace,
    elements: Elements,
}

impl Row<'_, '_> {
    fn end(self) -> Result<(), Unfit> {
        self.writer.trace = self.outer;
        self.writer.trace.elements(self.elements);
        Ok(())
    }
}

impl SerializeSeq for Row<'_, '_> {
    type Ok = ();
    type Error = Unfit;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfit> {
        self.writer.trace = Trace::START;
        value.serialize(&mut *self.writer)?;
        self.elements.add(self.writer.trace);
        Ok(())
    }

    fn end(self) -> Result<(), Unfit> {
        self.end()
    }
}

impl SerializeMap for Row<'_, '_> {
    type Ok = ();
    type Error = Unfit;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unfit> {
        self.writer.trace = Trace::START;
        key.serialize(&mut *self.writer)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfit> {
        value.serialize(&mut *self.writer)?;
        self.elements.add(self.writer.trace);
        Ok(())
    }

    fn end(self) -> Result<(), Unfit> {
        self.end()
    }
}

/// Values side by side that are being written.
struct Group<'w, 'a> {
    writer: &'w mut Writer<'a>,
    count: u32,
}

impl Group<'_, '_> {
    #[inline]
    fn add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfit> {
        self.count = self.count.wrapping_add(1);
        value.serialize(&mut *self.writer)
    }

    #[inline]
    fn add_field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Unfit> {
        self.add(value)?;
        self.writer.trace.name(name);
        Ok(())
    }

    #[inline]
    fn end(self) -> Result<(), Unfit> {
        self.writer.trace.group(self.count);
        Ok(())
    }
}

macro_rules! positional {
    ($($trait:ident $add:ident;)*) => {
        $(impl $trait for Group<'_, '_> {
            type Ok = ();
            type Error = Unfit;

            #[inline]
            fn $add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfit> {
                self.add(value)
            }

            #[inline]
            fn end(self) -> Result<(), Unfit> {
                self.end()
            }
        })*
    };
}

positional! {
    SerializeTuple serialize_element;
    SerializeTupleStruct serialize_field;
    SerializeTupleVariant serialize_field;
}

macro_rules! named {
    ($($trait:ident;)*) => {
        $(impl $trait for Group<'_, '_> {
            type Ok = ();
            type Error = Unfit;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Unfit> {
                self.add_field(name, value)
            }

            fn skip_field(&mut self, name: &'static str) -> Result<(), Unfit> {
                // Fields are told apart by their place, which the next one would take.
                Err(Unfit(format!("the field `{name}` is left out, as by `skip_serializing_if`")))
            }

            #[inline]
            fn end(self) -> Result<(), Unfit> {
                self.end()
            }
        })*
    };
}

named! {
    SerializeStruct;
    SerializeStructVariant;
}
