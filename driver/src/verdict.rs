//! What is answered for a message that its handler drops: what the handler fails with, if it does so in the same breath.
//!
//! A handler owns its message, so the message is gone when the handler's failure is there to be told. While a handler is
//! polled, what its message would answer when dropped is held back until the poll is over.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ropeway_core::MessageId;

use crate::error::Failure;
use crate::line::Line;
use crate::message::Message;
use crate::slab::Key;

thread_local! {
    /// The message whose handler is being polled.
    static POLLED: RefCell<Option<Polled>> = const { RefCell::new(None) };
}

struct Polled {
    asked: Asked,
    /// It was dropped in this poll, with what it was refused for.
    dropped: Option<Box<(Line, Option<Failure>)>>,
}

/// A message that wants an answer.
#[derive(Clone, Copy)]
struct Asked {
    line: usize,
    key: Key,
    id: MessageId,
}

/// A handler that runs.
pub(crate) struct Handling {
    /// What it is to answer with its failure, if it drops it without an answer and fails.
    asked: Option<Asked>,
    /// Boxed here rather than wrapped first: a future in a future is moved again, and takes twice the memory.
    future: Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>,
}

impl Handling {
    /// Of a handler that answers whatever becomes of it.
    pub(crate) fn answering(future: impl Future<Output = Result<(), Failure>> + Send + 'static) -> Handling {
        Handling { asked: None, future: Box::pin(future) }
    }

    /// Of a handler whose failure is the answer.
    pub(crate) fn failing<Fut>(handler: impl Fn(Message) -> Fut, message: Message) -> Handling
    where
        Fut: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let asked = message.exchange().map(|(key, id)| Asked { line: address(message.line()), key, id });
        Handling { asked, future: Box::pin(handler(message)) }
    }
}

impl Future for Handling {
    type Output = Result<(), Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let Some(asked) = self.asked else { return self.future.as_mut().poll(cx) };
        let scope = Scope::enter(asked);
        let polled = self.future.as_mut().poll(cx);
        if let Poll::Ready(Err(failure)) = &polled {
            scope.fail(failure);
        }
        polled
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

/// One poll of a handler, which may poll another's.
struct Scope(Option<Polled>);

impl Scope {
    fn enter(asked: Asked) -> Scope {
        Scope(POLLED.replace(Some(Polled { asked, dropped: None })))
    }

    /// The handler has failed.
    fn fail(&self, failure: &Failure) {
        POLLED.with_borrow_mut(|polled| {
            if let Some(Polled { asked, dropped: Some(dropped) }) = polled {
                let (line, refused) = &mut **dropped;
                // Its key may be another's by now.
                let is_same = line.lock().served.get_mut(asked.key).is_some_and(|served| served.id == asked.id);
                if is_same {
                    *refused = Some(failure.clone());
                }
            }
        });
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        let polled = POLLED.replace(self.0.take());
        if let Some(Polled { asked, dropped: Some(dropped) }) = polled {
            let (line, refused) = *dropped;
            line.lock().drop_served(asked.key, refused);
        }
    }
}

/// What tells a line from every other one that there is.
fn address(line: &Line) -> usize {
    Arc::as_ptr(line.shared()).addr()
}
