//! The messages of a line, one after another.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use crate::line::Line;
use crate::message::Message;
use crate::state::{Names, Raw};

/// The messages that a peer sends, as a stream that ends when the line is over.
///
/// They are fetched in batches; what has been fetched counts as taken once the batch is used up.
pub struct Messages {
    line: Line,
    batch: VecDeque<Raw>,
    /// Octets of each message of the batch that was handed out, to be given back as window.
    used: Vec<usize>,
    names: Names,
    /// Answers to a batch go out together; see [`Messages::corked`].
    corks: bool,
}

/// So many messages are answered before the driver is woken, if there are as many.
const CORKED: usize = 32;

impl Messages {
    pub(crate) fn new(line: Line) -> Messages {
        Messages { line, batch: VecDeque::new(), used: Vec::new(), names: Names::default(), corks: false }
    }

    /// For a loop that does not wait between the messages of a batch: their answers go out together.
    pub(crate) fn corked(line: Line) -> Messages {
        let mut messages = Messages::new(line);
        messages.corks = true;
        messages
    }

    /// Before the loop waits after all.
    pub(crate) fn uncork(&mut self) {
        self.line.lock().corked = false;
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
            ready!(self.fetch(cx));
        }
        let Some(raw) = self.batch.pop_front() else { return Poll::Ready(None) };
        self.used.push(raw.charged);
        if self.corks && self.used.len().is_multiple_of(CORKED) {
            self.uncork();
            self.line.lock().corked = !self.batch.is_empty();
        }
        Poll::Ready(Some(Message::new(self.line.clone(), raw, &self.names)))
    }

    fn fetch(&mut self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.line.lock();
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
            state.wait_for_message(cx);
            return Poll::Pending;
        }
        if self.batch.capacity() == 0 {
            (self.batch, self.used) = std::mem::take(&mut state.spare);
        }
        std::mem::swap(&mut self.batch, &mut state.inbox);
        let names = &state.names;
        if names.actions.len() > self.names.actions.len() || names.types.len() > self.names.types.len() {
            self.names = names.clone();
        }
        state.fetched();
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
        let mut state = self.line.lock();
        state.corked = false;
        for len in self.used.drain(..) {
            state.machine.take_message(len);
        }
        while let Some(raw) = self.batch.pop_back() {
            state.inbox.push_front(raw);
        }
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
