//! What an end seals its line with: from the offer in its hello to the last record.

use noise_protocol::Hash;
use zeroize::Zeroizing;

use super::fresh::Fresh;
use super::handshake::{Handshake, Pattern};
use super::identity::{Identity, NoKey};
use super::keys::PublicKey;
use super::offer::{NONE, Offer, names};
use super::policy::{Policy, Rule};
use super::primitives::Sha256;
use super::schedule::{self, Label};
use super::suite::{Cipher, KEYS, Suites};
use super::trust::Trust;
use super::way::{RekeyAfter, Way};
use crate::auth::{Auth, AuthRules};
use crate::time::Instant;

mod inner;

/// The most octets of a list of names that is remembered.
const NAMES: usize = 128;
/// The most octets of a message of the handshake that brings nothing besides: a server's, with its key.
const LAST: usize = 96;
/// Set in the octet of the pattern if a secret is shared.
const WITH_PSK: u8 = 4;
/// Set in the octet of the policy if the client must say who it is.
const ASKS: u8 = 16;

/// What an end seals its line with. Hand it over with the memory: `MEMORY.sealed_by(sealer)`.
#[cfg_attr(test, derive(Clone))]
pub struct Sealer<C: Suites, T> {
    suites: C,
    identity: Identity<T>,
    policy: Policy,
    rekey_after: RekeyAfter,
    is_client: bool,
    seed: Seed,
    /// Digests of the client's hello, and the server's.
    hellos: [u8; 64],
    /// The octet of the pattern: of a server the one that it answers, once it was asked.
    agreed: Option<u8>,
    suite: Option<u8>,
    /// The names of the peer's suites, and how many octets they take.
    theirs: ([u8; NAMES], u8),
    /// What holds; before the hellos, what this end wants.
    holds: Policy,
    peer_key: Option<PublicKey>,
    binding: [u8; 32],
    has_opened: bool,
    opened: (u16, u16),
    /// Behind all that was said.
    will_seal: bool,
    asked: Option<bool>,
    auth: Option<Auth>,
    /// The last message of the handshake, if it is this end's and still to be sent, and how many octets that is. The keys are
    /// there before it goes: nothing is said, or heard, in between.
    last: ([u8; LAST], u8),
    stage: Stage<C::Cipher>,
}

#[expect(clippy::large_enum_variant, reason = "there is nowhere else to put it, and a device has one line")]
#[cfg_attr(test, derive(Clone))]
enum Stage<K> {
    /// The hellos have not been exchanged, or it goes without keys.
    Plain,
    Agreeing(Handshake),
    Sealed {
        ours: Way<K>,
        theirs: Way<K>,
        fresh: Fresh,
    },
    /// The line is over, and its keys are wiped: whether each direction was sealed.
    Over {
        ours: bool,
        theirs: bool,
    },
}

/// What secrets are derived from; each is another. Those that were drawn do not follow from what is left.
#[cfg_attr(test, derive(Clone))]
struct Seed(Zeroizing<[u8; 32]>);

impl Seed {
    fn draw(&mut self) -> Zeroizing<[u8; 32]> {
        let drawn = schedule::derive(&self.0, Label::Drawn);
        self.0 = schedule::derive(&self.0, Label::Seed);
        drawn
    }

    fn stir(&mut self, entropy: &[u8; 32]) {
        self.0 = schedule::mix(&self.0, entropy, b"entropy", b"");
    }
}

impl<C: Suites, T: Trust> Sealer<C, T> {
    /// Of suites in order of preference, of which the server's order counts.
    ///
    /// # Errors
    /// [`NoKey`] if the pattern wants one of this end. Of a client [`Pattern::Nx`] wants none.
    pub fn client(suites: C, identity: Identity<T>) -> Result<Sealer<C, T>, NoKey> {
        Sealer::new(suites, identity, Pattern::Xx)
    }

