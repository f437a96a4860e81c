//! Who an end is.

use core::fmt;

use super::handshake::Pattern;
use super::keys::{Psk, SecretKey};

/// Who an end is, and whom it trusts.
#[derive(Clone, Debug)]
pub struct Identity<T> {
    /// What it proves, and wants proved. A client says which; a server takes that, or one that proves more.
    pub pattern: Pattern,
    /// Its own key. A server needs one for [`Pattern::Nx`] and [`Pattern::Xx`], a client for [`Pattern::Xx`].
    pub key: Option<SecretKey>,
    /// A secret that the peer has, too. If one end has one, the other must.
    pub psk: Option<Psk>,
    /// Whose keys are good.
    pub trust: T,
}

/// The end has no key of its own, and its pattern wants one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoKey;

impl fmt::Display for NoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this end needs a key of its own to prove who it is")
    }
}

impl core::error::Error for NoKey {}
