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
    /// Paused by the flow's sender, by its receiver.
    pub(crate) paused: [bool; 2],
    pub(crate) owes: Owes,
    pub(crate) code: Code,
    pub(crate) credit_due: bool,
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

impl Flow {
    /// A free flow.
    pub const EMPTY: Flow = Flow {
        links: Links::NEW,
        state: State::Offered,
        push: false,
        paused: [false; 2],
        owes: Owes::Nothing,
        code: Code::OK,
        credit_due: false,
        size: u64::MAX,
        at: 0,
        end: u64::MAX,
        used: 0,
        limit: 0,
        taken: 0,
    };
}

impl Flow {
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
        self.paused = [false; 2];
        if self.owes == Owes::Pause {
            self.owes = Owes::Nothing;
        }
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
