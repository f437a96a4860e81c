//! Values nested no deeper than the stack is sure to bear, in rows no longer than their octets bear out. Postcard itself
//! follows a recursive type as deep as the peer says, at two octets a level, and a row of what takes no octets as far.

use std::cell::Cell;
use std::fmt;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

/// Levels of a value. Twice as many containers may lie in one another: a tree takes an enum and a row for each of its own.
const LEVELS: u16 = 128;
/// Elements without an octet of their own that a value may have, in all its rows. Every other one takes at least an octet.
const EMPTY: usize = 64 * 1024;

/// The value at the start of octets in postcard's format, and the octets behind it; or why there is none.
pub(crate) fn take<T: DeserializeOwned>(octets: &[u8]) -> Result<(T, &[u8]), String> {
    let bounds = Bounds { elements: Cell::new(octets.len().saturating_add(EMPTY)), crossed: Cell::new(None) };
    let mut postcard = postcard::Deserializer::from_bytes(octets);
    let value = T::deserialize(Shallow { inner: &mut postcard, left: 2 * LEVELS, is_row: false, bounds: &bounds });
    let taken = value.and_then(|value| Ok((value, postcard.finalize()?)));
    taken.map_err(|error| bounds.crossed.get().map_or_else(|| error.to_string(), str::to_owned))
}

/// What one value has in common.
struct Bounds {
    /// Elements that its rows may still have.
    elements: Cell<usize>,
    /// What was too much: postcard's errors have no text.
    crossed: Cell<Option<&'static str>>,
}

impl Bounds {
    fn cross<E: serde::de::Error>(&self, what: &'static str) -> E {
        self.crossed.set(Some(what));
        E::custom(what)
    }
}

/// Passes all on to what it wraps, and wraps what is handed inwards.
struct Shallow<'a, X> {
    inner: X,
    /// Containers that may still be entered.
    left: u16,
    /// It is a row or a map, whose length the peer says.
    is_row: bool,
    bounds: &'a Bounds,
}

impl<'a, X> Shallow<'a, X> {
    /// The same depth around something else.
    fn around<Y>(&self, inner: Y) -> Shallow<'a, Y> {
        Shallow { inner, left: self.left, is_row: self.is_row, bounds: self.bounds }
    }

    /// One container further in.
    fn enter<V, E: serde::de::Error>(self, visitor: V, is_row: bool) -> Result<(X, Shallow<'a, V>), E> {
        let left = self.left.checked_sub(1).ok_or_else(|| self.bounds.cross("nested too deeply"))?;
        Ok((self.inner, Shallow { inner: visitor, left, is_row, bounds: self.bounds }))
    }

    /// An element of it, if there was one more.
    fn count<T, E: serde::de::Error>(&self, element: Option<T>) -> Result<Option<T>, E> {
        if self.is_row && element.is_some() {
            let elements = &self.bounds.elements;
            let left = elements.get().checked_sub(1).ok_or_else(|| self.bounds.cross("more elements than octets"))?;
            elements.set(left);
        }
        Ok(element)
    }
}

/// What holds no other value, or is not known to postcard, needs no look.
macro_rules! flat {
    ($($name:ident($($arg:ident: $type:ty),*);)*) => {
        $(fn $name<V: Visitor<'de>>(self, $($arg: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$name($($arg,)* visitor)
        })*
    };
}

