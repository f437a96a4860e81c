//! The two ends of a flow: what streams and files are made of.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use ropeway_core::{Accept, Code, FlowId, Instant, Offer, Refused};

use crate::error::Error;
use crate::line::Line;
use crate::slab::Key;
use crate::state::{On, State, Turn};
use crate::waiting::Waiting;

/// The sending end of a flow; cancelled when dropped before it is finished.
pub(crate) struct Outgoing {
    line: Line,
    key: Key,
    turn: Turn,
    finished: bool,
}

impl Outgoing {
    pub(crate) async fn offer(line: &Line, on: On, offer: &Offer<'_>) -> Result<Outgoing, Error> {
        let mut waiting = Waiting::new(line, Turn::for_flow());
        let offered = poll_fn(|cx| {
            waiting.poll(cx, |state, turn| {
                let lane = state.lane_of(on, cx).ok_or(Refused::NoLane)?;
                state.in_turn(turn)?;
                let flow = state.machine.offer(lane, offer)?;
                state.check_over(lane);
                Ok(state.new_out(flow))
            })
        })
        .await;
        drop(waiting);
        let key = match offered {
            Err(Error::Misuse(why)) => {
                let code = line.lock().given_up(on);
                return Err(code.map_or(Error::Misuse(why), Error::Aborted));
            }
            offered => offered?,
        };
        Ok(Outgoing { line: line.clone(), key, turn: Turn::for_bulk(), finished: false })
    }