    /// The same for an end that accepts.
    ///
    /// # Errors
    /// [`NoKey`] if the pattern wants one of this end.
    pub fn server(suites: C, identity: Identity<T>) -> Result<Sealer<C, T>, NoKey> {
        Sealer::new(suites, identity, Pattern::Nx)
    }

    fn new(suites: C, identity: Identity<T>, from: Pattern) -> Result<Sealer<C, T>, NoKey> {
        if identity.pattern >= from && identity.key.is_none() {
            return Err(NoKey);
        }
        Ok(Sealer {
            suites,
            identity,
            policy: Policy::default(),
            rekey_after: RekeyAfter::DEFAULT,
            is_client: false,
            seed: Seed(Zeroizing::new([0; 32])),
            hellos: [0; 64],
            agreed: None,
            suite: None,
            theirs: ([0; NAMES], 0),
            holds: Policy::default(),
            peer_key: None,
            binding: [0; 32],
            has_opened: false,
            opened: (0, 0),
            will_seal: false,
            asked: None,
            auth: None,
            last: ([0; LAST], 0),
            stage: Stage::Plain,
        })
    }

    /// The rules of this end; otherwise everything is sealed.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        (self.policy, self.holds) = (policy, policy);
        self
    }

    /// Of a server: the client must say who it is, and the application must take it, before the line opens. It takes keys. Of a
    /// client: how long it waits for that, if it is asked; otherwise as by [`AuthRules::DEFAULT`].
    #[must_use]
    pub fn authenticate(mut self, rules: AuthRules) -> Self {
        self.auth = Some(Auth::new(rules));
        self
    }

    /// When keys of this end's direction are followed by the next.
    #[must_use]
    pub fn rekey_after(mut self, limits: RekeyAfter) -> Self {
        self.rekey_after = limits;
        self
    }
}

impl<C: Suites, T> Sealer<C, T> {
    /// The suite of the line, once there is one.
    pub fn suite(&self) -> Option<&str> {
        self.suites.name(usize::from(self.suite?))
    }

    /// The names of this end's suites, in order of preference: the first of them, as many as 128 octets hold with one more for each.
    pub fn suites(&self) -> impl Iterator<Item = &str> + Clone {
        let mut room = NAMES;
        (0..self.suites.count()).map_while(|index| self.suites.name(index)).take_while(move |name| {
            let left = room.checked_sub(name.len().saturating_add(1));
            room = left.unwrap_or(0);
            left.is_some()
        })
    }

    /// The names of the peer's suites, in its order, once its hello is there; no more than 128 octets of them.
    pub fn peer_suites(&self) -> impl Iterator<Item = &str> {
        names(self.theirs.0.get(..usize::from(self.theirs.1)).unwrap_or_default())
    }

    /// The peer's key, once it was shown and is trusted.
    pub fn peer_key(&self) -> Option<&PublicKey> {
        self.peer_key.as_ref()
    }

    /// What only the two ends of this line have in common, once there are keys: to bind to it what is proved otherwise. It is
    /// no secret.
    pub fn binding(&self) -> Option<&[u8; 32]> {
        matches!(self.stage, Stage::Sealed { .. } | Stage::Over { .. }).then_some(&self.binding)
    }

    /// What holds for both directions, once the hellos are exchanged.
    pub fn holds(&self) -> Policy {
        self.holds
    }

    /// Whether a peer that does not seal will do.
    fn allows_plain(&self) -> bool {
        self.policy.allows_plain() && (self.is_client || self.auth.is_none())
    }

    /// The octet of the pattern that this end asks for, or took.
    fn own_pattern(&self) -> u8 {
        let psk = if self.identity.psk.is_some() { WITH_PSK } else { 0 };
        self.identity.pattern as u8 | psk
    }

