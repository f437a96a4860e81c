//! What a line is sealed by, as the connection sees it.

use core::ops::DerefMut;

use crate::auth::Auth;
use crate::error::PeerError;
use crate::id::Side;
use crate::time::Instant;
use crate::wire::Rekey;
pub(crate) use inner::{Extension, Inner};

/// What a line is sealed by: `()`, which is nothing and takes no room, or a `Sealer` (with the feature `seal`).
pub trait Sealing: Inner {}

impl Sealing for () {}

impl Inner for () {}

/// A line that is sealed if there is something to seal it by.
impl<B: DerefMut<Target: Sealing>> Sealing for Option<B> {}

impl<B: DerefMut<Target: Sealing>> Inner for Option<B> {
    const SEALS: bool = true;

    #[inline]
    fn seed(&mut self, is_server: bool, entropy: [u8; 32]) -> [u8; 16] {
        match self.as_deref_mut() {
            Some(sealer) => sealer.seed(is_server, entropy),
            None => ().seed(is_server, entropy),
        }
    }

    #[inline]
    fn write_offer(&self, out: &mut [u8]) -> Option<usize> {
        match self.as_deref() {
            Some(sealer) => sealer.write_offer(out),
            None => ().write_offer(out),
        }
    }

    #[inline]
    fn said_hello(&mut self, hello: &[u8]) {
        match self.as_deref_mut() {
            Some(sealer) => sealer.said_hello(hello),
            None => ().said_hello(hello),
        }
    }

    #[inline]
    fn heard_hello(&mut self, hello: &[u8], offer: Option<Extension<'_>>) -> Result<bool, PeerError> {
        match self.as_deref_mut() {
            Some(sealer) => sealer.heard_hello(hello, offer),
            None => ().heard_hello(hello, offer),
        }
    }

    #[inline]
    fn is_agreed(&self) -> bool {
        match self.as_deref() {
            Some(sealer) => sealer.is_agreed(),
            None => ().is_agreed(),
        }
    }

    #[inline]
    fn wants_handshake(&self) -> bool {
        match self.as_deref() {
            Some(sealer) => sealer.wants_handshake(),
            None => ().wants_handshake(),
        }
    }

    #[inline]
    fn write_handshake(&mut self, out: &mut [u8]) -> Option<usize> {
        match self.as_deref_mut() {
            Some(sealer) => sealer.write_handshake(out),
            None => ().write_handshake(out),
        }
    }

    #[inline]
    fn read_handshake(&mut self, now: Instant, message: &[u8]) -> Result<bool, PeerError> {
        match self.as_deref_mut() {
            Some(sealer) => sealer.read_handshake(now, message),
            None => ().read_handshake(now, message),
        }
    }

    #[inline]
    fn has_keys(&self) -> bool {
        match self.as_deref() {
            Some(sealer) => sealer.has_keys(),
            None => ().has_keys(),
        }
    }

    #[inline]
    fn is_sealed(&self, by: Side) -> bool {
        match self.as_deref() {
            Some(sealer) => sealer.is_sealed(by),
            None => ().is_sealed(by),
        }
    }

    #[inline]
    fn overhead(&self) -> usize {
        match self.as_deref() {
            Some(sealer) => sealer.overhead(),
            None => ().overhead(),
        }
    }

    #[inline]
    fn seal(&mut self, octets: &mut [u8], len: usize) -> Option<usize> {
        match self.as_deref_mut() {
            Some(sealer) => sealer.seal(octets, len),
            None => ().seal(octets, len),
        }
    }

    #[inline]
    fn open(&mut self, record: &mut [u8]) -> Result<usize, PeerError> {
        match self.as_deref_mut() {
            Some(sealer) => sealer.open(record),
            None => ().open(record),
        }
    }

    #[inline]
    fn auth(&mut self) -> Option<&mut Auth> {
        self.as_deref_mut()?.auth()
    }

    #[inline]
    fn deadline(&self) -> Option<Instant> {
        self.as_deref()?.deadline()
    }

    #[inline]
    fn shown_key(&self) -> Option<[u8; 32]> {
        self.as_deref()?.shown_key()
    }

    #[inline]
    fn proof(&self, name: &str, secret: &[u8]) -> [u8; 32] {
        match self.as_deref() {
            Some(sealer) => sealer.proof(name, secret),
            None => ().proof(name, secret),
        }
    }

    #[inline]
    fn verify(&self, name: &str, proof: &[u8; 32], secret: &[u8]) -> bool {
        self.as_deref().is_some_and(|sealer| sealer.verify(name, proof, secret))
    }

