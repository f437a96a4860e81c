//! Values nested no deeper than the stack is sure to bear. Postcard itself follows a recursive type as deep as the peer
//! says, at two octets a level.

use std::cell::Cell;
use std::fmt;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

/// Levels of a value. Twice as many containers may lie in one another: a tree takes an enum and a row for each of its own.
const LEVELS: u16 = 128;

/// The value at the start of octets in postcard's format, and the octets behind it; or why there is none.
pub(crate) fn take<T: DeserializeOwned>(octets: &[u8]) -> Result<(T, &[u8]), String> {
    let deep = Cell::new(false);
    let mut postcard = postcard::Deserializer::from_bytes(octets);
    let value = T::deserialize(Shallow { inner: &mut postcard, left: 2 * LEVELS, deep: &deep });
    match value.and_then(|value| Ok((value, postcard.finalize()?))) {
        Err(_) if deep.get() => Err("nested too deeply".into()),
        taken => taken.map_err(|error| error.to_string()),
    }
}

/// Passes all on to what it wraps, and wraps what is handed inwards.
struct Shallow<'a, X> {
    inner: X,
    /// Containers that may still be entered.
    left: u16,
    /// Set once there were too many: postcard's errors have no text.
    deep: &'a Cell<bool>,
}

impl<'a, X> Shallow<'a, X> {
    /// The same depth around something else.
    fn around<Y>(&self, inner: Y) -> Shallow<'a, Y> {
        Shallow { inner, left: self.left, deep: self.deep }
    }

    /// One container further in.
    fn enter<V, E: serde::de::Error>(self, visitor: V) -> Result<(X, Shallow<'a, V>), E> {
        let Some(left) = self.left.checked_sub(1) else {
            self.deep.set(true);
            return Err(E::custom("nested too deeply"));
        };
        Ok((self.inner, Shallow { inner: visitor, left, deep: self.deep }))
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
    ($($name:ident($($arg:ident: $type:ty),*);)*) => {
        $(fn $name<V: Visitor<'de>>(self, $($arg: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            let (inner, visitor) = self.enter(visitor)?;
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
        deserialize_option();
        deserialize_newtype_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple(len: usize);
        deserialize_tuple_struct(name: &'static str, len: usize);
        deserialize_map();
        deserialize_struct(name: &'static str, fields: &'static [&'static str]);
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
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
        self.inner.next_element_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Shallow<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let seed = self.around(seed);
        self.inner.next_key_seed(seed)
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
        let Shallow { inner, left, deep } = self;
        let (value, inner) = inner.variant_seed(seed)?;
        Ok((value, Shallow { inner, left, deep }))
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
    fn what_is_wrong_otherwise_is_said_as_it_is() {
        assert_eq!(take::<Tree>(&[9]).map_err(|error| error.contains("deeply")), Err(false));
    }
}