    /// A server takes what the client asks for if it proves as much as this end wants, and this end can.
    fn takes(&self, asked: u8) -> Option<Pattern> {
        let pattern = Pattern::of(asked & !WITH_PSK)?;
        let psk = (asked & WITH_PSK != 0) == self.identity.psk.is_some();
        let proves = pattern >= self.identity.pattern && (pattern == Pattern::Nn || self.identity.key.is_some());
        (psk && proves).then_some(pattern)
    }

    /// The first of this end's suites that the peer has, too.
    fn common(&self, offer: &Offer<'_>) -> Option<u8> {
        let is_theirs = |name: &str| offer.names().any(|other| other == name);
        self.index_of(is_theirs)
    }

    /// This end's suite that the server took: it says which of its own that is.
    fn named(&self, offer: &Offer<'_>) -> Option<u8> {
        let taken = offer.names().nth(usize::from(offer.suite))?;
        self.index_of(|name| name == taken)
    }

    fn index_of(&self, is_it: impl FnMut(&str) -> bool) -> Option<u8> {
        self.suites().position(is_it).and_then(|index| u8::try_from(index).ok()).filter(|index| *index != NONE)
    }

    fn remember(&mut self, offer: &Offer<'_>) {
        let (kept, len) = &mut self.theirs;
        *len = 0;
        // As many whole names as there is room for.
        for name in offer.names() {
            let at = usize::from(*len);
            let end = at.saturating_add(1).saturating_add(name.len());
            let Some([first, rest @ ..]) = kept.get_mut(at..end) else { return };
            // Neither the room nor a name has more octets than that.
            *first = name.len() as u8;
            rest.copy_from_slice(name.as_bytes());
            *len = end as u8;
        }
    }

    fn begin(&mut self) {
        let Some(pattern) = self.agreed.and_then(|octet| Pattern::of(octet & !WITH_PSK)) else { return };
        let ephemeral = self.seed.draw();
        let Identity { key, psk, .. } = &self.identity;
        let handshake = Handshake::new(pattern, self.is_client, &self.hellos, &ephemeral, key.as_ref(), psk.as_ref());
        self.stage = handshake.map_or(Stage::Plain, Stage::Agreeing);
    }

    fn note_hello(&mut self, of_client: bool, hello: &[u8]) {
        let (clients, servers) = self.hellos.split_at_mut(32);
        let place = if of_client { clients } else { servers };
        place.copy_from_slice(&Sha256::hash(hello).0);
    }

    /// The handshake is over: keys follow.
    fn split(&mut self, now: Instant) {
        let Stage::Agreeing(handshake) = &self.stage else { return };
        let Some(keys) = handshake.keys() else { return };
        self.binding = *schedule::derive(&keys.hash, Label::Binding);
        let fresh = Fresh::new(schedule::root(&keys), self.is_client);
        let (ours, theirs) =
            if self.is_client { (keys.to_server, keys.to_client) } else { (keys.to_client, keys.to_server) };
        let ours = self.way(now, ours, self.holds.sending);
        let theirs = self.way(now, theirs, self.holds.receiving);
        if let (Some(ours), Some(theirs)) = (ours, theirs) {
            self.stage = Stage::Sealed { ours, theirs, fresh };
        }
    }

    fn way(&self, now: Instant, secret: Zeroizing<[u8; 32]>, rule: Rule) -> Option<Way<C::Cipher>> {
        let cipher = cipher(&self.suites, self.suite?, &secret)?;
        Some(Way::new(now, secret, cipher, rule != Rule::Plain))
    }
}

#[cfg(test)]
impl<C: Suites, T> Sealer<C, T> {
    /// Whether nothing secret is left of the line.
    #[cfg(feature = "chacha20-poly1305")]
    pub(crate) fn is_forgotten(&self) -> bool {
        *self.seed.0 == [0; 32] && matches!(self.stage, Stage::Plain | Stage::Over { .. })
    }

    /// Whether what this end says is sealed when all is said that it was asked for.
    pub(crate) fn asked_or_will(&self) -> bool {
        self.asked.unwrap_or(self.will_seal)
    }