    #[inline]
    fn has_opened(&self) -> bool {
        match self.as_deref() {
            Some(sealer) => sealer.has_opened(),
            None => ().has_opened(),
        }
    }

    #[inline]
    fn opened(&self) -> (usize, usize) {
        match self.as_deref() {
            Some(sealer) => sealer.opened(),
            None => ().opened(),
        }
    }

    #[inline]
    fn set_opened(&mut self, left: usize, behind: usize) {
        match self.as_deref_mut() {
            Some(sealer) => sealer.set_opened(left, behind),
            None => ().set_opened(left, behind),
        }
    }

    #[inline]
    fn needs_envelopes(&self) -> bool {
        match self.as_deref() {
            Some(sealer) => sealer.needs_envelopes(),
            None => ().needs_envelopes(),
        }
    }

    #[inline]
    fn will_seal(&self) -> bool {
        match self.as_deref() {
            Some(sealer) => sealer.will_seal(),
            None => ().will_seal(),
        }
    }

    #[inline]
    fn set_will_seal(&mut self, on: bool) {
        match self.as_deref_mut() {
            Some(sealer) => sealer.set_will_seal(on),
            None => ().set_will_seal(on),
        }
    }

    #[inline]
    fn asked(&self) -> Option<bool> {
        match self.as_deref() {
            Some(sealer) => sealer.asked(),
            None => ().asked(),
        }
    }

    #[inline]
    fn set_asked(&mut self, on: Option<bool>) {
        match self.as_deref_mut() {
            Some(sealer) => sealer.set_asked(on),
            None => ().set_asked(on),
        }
    }

    #[inline]
    fn may_switch(&self, by: Side) -> bool {
        match self.as_deref() {
            Some(sealer) => sealer.may_switch(by),
            None => ().may_switch(by),
        }
    }

    #[inline]
    fn switch(&mut self, by: Side, on: bool) {
        match self.as_deref_mut() {
            Some(sealer) => sealer.switch(by, on),
            None => ().switch(by, on),
        }
    }

    #[inline]
    fn rekey_due(&mut self, now: Instant) -> Option<Rekey> {
        match self.as_deref_mut() {
            Some(sealer) => sealer.rekey_due(now),
            None => ().rekey_due(now),
        }
    }

    #[inline]
    fn rekey_said(&mut self, now: Instant, said: Rekey) {
        match self.as_deref_mut() {
            Some(sealer) => sealer.rekey_said(now, said),
            None => ().rekey_said(now, said),
        }
    }

    #[inline]
    fn rekey_heard(&mut self, now: Instant, heard: Rekey) -> Result<(), PeerError> {
        match self.as_deref_mut() {
            Some(sealer) => sealer.rekey_heard(now, heard),
            None => ().rekey_heard(now, heard),
        }
    }

    #[inline]
    fn wants_rekey(&self) -> bool {
        match self.as_deref() {
            Some(sealer) => sealer.wants_rekey(),
            None => ().wants_rekey(),
        }
    }

    #[inline]
    fn want_next(&mut self) {
        match self.as_deref_mut() {
            Some(sealer) => sealer.want_next(),
            None => ().want_next(),
        }
    }

    #[inline]
    fn want_fresh(&mut self, entropy: &[u8; 32]) {
        match self.as_deref_mut() {
            Some(sealer) => sealer.want_fresh(entropy),
            None => ().want_fresh(entropy),
        }
    }

    #[inline]
    fn forget(&mut self) {
        match self.as_deref_mut() {
            Some(sealer) => sealer.forget(),
            None => ().forget(),
        }
    }
}

mod inner {
    use crate::auth::Auth;
    use crate::error::PeerError;
    use crate::id::Side;
    use crate::time::Instant;
    use crate::wire::Rekey;

