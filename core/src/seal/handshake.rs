//! Key agreement: Noise_{NN,NX,XX}_25519_ChaChaPoly_SHA256, or the same with a pre-shared key. It knows no frames and no suites.
//!
//! ```text
//!       client              server
//! Nn    e              ->
//!                      <-   e, ee
//! Nx    e              ->
//!                      <-   e, ee, s, es
//! Xx    e              ->
//!                      <-   e, ee, s, es
//!       s, se          ->
//! ```
//!
//! A pre-shared key is mixed in before all else: NNpsk0, NXpsk0, XXpsk0. So a server shows nothing to who has it not, and knows at the
//! first message that the client has it: that can't be repeated on another line, for the prologue has what the server drew for this one.
//! A client knows it with the second, before it trusts a key. Of Noise's recommended NXpsk2 and XXpsk3 neither is true: there one of
//! the ends is done before it has heard anything from who has the secret.

use core::fmt;

use noise_protocol::HandshakeState;
use noise_protocol::patterns::HandshakePattern;
use noise_protocol::patterns::Token::{self, E, EE, ES, PSK, S, SE};
use zeroize::{ZeroizeOnDrop, Zeroizing, optimization_barrier};

use super::keys::{Psk, PublicKey, SecretKey};
use super::primitives::{ChaChaPoly, Secret, Sha256, X25519};

#[cfg(test)]
mod tests;

/// How many pre-shared keys the framework has room for.
const MAX_PSKS: usize = 4;

/// Who proves to whom, by its key, who it is; a later one proves more. A pre-shared key goes with each, and is proof that the
/// peer has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Pattern {
    /// Nobody. Without a pre-shared key this keeps out those who only listen, and not one who sits in between.
    Nn,
    /// The server to the client, which has to know the server's key, or to learn it somehow.
    Nx,
    /// Each to the other. The client's key is seen by the server alone, and by whom the client takes for it.
    Xx,
}

/// One end of a key agreement that is under way. All that is secret in it is wiped when it ends.
///
/// Without a pre-shared key the payload of the first message can be read by everyone on the way, and if it was altered that is found
/// out with the second. The payload of the second is sealed for whoever sent the first.
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Handshake {
    state: HandshakeState<X25519, ChaChaPoly, Sha256>,
    /// Messages written and read.
    turn: u8,
    /// It failed: nothing can be said or heard any more.
    spent: bool,
}

/// What both ends know, and nobody else, when the key agreement is done. It is shown to nobody.
pub(crate) struct Keys {
    /// Of what the server says.
    pub(crate) to_client: Zeroizing<[u8; 32]>,
    /// Of what the client says.
    pub(crate) to_server: Zeroizing<[u8; 32]>,
    /// The handshake hash: stands for all that was said, and for the prologue. Unlike the others it need not be kept secret.
    pub(crate) hash: [u8; 32],
}

/// The peer's message is not what belongs here: it is of a wrong length, was altered, or comes from one who has not the keys, or
/// speaks of another prologue. More is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Garbled;

impl Handshake {
    /// At the beginning. `prologue`: what both ends must have seen alike. `ephemeral` is for this key agreement alone. `None` if the
    /// pattern wants this end's own key, and there is none.
    pub(crate) fn new(
        pattern: Pattern,
        is_client: bool,
        prologue: &[u8],
        ephemeral: &[u8; 32],
        own: Option<&SecretKey>,
        psk: Option<&Psk>,
    ) -> Option<Handshake> {
        let own = if pattern.wants_key(is_client) { Some(Secret(*own?.octets())) } else { None };
        let ephemeral = Some(Secret(*ephemeral));
        let state =
            HandshakeState::new(pattern.of_noise(psk.is_some()), is_client, prologue, own, ephemeral, None, None);
        let mut handshake = Handshake { state, turn: 0, spent: false };
        if let Some(psk) = psk {
            handshake.state.push_psk(psk.octets());
        }
        Some(handshake)
    }

    /// Whether the next message is this end's.
    pub(crate) fn is_my_turn(&self) -> bool {
        !self.is_over() && self.state.is_write_turn()
    }

    /// Whether all messages were written and read, and there are [`keys`](Handshake::keys).
    pub(crate) fn is_done(&self) -> bool {
        self.state.completed()
    }

    /// Whether the peer has something to say yet.
    pub(crate) fn hears_more(&self) -> bool {
        let left = self.state.get_pattern().get_message_patterns_len().saturating_sub(usize::from(self.turn));
        !self.is_over() && (left > 1 || !self.is_my_turn())
    }

    /// Octets of the next message without its payload, at most 96; 0 if there is none.
    pub(crate) fn next_len(&self) -> usize {
        if self.is_over() { 0 } else { self.state.get_next_message_overhead() }
    }

