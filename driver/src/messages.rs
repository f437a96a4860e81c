//! The messages of a line, one after another.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;

use crate::here::Here;
use crate::line::{Line, WeakLine};
use crate::message::Message;
use crate::state::{Names, Raw, Shared, Turn};

/// The messages that a peer sends, as a stream that ends when the line is over.
///
/// They are fetched in batches, one by one where several share them; what has been fetched counts as taken once the
/// batch is used up.
pub struct Messages {
    shared: Arc<Shared>,
    line: WeakLine,
    /// Keeps the line open, if it should.
    _keep: Option<Line>,
    batch: VecDeque<Raw>,
    /// Messages that count as unfinished: those of the batch that are not done with, or not handed out.
    unfinished: usize,
    /// Messages handed out since others last had a turn.
    run: usize,
    /// Octets of each message of the batch that was handed out, to be given back as window.
    used: Vec<usize>,
    names: Names,
    turn: Turn,
    cork: Option<Cork>,
}

/// Answers to a batch go out together; see [`Messages::corked`].
#[derive(Default)]
struct Cork {
    /// When answers began to be held back, if they are; never, if there are too few for a look at the clock.
    since: Option<Duration>,
    /// Messages handed out since.
    held: usize,
    /// The clock is looked at behind so many.
    stride: usize,
    /// Of the batch, a request may have been given up: it was when the batch was fetched, or something has taken its time since.
    late: bool,
}

/// So many messages are answered before the driver is woken, if there are as many.
const CORKED: usize = 32;
/// No answer is held back for longer, but for the handlers behind it that run before the clock is looked at. To spare a
/// wake-up and a write, which take a tenth of it, is worth no more.
const HELD: Duration = Duration::from_micros(100);
/// A look at the clock costs as much as the rest of the loop: as long as handlers are quick, one is enough for so many.
const STRIDE: usize = 8;
/// So many messages are handed out in a row before other tasks get a turn.
const RUN: usize = 1024;

impl Messages {
    pub(crate) fn new(line: Line) -> Messages {
        line.lock().takers += 1;
        Messages {
            shared: line.shared().clone(),
            line: line.downgrade(),
            _keep: Some(line),
            batch: VecDeque::new(),
            unfinished: 0,
            run: 0,
            used: Vec::new(),
            names: Names::default(),
            turn: Turn::for_message(),
            cork: None,
        }
    }

    /// For a loop that is done with a message, or has counted it itself, when it asks for the next, and does not wait in
    /// between: answers to a batch go out together, unless they take long. Requests that were given up while they waited
    /// for it are left out. Whether it keeps the line open is its choice.
    pub(crate) fn corked(line: Line, keeps: bool) -> Messages {
        let mut messages = Messages::new(line);
        messages.cork = Some(Cork { stride: 1, ..Cork::default() });
        messages._keep.take_if(|_| !keeps);
        messages
    }

    /// Before the loop waits after all.
    pub(crate) fn uncork(&mut self) {
        if let Some(cork) = &mut self.cork {
            cork.since = None;
            cork.late = true;
            self.shared.lock().corked = None;
        }
    }

