//! An end: what it says, hears and must not hear, and what of it counts.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::vec::Vec;

use super::End;
use super::octets::parts;
use crate::connection::{Send, Step};
use crate::error::PeerError;
use crate::event::Event;
use crate::id::{Action, MessageId, Side};
use crate::seal::Rule;
use crate::sealing::Inner;
use crate::wire::seal::RECORD;
use crate::wire::{Body, Close, FIRST_UNCOUNTED, Frame, Kind, kind};

impl End {
    pub(super) fn say(&mut self) {
        self.say_as(false);
    }

    pub(super) fn say_sealed(&mut self) {
        self.say_as(true);
    }

    pub(super) fn say_as(&mut self, sealed: bool) {
        let body = Body { kind: Kind::None, bytes: &[][..] };
        let sent = self.line.notify(self.now, &Send { body, sealed, ..Send::bytes(Action::Number(1), &[]) });
        self.said += u64::from(sent.is_ok());
    }

    pub(super) fn transmit(&mut self) -> Vec<u8> {
        let mut out = [0; 1024];
        let len = self.line.poll_transmit(self.now, &mut out);
        out[..len].to_vec()
    }

    pub(super) fn hear(&mut self, octets: &[u8]) -> Result<(), PeerError> {
        let mut octets = octets.to_vec();
        let mut at = 0;
        while at < octets.len() {
            let before = self.heard_so_far();
            let step = self.line.handle_input(self.now, &mut octets[at..]);
            self.hears_only_whom_it_knows(&step, &before);
            let Step { consumed, event } = step?;
            assert!(consumed > 0, "whole frames are transmitted");
            match event {
                Some(Event::Message(message)) => {
                    let id = MessageId::new(&self.line.session, !self.line.is_server, self.heard);
                    assert_eq!(id, message.id, "a notice is lost, or comes twice");
                    self.heard += 1;
                }
                Some(Event::Sealed { by, on }) => {
                    let told = &mut self.told[usize::from(by == Side::Them)];
                    assert_ne!(*told, on, "the application knows that already");
                    *told = on;
                }
                Some(Event::Ready(_)) => self.opens(),
                Some(Event::Granted { .. }) if !self.terms.was_open => self.opens(),
                Some(Event::Claim { name, proof: Some(proof) }) => self.hears_claim(name, &proof),
                Some(Event::Closed { .. }) => self.is_over = true,
                _ => {}
            }
            self.begins_to_wait();
            at += consumed;
        }
        Ok(())
    }

    /// It is open, as its application is told.
    pub(super) fn opens(&mut self) {
        let holds = self.line.sealer.holds();
        self.told = [holds.sending, holds.receiving].map(|rule| rule != Rule::Plain);
        self.terms.was_open = true;
    }

    /// What the application believes is true, or will be when all that was wished for is said.
    pub(super) fn is_sound(&self) {
        if self.line.is_ready() {
            let holds = self.line.sealer.holds();
            assert_eq!(self.told, [self.line.sealer.asked_or_will(), self.line.is_sealed(Side::Them)]);
            for (rule, on) in [(holds.sending, self.line.is_sealed(Side::Us)), (holds.receiving, self.told[1])] {
                assert!(rule == Rule::Optional || on == (rule == Rule::Required), "against the policy");
            }
        }
    }

