//! The loop of one line: a future that moves bytes between a transport and the machine.
//!
//! It keeps its progress in its own fields, so dropping it at any point tears nothing; it reads while it writes; it
//! yields after a budget of steps; it allocates only for what did not fit the transport at once.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use ropeway_core::{Instant, Limits, Reason, SEALED_BY};

use crate::config::Config;
use crate::error::Ended;
use crate::runtime::Clock;
use crate::state::{Shared, micros};

/// Octets read, and written, at once: four large frames.
const BLOCK: usize = 256 * 1024;
/// A frame that has begun moves between blocks as long as this is all that has come of it.
const MOVED: usize = 4096;
/// Frames fed to the machine before the lock is let go for others.
const FRAMES: usize = 256;
/// Reads and writes before other tasks get a turn.
const STEPS: usize = 16;

thread_local! {
    /// Blocks that lines share: a line needs one only while it is polled, and keeps what is left of it.
    static BLOCKS: RefCell<(Vec<u8>, Vec<u8>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

/// The loop of one line. Spawn it, or poll it yourself; the line lives as long as it does.
///
/// Its output says how the line ended. Dropping it ends the line at once: what waits for it fails. Of what was said before
/// it goes what the transport takes there and then, the goodbye of a line that is closing included; a runtime that ends
/// drops its tasks like that.
#[must_use = "a line does nothing unless its driver is polled"]
pub struct Driver<S, C>
where
    S: AsyncRead + AsyncWrite + Unpin,
    C: Clock,
{
    stream: S,
    clock: C,
    shared: Arc<Shared>,
    config: Config,
    /// The beginning of a frame whose rest has not come: the first `kept` octets.
    own: Vec<u8>,
    kept: usize,
    /// What the transport did not take at once, from `at` on. A line that sleeps has none.
    unwritten: Vec<u8>,
    at: usize,
    flushing: bool,
    /// It has been once round the run queue since a handle woke it.
    gathered: bool,
    /// Somebody was woken for what there is, and has not come.
    called: bool,
    /// Who polled last.
    waker: Option<Waker>,
    /// The deadline the clock is set to.
    armed: Option<Instant>,
    /// When closing began, or last got on.
    closing: Option<Instant>,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// The machine is done; the transport's writing half is being closed.
    Closing,
    /// The goodbye is out: the peer gets time to read it before the transport is torn down.
    Lingering,
    Over,
}

impl<S, C> Driver<S, C>
where
    S: AsyncRead + AsyncWrite + Unpin,
    C: Clock,
{
    pub(crate) fn new(stream: S, clock: C, shared: Arc<Shared>, config: Config) -> Driver<S, C> {
        Driver {
            stream,
            clock,
            shared,
            config,
            own: Vec::new(),
            kept: 0,
            unwritten: Vec::new(),
            at: 0,
            flushing: false,
            gathered: false,
            called: false,
            waker: None,
            armed: None,
            closing: None,
            phase: Phase::Running,
        }
    }

    fn step(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.meet(cx);
        for _ in 0..STEPS {
            // Anew each time: what was sent a step ago may be answered in this one.
            let now = micros(self.clock.now());
            let read = match self.phase {
                Phase::Running => self.read(cx, now),
                Phase::Lingering => return self.linger(cx, now),
                Phase::Closing => Poll::Pending,
                Phase::Over => return Poll::Ready(()),
            };
            if self.waits_for_more(cx) {
                return Poll::Pending;
            }
            let wrote = self.write(cx, now);
            self.deadlines(cx, now);
            self.settle();
            if read.is_pending() && wrote.is_pending() {
                if matches!(self.phase, Phase::Lingering | Phase::Over) {
                    continue;
                }
                if self.sleep(cx) {
                    return Poll::Pending;
                }
            }
        }
        // Others shall have a turn too.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads once, and feeds the machine. Pending when the transport has nothing.
    fn read(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        if self.kept > MOVED && self.kept < self.own.len() {
            // Moving what has come of a large frame for every read would cost a peer that drips it less than us.
            let mut own = std::mem::take(&mut self.own);
            let read = self.read_into(cx, now, &mut own);
            self.own = own;
            if self.kept <= MOVED {
                self.own.truncate(self.kept);
                self.own.shrink_to_fit();
            }
            return read;
        }
        BLOCKS.with(|blocks| match blocks.try_borrow_mut() {
            Ok(mut blocks) => self.read_shared(cx, now, &mut blocks.0),
            // A waker polled another line from inside this one.
            Err(_) => self.read_shared(cx, now, &mut Vec::new()),
        })
    }

    /// Reads into a block that other lines use too, and keeps what is left over.
    fn read_shared(&mut self, cx: &mut Context<'_>, now: Instant, block: &mut Vec<u8>) -> Poll<()> {
        if block.is_empty() {
            block.resize(BLOCK, 0);
        }
        let kept = self.kept;
        block[..kept].copy_from_slice(&self.own[..kept]);
        ready!(self.read_into(cx, now, block));
        if self.kept == 0 {
            self.own = Vec::new();
        } else if self.kept > self.own.len() {
            // No more than the one frame, or a peer that stops in it would hold memory that others need.
            let frame = self.config.protocol.max_frame.min(Limits::MAX_FRAME) as usize + SEALED_BY;
            let room = if self.kept > MOVED { self.kept.max(frame) } else { self.kept };
            self.own = vec![0; room];
        }
        let kept = self.kept;
        self.own[..kept].copy_from_slice(&block[..kept]);
        Poll::Ready(())
    }

    /// Reads behind the `kept` octets of `block`, feeds the machine, and leaves what it did not take at the start.
    fn read_into(&mut self, cx: &mut Context<'_>, now: Instant, block: &mut [u8]) -> Poll<()> {
        let read = match Pin::new(&mut self.stream).poll_read(cx, &mut block[self.kept..]) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(0)) => {
                self.ended("");
                return Poll::Pending;
            }
            Poll::Ready(Ok(read)) => read,
            Poll::Ready(Err(error)) => {
                self.ended(&error.to_string());
                return Poll::Pending;
            }
        };
        let filled = self.kept + read;
        let at = self.feed(now, &mut block[..filled]);
        block.copy_within(at..filled, 0);
        self.kept = filled - at;
        Poll::Ready(())
    }

    /// Gives the machine what has come; how much it took.
    fn feed(&mut self, now: Instant, input: &mut [u8]) -> usize {
        let mut at = 0;
        loop {
            let mut state = self.shared.lock();
            let state = &mut *state;
            for _ in 0..FRAMES {
                // Looked at where it is: an event is large to move.
                match &state.machine.handle_input(now, &mut input[at..]) {
                    Ok(step) => {
                        at += step.consumed;
                        if let Some(event) = &step.event {
                            state.on_event(now, event);
                        }
                        if step.consumed == 0 || at == input.len() {
                            return at;
                        }
                    }
                    Err(error) => {
                        tracing::debug!(%error, "the peer broke the protocol");
                        let (reason, text) = (Reason::PeerError(*error), state.machine.about(*error).into());
                        state.end(Ended { reason, text });
                        return input.len();
                    }
                }
            }
        }
    }

    /// A handle woke the driver, and others may be about to speak: they get a turn first, so that what they say goes out
    /// in one write. A lone request does not wait.
    fn waits_for_more(&mut self, cx: &mut Context<'_>) -> bool {
        let mut state = self.shared.lock();
        let kicked = std::mem::take(&mut state.kicked);
        let hurry = std::mem::take(&mut state.hurry);
        if !kicked || hurry || self.gathered {
            self.gathered = false;
            return false;
        }
        self.gathered = true;
        state.kicked = true;
        drop(state);
        cx.waker().wake_by_ref();
        true
    }

    /// Writes what is due. Pending when there is nothing, or the transport takes no more.
    fn write(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        let wrote = BLOCKS.with(|blocks| match blocks.try_borrow_mut() {
            Ok(mut blocks) => self.write_from(cx, now, &mut blocks.1),
            Err(_) => self.write_from(cx, now, &mut Vec::new()),
        });
        match wrote {
            Ok(poll) => poll,
            Err(error) => {
                self.ended(&error.to_string());
                Poll::Pending
            }
        }
    }

    fn write_from(&mut self, cx: &mut Context<'_>, now: Instant, block: &mut Vec<u8>) -> std::io::Result<Poll<()>> {
        let mut progress = Poll::Pending;
        if self.phase == Phase::Running && self.is_behind() && self.shared.lock().unheard {
            // The transport may not take it for as long as its own handshake takes, or ever.
            self.unwritten.clear();
            self.at = 0;
            self.flushing = false;
        }
        loop {
            // First what is left of an earlier block.
            while self.at < self.unwritten.len() {
                match Pin::new(&mut self.stream).poll_write(cx, &self.unwritten[self.at..])? {
                    Poll::Ready(0) => return Err(std::io::ErrorKind::WriteZero.into()),
                    Poll::Ready(len) => {
                        self.at += len;
                        progress = Poll::Ready(());
                        self.got_on(now);
                    }
                    Poll::Pending => return Ok(progress),
                }
            }
            self.at = 0;
            self.unwritten.clear();
            if block.is_empty() {
                block.resize(BLOCK, 0);
            }
            let (len, closed) = {
                let mut state = self.shared.lock();
                let len = state.machine.poll_transmit(now, block);
                if len > 0 {
                    state.after_transmit();
                }
                (len, state.machine.closed())
            };
            if len == 0 {
                if let Some(reason) = closed
                    && self.phase == Phase::Running
                {
                    self.end(reason, now);
                }
                break;
            }
            self.flushing = true;
            progress = Poll::Ready(());
            match Pin::new(&mut self.stream).poll_write(cx, &block[..len])? {
                Poll::Ready(0) => return Err(std::io::ErrorKind::WriteZero.into()),
                Poll::Ready(wrote) => {
                    self.got_on(now);
                    self.unwritten.extend_from_slice(&block[wrote..len]);
                }
                Poll::Pending => self.unwritten.extend_from_slice(&block[..len]),
            }
        }
        if self.flushing && Pin::new(&mut self.stream).poll_flush(cx)?.is_ready() {
            self.flushing = false;
        }
        if self.phase == Phase::Closing && !self.flushing && Pin::new(&mut self.stream).poll_close(cx)?.is_ready() {
            self.phase = if self.waits_for_peer() { Phase::Lingering } else { Phase::Over };
        }
        Ok(progress)
    }

    /// Time passes: deadlines of the machine, and of closing.
    fn deadlines(&mut self, cx: &mut Context<'_>, now: Instant) {
        loop {
            let next = {
                let mut state = self.shared.lock();
                if state.machine.poll_timeout().is_some_and(|at| at <= now) {
                    while let Some(event) = state.machine.handle_timeout(now) {
                        state.on_event(now, &event);
                    }
                    state.rest();
                }
                if state.machine.ending().is_some() {
                    self.closing.get_or_insert(now);
                }
                state.machine.poll_timeout()
            };
            let close = self.closing.map(|since| since.after(self.config.close_timeout));
            if close.is_some_and(|at| at <= now) {
                self.ended("closing took too long");
                return;
            }
            let next = match (next, close) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            let Some(next) = next else { return };
            // A deadline that moved back is left alone: it fires, finds nothing, and is set anew.
            if self.armed.is_some_and(|armed| armed <= next && armed > now) {
                return;
            }
            self.armed = Some(next);
            let at = Duration::from_micros(next.as_micros());
            if self.clock.poll_until(cx, at).is_pending() {
                return;
            }
            self.armed = None;
            if next > now {
                // It came between two looks at the clock.
                cx.waker().wake_by_ref();
                return;
            }
        }
    }

    /// Once the peer has said goodbye or is dead, or the line was cut, there is nobody to write to.
    fn settle(&mut self) {
        let state = self.shared.lock();
        let reason = state.machine.closed();
        if state.cut || matches!(reason, Some(Reason::ByPeer(_) | Reason::Dead | Reason::HelloTimeout | Reason::Eof)) {
            self.phase = Phase::Over;
        }
    }

    /// Who polls is who is to be woken.
    fn meet(&mut self, cx: &Context<'_>) {
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            self.waker = Some(cx.waker().clone());
            self.shared.lock().driver = self.waker.clone();
            // The clock would wake whoever polled before.
            self.armed = None;
        }
    }

    /// Nothing to do: handles wake the driver from now on. Whether there really is nothing.
    fn sleep(&mut self, cx: &Context<'_>) -> bool {
        let mut state = self.shared.lock();
        if self.is_behind() || self.phase != Phase::Running {
            // Only the transport can help, and time. Both may have changed since they were looked at.
            state.stuck = Some(self.armed.unwrap_or(Instant::ZERO.after(Duration::MAX)));
            return !state.is_late() && (self.closing.is_some() || state.machine.ending().is_none());
        }
        state.stuck = None;
        if state.machine.wants_transmit() || state.machine.closed().is_some() {
            return false;
        }
        state.before_sleep();
        if state.is_owed() {
            // Who was woken for it gets one turn. If it does not come then, the next may.
            if self.called {
                state.wake_next();
            }
            self.called = !self.called;
            drop(state);
            cx.waker().wake_by_ref();
            return true;
        }
        self.called = false;
        self.unwritten = Vec::new();
        state.asleep = true;
        state.kicked = false;
        state.hurry = false;
        true
    }

    /// Whether the transport is still to take something that the machine has said.
    fn is_behind(&self) -> bool {
        self.at < self.unwritten.len() || self.flushing
    }

    /// The peer may not have read our goodbye yet, and what it sent before must not reset the transport under it.
    fn linger(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        let at = self.closing.unwrap_or(now).after(self.config.close_timeout);
        if at <= now || self.shared.lock().cut {
            return Poll::Ready(());
        }
        let mut block = [0; 4096];
        for _ in 0..STEPS {
            match Pin::new(&mut self.stream).poll_read(cx, &mut block) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(_)) => {}
                Poll::Pending => return self.clock.poll_until(cx, Duration::from_micros(at.as_micros())),
            }
        }
        // A peer that never stops gets no more of this thread than others.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether this end said goodbye first.
    fn waits_for_peer(&self) -> bool {
        let state = self.shared.lock();
        matches!(state.ended.as_ref().map(|ended| ended.reason), Some(Reason::ByUs(_) | Reason::PeerError(_)))
    }

    /// Something was written: a slow peer that still reads has more time.
    fn got_on(&mut self, now: Instant) {
        if self.closing.is_some() {
            self.closing = Some(now);
        }
    }

    /// The transport ended or failed.
    fn ended(&mut self, why: &str) {
        let mut state = self.shared.lock();
        state.machine.handle_eof();
        let reason = state.machine.closed().unwrap_or(Reason::Eof);
        state.end(Ended { reason, text: why.into() });
        drop(state);
        self.phase = Phase::Over;
    }

    /// The machine is done; what was said is still to be written.
    fn end(&mut self, reason: Reason, now: Instant) {
        tracing::debug!(%reason, "line over");
        self.shared.lock().end(Ended { reason, text: "".into() });
        self.phase = Phase::Closing;
        self.closing.get_or_insert(now);
    }
}

impl<S, C> Future for Driver<S, C>
where
    S: AsyncRead + AsyncWrite + Unpin,
    C: Clock,
{
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        let stepped = self.step(cx);
        self.shared.hand_over_notes();
        ready!(stepped);
        let ended = self.shared.lock().ended.clone();
        Poll::Ready(ended.unwrap_or(Ended { reason: Reason::Eof, text: "".into() }))
    }
}

impl<S, C> Drop for Driver<S, C>
where
    S: AsyncRead + AsyncWrite + Unpin,
    C: Clock,
{
    fn drop(&mut self) {
        if self.phase == Phase::Running && !self.shared.lock().cut {
            let now = micros(self.clock.now());
            // Not into the shared block: the thread may have lost it by now.
            let _ = self.write_from(&mut Context::from_waker(Waker::noop()), now, &mut Vec::new());
        }
        let mut state = self.shared.lock();
        state.machine.handle_eof();
        state.end(Ended { reason: Reason::Eof, text: "its driver was dropped".into() });
        drop(state);
        self.shared.end_notes();
    }
}

#[cfg(test)]
mod tests;