    /// An extension of a hello.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Extension<'a> {
        /// Whether it must be understood.
        pub must: bool,
        /// What it says.
        pub octets: &'a [u8],
    }

    /// What the connection asks of it. What is here answers for a line that is never sealed.
    pub trait Inner {
        /// Whether it can seal anything at all.
        const SEALS: bool = false;

        /// Keeps what all secrets come from, and gives the id of a session.
        fn seed(&mut self, _is_server: bool, entropy: [u8; 32]) -> [u8; 16] {
            let [id @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = entropy;
            id
        }

        // ---- agreeing on keys

        /// Writes what the hello says of sealing, as an extension; how long it is.
        fn write_offer(&self, _out: &mut [u8]) -> Option<usize> {
            Some(0)
        }

        /// This end's hello, as it goes out.
        fn said_hello(&mut self, _hello: &[u8]) {}

        /// The peer's hello, and the extension that says of sealing. Whether keys are to be agreed on.
        fn heard_hello(&mut self, _hello: &[u8], offer: Option<Extension<'_>>) -> Result<bool, PeerError> {
            if offer.is_some_and(|offer| offer.must) { Err(PeerError::MustSeal) } else { Ok(false) }
        }

        /// Whether there are keys, or will be.
        fn is_agreed(&self) -> bool {
            false
        }

        /// Whether a message of the handshake is to be sent.
        fn wants_handshake(&self) -> bool {
            false
        }

        /// The message of the handshake that is due; how long it is.
        fn write_handshake(&mut self, _out: &mut [u8]) -> Option<usize> {
            None
        }

        /// A message of the handshake. Whether this end may speak then: there is nothing more to hear.
        fn read_handshake(&mut self, _now: Instant, _message: &[u8]) -> Result<bool, PeerError> {
            Err(PeerError::Handshake)
        }

        // ---- authentication

        /// How far it is decided who the client is, if that is to be.
        fn auth(&mut self) -> Option<&mut Auth> {
            None
        }

        /// When something is to be said of it, or done.
        fn deadline(&self) -> Option<Instant> {
            None
        }

        /// The peer's key.
        fn shown_key(&self) -> Option<[u8; 32]> {
            None
        }

        /// That this end has a secret, on this line.
        fn proof(&self, _name: &str, _secret: &[u8]) -> [u8; 32] {
            [0; 32]
        }

        /// Whether it is the proof of that.
        fn verify(&self, _name: &str, _proof: &[u8; 32], _secret: &[u8]) -> bool {
            false
        }

        // ---- records

        /// Whether both ends have keys.
        fn has_keys(&self) -> bool {
            false
        }

        /// Whether what this end says, or hears, must be in records now.
        fn is_sealed(&self, _by: Side) -> bool {
            false
        }

        /// Octets by which a record is longer than its content, at most.
        fn overhead(&self) -> usize {
            0
        }

        /// Seals the first `len` octets in place; how long that is.
        fn seal(&mut self, _octets: &mut [u8], _len: usize) -> Option<usize> {
            None
        }

        /// Opens a record in place: how many of its octets are content.
        fn open(&mut self, _record: &mut [u8]) -> Result<usize, PeerError> {
            Err(PeerError::Forged)
        }

        /// Whether a record of the peer was opened on this line.
        fn has_opened(&self) -> bool {
            false
        }

        /// Octets of an opened record that are still to be taken, and those behind them that are no content.
        fn opened(&self) -> (usize, usize) {
            (0, 0)
        }

        /// So many of them are left.
        fn set_opened(&mut self, _left: usize, _behind: usize) {}

        /// Whether what is sealed by itself must be marked, as not everything is.
        fn needs_envelopes(&self) -> bool {
            false
        }

        // ---- changes

        /// Whether what this end says is sealed behind all that it has said.
        fn will_seal(&self) -> bool {
            false
        }

        /// This end has said that it will be, or not.
        fn set_will_seal(&mut self, _on: bool) {}

        /// How the peer asked this end to switch, if it has not yet.
        fn asked(&self) -> Option<bool> {
            None
        }

        /// The peer asks, or was heard.
        fn set_asked(&mut self, _on: Option<bool>) {}

        /// Whether a direction may be switched.
        fn may_switch(&self, _by: Side) -> bool {
            false
        }

        /// A direction is sealed from here on, or not.
        fn switch(&mut self, _by: Side, _on: bool) {}

        /// What is to be said of keys: in a record, as its last frame if it is not a share.
        fn rekey_due(&mut self, _now: Instant) -> Option<Rekey> {
            None
        }

        /// It was said, in a record that is sealed.
        fn rekey_said(&mut self, _now: Instant, _said: Rekey) {}

        /// The peer said it.
        fn rekey_heard(&mut self, _now: Instant, _heard: Rekey) -> Result<(), PeerError> {
            Err(PeerError::Unexpected(crate::wire::kind::SEALED))
        }

        /// Whether there is something to be said of keys that does not wait for anything else.
        fn wants_rekey(&self) -> bool {
            false
        }

        /// The next key is wanted.
        fn want_next(&mut self) {}

        /// Fresh keys are wanted, which follow from this, too.
        fn want_fresh(&mut self, _entropy: &[u8; 32]) {}

        /// The line is over: what is secret of it is wiped.
        fn forget(&mut self) {}
    }
}
