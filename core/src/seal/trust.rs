//! Whose keys are good.

use super::keys::PublicKey;

/// Says whether a peer's key is the right one. Asked once a handshake that shows one, before anything is told to the peer.
///
/// A key trusts itself alone, a row of keys any of them, a function whom it likes: one that keeps what it sees first trusts
/// on first use. Where the peer's key is not to be known, [`Anyone`].
pub trait Trust {
    /// Whether it does.
    fn trusts(&mut self, key: &PublicKey) -> bool;
}

/// Trusts every key: the line is safe from who listens, and from who interferes only if something else tells who the peer
/// is, such as a shared secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Anyone;

impl Trust for Anyone {
    fn trusts(&mut self, _: &PublicKey) -> bool {
        true
    }
}

impl Trust for PublicKey {
    fn trusts(&mut self, key: &PublicKey) -> bool {
        self == key
    }
}

impl<const N: usize> Trust for [PublicKey; N] {
    fn trusts(&mut self, key: &PublicKey) -> bool {
        self.contains(key)
    }
}

impl<F: FnMut(&PublicKey) -> bool> Trust for F {
    fn trusts(&mut self, key: &PublicKey) -> bool {
        self(key)
    }
}