    /// Octets that anybody could have made are refused, or not heard, where what is heard must be sealed; all that can be brought
    /// about is the end that an error has, by who could have cut the line. What is said of records is refused everywhere.
    pub(super) fn takes_nothing_of(&self, octets: &[u8]) {
        let mut end = End::clone(self);
        let head = octets[0] >> 3;
        let of_records = matches!(head, 0 | 1 | 19 | 27);
        // A client that was granted nothing yet hears what is not counted.
        let may_come = head == kind::CLOSE || head >= FIRST_UNCOUNTED && !self.line.is_server;
        let keys = self.line.sealer.is_agreed();
        let hears = self.terms.was_open || may_come && self.line.sealer.has_keys();
        if keys && hears && !self.line.is_sealed(Side::Them) && !of_records {
            return;
        }
        let mut input = octets.to_vec();
        match end.line.handle_input(self.now, &mut input) {
            Err(error) if octets[0] != RECORD && self.line.is_ready() && self.line.is_sealed(Side::Them) => {
                assert_eq!(error, PeerError::NotSealed, "{octets:?}")
            }
            Err(_) => {}
            Ok(Step { event: Some(Event::Closed { .. }), .. }) => {
                let close = Frame::read(octets, u32::MAX).map(|(frame, _)| frame);
                let is_error = matches!(close, Ok(Frame::Close(Close { code, .. })) if code.is_error());
                assert!(is_error && !self.line.sealer.has_opened(), "a goodbye that anyone can forge: {octets:?}");
            }
            Ok(step) => assert_eq!((step.consumed, step.event), (0, None), "{octets:?} in the clear were taken"),
        }
    }

    pub(super) fn refuses(&self, octets: &[u8], why: &str) {
        let mut end = End::clone(self);
        let mut input = octets.to_vec();
        // One that says that it is longer than it is waits for what is missing.
        input.resize(input.len() + 400, 0x5a);
        let step = end.line.handle_input(self.now, &mut input);
        assert!(step.is_err(), "{why} was taken: {step:?}, {octets:?}");
        assert_eq!(
            end.line.handle_input(self.now, &mut octets.to_vec()).map(|step| step.event),
            Ok(None),
            "{why}: it goes on"
        );
    }

    /// All that can be done to the next record that comes.
    pub(super) fn withstands_records(&self, coming: &[u8]) {
        let before: usize = parts(coming).take_while(|part| part[0] != RECORD).map(<[u8]>::len).sum();
        let (plain, coming) = coming.split_at(before);
        let mut end = End::clone(self);
        assert_eq!(end.hear(plain), Ok(()));
        let mut records = parts(coming).filter(|part| part[0] == RECORD);
        let (Some(first), Some(second)) = (records.next(), records.next()) else { return };
        for at in 0..first.len() {
            // In the clear another head is another frame.
            if at > 0 || end.line.is_sealed(Side::Them) {
                let mut changed = first.to_vec();
                changed[at] ^= 1 << (at % 8);
                end.refuses(&changed, "a changed record");
            }
        }
        let mut cut = first[..first.len() - 1].to_vec();
        cut[1] -= 1;
        end.refuses(&cut, "a cut record");
        end.refuses(second, "a record before its time");
        let mut behind = End::clone(&end);
        assert_eq!(behind.hear(first), Ok(()));
        if !behind.is_over && behind.line.closed().is_none() {
            behind.refuses(first, "a record that comes twice");
        }
    }

    /// It gives something if it wants to.
    pub(super) fn speaks(&self) {
        let mut end = End::clone(self);
        if end.line.wants_transmit() {
            assert!(!end.transmit().is_empty(), "it wants to speak, and gives nothing");
        }
    }

    /// What decides what it takes: all but what it is still to say or to hear.
    pub(super) fn hears_by(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        std::mem::discriminant(&self.line.state).hash(&mut hasher);
        let (holds, flags, sealed) = self.line.sealer.standing();
        (holds.octet(), flags, sealed, self.is_over, self.is_deaf()).hash(&mut hasher);
        self.hash_terms(&mut hasher);
        hasher.finish()
    }

    /// What decides how it goes on, at this end. Left out are
    /// - secrets, and numbers of records: nothing is decided by what they are as long as both ends have the same, and if they had not
    ///   the next record would fail, which no record does;
    /// - what is owed for changes of keys: it never counts, as [`Sealer::standing`] asserts;
    /// - counts of notices, acknowledgements, and credit: they ride along, and there is always enough;
    /// - what its application was told: that follows, as [`End::is_sound`] asserts.
    pub(super) fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let mut waiting = [0; 64];
        let len = self.line.outbox.clone().transmit(usize::MAX, &mut waiting);
        waiting[..len].hash(&mut hasher);
        self.hears_by().hash(&mut hasher);
        self.inbox.iter().for_each(|(_, seen)| seen.hash(&mut hasher));
        hasher.finish()
    }
}