    /// Writes the next message to the start of `out`: how long it is. `None`, and nothing is changed, if it is not this end's turn,
    /// or if `out` has not [`next_len`](Handshake::next_len) octets more than the payload.
    pub(crate) fn write(&mut self, payload: &[u8], out: &mut [u8]) -> Option<usize> {
        if !self.is_my_turn() {
            return None;
        }
        let len = self.next_len().checked_add(payload.len())?;
        let out = out.get_mut(..len)?;
        // What could fail here is the peer's doing, and was refused when it was read.
        if self.state.write_message(payload, out).is_err() {
            self.spend();
            return None;
        }
        self.turn = self.turn.saturating_add(1);
        Some(len)
    }

    /// Reads the peer's next message: how many octets its payload has, which is then at the start of `payload`. It is fatal if that
    /// fails, or if the payload does not fit, or if it is this end's turn.
    pub(crate) fn read(&mut self, message: &[u8], payload: &mut [u8]) -> Result<usize, Garbled> {
        let payload = self.payload_len(message).and_then(|len| payload.get_mut(..len));
        let read = payload.and_then(|payload| {
            self.state.read_message(message, payload).ok()?;
            Some(payload.len())
        });
        if read.is_none() {
            self.spend();
        }
        self.turn = self.turn.saturating_add(1);
        read.ok_or(Garbled)
    }

    /// The peer's key, of which it has proven that it holds the secret half; `None` before that, and if the pattern has none.
    pub(crate) fn peer_key(&self) -> Option<PublicKey> {
        self.state.get_rs().map(PublicKey)
    }

    /// What has been agreed on; `None` if it is not done. Drop this end then, so that it can't be found out again.
    pub(crate) fn keys(&self) -> Option<Keys> {
        if !self.is_done() {
            return None;
        }
        let (to_server, to_client) = self.state.get_ciphers();
        let hash = self.state.get_hash().try_into().ok()?;
        let [to_client, to_server] = [to_client, to_server].map(|cipher| Zeroizing::new(cipher.extract().0.0));
        Some(Keys { to_client, to_server, hash })
    }

    fn is_over(&self) -> bool {
        self.spent || self.state.completed()
    }

    /// Octets of the payload of the peer's next message, if this may be that one.
    fn payload_len(&self, message: &[u8]) -> Option<usize> {
        if self.is_over() || self.state.is_write_turn() {
            return None;
        }
        // The framework would tell only when this end answers.
        let ephemeral = message.first_chunk().copied().map(PublicKey);
        if self.state.get_re().is_none() && ephemeral.is_none_or(|key| key.is_worthless()) {
            return None;
        }
        message.len().checked_sub(self.next_len())
    }

    fn spend(&mut self) {
        self.wipe();
        self.spent = true;
    }

    /// Puts one that has just begun, and knows nothing, in the place of this. Keys wipe themselves when they are dropped. The
    /// pre-shared one does not, even when it was taken: others are put in its place, and where it may have been moved from.
    fn wipe(&mut self) {
        self.state = HandshakeState::new(Pattern::Nn.of_noise(false), true, &[][..], None, None, None, None);
        (0..MAX_PSKS).for_each(|_| self.state.push_psk(&[0; 32]));
        optimization_barrier(self);
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        self.wipe();
    }
}

impl ZeroizeOnDrop for Handshake {}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").field("pattern", &self.state.get_pattern().get_name()).finish_non_exhaustive()
    }
}

impl Pattern {
    /// The pattern of that number: they count from 0 on, in their order.
    pub(crate) fn of(number: u8) -> Option<Pattern> {
        [Pattern::Nn, Pattern::Nx, Pattern::Xx].into_iter().find(|pattern| *pattern as u8 == number)
    }

    /// Whether that end has to have a key of its own.
    pub(crate) fn wants_key(self, is_client: bool) -> bool {
        match self {
            Pattern::Nn => false,
            Pattern::Nx => !is_client,
            Pattern::Xx => true,
        }
    }

    fn of_noise(self, with_psk: bool) -> HandshakePattern {
        // Those of the framework are made by code, each by its own.
        let (name, messages): (_, &[&[Token]]) = match (self, with_psk) {
            (Pattern::Nn, false) => ("NN", &[&[E], &[E, EE]]),
            (Pattern::Nn, true) => ("NNpsk0", &[&[PSK, E], &[E, EE]]),
            (Pattern::Nx, false) => ("NX", &[&[E], &[E, EE, S, ES]]),
            (Pattern::Nx, true) => ("NXpsk0", &[&[PSK, E], &[E, EE, S, ES]]),
            (Pattern::Xx, false) => ("XX", &[&[E], &[E, EE, S, ES], &[S, SE]]),
            (Pattern::Xx, true) => ("XXpsk0", &[&[PSK, E], &[E, EE, S, ES], &[S, SE]]),
        };
        HandshakePattern::new(&[], &[], messages, name)
    }
}
