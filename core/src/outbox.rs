//! The ring of encoded frames: written by verbs, read by transmission.
//!
//! A frame never wraps: one that does not fit behind the last is put at the start, and `wrap` remembers where the upper
//! part ends. So frames can be encoded in place and read as slices.
//!
//! ```text
//! 0 ........ kept ==sent== sent ==unsent== tail ........ end          (wrap = None)
//! 0 ==unsent== tail ........ kept ==== sent ==unsent== wrap .... end  (wrap = Some)
//! ```

use crate::memory::Space;
use crate::wire::seal::ENVELOPE;
use crate::wire::{Frame, Switch};

#[cfg_attr(test, derive(Clone))]
pub(crate) struct Outbox<S> {
    space: S,
    /// The oldest octet kept. A line that can't be resumed forgets what it has sent, so this follows `sent`.
    kept: usize,
    sent: usize,
    tail: usize,
    wrap: Option<usize>,
    unsent: usize,
    /// Frames unsent that go in records of their own where nothing is sealed.
    enveloped: usize,
    /// Octets of large frames since there were none unsent, and how far behind `sent` the last of them ends.
    bulk: usize,
    bulk_end: usize,
    /// Counted frames written since the session began.
    written: u64,
    written_at_rest: u64,
}

/// A frame that is to be transmitted as a whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Next {
    pub(crate) len: usize,
    /// It goes in a record of its own where nothing is sealed.
    pub(crate) enveloped: bool,
    /// Behind it this end's direction is sealed, or not.
    pub(crate) switch: Option<bool>,
}

/// What does not fit now, or never will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoRoom;

impl<S: Space> Outbox<S> {
    pub(crate) fn new(space: S) -> Outbox<S> {
        Outbox {
            space,
            kept: 0,
            sent: 0,
            tail: 0,
            wrap: None,
            unsent: 0,
            enveloped: 0,
            bulk: 0,
            bulk_end: 0,
            written: 0,
            written_at_rest: 0,
        }
    }

    pub(crate) fn limit(&self) -> usize {
        self.space.limit()
    }

    /// Octets not yet transmitted.
    pub(crate) fn unsent(&self) -> usize {
        self.unsent
    }

    /// Counted frames written since the session began.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Octets of large frames not yet transmitted.
    pub(crate) fn bulk(&self) -> usize {
        self.bulk
    }

    /// The largest frame that fits now.
    pub(crate) fn room(&self) -> usize {
        match self.wrap {
            Some(_) => self.kept.saturating_sub(self.tail),
            None => self.limit().saturating_sub(self.tail).max(self.kept),
        }
    }

    /// Encodes a frame behind the others.
    #[inline]
    pub(crate) fn push(&mut self, frame: &Frame<'_>) -> Result<(), NoRoom> {
        self.push_by(frame.is_counted(), |out| frame.encode_if(false, out))
    }

    #[inline]
    fn push_by(&mut self, counted: bool, encode: impl Fn(&mut [u8]) -> Option<usize>) -> Result<(), NoRoom> {
        loop {
            let octets = self.space.octets_mut();
            let end = if self.wrap.is_some() { self.kept } else { octets.len() };
            if let Some(len) = octets.get_mut(self.tail..end).and_then(&encode) {
                self.wrote(len, counted);
                return Ok(());
            }
            if self.wrap.is_some() {
                return Err(NoRoom);
            }
            let len = octets.len();
            if len < self.space.limit() {
                // Octets double, so that a line that sends little has little.
                self.space.grow(len.saturating_mul(2).max(LEAST));
                if self.space.octets().len() > len {
                    continue;
                }
            }
            let octets = self.space.octets_mut();
            let len = octets.get_mut(..self.kept).and_then(&encode).ok_or(NoRoom)?;
            self.wrap = Some(self.tail);
            self.tail = 0;
            self.wrote(len, counted);
            return Ok(());
        }
    }

    /// Encodes a frame that goes in a record of its own where nothing is sealed.
    pub(crate) fn push_enveloped(&mut self, frame: &Frame<'_>) -> Result<(), NoRoom> {
        self.push_by(frame.is_counted(), |out| {
            let (envelope, out) = out.split_first_mut()?;
            let len = frame.encode(out)?;
            *envelope = ENVELOPE;
            len.checked_add(1)
        })?;
        self.enveloped = self.enveloped.saturating_add(1);
        Ok(())
    }

    /// Moves all that waits to `out`, if nothing of it is special and there is room: how many octets. Whole frames, then, without
    /// a look at each.
    pub(crate) fn transmit_all(&mut self, out: &mut [u8]) -> usize {
        if self.enveloped > 0 || self.unsent > out.len() { 0 } else { self.transmit(self.unsent, out) }
    }