macro_rules! nested {
    ($($name:ident($($arg:ident: $type:ty),*) $is_row:literal;)*) => {
        $(fn $name<V: Visitor<'de>>(self, $($arg: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            let (inner, visitor) = self.enter(visitor, $is_row)?;
            inner.$name($($arg,)* visitor)
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Shallow<'_, D> {
    type Error = D::Error;

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }

    flat! {
        deserialize_bool();
        deserialize_i8();
        deserialize_i16();
        deserialize_i32();
        deserialize_i64();
        deserialize_i128();
        deserialize_u8();
        deserialize_u16();
        deserialize_u32();
        deserialize_u64();
        deserialize_u128();
        deserialize_f32();
        deserialize_f64();
        deserialize_char();
        deserialize_str();
        deserialize_string();
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_identifier();
        deserialize_any();
        deserialize_ignored_any();
    }

    nested! {
        deserialize_option() false;
        deserialize_newtype_struct(name: &'static str) false;
        deserialize_seq() true;
        deserialize_tuple(len: usize) false;
        deserialize_tuple_struct(name: &'static str, len: usize) false;
        deserialize_map() true;
        deserialize_struct(name: &'static str, fields: &'static [&'static str]) false;
        deserialize_enum(name: &'static str, variants: &'static [&'static str]) false;
    }
}

/// What postcard shows of a container.
impl<'de, V: Visitor<'de>> Visitor<'de> for Shallow<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let inner = self.around(inner);
        self.inner.visit_some(inner)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let inner = self.around(inner);
        self.inner.visit_newtype_struct(inner)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let inner = self.around(inner);
        self.inner.visit_seq(inner)
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let inner = self.around(inner);
        self.inner.visit_map(inner)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let inner = self.around(inner);
        self.inner.visit_enum(inner)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Shallow<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        let inner = self.around(inner);
        self.inner.deserialize(inner)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Shallow<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let seed = self.around(seed);
        let element = self.inner.next_element_seed(seed)?;
        self.count(element)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Shallow<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let seed = self.around(seed);
        let key = self.inner.next_key_seed(seed)?;
        self.count(key)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let seed = self.around(seed);
        self.inner.next_value_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'a, 'de, A: EnumAccess<'de>> EnumAccess<'de> for Shallow<'a, A> {
    type Error = A::Error;
    type Variant = Shallow<'a, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        let Shallow { inner, left, is_row, bounds } = self;
        let (value, inner) = inner.variant_seed(seed)?;
        Ok((value, Shallow { inner, left, is_row, bounds }))
    }
}

/// What a variant holds lies in its enum, which counts already.
impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Shallow<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        let seed = self.around(seed);
        self.inner.newtype_variant_seed(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        let visitor = self.around(visitor);
        self.inner.tuple_variant(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = self.around(visitor);
        self.inner.struct_variant(fields, visitor)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::body::{Body, BodyKind, Octets};
    use crate::label::label;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Tree {
        Leaf,
        Node(Vec<Tree>),
        Boxed(Box<Tree>),
        Pair(u8, Box<Tree>),
        Named { by: BTreeMap<u8, Tree> },
        Chain(Chain),
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Chain(Option<Box<Chain>>);

    /// A value as deep as that, in octets: `level` opens one, `end` is the innermost.
    fn octets(level: &[u8], levels: usize, end: &[u8]) -> Vec<u8> {
        let mut octets = level.repeat(levels);
        octets.extend_from_slice(end);
        octets
    }

    fn check<T: DeserializeOwned + Serialize>(level: &[u8], end: &[u8]) {
        let shallow = octets(level, 100, end);
        let (value, rest) = take::<T>(&shallow).expect("it is within the limit");
        assert!(rest.is_empty());
        assert_eq!(postcard::to_allocvec(&value).expect("it is a value"), shallow);
        let deep = octets(level, 200_000, end);
        let kind = BodyKind::Typed(label::<T>().into());
        let body = Body { kind, octets: Octets::copy(&deep), shape: None };
        let error = body.decode::<T>().err().expect("it is beyond the limit");
        assert_eq!(error.detail.as_deref(), Some("nested too deeply"), "{level:?}");
    }

    #[test]
    fn what_is_nested_too_deeply_is_an_error_however_it_is() {
        check::<Tree>(&[1, 1], &[0]);
        check::<Tree>(&[2], &[0]);
        check::<Tree>(&[3, 7], &[0]);
        check::<Tree>(&[4, 1, 7], &[0]);
        check::<Chain>(&[1], &[0]);
    }

    #[test]
    fn rows_may_be_long() {
        let long = Tree::Node((0..100_000).map(|_| Tree::Boxed(Box::new(Tree::Leaf))).collect());
        let octets = postcard::to_allocvec(&(&long, 7u64)).expect("it is a value");
        assert_eq!(take::<(Tree, u64)>(&octets), Ok(((long, 7), &[][..])));
    }

    #[test]
    fn rows_of_nothing_end_long_before_their_count() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Nothing {
            inside: [(); 3],
        }
        fn check<T: DeserializeOwned + Serialize>(end: &[u8]) {
            // 2^63 of them: to count them all would take longer than anybody waits.
            let mut octets = vec![0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01];
            octets.extend_from_slice(end);
            let error = take::<T>(&octets).err().expect("nobody sent so many");
            assert_eq!(error, "more elements than octets", "{}", label::<T>());
        }
        check::<Vec<()>>(&[]);
        check::<Vec<Nothing>>(&[]);
        check::<BTreeMap<(), ()>>(&[]);
        check::<(Vec<()>, String)>(&[4, b't', b'e', b'x', b't']);
    }

    #[test]
    fn rows_of_nothing_may_have_a_reasonable_length() {
        let value = (vec![(); 50_000], vec![vec![(); 3]; 1000], vec![[[7u8; 1]; 1]; 70_000]);
        let octets = postcard::to_allocvec(&value).expect("it is a value");
        assert_eq!(take(&octets), Ok((value, &[][..])));
    }

    #[test]
    fn what_is_wrong_otherwise_is_said_as_it_is() {
        assert_eq!(take::<Tree>(&[9]).map_err(|error| error.contains("deeply")), Err(false));
    }
}
