//! A verb that may have to wait.

use std::task::{Context, Poll};

use ropeway_core::Refused;

use crate::error::Error;
use crate::line::Line;
use crate::state::{State, Turn};

/// Where a verb waits on a line. Gives its place up when dropped.
pub(crate) struct Waiting<'l> {
    pub(crate) line: &'l Line,
    pub(crate) turn: Turn,
}

impl<'l> Waiting<'l> {
    pub(crate) fn new(line: &'l Line, turn: Turn) -> Waiting<'l> {
        Waiting { line, turn }
    }

    pub(crate) fn poll<T>(
        &mut self,
        cx: &Context<'_>,
        verb: impl FnOnce(&mut State, &Turn) -> Result<T, Refused>,
    ) -> Poll<Result<T, Error>> {
        let mut state = self.line.lock();
        let answer = verb(&mut state, &self.turn);
        state.outcome(answer, &mut self.turn, cx)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.turn.is_waiting() {
            let mut state = self.line.lock();
            self.turn.leave(&mut state);
        }
    }
}
