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
use crate::wire::Frame;

pub(crate) struct Outbox<S> {
    space: S,
    /// The oldest octet kept. A line that can't be resumed forgets what it has sent, so this follows `sent`.
    kept: usize,
    sent: usize,
    tail: usize,
    wrap: Option<usize>,
    unsent: usize,
    /// Octets of large frames since there were none unsent, and how far behind `sent` the last of them ends.
    bulk: usize,
    bulk_end: usize,
    /// Counted frames written since the session began.
    written: u64,
    written_at_rest: u64,
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
        loop {
            let octets = self.space.octets_mut();
            let end = if self.wrap.is_some() { self.kept } else { octets.len() };
            if let Some(len) = octets.get_mut(self.tail..end).and_then(|out| frame.encode(out)) {
                self.wrote(len, frame);
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
            let len = octets.get_mut(..self.kept).and_then(|out| frame.encode(out)).ok_or(NoRoom)?;
            self.wrap = Some(self.tail);
            self.tail = 0;
            self.wrote(len, frame);
            return Ok(());
        }
    }

    #[inline]
    fn wrote(&mut self, len: usize, frame: &Frame<'_>) {
        self.tail = self.tail.saturating_add(len);
        self.unsent = self.unsent.saturating_add(len);
        if frame.is_counted() {
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
            (self.kept, self.sent, self.tail, self.wrap) = (0, 0, 0, None);
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
