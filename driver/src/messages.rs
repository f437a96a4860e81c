//! The messages of a line, one after another.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

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
    /// Messages that count as unfinished: those of the batch but the first, which is handed out at once.
    unfinished: usize,
    /// Messages handed out since others last had a turn.
    run: usize,
    /// Octets of each message of the batch that was handed out, to be given back as window.
    used: Vec<usize>,
    names: Names,
    /// Answers to a batch go out together; see [`Messages::corked`].
    corks: bool,
    turn: Turn,
}

/// So many messages are answered before the driver is woken, if there are as many.
const CORKED: usize = 32;
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
            corks: false,
            turn: Turn::for_message(),
        }
    }

    /// For a loop that does not wait between the messages of a batch: their answers go out together. Whether it keeps
    /// the line open is its choice.
    pub(crate) fn corked(line: Line, keeps: bool) -> Messages {
        let mut messages = Messages::new(line);
        messages.corks = true;
        messages._keep.take_if(|_| !keeps);
        messages
    }

    /// Before the loop waits after all.
    pub(crate) fn uncork(&mut self) {
        self.shared.lock().corked = false;
    }

    /// The next message; `None` when the line is over.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn next(&mut self) -> Option<Message> {
        poll_fn(|cx| self.poll_message(cx)).await
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        if self.batch.is_empty() {
            if self.run >= RUN {
                self.run = 0;
                self.uncork();
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if self.fetch(cx).is_pending() {
                self.run = 0;
                return Poll::Pending;
            }
        }
        let Some(raw) = self.batch.pop_front() else { return Poll::Ready(None) };
        // Whoever let go of the line wants nothing of it any more.
        let Some(line) = self.line.line() else { return Poll::Ready(None) };
        self.run += 1;
        self.used.push(raw.charged);
        if self.batch.is_empty() && self.unfinished > 0 {
            self.shared.lock().finished(std::mem::take(&mut self.unfinished));
        }
        if self.corks && self.used.len().is_multiple_of(CORKED) {
            self.uncork();
            self.shared.lock().corked = !self.batch.is_empty();
        }
        Poll::Ready(Some(Message::new(line, raw, &self.names)))
    }

    fn fetch(&mut self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.shared.lock();
        state.corked = false;
        for len in self.used.drain(..) {
            state.machine.take_message(len);
        }
        if state.inbox.is_empty() {
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
        let names = &state.names;
        if names.actions.len() > self.names.actions.len() || names.types.len() > self.names.types.len() {
            self.names = names.clone();
        }
        self.unfinished = self.batch.len() - 1;
        state.unfinished += self.unfinished;
        // The inbox is empty now, which may be all that was left to do.
        state.finished(0);
        if self.corks && self.batch.len() > 1 {
            if state.asleep && state.machine.wants_transmit() {
                let driver = state.kick();
                state.wakes.extend(driver);
            }
            state.corked = true;
        }
        Poll::Ready(())
    }
}

impl Drop for Messages {
    /// What was fetched and not handed out is put back, for whoever asks next.
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.takers -= 1;
        self.turn.leave(&mut state);
        state.corked = false;
        for len in self.used.drain(..) {
            state.machine.take_message(len);
        }
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
