//! Values out of postcard's format, <https://postcard.jamesmunns.com/wire-format>, with the trace that they leave.
//!
//! They are nested no deeper than the stack is sure to bear, in rows no longer than their octets bear out: a recursive
//! type would go as deep as the peer says, at two octets a level, and a row of what takes no octets as far.

use std::borrow::Cow;
use std::fmt::{self, Write};

use serde::de::value::U32Deserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};

use crate::shape::{self, Atom, Elements, Trace};

/// Levels of a value. Twice as many containers may lie in one another: a tree takes an enum and a row for each of its own.
const LEVELS: u16 = 128;
/// Elements without an octet of their own that a value may have, in all its rows. Every other one takes at least an octet.
const EMPTY: usize = 64 * 1024;
/// Octets of what a type says against a value, which may repeat the value.
const TEXT: usize = 256;

/// The value that the octets are, in postcard's format; or why there is none.
///
/// A `shape` is the fingerprint of the trace that serialising the value left.
pub(crate) fn take<T: DeserializeOwned>(octets: &[u8], shape: Option<u64>) -> Result<T, Malformed> {
    let mut reader = Reader::new(octets, None);
    let value = T::deserialize(&mut reader)?;
    if let Some(theirs) = shape {
        let ours = reader.trace.fingerprint();
        if !shape::is_alike(theirs, ours) {
            return Err(Malformed("it is made of other types".into()));
        }
        if theirs != ours && !reader.unlisted && !is_unlisted::<T>(octets) {
            return Err(Malformed("its fields or variants have other names".into()));
        }
    }
    if reader.rest.is_empty() { Ok(value) } else { Err(Malformed("octets are left over".into())) }
}

/// Whether serde does not tell how some variant is called: the list that it gives then has aliases among the names, or
/// what is not on it is a variant too (`#[serde(other)]`). Found out by asking every enum for variants that it may have.
fn is_unlisted<T: DeserializeOwned>(octets: &[u8]) -> bool {
    let mut asked = Asked { listed: Vec::new(), unlisted: false, again: true };
    while std::mem::take(&mut asked.again) {
        let mut reader = Reader::new(octets, Some(&mut asked));
        // It never gives a value if it asks; what matters is what it is answered.
        let _ = T::deserialize(&mut reader);
    }
    asked.unlisted
}

/// What enums were asked for so far.
struct Asked {
    /// Lists that hold nothing but names, and numbers that each was asked for.
    listed: Vec<(&'static [&'static str], usize)>,
    unlisted: bool,
    /// One was asked, and so none behind it.
    again: bool,
}

impl Asked {
    /// The number of a variant to ask an enum for, if it is to be asked.
    fn question(&mut self, names: &'static [&'static str]) -> Option<(u32, usize)> {
        let at = match self.listed.iter().position(|(listed, _)| std::ptr::eq(*listed, names)) {
            Some(at) => at,
            None => {
                self.listed.push((names, 0));
                self.listed.len() - 1
            }
        };
        // The last there is, and one beyond all.
        let questions = [names.len().saturating_sub(1) as u32, u32::MAX];
        let question = questions.get(self.listed[at].1)?;
        Some((*question, at))
    }
}

/// Why octets are no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) Cow<'static, str>);

impl Malformed {
    const EARLY: Malformed = Malformed(Cow::Borrowed("it ends too early"));
    const UNDESCRIBED: Malformed = Malformed(Cow::Borrowed(
        "the type asks what comes next, which no value says on the wire: enums that are untagged or tagged by a field, \
         flattened fields and values of any type can't be received",
    ));
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Malformed {}

impl serde::de::Error for Malformed {
    fn custom<T: fmt::Display>(text: T) -> Malformed {
        let mut short = Short(String::new());
        // It is full, or the text's own code failed: what is there will do.
        let _ = write!(short, "{text}");
        Malformed(crate::file::printable(&short.0).to_string().into())
    }
}

/// The beginning of a text.
struct Short(String);

impl Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.0.len() >= TEXT {
                return Err(fmt::Error);
            }
            self.0.push(c);
        }
        Ok(())
    }
}

