//! Bodies of messages as the application sees them.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{self, Encoded, Owned, Value};
use crate::error::{BodyError, Error};
use crate::types::CARRIED;

/// The body of a message, whole: nothing, raw octets, text, or a value of a named type.
///
/// It can be sent on as what it is, without being decoded: a handler that takes a `Body` and returns it is an echo.
#[derive(Clone)]
pub struct Body {
    pub(crate) kind: BodyKind,
    /// As they lay in the message.
    pub(crate) octets: Octets,
    pub(crate) shape: Shape,
}

/// What a body is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyKind {
    /// There is none.
    None,
    /// Raw octets.
    Bytes,
    /// Text.
    Text,
    /// A value, in postcard's format, of the type that the sender calls so.
    Typed(Arc<str>),
}

impl Body {
    pub(crate) const NONE: Body = Body { kind: BodyKind::None, octets: Octets::EMPTY, shape: Shape::Unknown };

    /// What it is.
    pub fn kind(&self) -> &BodyKind {
        &self.kind
    }

    /// Its octets as they came.
    pub fn as_slice(&self) -> &[u8] {
        // Where there is no room for a shape there is no value either.
        self.octets.as_slice().get(self.shape.len()..).unwrap_or_default()
    }

    /// Its octets as they came. Copies bodies of up to 64 octets, and no other.
    pub fn into_bytes(self) -> Bytes {
        let shape = self.shape.len();
        let mut octets = self.octets.into_bytes();
        octets.split_off(shape.min(octets.len()))
    }

    /// Its length in octets.
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Whether it has no octets.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value it holds: text as a string, raw octets as [`Bytes`] or a `Vec<u8>`, no body as `()`, anything else as
    /// the type it was sent as.
    ///
    /// # Errors
    /// [`BodyError`] names the type wanted and the one that came.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, BodyError> {
        codec::decode(self)
    }
}

/// What can be sent as a body: any serde value, text, octets, or a [`Body`] that came. Not to be implemented elsewhere.
///
/// Text and [`Bytes`] travel as what they are, and so does a `Vec<u8>`; any other value in postcard's format, which tells
/// fields apart by their place alone. So a value can't be sent if serde does not know the length of a row or map of it in
/// advance (`#[serde(flatten)]` makes such maps), or if a field of it is left out (`skip_serializing_if`). Box, `Rc`,
/// `Arc`, `Cow` and references make no difference to what a type is called.
pub trait ToBody: Sync {
    /// The content, to be sent at once.
    #[doc(hidden)]
    fn value(&self) -> Result<Value<'_, Self>, Error>;

    /// The content, to be sent later.
    #[doc(hidden)]
    fn owned(&self) -> Result<Owned, Error>;

    /// Shows the octets of what lies in the value as it travels.
    #[doc(hidden)]
    fn show(&self, to: &mut dyn FnMut(&[u8]));
}

impl<T: Serialize + Sync + ?Sized> ToBody for T {
    fn value(&self) -> Result<Value<'_, T>, Error> {
        Value::new(self)
    }

    fn owned(&self) -> Result<Owned, Error> {
        Owned::new(self)
    }

    fn show(&self, to: &mut dyn FnMut(&[u8])) {
        codec::show_plain(self, to);
    }
}

impl ToBody for Body {
    fn value(&self) -> Result<Value<'_, Body>, Error> {
        Ok(Value::as_it_is(self, self.encoded(), self.len(), self.shape()))
    }

    fn owned(&self) -> Result<Owned, Error> {
        Ok(Owned::as_it_is(self.encoded(), self.clone().into_bytes(), self.shape()))
    }

    fn show(&self, to: &mut dyn FnMut(&[u8])) {
        to(self.as_slice());
    }
}

