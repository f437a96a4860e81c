//! What is answered for a message that its handler drops: what the handler fails with, if it does so in the same breath.
//!
//! A handler owns its message, so the message is gone when the handler's failure is there to be told. While a handler is
//! called or polled, what its message would answer when dropped is held back until that is over.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ropeway_core::{Code, MessageId};

use crate::error::Failure;
use crate::line::Line;
use crate::message::Message;
use crate::slab::Key;
use crate::unwind;

thread_local! {
    /// The message whose handler is at work on this thread.
    static POLLED: RefCell<Option<Polled>> = const { RefCell::new(None) };
}

struct Polled {
    asked: Asked,
    /// It was dropped meanwhile, with what it was refused for.
    dropped: Option<Box<(Line, Option<Failure>)>>,
}

/// A message that wants an answer.
#[derive(Clone, Copy)]
struct Asked {
    line: usize,
    key: Key,
    id: MessageId,
}

/// What a handler does with its message.
///
/// Boxed as the handler returns it: a future in a future is moved again, and takes twice the memory.
pub(crate) type Work = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

/// A handler that has begun. Whatever panics in it harms nobody else.
pub(crate) struct Handling {
    /// What it is to answer with its failure, if it drops it without an answer and fails.
    asked: Option<Asked>,
    /// `None` once it is over.
    work: Option<Work>,
}

impl Handling {
    /// Calls a handler and polls its work for the first time; nothing is left if that is done.
    ///
    /// Both are one step: a handler that does not use its message drops it when it is called, and fails when it is polled.
    pub(crate) fn begin(handler: &dyn Fn(Message) -> Work, message: Message, cx: &mut Context<'_>) -> Option<Handling> {
        let asked = message.exchange().map(|(key, id)| Asked { line: address(message.line()), key, id });
        let mut handling = Handling { asked, work: None };
        // Moved once, and not with every closure around the call.
        let mut message = Some(message);
        let begun = handling.step(|work| match message.take() {
            Some(message) => work.insert(handler(message)).as_mut().poll(cx),
            None => Poll::Ready(Ok(())),
        });
        begun.is_pending().then_some(handling)
    }

    /// Goes on. Ready when it is over; nothing of it is left then.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.step(|work| work.as_mut().map_or(Poll::Ready(Ok(())), |work| work.as_mut().poll(cx)))
    }

    #[inline]
    fn step(&mut self, step: impl FnOnce(&mut Option<Work>) -> Poll<Result<(), Failure>>) -> Poll<()> {
        let mut scope = Scope::enter(self.asked);
        let polled = unwind::call(|| step(&mut self.work));
        if let Some(Poll::Pending) = polled {
            return Poll::Pending;
        }
        // What it kept of its message to the end is dropped while what it failed with can still be the answer.
        let left = unwind::call(|| drop(self.work.take()));
        scope.verdict = match (polled, left) {
            (Some(Poll::Ready(Ok(()))), Some(())) => Verdict::None,
            (Some(Poll::Ready(Err(failure))), Some(())) => {
                log(&failure);
                Verdict::Failed(failure)
            }
            _ => Verdict::Panicked,
        };
        Poll::Ready(())
    }
}

impl Drop for Handling {
    /// Given up on its way.
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            unwind::call(|| drop(work));
        }
    }
}

/// A message is dropped that may be unanswered.
pub(crate) fn dropped(line: &Line, key: Key, refused: Option<Failure>) {
    let mut refused = Some(refused);
    // A thread that ends drops what it has, and polls nothing.
    let _ = POLLED.try_with(|polled| {
        if let Some(polled) = &mut *polled.borrow_mut()
            && polled.asked.key == key
            && polled.asked.line == address(line)
        {
            polled.dropped = refused.take().map(|refused| Box::new((line.clone(), refused)));
        }
    });
    if let Some(refused) = refused {
        line.lock().drop_served(key, refused);
    }
}

/// One step of a handler, which may poll another's.
struct Scope {
    outer: Option<Polled>,
    verdict: Verdict,
}

/// What a step of a handler says about a message that was dropped in it.
enum Verdict {
    None,
    Failed(Failure),
    Panicked,
}

impl Scope {
    /// Of a message that wants an answer. Of another there is nothing to hold back.
    fn enter(asked: Option<Asked>) -> Scope {
        let polled = asked.map(|asked| Polled { asked, dropped: None });
        Scope { outer: POLLED.replace(polled), verdict: Verdict::None }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        let Some(Polled { asked, dropped: Some(dropped) }) = POLLED.replace(self.outer.take()) else { return };
        let (line, mut refused) = *dropped;
        let mut state = line.lock();
        // Its key may be another's by now.
        if state.served.get_mut(asked.key).is_some_and(|served| served.id == asked.id) {
            refused = match std::mem::replace(&mut self.verdict, Verdict::None) {
                Verdict::None => refused,
                Verdict::Failed(failure) => Some(failure),
                Verdict::Panicked => refused.or_else(|| Some(Code::INTERNAL.into())),
            };
        }
        state.drop_served(asked.key, refused);
    }
}

pub(crate) fn log(failure: &Failure) {
    let cause = std::error::Error::source(failure).map(tracing::field::display);
    tracing::debug!(%failure, cause, "a handler failed");
}

/// What tells a line from every other one that there is.
fn address(line: &Line) -> usize {
    Arc::as_ptr(line.shared()).addr()
}