struct Reader<'de, 'a> {
    rest: &'de [u8],
    /// Containers that may still be entered.
    left: u16,
    /// Elements that rows may still have.
    elements: usize,
    trace: Trace,
    /// It is not known how some field or variant is called.
    unlisted: bool,
    asked: Option<&'a mut Asked>,
}

impl<'de, 'a> Reader<'de, 'a> {
    fn new(octets: &'de [u8], asked: Option<&'a mut Asked>) -> Reader<'de, 'a> {
        let elements = octets.len().saturating_add(EMPTY);
        Reader { rest: octets, left: 2 * LEVELS, elements, trace: Trace::START, unlisted: false, asked }
    }

    #[inline]
    fn octet(&mut self) -> Result<u8, Malformed> {
        let (octet, rest) = self.rest.split_first().ok_or(Malformed::EARLY)?;
        self.rest = rest;
        Ok(*octet)
    }

    #[inline]
    fn octets(&mut self) -> Result<&'de [u8], Malformed> {
        let len = usize::try_from(self.varint(u64::BITS)?).map_err(|_| Malformed::EARLY)?;
        let (octets, rest) = self.rest.split_at_checked(len).ok_or(Malformed::EARLY)?;
        self.rest = rest;
        Ok(octets)
    }

    fn text(&mut self) -> Result<&'de str, Malformed> {
        std::str::from_utf8(self.octets()?).map_err(|_| Malformed("text that is not UTF-8".into()))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(Malformed::EARLY)?;
        self.rest = rest;
        Ok(*array)
    }

    /// A number of so many bits.
    #[inline]
    fn varint(&mut self, bits: u32) -> Result<u64, Malformed> {
        let octet = self.octet()?;
        if octet < 0x80 { Ok(octet.into()) } else { Ok(self.longer_varint(octet, bits)? as u64) }
    }

    /// Behind its first octet.
    fn longer_varint(&mut self, mut octet: u8, bits: u32) -> Result<u128, Malformed> {
        let mut number = u128::from(octet & 0x7f);
        let mut at = 7;
        while octet >= 0x80 {
            octet = self.octet()?;
            let part = u128::from(octet & 0x7f);
            let left = bits.saturating_sub(at);
            if left == 0 || (left < 7 && part >> left != 0) {
                return Err(Malformed("a number is out of range".into()));
            }
            number |= part << at;
            at += 7;
        }
        Ok(number)
    }

    fn long_varint(&mut self) -> Result<u128, Malformed> {
        let octet = self.octet()?;
        self.longer_varint(octet, u128::BITS)
    }

    /// One container further in.
    #[inline]
    fn enter<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, Malformed>) -> Result<T, Malformed> {
        self.left = self.left.checked_sub(1).ok_or(Malformed("nested too deeply".into()))?;
        let value = inner(self)?;
        self.left += 1;
        Ok(value)
    }

    /// Values side by side.
    #[inline]
    fn group<V: Visitor<'de>>(&mut self, names: Names, visitor: V) -> Result<V::Value, Malformed> {
        let mut group = Group { reader: self, names, count: 0 };
        let value = visitor.visit_seq(&mut group)?;
        let count = group.count;
        self.trace.group(count as u32);
        // Aliases are listed too, and it is not said which are.
        self.unlisted |= matches!(names, Names::Of(names) if names.len() != count);
        Ok(value)
    }

    /// A row or map.
    fn row<V: Visitor<'de>>(&mut self, is_map: bool, visitor: V) -> Result<V::Value, Malformed> {
        let left = self.varint(u64::BITS)?;
        let outer = std::mem::replace(&mut self.trace, Trace::START);
        let mut row = Row { reader: self, left, elements: Elements::new(is_map) };
        let value = if is_map { visitor.visit_map(&mut row) } else { visitor.visit_seq(&mut row) }?;
        let elements = row.elements;
        self.trace = outer;
        self.trace.elements(elements);
        Ok(value)
    }
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

