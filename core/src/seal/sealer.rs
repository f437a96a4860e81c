//! What an end seals its line with: from the offer in its hello to the last record.

use core::fmt;
use core::time::Duration;

use noise_protocol::Hash;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::fresh::Fresh;
use super::handshake::{Handshake, Pattern};
use super::keys::{Psk, PublicKey, SecretKey};
use super::offer::{NONE, Offer, names};
use super::policy::{Policy, Rule};
use super::primitives::Sha256;
use super::schedule::{self, Label};
use super::suite::{Cipher, KEYS, Suites};
use super::trust::Trust;
use super::way::Way;
use crate::auth::{Auth, AuthRules};
use crate::error::PeerError;
use crate::id::Side;
use crate::sealing::{Extension, Inner, Sealing};
use crate::time::Instant;
use crate::wire::hello::Field;
use crate::wire::seal::{HANDSHAKE, PREFIX, prefix};
use crate::wire::{Rekey, kind};

/// The most octets of a list of names that is remembered.
const NAMES: usize = 128;
/// The most octets of a message of the handshake that brings nothing besides: a server's, with its key.
const LAST: usize = 96;
/// Set in the octet of the pattern if a secret is shared.
const WITH_PSK: u8 = 4;
/// Set in the octet of the policy if the client must say who it is.
const ASKS: u8 = 16;

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

/// When a key is followed by the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RekeyAfter {
    /// Records sealed; at most 2^32.
    pub records: u64,
    /// Octets sealed.
    pub octets: u64,
    /// Time since it came into use.
    pub time: Duration,
}

impl RekeyAfter {
    /// - 2^22 records and 2^36 octets: with records of the largest size, AES-GCM keeps an advantage below 2^-57 by the
    ///   bounds of draft-irtf-cfrg-aead-limits, and one key does not see more than 64 GiB.
    /// - An hour: what was recorded before is safe from who gets hold of a key later. SSH's default is the same (RFC 4253, section 9).
    pub const DEFAULT: RekeyAfter = RekeyAfter { records: 1 << 22, octets: 1 << 36, time: Duration::from_secs(3600) };
}

impl Default for RekeyAfter {
    fn default() -> RekeyAfter {
        RekeyAfter::DEFAULT
    }
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

impl<C: Suites, T: Trust> Sealing for Sealer<C, T> {}

impl<C: Suites, T: Trust> Inner for Sealer<C, T> {
    const SEALS: bool = true;

    fn seed(&mut self, is_server: bool, entropy: [u8; 32]) -> [u8; 16] {
        self.is_client = !is_server;
        self.seed = Seed(Zeroizing::new(entropy));
        schedule::session(&self.seed.0)
    }

    fn write_offer(&self, out: &mut [u8]) -> Option<usize> {
        let pattern = match (self.is_client, self.agreed) {
            (true, _) => self.own_pattern(),
            (false, Some(pattern)) => pattern,
            // Who did not ask may stay plain, or is told by this that it may not.
            (false, None) if self.allows_plain() => return Some(0),
            (false, None) => self.own_pattern(),
        };
        let asks = if !self.is_client && self.auth.is_some() { ASKS } else { 0 };
        let fixed = (pattern, self.policy.octet() | asks, self.suite.unwrap_or(NONE));
        Offer::write(fixed, self.suites(), !self.allows_plain(), out)
    }

    fn said_hello(&mut self, hello: &[u8]) {
        self.note_hello(self.is_client, hello);
        if !self.is_client && self.is_agreed() {
            self.begin();
        }
    }

    fn heard_hello(&mut self, hello: &[u8], offer: Option<Extension<'_>>) -> Result<bool, PeerError> {
        self.note_hello(!self.is_client, hello);
        let Some(offer) = offer else {
            self.holds = Policy::both(Rule::Plain);
            if self.is_client {
                self.auth = None;
            }
            return if self.allows_plain() { Ok(false) } else { Err(PeerError::NotSealed) };
        };
        let offer = Offer::read(offer.octets).ok_or(PeerError::BadHello(Field::Extension))?;
        self.remember(&offer);
        if !self.is_client {
            // What it answers if it can't take what is asked for.
            self.agreed = Some(self.own_pattern());
        }
        let asks = offer.policy & ASKS != 0;
        let theirs = Policy::of_octet(offer.policy & !ASKS).filter(|_| self.is_client || !asks);
        // A client takes no suite, and there are no other patterns.
        let is_one = Pattern::of(offer.pattern & !WITH_PSK).is_some() && (self.is_client || offer.suite == NONE);
        let theirs = theirs.filter(|_| is_one).ok_or(PeerError::BadHello(Field::Extension))?;
        self.holds = self.policy.with(theirs).ok_or(PeerError::SealPolicy)?;
        if self.is_client {
            let rules = self.auth.map_or(AuthRules::DEFAULT, |auth| auth.rules);
            self.auth = asks.then(|| Auth::new(rules));
        }
        if self.holds == Policy::both(Rule::Plain) {
            // Who is authenticated is so by keys.
            return if self.auth.is_none() { Ok(false) } else { Err(PeerError::SealPolicy) };
        }
        let takes =
            if self.is_client { offer.pattern == self.own_pattern() } else { self.takes(offer.pattern).is_some() };
        if !takes {
            return Err(PeerError::SealPattern);
        }
        self.agreed = Some(offer.pattern);
        self.suite = if self.is_client { self.named(&offer) } else { self.common(&offer) };
        if !self.is_agreed() {
            return Err(PeerError::NoSuite);
        }
        self.will_seal = self.holds.sending != Rule::Plain;
        if self.is_client {
            self.begin();
        }
        Ok(true)
    }

