//! Hostile but legal I/O: what any `futures_io` stream may do to its user, done on purpose and from a seed.
//!
//! A [`Weather`] says what happens to each call; [`Exposed`] is a stream out in it; [`Outdoors::under`] puts one there,
//! layer upon layer, the last one named being the first the user meets:
//!
//! ```
//! use ropeway_conformance::weather::{pipe, Chop, Outdoors, Stall};
//!
//! let (ours, theirs) = pipe(64);
//! let ours = ours.under(Chop::new(1, 7)).under(Stall::new(2, 3));
//! # drop((ours, theirs));
//! ```
//!
//! | weather | what it does |
//! | --- | --- |
//! | [`OneByte`] | moves a byte a call |
//! | [`Chop`] | moves small pieces of random size |
//! | [`Stall`] | is pending a random number of times, and wakes itself |
//! | [`Gate`] | is pending until the test opens it, each way apart |
//! | [`Spurious`] | wakes tasks though nothing happened |
//! | [`Cut`] | ends the stream after so many bytes |
//! | [`Corrupt`] | flips a bit |
//! | [`Tally`] | fair weather that counts |
//!
//! [`Buffered`] is no weather but a stream of its own: what is written stays behind until it is flushed.
//!
//! It holds no clock and starts no thread; the same calls in the same order meet the same weather.

mod buffered;
mod chop;
mod corrupt;
mod cut;
mod dice;
mod exposed;
mod gate;
mod one_byte;
mod pipe;
mod spurious;
mod stall;
mod tally;
#[cfg(test)]
pub(crate) mod testing;

use std::io;
use std::task::{Context, Poll};

pub use buffered::Buffered;
pub use chop::Chop;
pub use corrupt::Corrupt;
pub use cut::{Cut, Ending};
pub use dice::Dice;
pub use exposed::{Exposed, Outdoors};
pub use gate::Gate;
pub use one_byte::OneByte;
pub use pipe::{End, ReadHalf, WriteHalf, pipe};
pub use spurious::Spurious;
pub use stall::Stall;
pub use tally::{Count, Tally};

/// What happens to the calls made on a stream.
pub trait Weather: Unpin {
    /// Asked before a call reaches the stream: what becomes of it? `len` is what the user offers, 0 for [`Op::Flush`] and
    /// [`Op::Close`].
    ///
    /// Who answers `Pending` sees to it that the task of `cx` is woken.
    fn admit(&mut self, cx: &mut Context<'_>, op: Op, len: usize) -> Poll<Verdict>;

    /// Told what the user is about to see of an admitted call; the number is 0 for [`Op::Flush`] and [`Op::Close`].
    fn seen(&mut self, cx: &mut Context<'_>, op: Op, outcome: &Poll<io::Result<usize>>) {
        let _ = (cx, op, outcome);
    }
}

impl<W: Weather + ?Sized> Weather for Box<W> {
    fn admit(&mut self, cx: &mut Context<'_>, op: Op, len: usize) -> Poll<Verdict> {
        (**self).admit(cx, op, len)
    }

    fn seen(&mut self, cx: &mut Context<'_>, op: Op, outcome: &Poll<io::Result<usize>>) {
        (**self).seen(cx, op, outcome);
    }
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It reaches the stream, with at most so many bytes; at least 1 if any were offered, as 0 would be an end.
    Pass(usize),
    /// It reaches the stream with one byte, of which these bits are flipped.
    Flip(u8),
    /// The way has ended: a read returns 0; a write or flush closes the stream for the peer to see and fails with `BrokenPipe`.
    Eof,
    /// It fails.
    Fail(io::ErrorKind),
}

/// A call on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Op {
    /// `poll_read`.
    Read,
    /// `poll_write`.
    Write,
    /// `poll_flush`.
    Flush,
    /// `poll_close`.
    Close,
}

impl Op {
    /// The way the call goes; flushing and closing are the writer's.
    pub fn way(self) -> Way {
        match self {
            Self::Read => Way::Read,
            Self::Write | Self::Flush | Self::Close => Way::Write,
        }
    }
}

/// A direction, seen from the exposed end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Way {
    /// Bytes that arrive.
    Read,
    /// Bytes that leave.
    Write,
}

impl Way {
    /// The opposite direction.
    pub fn other(self) -> Self {
        match self {
            Self::Read => Self::Write,
            Self::Write => Self::Read,
        }
    }
}
