//! How a stream becomes a line of a server.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, ready};

use super::{Book, Listening, serve};
use crate::driver::Driver;
use crate::line::{Line, Role};
use crate::options::LineOptions;
use crate::runtime::{Endpoints, Runtime, Spawn};
use crate::transport::Channel;

/// Starts a line once there is a place for it.
pub(super) async fn start<R: Runtime>(
    runtime: &R,
    stream: Channel<R::Stream>,
    endpoints: Endpoints,
    shared: &Arc<Listening>,
) {
    let Some(coming) = Coming::new(runtime, stream, endpoints) else { return };
    let mut coming = Some(coming);
    let entered = poll_fn(|cx| {
        let Some(mut book) = ready!(shared.poll_place(cx)) else { return Poll::Ready(None) };
        Poll::Ready(coming.take().and_then(|coming| coming.enter(&mut book, shared)))
    });
    if let Some(entered) = entered.await {
        entered.run(shared);
    }
}

/// A stream that is to become a line.
pub(super) struct Coming<'a, R: Runtime> {
    runtime: &'a R,
    spawn: Arc<dyn Spawn>,
    stream: Channel<R::Stream>,
    endpoints: Endpoints,
    entropy: [u8; 32],
}

impl<'a, R: Runtime> Coming<'a, R> {
    pub(super) fn new(runtime: &'a R, stream: Channel<R::Stream>, endpoints: Endpoints) -> Option<Self> {
        let entropy = crate::entropy().inspect_err(|error| tracing::error!(%error, "no entropy, so no line")).ok()?;
        Some(Coming { runtime, spawn: runtime.spawner(), stream, endpoints, entropy })
    }

    /// Takes the place that there is. Not before, for its time to say hello begins now.
    pub(super) fn enter(self, book: &mut Book, shared: &Listening) -> Option<Entered<R>> {
        let Coming { runtime, spawn, stream, endpoints, entropy } = self;
        let options = LineOptions {
            config: shared.config.clone(),
            recording: shared.traces.of_line(book.came + 1),
            #[cfg(feature = "seal")]
            seal: shared.seal.clone(),
            #[cfg(feature = "seal")]
            auth: shared.auth.clone(),
        };
        let line = Line::build(Role::Server, stream, runtime.clock(), spawn.clone(), endpoints, entropy, options);
        // The options were looked at when the server began.
        let (line, driver) = line.inspect_err(|error| tracing::error!(%error, "no line")).ok()?;
        Some(Entered { number: book.enter(&line), line, driver, spawn })
    }
}

/// A line that is in the book.
pub(super) struct Entered<R: Runtime> {
    number: u64,
    line: Line,
    driver: Driver<Channel<R::Stream>, R::Clock>,
    spawn: Arc<dyn Spawn>,
}

impl<R: Runtime> Entered<R> {
    /// Starts its loop, and what serves it. Not under the book's lock.
    pub(super) fn run(self, shared: &Arc<Listening>) {
        let Entered { number, line, driver, spawn } = self;
        let listening = shared.clone();
        spawn.spawn(Box::pin(async move {
            let ended = driver.await;
            tracing::debug!(%ended, "line over");
            listening.leave(number);
        }));
        #[cfg(feature = "seal")]
        if let Some(deciding) = &shared.auth {
            deciding.begin(&line);
        }
        spawn.spawn(Box::pin(serve(line, number, shared.clone())));
    }
}