    /// What the peer wants next of an offer; `Err` with its last word once it wants no more.
    pub(crate) fn poll_accepted(&mut self, cx: &Context<'_>) -> Poll<Result<Result<Accept, Code>, Error>> {
        let mut state = self.line.lock();
        let over = state.over();
        let Some(out) = state.outs.get_mut(self.key) else {
            return Poll::Ready(Err(Error::Misuse("the flow is over")));
        };
        if let Some(accept) = out.accepted.take() {
            self.finished = false;
            return Poll::Ready(Ok(Ok(accept)));
        }
        if let Some(code) = out.done {
            return Poll::Ready(Ok(Err(code)));
        }
        if let Some(error) = over {
            return Poll::Ready(Err(error));
        }
        out.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Begins to send what was accepted.
    pub(crate) async fn begin(&mut self, start: u64) -> Result<(), Error> {
        poll_fn(|cx| self.poll_verb(cx, |state, _, now, flow| state.machine.begin(now, flow, start))).await
    }

    /// Sends some of `octets`.
    pub(crate) fn poll_data(&mut self, cx: &Context<'_>, octets: &[u8]) -> Poll<Result<usize, Error>> {
        self.poll_verb(cx, |state, turn, now, flow| {
            state.in_turn(turn)?;
            state.machine.data(now, flow, octets)
        })
    }

    /// Says that all of it was sent.
    pub(crate) fn poll_finish(&mut self, cx: &Context<'_>, digest: Option<[u8; 32]>) -> Poll<Result<(), Error>> {
        if self.finished {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_verb(cx, |state, _, now, flow| state.machine.finish(now, flow, digest)))?;
        self.finished = true;
        Poll::Ready(Ok(()))
    }

    /// The peer's last word.
    pub(crate) fn poll_done(&mut self, cx: &Context<'_>) -> Poll<Result<Code, Error>> {
        let mut state = self.line.lock();
        let over = state.over();
        let Some(out) = state.outs.get_mut(self.key) else {
            return Poll::Ready(Err(Error::Misuse("the flow is over")));
        };
        if let Some(code) = out.done {
            return Poll::Ready(Ok(code));
        }
        if let Some(error) = over {
            return Poll::Ready(Err(error));
        }
        out.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(crate) fn pause(&self, on: bool) -> Result<(), Error> {
        let mut state = self.line.lock();
        let out = state.outs.get_mut(self.key).filter(|out| out.done.is_none());
        let flow = out.map(|out| out.flow).ok_or(Error::Misuse("the flow is over"))?;
        state.machine.pause(flow, on).map_err(|_| Error::Misuse("the flow is over"))?;
        // Whoever waits to send more may, or must wait on.
        if let Some(out) = state.outs.get_mut(self.key) {
            let waker = out.waker.take();
            state.wakes.extend(waker);
        }
        Ok(())
    }

    /// Whether the peer paused it.
    pub(crate) fn is_paused(&self) -> bool {
        self.line.lock().outs.get_mut(self.key).is_some_and(|out| out.paused)
    }

    /// Gives it up; the peer's last word is still to come.
    pub(crate) fn cancel(&mut self, code: Code) {
        let mut state = self.line.lock();
        if let Some(flow) = state.outs.get_mut(self.key).filter(|out| out.done.is_none()).map(|out| out.flow) {
            let _ = state.machine.cancel(flow, code);
        }
    }

    fn poll_verb<T>(
        &mut self,
        cx: &Context<'_>,
        verb: impl FnOnce(&mut State, &Turn, Instant, FlowId) -> Result<T, Refused>,
    ) -> Poll<Result<T, Error>> {
        let now = self.line.now();
        let mut state = self.line.lock();
        let Some(out) = state.outs.get_mut(self.key) else {
            return Poll::Ready(Err(Error::Misuse("the flow is over")));
        };
        if let Some(code) = out.done {
            self.turn.leave(&mut state);
            return Poll::Ready(Err(Error::Aborted(code)));
        }
        let flow = out.flow;
        let answer = verb(&mut state, &self.turn, now, flow);
        if matches!(answer, Err(Refused::Later(_)))
            && let Some(out) = state.outs.get_mut(self.key)
        {
            // Credit, the end of a pause, and the peer's last word come to the flow itself.
            out.waker = Some(cx.waker().clone());
        }
        state.outcome(answer, &mut self.turn, cx)
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        let mut state = self.line.lock();
        self.turn.leave(&mut state);
        if self.finished {
            state.forget_out(self.key);
        } else {
            state.drop_out(self.key, Code::CANCELLED);
        }
    }
}

/// The receiving end of a flow; stopped when dropped before it is over.
pub(crate) struct Incoming {
    line: Line,
    key: Key,
    turn: Turn,
    /// Code for the peer when this is dropped.
    last_word: Code,
    /// It may come without a digest.
    unverified: bool,
}

impl Incoming {
    pub(crate) fn new(line: Line, key: Key) -> Incoming {
        Incoming { line, key, turn: Turn::default(), last_word: Code::CANCELLED, unverified: false }
    }

    pub(crate) fn line(&self) -> &Line {
        &self.line
    }

    pub(crate) fn is_push(&self) -> bool {
        self.line.lock().ins.get_mut(self.key).is_some_and(|input| input.push)
    }

    /// Name, media type, size.
    pub(crate) fn offer(&self) -> (Box<str>, Box<str>, Option<u64>) {
        match self.line.lock().ins.get_mut(self.key) {
            Some(input) => (input.name.clone(), input.media.clone(), input.size),
            None => Default::default(),
        }
    }

    /// Asks for what was offered, or for another range of it.
    pub(crate) async fn accept(&mut self, accept: &Accept) -> Result<(), Error> {
        let key = self.key;
        let mut waiting = Waiting::new(&self.line, Turn::default());
        let answer = poll_fn(|cx| {
            waiting.poll(cx, |state, _| {
                let flow = state.receiving(key).ok_or(Refused::NoFlow)?;
                state.machine.accept(flow, accept)?;
                if let Some(input) = state.ins.get_mut(key) {
                    input.began = None;
                    input.finished = None;
                }
                Ok(())
            })
        })
        .await;
        let cancelled = || self.line.lock().ins.get_mut(key)?.cancelled;
        answer.map_err(|error| cancelled().map_or(error, Error::Aborted))
    }

    /// Where the bytes begin.
    pub(crate) fn poll_began(&mut self, cx: &Context<'_>) -> Poll<Result<u64, Error>> {
        let mut state = self.line.lock();
        let over = state.over();
        let Some(input) = state.ins.get_mut(self.key) else {
            return Poll::Ready(Err(Error::Misuse("the flow is over")));
        };
        if let Some(start) = input.began {
            return Poll::Ready(Ok(start));
        }
        if let Some(code) = input.cancelled {
            return Poll::Ready(Err(Error::Aborted(code)));
        }
        if let Some(error) = over {
            return Poll::Ready(Err(error));
        }
        input.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The next bytes; `None` at the end. They count as taken at once.
    pub(crate) fn poll_chunk(&mut self, cx: &Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        let mut state = self.line.lock();
        let over = state.over();
        let Some(input) = state.ins.get_mut(self.key) else {
            return Poll::Ready(Err(Error::Misuse("the flow is over")));
        };
        if let Some(octets) = input.queue.pop_front() {
            if let Some(flow) = state.receiving(self.key) {
                state.machine.take_flow(flow, octets.len());
            }
            return Poll::Ready(Ok(Some(octets)));
        }
        if let Some(code) = input.cancelled {
            return Poll::Ready(Err(Error::Aborted(code)));
        }
        if input.finished.is_some() {
            return Poll::Ready(Ok(None));
        }
        if let Some(error) = over {
            return Poll::Ready(Err(error));
        }
        input.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// What the digest of the content must be; `None` if none came, and none has to.
    pub(crate) fn digest(&self) -> Option<[u8; 32]> {
        let came = self.line.lock().ins.get_mut(self.key).and_then(|input| input.finished?);
        // No content has this one: without a digest nothing is verified.
        came.or(if self.unverified { None } else { Some([0; 32]) })
    }

    /// It need not come with a digest.
    pub(crate) fn set_unverified(&mut self) {
        self.unverified = true;
    }

    pub(crate) fn pause(&self, on: bool) -> Result<(), Error> {
        let mut state = self.line.lock();
        let flow = state.receiving(self.key).ok_or(Error::Misuse("the flow is over"))?;
        state.machine.pause(flow, on).map_err(|_| Error::Misuse("the flow is over"))
    }

    /// Whether the peer paused it.
    pub(crate) fn is_paused(&self) -> bool {
        self.line.lock().ins.get_mut(self.key).is_some_and(|input| input.paused)
    }

    /// What is said when it is dropped without a word.
    pub(crate) fn set_last_word(&mut self, code: Code) {
        self.last_word = code;
    }

    /// This end's last word, said when it is dropped.
    pub(crate) fn done(mut self, code: Code) {
        self.last_word = code;
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let mut state = self.line.lock();
        self.turn.leave(&mut state);
        state.drop_in(self.key, self.last_word);
    }
}
