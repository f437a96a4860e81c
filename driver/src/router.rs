//! Which handler a message goes to, and the loop that takes it there.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use ropeway_core::Code;

use crate::action::{Action, ActionError, To};
use crate::body::{FromBody, ToBody};
use crate::error::Failure;
use crate::line::{Line, WeakLine};
use crate::message::Message;
use crate::messages::Messages;
use crate::serving::Watch;
use crate::verdict::{Handling, Work, log};

type Handler = Arc<dyn Fn(Message) -> Work + Send + Sync>;

/// Handlers by action. A server and a client each have one.
///
/// A message goes to the handler of its action; otherwise to the one with the longest matching pattern (`files.*`);
/// otherwise to the fallback; otherwise it is answered with [`Code::NOT_IMPLEMENTED`].
///
/// A handler fails with a [`Failure`], which is what its peer is answered. An empty name, and a second handler for an
/// action, are an [`ActionError`] of whoever serves or connects with the router.
#[derive(Clone, Default)]
pub struct Router {
    named: BTreeMap<Box<str>, Handler>,
    numbered: BTreeMap<u32, Handler>,
    /// Longest first.
    patterns: Vec<(Box<str>, Handler)>,
    fallback: Option<Handler>,
    /// The first thing that is wrong with the handlers.
    fault: Option<ActionError>,
}

impl Router {
    /// A router without handlers.
    pub fn new() -> Router {
        Router::default()
    }

    /// Handles an action, or all that begin with what stands before a final `*`. The body is decoded to what the handler
    /// takes, and what it returns is the answer.
    ///
    /// A body of another type is answered with [`Code::WRONG_TYPE`]. With [`Body`](crate::Body) it is handed over as it came.
    pub fn on<'a, T, R, F, Fut>(self, action: impl Into<To<'a>>, handler: F) -> Router
    where
        T: FromBody + Send + 'static,
        R: ToBody + Send + 'static,
        F: Fn(T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, Failure>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        self.bind(
            action.into(),
            Arc::new(move |mut message| {
                let handler = handler.clone();
                Box::pin(async move {
                    let failure = match message.take_value::<T>().await {
                        Ok(value) => match handler(value).await {
                            Ok(answer) => return Ok(message.answer(&answer).await?),
                            Err(failure) => failure,
                        },
                        Err(error) => error.into(),
                    };
                    log(&failure);
                    Ok(message.fail(failure).await?)
                })
            }),
        )
    }

    /// Handles an action, or a pattern, with the message itself, for all that it may bring and be answered.
    ///
    /// A failure is the answer, unless the handler has answered before or given the message away.
    ///
    /// When the peer gives a request up, or the line ends, its handler is dropped where it waits. What is to happen even
    /// then belongs into the `Drop` of something it holds, and work that is to go on into a task of its own. The handler of
    /// a message that wants no answer runs to its end, and learns of the line's by [`Message::aborted`].
    pub fn on_message<'a, F, Fut>(self, action: impl Into<To<'a>>, handler: F) -> Router
    where
        F: Fn(Message) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        self.bind(action.into(), wrap(handler))
    }

    /// Handles what no other handler does, as [`on_message`](Router::on_message). The last one set counts.
    pub fn fallback<F, Fut>(mut self, handler: F) -> Router
    where
        F: Fn(Message) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        self.fallback = Some(wrap(handler));
        self
    }

    /// Whether there is no handler at all.
    pub fn is_empty(&self) -> bool {
        self.named.is_empty() && self.numbered.is_empty() && self.patterns.is_empty() && self.fallback.is_none()
    }

    /// Whether the handlers can be.
    pub(crate) fn check(&self) -> Result<(), ActionError> {
        self.fault.clone().map_or(Ok(()), Err)
    }

    fn bind(mut self, to: To<'_>, handler: Handler) -> Router {
        let is_first = match to {
            To::Number(number) => self.numbered.insert(number, handler).is_none(),
            To::Name(name) => match name.strip_suffix('*') {
                Some(start) => {
                    let is_first = self.patterns.iter().all(|(pattern, _)| **pattern != *start);
                    self.patterns.push((start.into(), handler));
                    self.patterns.sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.len()));
                    is_first
                }
                None => self.named.insert(name.into(), handler).is_none(),
            },
        };
        let fault = to.check().err().or_else(|| (!is_first).then(|| ActionError::Twice(to.into())));
        self.fault = self.fault.or(fault);
        self
    }

    fn find(&self, action: &Action) -> Option<&Handler> {
        let found = match action {
            Action::Number(number) => self.numbered.get(number),
            Action::Name(name) => self.named.get(&**name).or_else(|| {
                self.patterns.iter().find(|(start, _)| name.starts_with(&**start)).map(|(_, handler)| handler)
            }),
        };
        found.or(self.fallback.as_ref())
    }

    /// Takes the messages of a line to their handlers until the line is over. At most `most` handlers run at once; then
    /// messages wait, and in the end the peer does.
    ///
    /// A handler that does not finish at once becomes a task of its own. That of a request is dropped when the peer gives
    /// the request up or the line ends; that of a message that wants no answer runs to its end. One that panics is
    /// dropped too, its request answered with [`Code::INTERNAL`], and nobody else is harmed. A request that is given up
    /// while it waits is passed over, unless that was a moment ago.
    ///
    /// Answers that are ready at once go out together with those behind them, unless handlers take long.
    ///
    /// It keeps the line open.
    ///
    /// # Errors
    /// What is wrong with the handlers, before anything is taken.
    ///
    /// # Cancel safety
    /// Dropped, handlers that run go on, and the messages that none has got wait for whoever asks next.
    pub async fn serve(self: Arc<Self>, line: Line, most: usize) -> Result<(), ActionError> {
        self.check()?;
        self.run(line, most, true).await;
        Ok(())
    }

    /// As [`serve`](Router::serve); if it does not keep the line, that ends when all other handles of it are dropped.
    pub(crate) async fn run(self: Arc<Self>, line: Line, most: usize, keeps: bool) {
        let running = Arc::new(Running::default());
        let mut messages = Messages::corked(line.clone(), keeps);
        let spawn = line.spawn().clone();
        let weak = line.downgrade();
        // The stream of messages keeps the line, or nobody here does.
        drop(line);
        let most = most.max(1);
        loop {
            // Before a message is taken: whoever drops this loses none.
            if running.is_full(most) {
                messages.uncork();
                running.wait_below(most).await;
            }
            let Some(message) = messages.next().await else { return };
            let Some(handler) = self.find(message.action()) else {
                tracing::debug!(action = %message.action(), "nobody handles this");
                message.refuse(Code::NOT_IMPLEMENTED);
                continue;
            };
            let watched = message.exchange();
            let mut cx = Context::from_waker(Waker::noop());
            let Some(mut handling) = Handling::begin(&**handler, message, &mut cx) else { continue };
            let slot = running.enter(&weak);
            let mut watch = watched.map(|(key, id)| Watch::new(weak.clone(), key, id));
            spawn.spawn(Box::pin(async move {
                poll_fn(|cx| match watch.as_mut().map(|watch| watch.poll_over(cx)) {
                    Some(Poll::Ready(())) => Poll::Ready(()),
                    _ => handling.poll(cx),
                })
                .await;
                // What it does when it is dropped is part of it.
                drop(handling);
                drop(slot);
            }));
        }
    }
}