    /// How far it is decided who the client is.
    pub(crate) fn auth_standing(&self) -> Option<Auth> {
        self.auth
    }

    /// All that decides what happens next, but that, secrets and what counts records.
    pub(crate) fn standing(&self) -> (Policy, [bool; 5], Option<[bool; 9]>) {
        let sealed = match &self.stage {
            Stage::Sealed { ours, theirs, fresh } => {
                let [a, b, c, d, e, f] = fresh.standing();
                assert!(ours.affords_share(), "a walk that goes so far has to know what is owed");
                Some([ours.is_on(), theirs.is_on(), ours.wants_next(), a, b, c, d, e, f])
            }
            _ => None,
        };
        let asked = self.asked.map_or([false; 2], |on| [true, on]);
        let agreeing = matches!(self.stage, Stage::Agreeing(_));
        (self.holds, [self.has_opened, self.will_seal, asked[0], asked[1], agreeing], sealed)
    }
}

/// Whether this end's share is due: one that answers the peer's at once, another when it was paid for.
fn says_share<K: Cipher>(ours: &Way<K>, fresh: &Fresh) -> bool {
    fresh.wants_share() && (fresh.is_asked() || ours.affords_share())
}

/// What seals by the secret of a direction.
fn cipher<C: Suites>(suites: &C, suite: u8, secret: &[u8; 32]) -> Option<C::Cipher> {
    let index = usize::from(suite);
    let mut keys = Zeroizing::new([[0; 32]; KEYS]);
    schedule::record_keys(secret, suites.name(index)?, &mut *keys);
    suites.cipher(index, &keys)
}

#[cfg(all(test, feature = "chacha20-poly1305"))]
mod tests {
    use super::*;
    use crate::seal::{Anyone, ChaCha20Poly1305};
    use crate::sealing::{Extension, Inner};
    use crate::wire::seal::PREFIX;

    const NOW: Instant = Instant::ZERO;

    /// Two ends that have agreed on keys behind these hellos, whatever they said themselves.
    fn agreed(entropy: [u8; 2]) -> [Sealer<ChaCha20Poly1305, Anyone>; 2] {
        let [mut client, mut server] = [Sealer::client, Sealer::server].map(|begin| {
            begin(ChaCha20Poly1305, Identity { pattern: Pattern::Nn, key: None, psk: None, trust: Anyone }).unwrap()
        });
        client.seed(false, [entropy[0]; 32]);
        server.seed(true, [entropy[1]; 32]);
        let mut octets = [0; 256];
        for of_client in [true, false] {
            let (from, to) = if of_client { (&mut client, &mut server) } else { (&mut server, &mut client) };
            let len = from.write_offer(&mut octets).unwrap();
            from.said_hello(b"a hello");
            let offer = Extension { must: true, octets: &octets[2..len] };
            assert_eq!(to.heard_hello(b"a hello", Some(offer)), Ok(true));
        }
        for of_client in [true, false] {
            let (from, to) = if of_client { (&mut client, &mut server) } else { (&mut server, &mut client) };
            let len = from.write_handshake(&mut octets).unwrap();
            to.read_handshake(NOW, &octets[PREFIX..len]).unwrap();
        }
        [client, server]
    }

    /// D14: who sits in between, and passes the hellos on as they are, has another line with either end: the proof of one is of no
    /// use on the other.
    #[test]
    fn a_proof_is_bound_to_the_agreement_and_not_to_the_hellos() {
        let [client, between] = agreed([1, 2]);
        let [between_too, server] = agreed([3, 4]);
        assert_eq!(client.hellos, server.hellos);
        let proof = client.proof("kiosk", b"secret");
        assert!(between.verify("kiosk", &proof, b"secret"));
        assert!(!server.verify("kiosk", &proof, b"secret"));
        assert!(server.verify("kiosk", &between_too.proof("kiosk", b"secret"), b"secret"));
    }
}
