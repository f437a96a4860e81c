//! Values to bodies and back. Text and octets travel as what they are; any other serde type in postcard's format.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use ropeway_core::Refused;
use serde::de::value::{SeqDeserializer, UnitDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde::ser::{Impossible, Serialize, Serializer};

use crate::body::{Body, BodyKind, ToBody};
use crate::decode;
use crate::encode::{self, Unfit};
use crate::error::{BodyError, Error};
use crate::label::{is_array, is_labelled, is_octets, is_plain, label, wanted};
use crate::scratch::Scratch;

/// What the octets of an encoded value are. A type's name is looked up where it is sent.
#[derive(Clone, Debug)]
pub(crate) enum Encoded {
    None,
    Bytes,
    Text,
    /// The full name of the Rust type, which stands for its label.
    Typed(&'static str, fn() -> String),
    /// What the sender of a value that is sent on calls its type.
    Named(Arc<str>),
}

/// Octets of a shape before a value.
const SHAPE: usize = 8;

/// The octets of a value to send.
pub(crate) trait Content: Sync {
    /// What they are.
    fn encoded(&self) -> &Encoded;

    /// How many there are.
    fn len(&self) -> usize;

    /// The shape of the value, if it has one.
    fn shape(&self) -> Option<u64>;

    /// Whether the shape comes first. As long as nobody knows, it does.
    fn carry_shape(&self, carried: bool);

    /// Shows them, once.
    fn show(&self, to: &mut dyn FnMut(&[u8]));
}

impl dyn Content + '_ {
    /// What a verb makes of the octets from `at` on.
    #[inline]
    pub(crate) fn said<T>(&self, at: usize, mut verb: impl FnMut(&[u8]) -> Result<T, Refused>) -> Result<T, Refused> {
        // Only a value that serialises differently each time shows nothing.
        let mut said = Err(Refused::BadArgument);
        self.show(&mut |octets| said = verb(octets.get(at..).unwrap_or_default()));
        said
    }
}

/// A value's content: text and octets where they lie, anything else serialised.
pub struct Value<'b, B: ?Sized> {
    value: &'b B,
    encoded: Encoded,
    /// Of the value alone.
    len: usize,
    shape: Option<u64>,
    carried: AtomicBool,
    /// Behind the shape, if it has one. Of what shows itself only if the shape is carried.
    serialised: OnceLock<Scratch>,
}

impl<'b, B: Serialize + ?Sized> Value<'b, B> {
    pub(crate) fn new(value: &'b B) -> Result<Value<'b, B>, Error> {
        let mut len = 0;
        if is_plain::<B>()
            && let Ok(encoded) = value.serialize(Plain(&mut |octets| len = octets.len()))
        {
            return Ok(Value::as_it_is(value, encoded, len, None));
        }
        // It is somebody's code that serialises, and it is not run again under the line's lock.
        let mut scratch = Scratch::new();
        let (encoded, shape) = serialise(value, &mut scratch.0)?;
        let len = scratch.0.len() - shape.map_or(0, |_| SHAPE);
        Ok(Value { serialised: scratch.into(), ..Value::as_it_is(value, encoded, len, shape) })
    }
}

impl<'b, B: ?Sized> Value<'b, B> {
    /// What shows its octets itself.
    pub(crate) fn as_it_is(value: &'b B, encoded: Encoded, len: usize, shape: Option<u64>) -> Value<'b, B> {
        Value { value, encoded, len, shape, carried: shape.is_some().into(), serialised: OnceLock::new() }
    }
}

impl<B: ToBody + ?Sized> Content for Value<'_, B> {
    fn encoded(&self) -> &Encoded {
        &self.encoded
    }

    fn len(&self) -> usize {
        if self.carried.load(Relaxed) { SHAPE + self.len } else { self.len }
    }

    fn shape(&self) -> Option<u64> {
        self.shape
    }

    fn carry_shape(&self, carried: bool) {
        self.carried.store(carried, Relaxed);
    }

