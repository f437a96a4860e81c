//! An exchange that the peer opened, as those hold it who answer.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ropeway_core::{Code, LaneId, MessageId, Refused, Respond};

use crate::body::Octets;
use crate::codec::Content;
use crate::error::{Error, Failure};
use crate::flow::Incoming;
use crate::line::{Line, WeakLine};
use crate::slab::Key;
use crate::state::{State, Turn};
use crate::verdict;
use crate::waiting::Waiting;

/// The state of an exchange that the peer opened; answered when dropped.
pub(crate) struct Serving {
    pub(crate) line: Line,
    pub(crate) lane: Option<(LaneId, Key)>,
    /// Why there will be no other answer.
    refused: Option<Box<Failure>>,
}

/// What an answer brings besides its body.
#[derive(Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) code: Code,
    pub(crate) more: bool,
    pub(crate) attached: u16,
}

impl Terms {
    pub(crate) const LAST: Terms = Terms { code: Code::OK, more: false, attached: 0 };
}

impl Serving {
    pub(crate) fn new(line: Line, lane: Option<(LaneId, Key)>) -> Serving {
        Serving { line, lane, refused: None }
    }

    /// If there is no other answer, that is it.
    pub(crate) fn refuse(&mut self, why: impl Into<Failure>) {
        self.refused = Some(Box::new(why.into()));
    }

    pub(crate) async fn respond(
        &mut self,
        wants_answer: bool,
        terms: Terms,
        content: &dyn Content,
    ) -> Result<(), Error> {
        let Some((_, key)) = self.lane.filter(|_| wants_answer) else { return Ok(()) };
        let taken = self.begin(key, terms, content).await?;
        if taken == content.len() {
            return Ok(());
        }
        self.send_rest(key, content, taken).await
    }

    /// Sends the first frame of an answer; how much of the body went with it.
    pub(crate) fn begin<'s>(&'s mut self, key: Key, terms: Terms, content: &'s dyn Content) -> Begin<'s> {
        let Serving { line, lane, refused } = self;
        Begin { waiting: Waiting::new(line, Turn::for_room(content.len())), lane, refused, key, terms, content }
    }

    /// The error for an exchange on which nothing can be said.
    pub(crate) fn given_up(&self, key: Key) -> Error {
        given_up(&self.line, key)
    }

    pub(crate) async fn send_rest(&self, key: Key, content: &dyn Content, mut at: usize) -> Result<(), Error> {
        let mut turn = Waiting::new(&self.line, Turn::for_bulk());
        while at < content.len() {
            let sent = poll_fn(|cx| {
                turn.poll(cx, |state, turn| {
                    let lane = state.serving(key).ok_or(Refused::NoLane)?;
                    state.wait_for_lane(key, cx);
                    state.in_turn(turn)?;
                    let now = self.line.now();
                    content.said(at, |rest| state.machine.body(now, lane, rest))
                })
            });
            at += match sent.await {
                Err(Error::Misuse(_)) => return Err(self.given_up(key)),
                sent => sent?,
            };
        }
        Ok(())
    }