    /// The next frame, if there is one: none is cut where whole ones are transmitted.
    pub(crate) fn next(&self) -> Option<Next> {
        let end = self.wrap.unwrap_or(self.tail);
        let octets = self.space.octets().get(self.sent..end)?;
        let enveloped = *octets.first()? == ENVELOPE;
        let octets = octets.get(usize::from(enveloped)..)?;
        let (frame, len) = Frame::read(octets, u32::MAX).ok()?;
        let switch = match frame {
            Frame::Switch(Switch { on, ask: false }) => Some(on),
            _ => None,
        };
        Some(Next { len, enveloped, switch })
    }

    /// Moves it to `out`, which has room for it; how long it is.
    pub(crate) fn transmit_next(&mut self, next: &Next, out: &mut [u8]) -> usize {
        if next.enveloped {
            self.transmit(1, &mut [0]);
            self.enveloped = self.enveloped.saturating_sub(1);
        }
        self.transmit(next.len, out)
    }

    /// Nothing of what waits will be transmitted.
    pub(crate) fn forget(&mut self) {
        (self.kept, self.sent, self.tail, self.wrap, self.unsent) = (0, 0, 0, None, 0);
        (self.bulk, self.bulk_end, self.enveloped) = (0, 0, 0);
    }

    #[inline]
    fn wrote(&mut self, len: usize, counted: bool) {
        self.tail = self.tail.saturating_add(len);
        self.unsent = self.unsent.saturating_add(len);
        if counted {
            self.written = self.written.saturating_add(1);
        }
    }

    /// The frame just pushed is part of something large.
    pub(crate) fn mark_bulk(&mut self, octets: usize) {
        self.bulk = self.bulk.saturating_add(octets);
        self.bulk_end = self.unsent;
    }

    /// Moves up to `most` unsent octets to `out`; how many.
    pub(crate) fn transmit(&mut self, most: usize, out: &mut [u8]) -> usize {
        let mut done = 0usize;
        loop {
            let end = self.wrap.unwrap_or(self.tail);
            let len = end.saturating_sub(self.sent).min(most.saturating_sub(done)).min(out.len().saturating_sub(done));
            let upto = self.sent.saturating_add(len);
            let to = done.saturating_add(len);
            if let (Some(from), Some(to)) = (self.space.octets().get(self.sent..upto), out.get_mut(done..to)) {
                to.copy_from_slice(from);
            }
            done = to;
            self.sent = upto;
            self.unsent = self.unsent.saturating_sub(len);
            if self.wrap == Some(self.sent) {
                self.sent = 0;
                self.wrap = None;
                self.kept = 0;
                continue;
            }
            break;
        }
        self.kept = self.sent;
        self.bulk_end = self.bulk_end.saturating_sub(done);
        if self.bulk_end == 0 {
            self.bulk = 0;
        }
        if self.unsent == 0 {
            self.forget();
        }
        done
    }

    /// Lets go of memory if nothing was written since this was last called.
    pub(crate) fn rest(&mut self) {
        if self.unsent == 0 && self.written == self.written_at_rest {
            self.space.shrink();
        }
        self.written_at_rest = self.written;
    }
}