    fn show(&self, to: &mut dyn FnMut(&[u8])) {
        let Some(shape) = self.shape.filter(|_| self.carried.load(Relaxed)) else {
            return match self.serialised.get() {
                Some(Scratch(octets)) => to(&octets[octets.len() - self.len..]),
                None => self.value.show(to),
            };
        };
        let serialised = self.serialised.get_or_init(|| {
            let mut scratch = Scratch::new();
            scratch.0.extend_from_slice(&shape.to_le_bytes());
            self.value.show(&mut |octets| scratch.0.extend_from_slice(octets));
            scratch
        });
        to(&serialised.0);
    }
}

/// Shows text and octets where they lie.
pub(crate) fn show_plain<B: Serialize + ?Sized>(value: &B, to: &mut dyn FnMut(&[u8])) {
    let _ = value.serialize(Plain(to));
}

/// Content that was serialised before.
pub struct Owned {
    encoded: Encoded,
    octets: Bytes,
    shape: Option<u64>,
    carried: AtomicBool,
    /// The same behind their shape.
    shaped: OnceLock<Bytes>,
}

impl Owned {
    pub(crate) fn new<B: Serialize + ?Sized>(value: &B) -> Result<Owned, Error> {
        let mut octets = Vec::new();
        let (encoded, shape) = serialise(value, &mut octets)?;
        let octets = Bytes::from(octets);
        Ok(match shape {
            None => Owned::as_it_is(encoded, octets, None),
            Some(_) => {
                let alone = octets.slice(SHAPE..);
                Owned { shaped: octets.into(), ..Owned::as_it_is(encoded, alone, shape) }
            }
        })
    }

    pub(crate) fn as_it_is(encoded: Encoded, octets: Bytes, shape: Option<u64>) -> Owned {
        Owned { encoded, octets, shape, carried: shape.is_some().into(), shaped: OnceLock::new() }
    }
}

impl Content for Owned {
    fn encoded(&self) -> &Encoded {
        &self.encoded
    }

    fn len(&self) -> usize {
        if self.carried.load(Relaxed) { SHAPE + self.octets.len() } else { self.octets.len() }
    }

    fn shape(&self) -> Option<u64> {
        self.shape
    }

    fn carry_shape(&self, carried: bool) {
        self.carried.store(carried, Relaxed);
    }

    fn show(&self, to: &mut dyn FnMut(&[u8])) {
        match self.shape.filter(|_| self.carried.load(Relaxed)) {
            None => to(&self.octets),
            Some(shape) => to(self.shaped.get_or_init(|| [&shape.to_le_bytes(), &*self.octets].concat().into())),
        }
    }
}

/// Puts a value into empty `out`: what it is without being written down, or behind its shape.
fn serialise<B: Serialize + ?Sized>(value: &B, out: &mut Vec<u8>) -> Result<(Encoded, Option<u64>), Error> {
    if let Ok(encoded) = value.serialize(Plain(&mut |plain| out.extend_from_slice(plain))) {
        return Ok((encoded, None));
    }
    if is_octets::<B>() {
        encode::append(value, out)?;
        // The format puts the length before a row, not before an array. Ours stands in the frame.
        if !is_array::<B>() {
            let prefix = out.iter().position(|octet| *octet < 0x80).map_or(0, |last| last + 1);
            out.drain(..prefix);
        }
        return Ok((Encoded::Bytes, None));
    }
    out.extend_from_slice(&[0; SHAPE]);
    let shape = encode::append(value, out)?.fingerprint();
    out[..SHAPE].copy_from_slice(&shape.to_le_bytes());
    Ok((Encoded::Typed(std::any::type_name::<B>(), label::<B>), Some(shape)))
}

impl From<Unfit> for Error {
    fn from(error: Unfit) -> Error {
        Error::Encode(error.0)
    }
}

/// The value that a body holds.
pub(crate) fn decode<T: DeserializeOwned>(body: &Body) -> Result<T, BodyError> {
    let octets = body.as_slice();
    let wrong = |detail: Option<String>| BodyError { expected: wanted::<T>(), found: body.kind.to_string(), detail };
    match &body.kind {
        BodyKind::Typed(name) if is_labelled::<T>(name) => {
            decode::take(octets, body.shape()).map_err(|error| wrong(Some(error.0.into_owned())))
        }
        BodyKind::Typed(_) => Err(wrong(None)),
        BodyKind::Text => match std::str::from_utf8(octets) {
            Ok(text) => T::deserialize(Given::Text(text)).map_err(|_| wrong(None)),
            Err(error) => Err(wrong(Some(error.to_string()))),
        },
        BodyKind::Bytes if is_octets::<T>() => {
            let octets = SeqDeserializer::<_, Mismatch>::new(octets.iter().copied());
            T::deserialize(octets).map_err(|_| wrong(None))
        }
        BodyKind::Bytes => T::deserialize(Given::Octets(octets)).map_err(|_| wrong(None)),
        BodyKind::None => T::deserialize(UnitDeserializer::<Mismatch>::new()).map_err(|_| wrong(None)),
    }
}

/// The value that a body holds; octets that the value keeps are not copied.
pub(crate) fn decode_owned<T: DeserializeOwned>(body: Body) -> Result<T, BodyError> {
    if body.kind != BodyKind::Bytes || is_octets::<T>() {
        return decode(&body);
    }
    let wrong = |_| BodyError { expected: wanted::<T>(), found: BodyKind::Bytes.to_string(), detail: None };
    T::deserialize(Given::Owned(body.into_bytes().into())).map_err(wrong)
}

/// Gives text to who asks for text, octets to who asks for octets, and either to who takes whatever there is.
enum Given<'a> {
    Text(&'a str),
    Octets(&'a [u8]),
    /// To be kept.
    Owned(Vec<u8>),
}

impl Given<'_> {
    fn give<'de, V: Visitor<'de>>(self, wants_text: bool, visitor: V) -> Result<V::Value, Mismatch> {
        if wants_text == matches!(self, Given::Text(_)) { self.deserialize_any(visitor) } else { Err(Mismatch) }
    }
}

impl<'de> Deserializer<'de> for Given<'_> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self {
            Given::Text(text) => visitor.visit_str(text),
            Given::Octets(octets) => visitor.visit_bytes(octets),
            Given::Owned(octets) => visitor.visit_byte_buf(octets),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.give(true, visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.give(true, visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.give(false, visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.give(false, visitor)
    }

    /// A character would take a text of one for itself.
    fn deserialize_char<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Mismatch> {
        Err(Mismatch)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 option unit unit_struct newtype_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

/// A value is not of the kind that is looked for.
#[derive(Debug)]
pub(crate) struct Mismatch;

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("of another kind")
    }
}

impl std::error::Error for Mismatch {}

impl serde::ser::Error for Mismatch {
    fn custom<T: std::fmt::Display>(_: T) -> Mismatch {
        Mismatch
    }
}

impl serde::de::Error for Mismatch {
    fn custom<T: std::fmt::Display>(_: T) -> Mismatch {
        Mismatch
    }
}

/// Shows text, octets and nothing where they lie, and refuses all else before it costs anything.
struct Plain<'a>(&'a mut dyn FnMut(&[u8]));

macro_rules! refuse {
    ($($name:ident($($type:ty),*) -> $ok:ty;)*) => {
        $(fn $name(self, $(_: $type),*) -> Result<$ok, Mismatch> { Err(Mismatch) })*
    };
}

type No = Impossible<Encoded, Mismatch>;

impl Serializer for Plain<'_> {
    type Ok = Encoded;
    type Error = Mismatch;
    type SerializeSeq = No;
    type SerializeTuple = No;
    type SerializeTupleStruct = No;
    type SerializeTupleVariant = No;
    type SerializeMap = No;
    type SerializeStruct = No;
    type SerializeStructVariant = No;