    /// The next message; `None` when the line is over.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn next(&mut self) -> Option<Message> {
        poll_fn(|cx| self.poll_message(cx)).await
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        loop {
            if self.batch.is_empty() {
                if self.run >= RUN {
                    return self.give_way(cx);
                }
                if self.fetch(cx).is_pending() {
                    self.run = 0;
                    return Poll::Pending;
                }
            } else if self.is_late() {
                return self.give_way(cx);
            }
            let Some(raw) = self.batch.pop_front() else { return Poll::Ready(None) };
            // Whoever let go of the line wants nothing of it any more.
            let Some(line) = self.line.line() else { return Poll::Ready(None) };
            self.run += 1;
            self.used.push(raw.charged);
            if self.cork.is_none() && self.batch.is_empty() && self.unfinished > 0 {
                self.shared.lock().finished(std::mem::take(&mut self.unfinished));
            }
            if self.cork.as_ref().is_some_and(|cork| cork.late) && is_given_up(&line, &raw) {
                continue;
            }
            return Poll::Ready(Some(Message::new(line, raw, &self.names)));
        }
    }

    /// Between two messages of a batch: whether answers have been held back for long enough.
    fn is_late(&mut self) -> bool {
        let Some(cork) = &mut self.cork else { return false };
        let Some(since) = cork.since else {
            self.hold_back();
            return false;
        };
        cork.held += 1;
        if cork.held.is_multiple_of(cork.stride) {
            if self.shared.spawn.now().saturating_sub(since) > HELD {
                cork.stride = 1;
                cork.late = true;
                return true;
            }
            cork.stride = STRIDE.min(cork.stride * 2);
        }
        if cork.held >= CORKED {
            self.shared.lock().corked = None;
            self.hold_back();
        }
        false
    }

    /// What is said on this thread from now on goes out together, unless there is but one message to answer.
    fn hold_back(&mut self) {
        let len = self.batch.len();
        if let Some(cork) = &mut self.cork {
            cork.held = 0;
            let since = || if len > cork.stride { self.shared.spawn.now() } else { Duration::MAX };
            cork.since = (len > 1).then(since);
            self.shared.lock().corked = (len > 1).then(Here::thread);
        }
    }

    /// Others get a turn first, the driver among them, which need not wait for more.
    fn give_way<T>(&mut self, cx: &Context<'_>) -> Poll<T> {
        self.run = 0;
        if let Some(cork) = &mut self.cork {
            cork.since = None;
        }
        let mut state = self.shared.lock();
        state.corked = None;
        state.hurry |= state.machine.wants_transmit();
        drop(state);
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn fetch(&mut self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.shared.lock();
        state.corked = None;
        let done = std::mem::take(&mut self.unfinished);
        state.machine.take_messages(self.used.drain(..));
        if state.inbox.is_empty() {
            state.finished(done);
            if state.ended.is_some() {
                return Poll::Ready(());
            }
            // Left where an idle line lets go of it.
            state.spare = (std::mem::take(&mut self.batch), std::mem::take(&mut self.used));
            state.wait_for_message(&mut self.turn, cx);
            return Poll::Pending;
        }
        if self.batch.capacity() == 0 {
            (self.batch, self.used) = std::mem::take(&mut state.spare);
        }
        if state.takers == 1 {
            std::mem::swap(&mut self.batch, &mut state.inbox);
        } else {
            // What one is slow with shall not lie behind it while another has nothing to do.
            self.batch.extend(state.inbox.pop_front());
            state.wake_for_message();
        }
        let stale = state.stale;
        state.stale &= !state.inbox.is_empty();
        let names = &state.names;
        if names.actions.len() > self.names.actions.len() || names.types.len() > self.names.types.len() {
            self.names = names.clone();
        }
        self.unfinished = self.batch.len() - usize::from(self.cork.is_none());
        state.unfinished += self.unfinished;
        // The inbox is empty now, which may be all that was left to do.
        state.finished(done);
        if let Some(cork) = &mut self.cork {
            cork.since = None;
            cork.late = stale;
            if self.batch.len() == 1 {
                return Poll::Ready(());
            }
            if state.asleep && state.machine.wants_transmit() {
                let driver = state.kick();
                state.wakes.extend(driver);
            }
            drop(state);
            self.hold_back();
        }
        Poll::Ready(())
    }
}

/// Whether a request was given up while it waited. It is dropped if so.
fn is_given_up(line: &Line, raw: &Raw) -> bool {
    let Some((_, key)) = raw.lane.filter(|_| raw.wants_answer) else { return false };
    let mut state = line.lock();
    let given_up = state.aborted(key).is_some();
    if given_up {
        state.drop_served(key, None);
    }
    given_up
}

impl Drop for Messages {
    /// What was fetched and not handed out is put back, for whoever asks next.
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.takers -= 1;
        self.turn.leave(&mut state);
        state.corked = None;
        state.machine.take_messages(self.used.drain(..));
        state.stale |= !self.batch.is_empty();
        while let Some(raw) = self.batch.pop_back() {
            state.inbox.push_front(raw);
        }
        state.finished(self.unfinished);
        state.wake_for_message();
    }
}

impl Stream for Messages {
    type Item = Message;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.poll_message(cx)
    }
}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages").field("fetched", &self.batch.len()).finish_non_exhaustive()
    }
}