    fn is_agreed(&self) -> bool {
        self.suite.is_some()
    }

    fn wants_handshake(&self) -> bool {
        self.last.1 > 0 || matches!(&self.stage, Stage::Agreeing(handshake) if handshake.is_my_turn())
    }

    fn write_handshake(&mut self, out: &mut [u8]) -> Option<usize> {
        let (head, message) = out.split_at_mut_checked(PREFIX)?;
        let len = match &mut self.stage {
            _ if self.last.1 > 0 => {
                let last = self.last.0.get(..usize::from(self.last.1))?;
                message.get_mut(..last.len())?.copy_from_slice(last);
                usize::from(core::mem::take(&mut self.last.1))
            }
            Stage::Agreeing(handshake) => {
                let len = handshake.next_len();
                handshake.write(&[], message.get_mut(..len)?)?
            }
            _ => return None,
        };
        head.copy_from_slice(&prefix(HANDSHAKE, len)?);
        len.checked_add(PREFIX)
    }

    fn read_handshake(&mut self, now: Instant, message: &[u8]) -> Result<bool, PeerError> {
        let Stage::Agreeing(handshake) = &mut self.stage else { return Err(PeerError::Handshake) };
        if handshake.is_my_turn() || handshake.read(message, &mut []).is_err() {
            return Err(PeerError::Handshake);
        }
        let shown = handshake.peer_key();
        if handshake.is_done() {
            // Before anything may fail: the goodbye is to be sealed.
            self.split(now);
        }
        if self.peer_key.is_none()
            && let Some(key) = shown
        {
            if !self.identity.trust.trusts(&key) {
                return Err(PeerError::Untrusted);
            }
            self.peer_key = Some(key);
        }
        let Stage::Agreeing(handshake) = &mut self.stage else { return Ok(true) };
        if handshake.hears_more() {
            return Ok(false);
        }
        let len = self.last.0.get_mut(..handshake.next_len()).and_then(|out| handshake.write(&[], out));
        self.last.1 = len.and_then(|len| u8::try_from(len).ok()).ok_or(PeerError::Handshake)?;
        self.split(now);
        Ok(true)
    }

    fn auth(&mut self) -> Option<&mut Auth> {
        self.auth.as_mut()
    }

    fn deadline(&self) -> Option<Instant> {
        let auth = self.auth.as_ref()?;
        Some(auth.deny_at.min(auth.expires)).filter(|at| *at != Instant::NEVER)
    }

    fn shown_key(&self) -> Option<[u8; 32]> {
        self.peer_key.map(|key| key.0)
    }

    fn proof(&self, name: &str, secret: &[u8]) -> [u8; 32] {
        *schedule::proof(&self.binding, name, secret)
    }

    fn verify(&self, name: &str, proof: &[u8; 32], secret: &[u8]) -> bool {
        schedule::proof(&self.binding, name, secret).ct_eq(proof).into()
    }

    fn has_keys(&self) -> bool {
        matches!(self.stage, Stage::Sealed { .. })
    }

    fn is_sealed(&self, by: Side) -> bool {
        match (&self.stage, by) {
            (Stage::Sealed { ours, .. }, Side::Us) => ours.is_on(),
            (Stage::Sealed { theirs, .. }, Side::Them) => theirs.is_on(),
            // One end has its keys before the other: what must be sealed then must be so already.
            (Stage::Agreeing(_), Side::Us) => self.holds.sending != Rule::Plain,
            (Stage::Agreeing(_), Side::Them) => self.holds.receiving != Rule::Plain,
            (Stage::Over { ours, .. }, Side::Us) => *ours,
            (Stage::Over { theirs, .. }, Side::Them) => *theirs,
            (Stage::Plain, _) => false,
        }
    }

    fn overhead(&self) -> usize {
        match &self.stage {
            Stage::Sealed { ours, .. } => ours.overhead(),
            _ => 0,
        }
    }