macro_rules! numbers {
    ($($name:ident $atom:ident $visit:ident $self:ident $read:expr;)*) => {
        $(#[inline]
        fn $name<V: Visitor<'de>>($self, visitor: V) -> Result<V::Value, Malformed> {
            $self.trace.atom(Atom::$atom);
            visitor.$visit($read)
        })*
    };
}

macro_rules! undescribed {
    ($($name:ident)*) => {
        $(fn $name<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Malformed> {
            Err(Malformed::UNDESCRIBED)
        })*
    };
}

impl<'de> Deserializer<'de> for &mut Reader<'de, '_> {
    type Error = Malformed;

    fn is_human_readable(&self) -> bool {
        false
    }

    numbers! {
        deserialize_i8 I8 visit_i8 self self.octet()? as i8;
        deserialize_i16 I16 visit_i16 self unzigzag(self.varint(u16::BITS)?) as i16;
        deserialize_i32 I32 visit_i32 self unzigzag(self.varint(u32::BITS)?) as i32;
        deserialize_i64 I64 visit_i64 self unzigzag(self.varint(u64::BITS)?);
        deserialize_u8 U8 visit_u8 self self.octet()?;
        deserialize_u16 U16 visit_u16 self self.varint(u16::BITS)? as u16;
        deserialize_u32 U32 visit_u32 self self.varint(u32::BITS)? as u32;
        deserialize_u64 U64 visit_u64 self self.varint(u64::BITS)?;
        deserialize_u128 U128 visit_u128 self self.long_varint()?;
        deserialize_f32 F32 visit_f32 self f32::from_le_bytes(self.array()?);
        deserialize_f64 F64 visit_f64 self f64::from_le_bytes(self.array()?);
        deserialize_str Text visit_borrowed_str self self.text()?;
        deserialize_string Text visit_borrowed_str self self.text()?;
    }

    undescribed! {
        deserialize_any
        deserialize_identifier
        deserialize_ignored_any
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        self.trace.atom(Atom::I128);
        let number = self.long_varint()?;
        visitor.visit_i128((number >> 1) as i128 ^ -((number & 1) as i128))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        self.trace.atom(Atom::Bool);
        match self.octet()? {
            0 => visitor.visit_bool(false),
            1 => visitor.visit_bool(true),
            _ => Err(Malformed("neither false nor true".into())),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        self.trace.atom(Atom::Char);
        let mut text = self.text()?.chars();
        match (text.next(), text.next()) {
            (Some(value), None) => visitor.visit_char(value),
            _ => Err(Malformed("not one character".into())),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        let octets = self.octets()?;
        self.trace.octets(octets.is_empty());
        visitor.visit_borrowed_bytes(octets)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        self.enter(|reader| match reader.octet()? {
            0 => {
                reader.trace.atom(Atom::None);
                visitor.visit_none()
            }
            1 => {
                reader.trace.atom(Atom::Some);
                visitor.visit_some(reader)
            }
            _ => Err(Malformed("neither none nor some".into())),
        })
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        self.trace.group(0);
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Malformed> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Malformed> {
        self.enter(|reader| visitor.visit_newtype_struct(reader))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        self.enter(|reader| reader.row(false, visitor))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        self.enter(|reader| reader.row(true, visitor))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Malformed> {
        self.enter(|reader| reader.group(Names::None(len), visitor))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        self.enter(|reader| reader.group(Names::Of(fields), visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        self.enter(|reader| visitor.visit_enum(Variants { reader, names: variants }))
    }
}

/// How values side by side are called.
#[derive(Clone, Copy)]
enum Names {
    /// So many without names.
    None(usize),
    Of(&'static [&'static str]),
}

struct Group<'r, 'de, 'a> {
    reader: &'r mut Reader<'de, 'a>,
    names: Names,
    count: usize,
}

impl<'de> SeqAccess<'de> for Group<'_, 'de, '_> {
    type Error = Malformed;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Malformed> {
        let name = match self.names {
            Names::None(len) if self.count < len => None,
            Names::Of(names) if self.count < names.len() => Some(names[self.count]),
            _ => return Ok(None),
        };
        self.count += 1;
        let value = seed.deserialize(&mut *self.reader)?;
        if let Some(name) = name {
            self.reader.trace.name(name);
        }
        Ok(Some(value))
    }

    fn size_hint(&self) -> Option<usize> {
        match self.names {
            Names::None(len) => Some(len.saturating_sub(self.count)),
            Names::Of(names) => Some(names.len().saturating_sub(self.count)),
        }
    }
}

/// A row or map, whose length the peer says.
struct Row<'r, 'de, 'a> {
    reader: &'r mut Reader<'de, 'a>,
    left: u64,
    elements: Elements,
}

impl Row<'_, '_, '_> {
    /// Whether there is one more element, about to be read.
    #[inline]
    fn next(&mut self) -> Result<bool, Malformed> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(false) };
        self.left = left;
        let elements = self.reader.elements.checked_sub(1);
        self.reader.elements = elements.ok_or(Malformed("more elements than octets".into()))?;
        self.reader.trace = Trace::START;
        Ok(true)
    }

    /// Elements to make room for: each that is there takes an octet, as a rule.
    fn room(&self) -> Option<usize> {
        usize::try_from(self.left).ok().filter(|left| *left <= self.reader.rest.len())
    }
}