/// What an outbox that grows begins with: a few small messages.
const LEAST: usize = 512;

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::vec::Vec;

    use super::*;
    use crate::testing::roll;

    /// Octets that come when they are asked for.
    struct Grow(Vec<u8>, usize);

    impl Space for Grow {
        fn limit(&self) -> usize {
            self.1
        }

        fn octets(&self) -> &[u8] {
            &self.0
        }

        fn octets_mut(&mut self) -> &mut [u8] {
            &mut self.0
        }

        fn grow(&mut self, len: usize) {
            let len = len.min(self.1).max(self.0.len());
            self.0.resize(len, 0xee);
        }

        fn shrink(&mut self) {
            self.0 = Vec::new();
        }
    }

    /// A frame of `len` octets, at least 3, that no other resembles.
    fn frame(payload: &mut Vec<u8>, len: usize, mark: u8) -> Frame<'_> {
        payload.clear();
        payload.resize(len - 3, mark);
        Frame::Data { flow: u16::from(mark & 0x7f), bytes: payload }
    }

    fn octets(frame: &Frame<'_>) -> Vec<u8> {
        let mut out = [0; 256];
        let len = frame.encode(&mut out).unwrap();
        out[..len].to_vec()
    }

    /// What goes in comes out, in order; what does not fit changes nothing; an empty ring takes anything that fits at all.
    fn check(space: impl Space, seed: u64) {
        let limit = space.limit();
        let (mut ring, mut seed) = (Outbox::new(space), seed);
        let (mut model, mut bulk) = (Vec::new(), 0);
        let mut payload = Vec::new();
        for turn in 0..2000 {
            if roll(&mut seed, 2) == 0 {
                let len = 3 + roll(&mut seed, 100);
                let frame = frame(&mut payload, len, turn as u8);
                let (room, before) = (ring.room(), ring.unsent());
                match ring.push(&frame) {
                    Ok(()) => {
                        assert!(len <= room);
                        model.extend(octets(&frame));
                        if roll(&mut seed, 3) == 0 {
                            ring.mark_bulk(len);
                            bulk = model.len();
                        }
                    }
                    Err(NoRoom) => {
                        assert!(len > room, "{len} octets fit {room}");
                        assert!(before > 0 || len > limit);
                        assert_eq!(ring.unsent(), before);
                    }
                }
            } else {
                let mut out = [0; 150];
                let most = roll(&mut seed, 150);
                let upto = roll(&mut seed, 150);
                let len = ring.transmit(most, &mut out[..upto]);
                assert_eq!(len, most.min(upto).min(model.len()));
                assert_eq!(out[..len], model[..len]);
                model.drain(..len);
                bulk = bulk.saturating_sub(len);
            }
            assert_eq!(ring.unsent(), model.len());
            assert_eq!(ring.bulk() > 0, bulk > 0, "large frames unsent");
            ring.rest();
        }
    }

    #[test]
    fn the_ring_gives_what_it_was_given() {
        for seed in 0..30 {
            for limit in [16, 60, 103, 104, 150, 256, 1000] {
                check(std::vec![0; limit], seed);
                check(Grow(Vec::new(), limit), seed);
            }
        }
    }

    /// One by one each is known for what it is; all at once go only such as need not be looked at.
    #[test]
    fn frames_come_out_whole() {
        for seed in 0..30 {
            let (mut ring, mut seed) = (Outbox::new(std::vec![0; 300]), seed);
            let mut model = VecDeque::new();
            let mut payload = Vec::new();
            for turn in 0..2000 {
                let mut out = [0; 400];
                match roll(&mut seed, 5) {
                    0 | 1 => {
                        let len = 4 + roll(&mut seed, 60);
                        let (frame, enveloped) = (frame(&mut payload, len, turn as u8), roll(&mut seed, 4) == 0);
                        let pushed = if enveloped { ring.push_enveloped(&frame) } else { ring.push(&frame) };
                        if pushed.is_ok() {
                            model.push_back((octets(&frame), enveloped));
                        }
                    }
                    2 => {
                        let room = roll(&mut seed, 400);
                        let len = ring.transmit_all(&mut out[..room]);
                        let whole: Vec<u8> = model.iter().flat_map(|(octets, _)| octets.iter().copied()).collect();
                        if model.iter().any(|(_, enveloped)| *enveloped) || whole.len() > room {
                            assert_eq!(len, 0);
                        } else {
                            assert_eq!(out[..len], whole);
                            model.clear();
                        }
                    }
                    _ => {
                        let next = ring.next();
                        assert_eq!(next.map(|next| next.enveloped), model.front().map(|(_, enveloped)| *enveloped));
                        if let (Some(next), Some((octets, _))) = (next, model.pop_front()) {
                            let len = ring.transmit_next(&next, &mut out);
                            assert_eq!(out[..len], octets);
                        }
                    }
                }
                let envelopes = model.iter().filter(|(_, enveloped)| *enveloped).count();
                assert_eq!(ring.unsent(), model.iter().map(|(octets, _)| octets.len()).sum::<usize>() + envelopes);
            }
        }
    }

    #[test]
    fn a_ring_grows_no_more_than_it_must() {
        let mut ring = Outbox::new(Grow(Vec::new(), 4096));
        assert_eq!((ring.room(), ring.space.0.len()), (4096, 0));
        let mut payload = Vec::new();
        ring.push(&frame(&mut payload, 100, 1)).unwrap();
        assert_eq!(ring.space.0.len(), LEAST);
        for _ in 0..6 {
            ring.push(&frame(&mut payload, 100, 1)).unwrap();
        }
        assert_eq!(ring.space.0.len(), 2 * LEAST);
        ring.rest();
        ring.rest();
        assert_eq!(ring.space.0.len(), 2 * LEAST, "not while something is unsent");
        ring.transmit(4096, &mut [0; 4096]);
        ring.rest();
        assert_eq!(ring.space.0.len(), 0);
        ring.push(&frame(&mut payload, 100, 1)).unwrap();
        ring.transmit(4096, &mut [0; 4096]);
        ring.rest();
        assert_eq!(ring.space.0.len(), LEAST, "not while it is used now and then");
    }
}
