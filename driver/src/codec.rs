//! Values to bodies and back. Text and octets travel as what they are; any other serde type in postcard's format.

use std::sync::Arc;

use bytes::Bytes;
use ropeway_core::Refused;
use serde::de::value::{BytesDeserializer, SeqDeserializer, StrDeserializer, UnitDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde::ser::{Impossible, Serialize, Serializer};

use crate::body::{Body, BodyKind, ToBody};
use crate::depth;
use crate::error::{BodyError, Error};
use crate::label::{is_labelled, is_octets, is_plain, label, wanted};
use crate::scratch::Scratch;
use crate::shape::{self, Fields};

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
    /// Only asked for by [`shape_of`]: a struct with these fields.
    Struct(u64),
}

/// The octets of a value to send.
pub(crate) trait Content: Sync {
    /// What they are.
    fn encoded(&self) -> &Encoded;

    /// How many there are.
    fn len(&self) -> usize;

    /// The shape of the value, if it has one.
    fn shape(&self) -> Option<u64>;

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
    len: usize,
    serialised: Option<Scratch>,
    shape: Option<u64>,
}

impl<'b, B: Serialize + ?Sized> Value<'b, B> {
    pub(crate) fn new(value: &'b B) -> Result<Value<'b, B>, Error> {
        let mut len = 0;
        if is_plain::<B>()
            && let Ok(encoded) = value.serialize(Plain::new(&mut |octets| len = octets.len()))
        {
            return Ok(Value::as_it_is(value, encoded, len, None));
        }
        // It is somebody's code that serialises, and it is not run again under the line's lock.
        let mut scratch = Scratch::new();
        let octets = &mut scratch.0;
        let encoded = match value.serialize(Plain::new(&mut |plain| octets.extend_from_slice(plain))) {
            Ok(encoded) => encoded,
            Err(_) => serialise(value, octets)?,
        };
        Ok(Value { value, encoded, len: octets.len(), serialised: Some(scratch), shape: shape_of(value) })
    }
}

impl<'b, B: ?Sized> Value<'b, B> {
    /// What shows its octets itself.
    pub(crate) fn as_it_is(value: &'b B, encoded: Encoded, len: usize, shape: Option<u64>) -> Value<'b, B> {
        Value { value, encoded, len, serialised: None, shape }
    }
}

impl<B: ToBody + ?Sized> Content for Value<'_, B> {
    fn encoded(&self) -> &Encoded {
        &self.encoded
    }

    fn len(&self) -> usize {
        self.len
    }

    fn shape(&self) -> Option<u64> {
        self.shape
    }

    fn show(&self, to: &mut dyn FnMut(&[u8])) {
        match &self.serialised {
            Some(octets) => to(&octets.0),
            None => self.value.show(to),
        }
    }
}

/// Shows text and octets where they lie.
pub(crate) fn show_plain<B: Serialize + ?Sized>(value: &B, to: &mut dyn FnMut(&[u8])) {
    let _ = value.serialize(Plain::new(to));
}

/// Content that was serialised before.
pub struct Owned {
    encoded: Encoded,
    octets: Bytes,
    shape: Option<u64>,
}

impl Owned {
    pub(crate) fn new<B: Serialize + ?Sized>(value: &B) -> Result<Owned, Error> {
        let mut octets = Vec::new();
        if let Ok(encoded) = value.serialize(Plain::new(&mut |plain| octets.extend_from_slice(plain))) {
            return Ok(Owned::as_it_is(encoded, octets.into(), None));
        }
        let encoded = serialise(value, &mut octets)?;
        Ok(Owned::as_it_is(encoded, octets.into(), shape_of(value)))
    }

    pub(crate) fn as_it_is(encoded: Encoded, octets: Bytes, shape: Option<u64>) -> Owned {
        Owned { encoded, octets, shape }
    }
}

impl Content for Owned {
    fn encoded(&self) -> &Encoded {
        &self.encoded
    }

    fn len(&self) -> usize {
        self.octets.len()
    }

    fn shape(&self) -> Option<u64> {
        self.shape
    }