    /// The whole body, of which `first` came with the message, once it is there.
    pub(crate) fn poll_rest(&self, cx: &Context<'_>, first: &Octets, size: u64) -> Poll<Result<Octets, Error>> {
        let mut state = self.line.lock();
        let Some((_, key)) = self.lane else { return Poll::Ready(Err(Error::Missing("body"))) };
        let lane = state.serving(key);
        let State { served, machine, .. } = &mut *state;
        let Some(served) = served.get_mut(key) else { return Poll::Ready(Err(Error::Missing("body"))) };
        if !served.heard.is_wanted() {
            served.heard.want(first.as_slice(), size, |len| {
                if let Some(lane) = lane {
                    machine.take_lane(lane, len);
                }
            });
        }
        if let Some(octets) = served.heard.whole() {
            return Poll::Ready(Ok(octets));
        }
        if let Some(code) = state.aborted(key) {
            return Poll::Ready(Err(Error::Aborted(code)));
        }
        if let Some(error) = state.over() {
            return Poll::Ready(Err(error));
        }
        if let Some(served) = state.served.get_mut(key) {
            served.heard.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    pub(crate) fn poll_flow(&mut self, cx: &Context<'_>) -> Poll<Result<Incoming, Error>> {
        let mut state = self.line.lock();
        let key = self.lane.map_or(Key::NONE, |(_, key)| key);
        let Some(served) = state.served.get_mut(key) else { return Poll::Ready(Err(Error::Missing("flow"))) };
        if let Some(flow) = served.heard.next_offer() {
            drop(state);
            return Poll::Ready(Ok(Incoming::new(self.line.clone(), flow)));
        }
        if let Some(code) = served.heard.aborted {
            return Poll::Ready(Err(Error::Aborted(code)));
        }
        served.heard.waker = Some(cx.waker().clone());
        match state.over() {
            Some(error) => Poll::Ready(Err(error)),
            None => Poll::Pending,
        }
    }

    pub(crate) fn poll_aborted(&self, turn: &mut Turn, cx: &Context<'_>) -> Poll<Code> {
        let mut state = self.line.lock();
        let over = state.ended.is_some();
        let key = self.lane.map_or(Key::NONE, |(_, key)| key);
        let Some(served) = state.served.get_mut(key) else {
            if over {
                return Poll::Ready(Code::CANCELLED);
            }
            // A notice of one frame: nobody can give it up, but the line may end.
            state.wait_for_phase(turn, cx);
            return Poll::Pending;
        };
        match served.heard.aborted {
            Some(code) => Poll::Ready(code),
            None if over => Poll::Ready(Code::CANCELLED),
            None => {
                served.heard.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// The first frame of an answer on its way into the outbox. Written out, as [`Start`](crate::start::Start) is.
pub(crate) struct Begin<'s> {
    waiting: Waiting<'s>,
    lane: &'s mut Option<(LaneId, Key)>,
    refused: &'s mut Option<Box<Failure>>,
    key: Key,
    terms: Terms,
    content: &'s dyn Content,
}

impl Future for Begin<'_> {
    type Output = Result<usize, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<usize, Error>> {
        let Begin { waiting, lane: opened, refused, key, terms, content } = &mut *self;
        let (key, Terms { code, more, attached }) = (*key, *terms);
        let mut over = false;
        let taken = ready!(waiting.poll(cx, |state, turn| {
            let kind = state.kind(*content)?;
            let lane = state.serving(key).ok_or(Refused::NoLane)?;
            let sent = state.in_turn(turn).and_then(|()| {
                content.said(0, |octets| {
                    let response = Respond { code, more, attached, ..Respond::new(kind, octets) };
                    state.machine.respond(lane, &response)
                })
            });
            if let Err(Refused::Later(_)) = sent {
                state.wait_for_lane(key, cx);
            }
            let taken = sent?.taken;
            state.hurry_if_alone();
            over = state.answered(key);
            Ok(taken)
        }));
        if over {
            **opened = None;
        }
        Poll::Ready(match taken {
            // The peer gave up, so nothing is open to answer.
            Err(Error::Misuse(_)) => Err(given_up(waiting.line, key)),
            Err(error) => {
                **refused = Some(Box::new(error.clone().into()));
                Err(error)
            }
            taken => taken,
        })
    }
}

/// The error for an exchange on which nothing can be said.
fn given_up(line: &Line, key: Key) -> Error {
    match line.lock().aborted(key) {
        Some(code) => Error::Aborted(code),
        None => Error::Misuse("the exchange is over"),
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let Some((_, key)) = self.lane else { return };
        let refused = self.refused.take().map(|refused| *refused);
        let refused = refused.or_else(|| std::thread::panicking().then(|| Code::INTERNAL.into()));
        verdict::dropped(&self.line, key, refused);
    }
}

/// Watches the exchange of a request from outside, for whoever runs its handler.
pub(crate) struct Watch {
    line: WeakLine,
    key: Key,
    id: MessageId,
    /// Its row among the watchers, once it has waited.
    row: Key,
}

impl Watch {
    /// Of a request; what wants no answer has nobody to give it up.
    pub(crate) fn new(line: WeakLine, key: Key, id: MessageId) -> Watch {
        Watch { line, key, id, row: Key::NONE }
    }

    /// Ready once the peer gave the exchange up, or the line is over.
    pub(crate) fn poll_over(&mut self, cx: &Context<'_>) -> Poll<()> {
        let Some(shared) = self.line.shared() else { return Poll::Ready(()) };
        let mut state = shared.lock();
        if state.ended.is_some() {
            return Poll::Ready(());
        }
        match state.watchers.get_mut(self.row) {
            Some(waker) => waker.clone_from(cx.waker()),
            None => self.row = state.watchers.insert(cx.waker().clone()),
        }
        let Some(served) = state.served.get_mut(self.key).filter(|served| served.id == self.id) else {
            // It is answered; the handler may have more to do, until the line is over.
            return Poll::Pending;
        };
        if served.heard.aborted.is_some() && !served.answered {
            return Poll::Ready(());
        }
        served.watcher = self.row;
        Poll::Pending
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(shared) = self.line.shared() {
            shared.lock().watchers.discard(self.row);
        }
    }
}
