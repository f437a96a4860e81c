//! Bodies of messages as the application sees them.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{self, Encoded, Owned, Value};
use crate::error::{BodyError, Error};

/// The body of a message, whole: nothing, raw octets, text, or a value of a named type.
///
/// It can be sent on as what it is, without being decoded: a handler that takes a `Body` and returns it is an echo.
#[derive(Clone, PartialEq, Eq)]
pub struct Body {
    pub(crate) kind: BodyKind,
    pub(crate) octets: Octets,
    /// The shape of a typed value, as the sender told it.
    pub(crate) shape: Option<u64>,
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
    pub(crate) const NONE: Body = Body { kind: BodyKind::None, octets: Octets::EMPTY, shape: None };

    /// What it is.
    pub fn kind(&self) -> &BodyKind {
        &self.kind
    }

    /// Its octets as they came.
    pub fn as_slice(&self) -> &[u8] {
        self.octets.as_slice()
    }

    /// Its octets as they came. Copies bodies of up to 64 octets, and no other.
    pub fn into_bytes(self) -> Bytes {
        self.octets.into_bytes()
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
/// Text and [`Bytes`] travel as what they are, and so does a `Vec<u8>`; any other value in postcard's format.
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
        Ok(Value::as_it_is(self, self.encoded(), self.len(), self.shape))
    }

    fn owned(&self) -> Result<Owned, Error> {
        Ok(Owned::as_it_is(self.encoded(), self.octets.clone().into_bytes(), self.shape))
    }

    fn show(&self, to: &mut dyn FnMut(&[u8])) {
        to(self.as_slice());
    }
}

/// What a body can be taken as: any serde value, or a [`Body`], as it came.
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
    fn encoded(&self) -> Encoded {
        match &self.kind {
            BodyKind::None => Encoded::None,
            BodyKind::Bytes => Encoded::Bytes,
            BodyKind::Text => Encoded::Text,
            BodyKind::Typed(name) => Encoded::Named(name.clone()),
        }
    }
}

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

impl PartialEq for Octets {
    fn eq(&self, other: &Octets) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Octets {}