    fn seal(&mut self, octets: &mut [u8], len: usize) -> Option<usize> {
        match &mut self.stage {
            Stage::Sealed { ours, .. } => ours.seal(octets, len),
            _ => None,
        }
    }

    fn open(&mut self, record: &mut [u8]) -> Result<usize, PeerError> {
        match &mut self.stage {
            Stage::Sealed { theirs, .. } => {
                self.has_opened = true;
                theirs.open(record)
            }
            _ => Err(PeerError::Unexpected(kind::SEALED)),
        }
    }

    fn has_opened(&self) -> bool {
        self.has_opened
    }

    fn opened(&self) -> (usize, usize) {
        (usize::from(self.opened.0), usize::from(self.opened.1))
    }

    fn set_opened(&mut self, left: usize, behind: usize) {
        // Both are parts of a record, of which the length has sixteen bits.
        self.opened = (left as u16, behind as u16);
    }

    fn needs_envelopes(&self) -> bool {
        self.is_agreed() && self.holds.sending != Rule::Required
    }

    fn will_seal(&self) -> bool {
        self.will_seal
    }

    fn set_will_seal(&mut self, on: bool) {
        self.will_seal = on;
    }

    fn asked(&self) -> Option<bool> {
        self.asked
    }

    fn set_asked(&mut self, on: Option<bool>) {
        self.asked = on;
    }

    fn may_switch(&self, by: Side) -> bool {
        let rule = match by {
            Side::Us => self.holds.sending,
            Side::Them => self.holds.receiving,
        };
        rule == Rule::Optional && self.is_agreed()
    }

    fn switch(&mut self, by: Side, on: bool) {
        match (&mut self.stage, by) {
            (Stage::Sealed { ours, .. }, Side::Us) => ours.set_on(on),
            (Stage::Sealed { theirs, .. }, Side::Them) => theirs.set_on(on),
            _ => {}
        }
    }

    fn rekey_due(&mut self, now: Instant) -> Option<Rekey> {
        let Stage::Sealed { ours, fresh, .. } = &mut self.stage else { return None };
        if says_share(ours, fresh) {
            return Some(Rekey::Share(fresh.share(|| self.seed.draw())));
        }
        if fresh.is_ready() {
            return Some(Rekey::Fresh);
        }
        ours.is_due(now, &self.rekey_after).then_some(Rekey::Next)
    }

    fn rekey_said(&mut self, now: Instant, said: Rekey) {
        let make = |secret: &[u8; 32]| cipher(&self.suites, self.suite?, secret);
        let Stage::Sealed { ours, fresh, .. } = &mut self.stage else { return };
        if !fresh.is_asked() || !matches!(said, Rekey::Share(_)) {
            // It never asks for so much that it would be too much.
            let _ = ours.charge(&said);
        }
        match said {
            Rekey::Share(_) => fresh.said_share(),
            Rekey::Next => ours.turn_to_next(now, make),
            Rekey::Fresh => {
                if let Some(secret) = fresh.take(Side::Us) {
                    ours.turn_to(now, secret, make);
                }
            }
        }
    }

    fn rekey_heard(&mut self, now: Instant, heard: Rekey) -> Result<(), PeerError> {
        let make = |secret: &[u8; 32]| cipher(&self.suites, self.suite?, secret);
        let Stage::Sealed { theirs, fresh, .. } = &mut self.stage else {
            return Err(PeerError::Unexpected(kind::SEALED));
        };
        if !fresh.has_asked() || !matches!(heard, Rekey::Share(_)) {
            theirs.charge(&heard)?;
        }
        match heard {
            Rekey::Share(share) => fresh.heard_share(share)?,
            Rekey::Next => theirs.turn_to_next(now, make),
            Rekey::Fresh => {
                let secret = fresh.take(Side::Them).ok_or(PeerError::Unexpected(kind::SEALED))?;
                theirs.turn_to(now, secret, make);
            }
        }
        Ok(())
    }

    fn wants_rekey(&self) -> bool {
        matches!(&self.stage, Stage::Sealed { ours, fresh, .. } if ours.wants_next() || says_share(ours, fresh) || fresh.is_ready())
    }

    fn want_next(&mut self) {
        if let Stage::Sealed { ours, .. } = &mut self.stage {
            ours.want_next();
        }
    }

    fn want_fresh(&mut self, entropy: &[u8; 32]) {
        if let Stage::Sealed { fresh, .. } = &mut self.stage {
            self.seed.stir(entropy);
            fresh.want();
        }
    }

    fn forget(&mut self) {
        let [ours, theirs] = [Side::Us, Side::Them].map(|by| self.is_sealed(by));
        self.stage = if self.has_keys() { Stage::Over { ours, theirs } } else { Stage::Plain };
        self.seed = Seed(Zeroizing::new([0; 32]));
    }
}
