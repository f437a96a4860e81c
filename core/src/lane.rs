//! What one exchange needs, in a fixed size.
//!
//! ```text
//! each half:   open ── last message begun ── its body and flows begun ──> ended      (or ABORT ──> ended)
//! the lane:    free ── OPEN ──> both halves open ── both ended, nothing left to say ──> free
//! ```

use crate::id::{Code, Side};
use crate::pool::{Links, Slot};
use crate::time::Instant;

/// The memory of one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    links: Links,
    /// An answer is wanted.
    pub(crate) request: bool,
    /// What this end says on it is sealed, whatever else is.
    pub(crate) sealed: bool,
    /// What this end says. Once it has aborted, what still comes is dropped.
    pub(crate) out: Half,
    /// What the peer says. Once it has aborted, nothing more comes.
    pub(crate) input: Half,
    /// Octets charged to the peer's half that the application has taken.
    pub(crate) taken: u64,
    /// What is still to be said besides what lies in the outbox.
    pub(crate) owes: Owes,
    pub(crate) code: Code,
    /// How long this end waits for a sign of life on what it opened, in milliseconds; 0 for ever.
    pub(crate) timeout: u32,
    pub(crate) deadline: Instant,
    /// Of what this end opened: tells exchanges apart that use the lane one after another.
    pub(crate) serial: u32,
}

/// Frames that wait in the slot for room in the outbox, so that a verb never fails for want of it and a peer that
/// provokes them can't make them pile up. A later one replaces an earlier one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Owes {
    #[default]
    Nothing,
    Code,
    End,
    Abort,
}

/// One direction of an exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Half {
    /// The message that ends this half has begun.
    pub(crate) last: bool,
    pub(crate) ended: bool,
    /// Its sender gave up.
    pub(crate) aborted: bool,
    /// Flows announced and not yet offered.
    pub(crate) flows: u16,
    /// Octets of the current body still to come.
    pub(crate) left: u64,
    /// Octets charged so far.
    pub(crate) used: u64,
    /// Octets allowed so far; on the receiving half, as last told.
    pub(crate) limit: u64,
}

impl Lane {
    /// A free lane.
    pub const EMPTY: Lane = Lane {
        links: Links::NEW,
        request: false,
        sealed: false,
        out: Half::NEW,
        input: Half::NEW,
        taken: 0,
        owes: Owes::Nothing,
        code: Code::OK,
        timeout: 0,
        deadline: Instant::NEVER,
        serial: 0,
    };

    /// Nothing more will be said on it.
    pub(crate) fn is_over(&self) -> bool {
        self.out.ended && self.input.ended && self.owes == Owes::Nothing
    }

    /// Whether this end still waits for what the peer has to say.
    pub(crate) fn is_awaited(&self) -> bool {
        !self.out.aborted && !self.input.ended
    }

    /// Whether the peer may be given credit. The accepting end gives none behind its last word: the opener may have
    /// opened the lane anew when it arrives.
    pub(crate) fn wants_more(&self, opened_by: Side) -> bool {
        self.is_awaited() && (opened_by == Side::Us || !self.out.ended)
    }
}

impl Half {
    const NEW: Half = Half { last: false, ended: false, aborted: false, flows: 0, left: 0, used: 0, limit: 0 };

    /// A message begins: what is left of it, and whether the half ends with it.
    pub(crate) fn begin(&mut self, left: u64, flows: u16, last: bool) {
        self.left = left;
        self.flows = flows;
        self.last = last;
        self.settle();
    }

    /// Whether the message that began has not all been sent, so that no other may begin.
    pub(crate) fn is_busy(&self) -> bool {
        self.left > 0 || self.flows > 0
    }

    pub(crate) fn settle(&mut self) {
        if self.last && !self.is_busy() {
            self.ended = true;
        }
    }
}

impl Slot for Lane {
    const EMPTY: Lane = Lane::EMPTY;

    fn links(&mut self) -> &mut Links {
        &mut self.links
    }

    fn is_used(&self) -> bool {
        self.links.is_used()
    }
}
