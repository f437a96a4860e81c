//! Values into octets, which postcard writes. What serde says on the way leaves a trace.

use std::fmt;

use postcard::ser_flavors::Flavor;
use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use crate::shape::{Atom, Elements, Trace};

/// Appends a value; its trace.
pub(crate) fn append<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<Trace, Unfit> {
    let mut writer = Writer { postcard: postcard::Serializer { output: Out(out) }, trace: Trace::START };
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

impl From<postcard::Error> for Unfit {
    fn from(error: postcard::Error) -> Unfit {
        Unfit(error.to_string())
    }
}

/// Where postcard puts octets.
struct Out<'a>(&'a mut Vec<u8>);

impl Flavor for Out<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, octet: u8) -> postcard::Result<()> {
        self.0.push(octet);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, octets: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(octets);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

struct Writer<'a> {
    postcard: postcard::Serializer<Out<'a>>,
    trace: Trace,
}

impl<'a> Writer<'a> {
    #[inline]
    fn variant(&mut self, index: u32, name: &'static str) -> Result<(), Unfit> {
        self.trace.variant(index);
        self.trace.name(name);
        Ok(self.postcard.serialize_unit_variant("", index, name)?)
    }

    fn group(&mut self) -> Group<'_, 'a> {
        Group { writer: self, count: 0 }
    }

    fn row(&mut self, len: Option<usize>, is_map: bool) -> Result<Row<'_, 'a>, Unfit> {
        let unknown = || Unfit("a row or map of unknown length, such as `flatten` makes of a struct".into());
        // Of a row postcard writes the length alone.
        self.postcard.serialize_seq(Some(len.ok_or_else(unknown)?))?;
        let outer = self.trace;
        Ok(Row { writer: self, outer, elements: Elements::new(is_map) })
    }
}

macro_rules! atoms {
    ($($name:ident $type:ty: $atom:ident;)*) => {
        $(#[inline]
        fn $name(self, value: $type) -> Result<(), Unfit> {
            self.trace.atom(Atom::$atom);
            Ok(self.postcard.$name(value)?)
        })*
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

    atoms! {
        serialize_bool bool: Bool;
        serialize_i8 i8: I8;
        serialize_i16 i16: I16;
        serialize_i32 i32: I32;
        serialize_i64 i64: I64;
        serialize_i128 i128: I128;
        serialize_u8 u8: U8;
        serialize_u16 u16: U16;
        serialize_u32 u32: U32;
        serialize_u64 u64: U64;
        serialize_u128 u128: U128;
        serialize_f32 f32: F32;
        serialize_f64 f64: F64;
        serialize_char char: Char;
        serialize_str &str: Text;
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Unfit> {
        self.trace.octets(value.is_empty());
        Ok(self.postcard.serialize_bytes(value)?)
    }

    #[inline]
    fn serialize_none(self) -> Result<(), Unfit> {
        self.trace.atom(Atom::None);
        Ok(self.postcard.serialize_none()?)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unfit> {
        self.trace.atom(Atom::Some);
        // The value behind it is serialised here, so postcard gets the mark alone.
        self.postcard.serialize_some(&())?;
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
        self.variant(index, variant)?;
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
        self.variant(index, variant)?;
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
        self.variant(index, variant)?;
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
        self.variant(index, variant)?;
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
