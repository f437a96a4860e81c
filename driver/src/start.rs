//! A message on its way into the outbox.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ropeway_core::{Action, Instant, Kind, Send};

use crate::action::To;
use crate::codec::Content;
use crate::error::Error;
use crate::line::Line;
use crate::slab::Key;
use crate::state::Turn;
use crate::waiting::Waiting;

/// What a message brings besides its body.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Terms {
    pub(crate) attached: u16,
    pub(crate) timeout: Option<Duration>,
    pub(crate) wants_answer: bool,
    /// It is sealed even on a line that is not.
    pub(crate) sealed: bool,
}

/// Sends the first frame of a message: its exchange, if it has one, and how much of the body went with it.
///
/// Every message goes through it, so it is written out: an async fn would move what it is given once more.
pub(crate) struct Start<'l> {
    waiting: Waiting<'l>,
    to: To<'l>,
    content: &'l dyn Content,
    terms: Terms,
}

impl<'l> Start<'l> {
    pub(crate) fn new(line: &'l Line, to: To<'l>, content: &'l dyn Content, terms: Terms) -> Start<'l> {
        Start { waiting: Waiting::new(line, Turn::for_lane(content.len())), to, content, terms }
    }
}

impl Future for Start<'_> {
    type Output = Result<(Option<Key>, usize), Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Start { waiting: Waiting { line, turn }, to, content, terms } = &mut *self;
        to.check()?;
        // Nothing is waited for on a notice.
        let now = if terms.wants_answer { line.now() } else { Instant::ZERO };
        let mut state = line.lock();
        let needs_lane = terms.wants_answer || terms.attached > 0 || !state.machine.fits(content.len());
        turn.spare(!needs_lane);
        if state.must_queue(turn, cx) {
            // What is refused for good is told at once.
            let checked = content.said(0, |octets| {
                let send = Send::new(Action::Number(0), Kind::Bytes, octets);
                state.machine.check(&Send { attached: terms.attached, sealed: terms.sealed, ..send })
            });
            return match checked {
                Ok(_) => Poll::Pending,
                Err(refused) => state.outcome(Err(refused), turn, cx),
            };
        }
        let started = state.named(*to, *content).and_then(|(action, kind)| {
            let sent = content.said(0, |octets| {
                let Terms { attached, timeout, sealed, .. } = *terms;
                let send = Send { attached, timeout, sealed, ..Send::new(action, kind, octets) };
                match terms.wants_answer {
                    true => state.machine.request(now, &send),
                    false => state.machine.notify(now, &send),
                }
            })?;
            let key = sent.lane.map(|lane| state.new_call(lane, cx));
            // Whoever has not taken an answer that came is likely to ask again.
            if terms.wants_answer && state.calls.len() == 1 {
                state.hurry = true;
            }
            Ok((key, sent.taken))
        });
        state.outcome(started, turn, cx)
    }
}