    fn show(&self, to: &mut dyn FnMut(&[u8])) {
        to(&self.octets);
    }
}

/// Appends a value that is neither text nor octets by itself.
fn serialise<B: Serialize + ?Sized>(value: &B, out: &mut Vec<u8>) -> Result<Encoded, Error> {
    let failed = |error: postcard::Error| Error::Encode(error.to_string());
    *out = postcard::to_extend(value, std::mem::take(out)).map_err(failed)?;
    if !is_octets::<B>() {
        return Ok(Encoded::Typed(std::any::type_name::<B>(), label::<B>));
    }
    // Postcard puts the length before a row, not before an array. Ours stands in the frame.
    if !std::any::type_name::<B>().contains("[u8; ") {
        let prefix = out.iter().position(|octet| *octet < 0x80).map_or(0, |last| last + 1);
        out.drain(..prefix);
    }
    Ok(Encoded::Bytes)
}

/// The value that a body holds.
pub(crate) fn decode<T: DeserializeOwned>(body: &Body) -> Result<T, BodyError> {
    let octets = body.as_slice();
    let wrong = |detail: Option<String>| BodyError { expected: wanted::<T>(), found: body.kind.to_string(), detail };
    match &body.kind {
        BodyKind::Typed(name) => {
            if !is_labelled::<T>(name) {
                return Err(wrong(None));
            }
            if let (Some(theirs), Some(ours)) = (body.shape, shape::of_type::<T>())
                && theirs != ours
            {
                return Err(wrong(Some("its fields are others".into())));
            }
            match depth::take(octets) {
                Ok((value, [])) => Ok(value),
                Ok(_) => Err(wrong(Some("octets are left over".into()))),
                Err(detail) => Err(wrong(Some(detail))),
            }
        }
        BodyKind::Text => match std::str::from_utf8(octets) {
            Ok(text) => {
                let text: StrDeserializer<'_, Mismatch> = text.into_deserializer();
                T::deserialize(text).map_err(|_| wrong(None))
            }
            Err(error) => Err(wrong(Some(error.to_string()))),
        },
        BodyKind::Bytes if is_octets::<T>() => {
            let octets = SeqDeserializer::<_, Mismatch>::new(octets.iter().copied());
            T::deserialize(octets).map_err(|_| wrong(None))
        }
        BodyKind::Bytes => T::deserialize(BytesDeserializer::<Mismatch>::new(octets)).map_err(|_| wrong(None)),
        BodyKind::None => T::deserialize(UnitDeserializer::<Mismatch>::new()).map_err(|_| wrong(None)),
    }
}

/// The value that a body holds; octets that the value keeps are not copied.
pub(crate) fn decode_owned<T: DeserializeOwned>(body: Body) -> Result<T, BodyError> {
    if body.kind != BodyKind::Bytes || is_octets::<T>() {
        return decode(&body);
    }
    let wrong = || BodyError { expected: wanted::<T>(), found: BodyKind::Bytes.to_string(), detail: None };
    T::deserialize(OwnedOctets(body.into_bytes().into())).map_err(|_: Mismatch| wrong())
}

/// Gives octets away to a visitor that can keep them.
struct OwnedOctets(Vec<u8>);

impl<'de> serde::Deserializer<'de> for OwnedOctets {
    type Error = Mismatch;

    fn deserialize_any<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_byte_buf(self.0)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
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
struct Plain<'a> {
    to: &'a mut dyn FnMut(&[u8]),
    /// The fields of a struct are of interest.
    fields: bool,
}

impl<'a> Plain<'a> {
    fn new(to: &'a mut dyn FnMut(&[u8])) -> Plain<'a> {
        Plain { to, fields: false }
    }
}

/// The shape of a value, if it has one.
pub(crate) fn shape_of<T: Serialize + ?Sized>(value: &T) -> Option<u64> {
    match value.serialize(Plain { to: &mut |_| (), fields: true }) {
        Ok(Encoded::Struct(shape)) => Some(shape),
        _ => None,
    }
}

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
    type SerializeStruct = Fields;
    type SerializeStructVariant = No;

    fn serialize_str(self, text: &str) -> Result<Encoded, Mismatch> {
        (self.to)(text.as_bytes());
        Ok(Encoded::Text)
    }

    fn serialize_bytes(self, octets: &[u8]) -> Result<Encoded, Mismatch> {
        (self.to)(octets);
        Ok(Encoded::Bytes)
    }

    fn serialize_unit(self) -> Result<Encoded, Mismatch> {
        (self.to)(&[]);
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

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields, Mismatch> {
        if self.fields { Ok(Fields::new()) } else { Err(Mismatch) }
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
        serialize_map(Option<usize>) -> No;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> No;
    }
}
