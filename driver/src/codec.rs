//! Values to bodies and back. Text and octets travel as what they are; any other serde type in postcard's format.

use serde::de::value::{BytesDeserializer, SeqDeserializer, StrDeserializer, UnitDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde::ser::{Impossible, Serialize, Serializer};

use crate::body::{Body, BodyKind};
use crate::error::{BodyError, Error};
use crate::label::{is_octets, label};

/// What the octets of an encoded value are. A type's name is looked up where it is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Encoded {
    None,
    Bytes,
    Text,
    /// The full name of the Rust type, which stands for its label.
    Typed(&'static str, fn() -> String),
}

/// Appends the octets of `value` to `out`.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<Encoded, Error> {
    if let Ok(kind) = value.serialize(Plain(out)) {
        return Ok(kind);
    }
    let start = out.len();
    let failed = |error: postcard::Error| Error::Encode(error.to_string());
    *out = postcard::to_extend(value, std::mem::take(out)).map_err(failed)?;
    if !is_octets::<T>() {
        return Ok(Encoded::Typed(std::any::type_name::<T>(), label::<T>));
    }
    // Postcard puts the length before a row, not before an array. Ours stands in the frame.
    if !std::any::type_name::<T>().contains("[u8; ") {
        let prefix = out[start..].iter().position(|octet| *octet < 0x80).map_or(0, |last| last + 1);
        out.drain(start..start + prefix);
    }
    Ok(Encoded::Bytes)
}

/// The value that a body holds.
pub(crate) fn decode<T: DeserializeOwned>(body: &Body) -> Result<T, BodyError> {
    let octets = body.as_slice();
    let wrong = |detail: Option<String>| BodyError { expected: label::<T>(), found: body.kind.to_string(), detail };
    match &body.kind {
        BodyKind::Typed(name) => {
            if **name != *label::<T>() {
                return Err(wrong(None));
            }
            match postcard::take_from_bytes(octets) {
                Ok((value, [])) => Ok(value),
                Ok(_) => Err(wrong(Some("octets are left over".into()))),
                Err(error) => Err(wrong(Some(error.to_string()))),
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

/// A value is not of the kind that is looked for.
#[derive(Debug)]
struct Mismatch;

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

/// Takes text, octets and nothing, and refuses all else before it costs anything.
struct Plain<'a>(&'a mut Vec<u8>);

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
        self.0.extend_from_slice(text.as_bytes());
        Ok(Encoded::Text)
    }

    fn serialize_bytes(self, octets: &[u8]) -> Result<Encoded, Mismatch> {
        self.0.extend_from_slice(octets);
        Ok(Encoded::Bytes)
    }

    fn serialize_unit(self) -> Result<Encoded, Mismatch> {
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
        serialize_map(Option<usize>) -> No;
        serialize_struct(&'static str, usize) -> No;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> No;
    }
}