impl<'de> SeqAccess<'de> for Row<'_, 'de, '_> {
    type Error = Malformed;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Malformed> {
        if !self.next()? {
            return Ok(None);
        }
        let value = seed.deserialize(&mut *self.reader)?;
        self.elements.add(self.reader.trace);
        Ok(Some(value))
    }

    fn size_hint(&self) -> Option<usize> {
        self.room()
    }
}

impl<'de> MapAccess<'de> for Row<'_, 'de, '_> {
    type Error = Malformed;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Malformed> {
        if self.next()? { seed.deserialize(&mut *self.reader).map(Some) } else { Ok(None) }
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Malformed> {
        let value = seed.deserialize(&mut *self.reader)?;
        self.elements.add(self.reader.trace);
        Ok(value)
    }

    fn size_hint(&self) -> Option<usize> {
        self.room()
    }
}

struct Variants<'r, 'de, 'a> {
    reader: &'r mut Reader<'de, 'a>,
    names: &'static [&'static str],
}

impl<'r, 'de, 'a> EnumAccess<'de> for Variants<'r, 'de, 'a> {
    type Error = Malformed;
    type Variant = &'r mut Reader<'de, 'a>;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), Malformed> {
        let Variants { reader, names } = self;
        let index = reader.varint(u32::BITS)? as u32;
        if let Some(asked) = &mut reader.asked
            && let Some((question, at)) = asked.question(names)
        {
            let has_it = seed.deserialize(number(question)).is_ok();
            asked.listed[at].1 += 1;
            asked.unlisted |= has_it == (question == u32::MAX);
            asked.again = !asked.unlisted;
            return Err(Malformed::EARLY);
        }
        let variant = seed.deserialize(number(index))?;
        reader.trace.variant(index);
        match names.get(index as usize) {
            Some(name) => reader.trace.name(name),
            None => reader.unlisted = true,
        }
        Ok((variant, reader))
    }
}

fn number(index: u32) -> U32Deserializer<Malformed> {
    index.into_deserializer()
}

/// What a variant holds lies in its enum, which is one container already.
impl<'de> VariantAccess<'de> for &mut Reader<'de, '_> {
    type Error = Malformed;

    #[inline]
    fn unit_variant(self) -> Result<(), Malformed> {
        self.trace.group(0);
        Ok(())
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Malformed> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Malformed> {
        self.group(Names::None(len), visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        self.group(Names::Of(fields), visitor)
    }
}

#[cfg(test)]
mod tests;