fn wrap<F, Fut>(handler: F) -> Handler
where
    F: Fn(Message) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Failure>> + Send + 'static,
{
    Arc::new(move |message| Box::pin(handler(message)))
}

impl std::fmt::Debug for Router {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Router")
            .field("named", &self.named.keys())
            .field("numbered", &self.numbered.keys())
            .field("patterns", &self.patterns.len())
            .field("fallback", &self.fallback.is_some())
            .finish()
    }
}

/// How many handlers of a line run.
#[derive(Default)]
struct Running {
    count: AtomicUsize,
    waiting: Mutex<Option<Waker>>,
}

struct Slot(Arc<Running>, WeakLine);

impl Running {
    fn enter(self: &Arc<Self>, line: &WeakLine) -> Slot {
        self.count.fetch_add(1, Ordering::Relaxed);
        if let Some(shared) = line.shared() {
            shared.lock().unfinished += 1;
        }
        Slot(self.clone(), line.clone())
    }

    fn is_full(&self, most: usize) -> bool {
        self.count.load(Ordering::Relaxed) >= most
    }

    async fn wait_below(&self, most: usize) {
        poll_fn(|cx| {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if self.count.load(Ordering::Relaxed) < most {
                return Poll::Ready(());
            }
            *waiting = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(shared) = self.1.shared() {
            shared.lock().finished(1);
        }
        let waiting = {
            let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            self.0.count.fetch_sub(1, Ordering::Relaxed);
            waiting.take()
        };
        if let Some(waker) = waiting {
            waker.wake();
        }
    }
}
