//! One flow: a stream or a file, in one direction, in a fixed size.
//!
//! ```text
//! sender:    OFFER ──> Offered ──accepted──> Asked ──BEGIN──> Running ──FINISH──> Finished ──DONE──> free
//!                         └────── CANCEL, or DONE before FINISH ──────> Cancelled ──DONE──> free
//! receiver:  Offered ──ACCEPT──> Asked ──BEGIN──> Running ──FINISH──> Finished ──DONE──> free
//!                         └────── DONE before FINISH ──────> Stopped ──FINISH or CANCEL──> free
//! ```
//! A stream is Running from its offer on. A Finished flow may be accepted again, for another range. Each end frees the
//! slot when it has heard the other's last word, so a number is never used again too early.

use crate::id::Code;
use crate::pool::{Links, Slot};

/// The memory of one flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    links: Links,
    pub(crate) state: State,
    /// The bytes come unasked.
    pub(crate) push: bool,
    /// What this end says of it is sealed, whatever else is.
    pub(crate) sealed: bool,
    pub(crate) paused: Paused,
    pub(crate) owes: Owes,
    pub(crate) code: Code,
    /// The lane of the exchange it belongs to, if this end opened that; otherwise [`Flow::NO_LANE`].
    pub(crate) lane: u16,
    /// Which exchange on that lane, for the flow may outlive it. See [`Lane`](crate::Lane).
    pub(crate) serial: u32,
    /// Size offered; `u64::MAX` when unknown.
    pub(crate) size: u64,
    /// Offset of the next byte.
    pub(crate) at: u64,
    /// Offset behind the last byte asked for.
    pub(crate) end: u64,
    /// Octets charged so far.
    pub(crate) used: u64,
    /// Octets allowed so far; at the receiver, as last told.
    pub(crate) limit: u64,
    /// Octets the application has taken (at the receiver).
    pub(crate) taken: u64,
}

/// Where a flow stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    #[default]
    Offered,
    /// Asked for; the sender has not begun.
    Asked,
    Running,
    /// All that was asked for is sent.
    Finished,
    /// The sender has given it up and waits for the receiver's last word.
    Cancelled,
    /// The receiver wants no more and waits for the sender's last word.
    Stopped,
}

/// Frames that wait in the slot for room in the outbox. See [`crate::lane::Owes`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Owes {
    #[default]
    Nothing,
    Pause,
    Cancel,
    Done,
}

/// Which ends let a flow rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Paused(u8);

impl Flow {
    /// A free flow.
    pub const EMPTY: Flow = Flow {
        links: Links::NEW,
        state: State::Offered,
        push: false,
        sealed: false,
        paused: Paused(0),
        owes: Owes::Nothing,
        code: Code::OK,
        lane: Flow::NO_LANE,
        serial: 0,
        size: u64::MAX,
        at: 0,
        end: u64::MAX,
        used: 0,
        limit: 0,
        taken: 0,
    };
}

impl Flow {
    /// No lane has this number.
    pub(crate) const NO_LANE: u16 = u16::MAX;

    /// At the receiver: whether bytes may come, now or when another range is asked for. Not behind its last word.
    pub(crate) fn takes_more(&self) -> bool {
        self.can_pause() || (self.state == State::Finished && !self.push && self.owes != Owes::Done)
    }

    /// Whether pausing it means anything. Behind the end of a range it does not: the other end may be done with it.
    pub(crate) fn can_pause(&self) -> bool {
        matches!(self.state, State::Offered | State::Asked | State::Running)
    }

    /// The range is at its end: the next one begins without a pause at both ends.
    pub(crate) fn end_pause(&mut self) {
        self.paused = Paused(0);
        if self.owes == Owes::Pause {
            self.owes = Owes::Nothing;
        }
    }
}

impl Paused {
    pub(crate) fn is_on(self) -> bool {
        self.0 != 0
    }

    pub(crate) fn by(self, receiver: bool) -> bool {
        self.0 & Paused::bit(receiver) != 0
    }

    pub(crate) fn set(&mut self, by_receiver: bool, on: bool) {
        let bit = Paused::bit(by_receiver);
        self.0 = if on { self.0 | bit } else { self.0 & !bit };
    }

    const fn bit(receiver: bool) -> u8 {
        if receiver { 2 } else { 1 }
    }
}

impl Slot for Flow {
    const EMPTY: Flow = Flow::EMPTY;

    fn links(&mut self) -> &mut Links {
        &mut self.links
    }

    fn is_used(&self) -> bool {
        self.links.is_used()
    }
}