/// What a body can be taken as: any serde value, or a [`Body`], as it came.
///
/// A value is taken as the type that it was sent as, and as no other: both ends call it the same, wherever each of them
/// keeps it, and mean the same by it. Fields and variants, theirs as well as those of whatever lies in them, come in the
/// same order, under the names by which they are serialised, and of the same types. An `alias` does no harm, and makes the
/// names of its struct or enum go unchecked. A value can't be taken as a type that asks its input what comes next: enums
/// that are untagged or tagged by a field, structs with `#[serde(flatten)]`, `serde_json::Value` and the like.
pub trait FromBody: Sized {
    /// The value that the body holds.
    ///
    /// # Errors
    /// [`BodyError`] names the type wanted and the one that came.
    fn from_body(body: Body) -> Result<Self, BodyError>;
}

impl<T: DeserializeOwned> FromBody for T {
    fn from_body(body: Body) -> Result<T, BodyError> {
        codec::decode_owned(body)
    }
}

impl FromBody for Body {
    fn from_body(body: Body) -> Result<Body, BodyError> {
        Ok(body)
    }
}

impl Body {
    /// The shape of a typed value, as its sender told it.
    pub(crate) fn shape(&self) -> Option<u64> {
        match self.shape {
            Shape::Unknown => None,
            Shape::Told(shape) => Some(shape),
            Shape::Carried => self.octets.as_slice().first_chunk().map(|shape| u64::from_le_bytes(*shape)),
        }
    }

    fn encoded(&self) -> Encoded {
        match &self.kind {
            BodyKind::None => Encoded::None,
            BodyKind::Bytes => Encoded::Bytes,
            BodyKind::Text => Encoded::Text,
            BodyKind::Typed(name) => Encoded::Named(name.clone()),
        }
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Body) -> bool {
        self.kind == other.kind && self.as_slice() == other.as_slice() && self.shape() == other.shape()
    }
}

impl Eq for Body {}

impl fmt::Debug for Body {
    /// Kind and length; contents may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("kind", &self.kind).field("len", &self.len()).finish()
    }
}

impl fmt::Display for BodyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BodyKind::None => f.write_str("nothing"),
            BodyKind::Bytes => f.write_str("bytes"),
            BodyKind::Text => f.write_str("text"),
            BodyKind::Typed(name) => f.write_str(name),
        }
    }
}

/// Where the shape of a value is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// The sender does not tell.
    Unknown,
    /// In the definition of its type.
    Told(u64),
    /// In the eight octets before it.
    Carried,
}

impl Shape {
    /// A type by its definition.
    pub(crate) fn told(name: Arc<str>, fingerprint: Option<u64>) -> (Arc<str>, Shape) {
        match (fingerprint, name.strip_suffix(CARRIED)) {
            (Some(fingerprint), _) => (name, Shape::Told(fingerprint)),
            (None, Some(carried)) => (carried.into(), Shape::Carried),
            (None, None) => (name, Shape::Unknown),
        }
    }

    /// Octets that it takes before the value.
    fn len(self) -> usize {
        if matches!(self, Shape::Carried) { 8 } else { 0 }
    }
}

/// Small ones lie in the message itself, so that they cost no allocation and pin no block.
#[derive(Clone)]
pub(crate) enum Octets {
    Small { len: u8, octets: [u8; SMALL] },
    Shared(Bytes),
}

/// The size of small messages that people measure with, and of many they send.
const SMALL: usize = 64;

impl Octets {
    pub(crate) const EMPTY: Octets = Octets::Shared(Bytes::new());

    #[inline]
    pub(crate) fn copy(octets: &[u8]) -> Octets {
        if octets.len() > SMALL {
            return Octets::Shared(Bytes::copy_from_slice(octets));
        }
        let mut small = [0; SMALL];
        small[..octets.len()].copy_from_slice(octets);
        Octets::Small { len: octets.len() as u8, octets: small }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Octets::Small { len, octets } => &octets[..usize::from(*len)],
            Octets::Shared(octets) => octets,
        }
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Octets::Small { len, octets } => Bytes::copy_from_slice(&octets[..usize::from(len)]),
            Octets::Shared(octets) => octets,
        }
    }
}
