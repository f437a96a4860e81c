//! What a connection asks of what it is sealed by.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{ASKS, Sealer, Seed, Stage, WITH_PSK, cipher, says_share};
use crate::auth::{Auth, AuthRules};
use crate::error::PeerError;
use crate::id::Side;
use crate::seal::handshake::Pattern;
use crate::seal::offer::{NONE, Offer};
use crate::seal::policy::{Policy, Rule};
use crate::seal::schedule;
use crate::seal::suite::Suites;
use crate::seal::trust::Trust;
use crate::sealing::{Extension, Inner, Sealing};
use crate::time::Instant;
use crate::wire::hello::Field;
use crate::wire::seal::{HANDSHAKE, PREFIX, prefix};
use crate::wire::{Rekey, kind};

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