    fn serialize_str(self, text: &str) -> Result<Encoded, Mismatch> {
        (self.0)(text.as_bytes());
        Ok(Encoded::Text)
    }

    fn serialize_bytes(self, octets: &[u8]) -> Result<Encoded, Mismatch> {
        (self.0)(octets);
        Ok(Encoded::Bytes)
    }

    fn serialize_unit(self) -> Result<Encoded, Mismatch> {
        (self.0)(&[]);
        Ok(Encoded::None)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<Encoded, Mismatch> {
        Err(Mismatch)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, _: &T) -> Result<Encoded, Mismatch> {
        Err(Mismatch)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<Encoded, Mismatch> {
        Err(Mismatch)
    }

    fn collect_str<T: std::fmt::Display + ?Sized>(self, _: &T) -> Result<Encoded, Mismatch> {
        Err(Mismatch)
    }

    refuse! {
        serialize_bool(bool) -> Encoded;
        serialize_i8(i8) -> Encoded;
        serialize_i16(i16) -> Encoded;
        serialize_i32(i32) -> Encoded;
        serialize_i64(i64) -> Encoded;
        serialize_u8(u8) -> Encoded;
        serialize_u16(u16) -> Encoded;
        serialize_u32(u32) -> Encoded;
        serialize_u64(u64) -> Encoded;
        serialize_f32(f32) -> Encoded;
        serialize_f64(f64) -> Encoded;
        serialize_char(char) -> Encoded;
        serialize_none() -> Encoded;
        serialize_unit_struct(&'static str) -> Encoded;
        serialize_unit_variant(&'static str, u32, &'static str) -> Encoded;
        serialize_seq(Option<usize>) -> No;
        serialize_tuple(usize) -> No;
        serialize_tuple_struct(&'static str, usize) -> No;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> No;
        serialize_struct(&'static str, usize) -> No;
        serialize_map(Option<usize>) -> No;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> No;
    }
}

#[cfg(test)]
mod tests;
