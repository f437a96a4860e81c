//! Opens lines.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::address::{Address, AddressError, IntoAddress};
use crate::builder::settings;
use crate::config::Config;
use crate::error::Error;
use crate::line::{Line, Role};
use crate::router::Router;
use crate::runtime::{Clock, Runtime, SocketOptions};

/// Opens lines on the runtime `R`.
#[derive(Debug)]
pub struct Client<R>(PhantomData<R>);

impl<R: Runtime + Default> Client<R> {
    /// Opens a line with default settings.
    ///
    /// # Errors
    /// [`Error::Address`]; [`Error::Io`] if connecting fails or takes longer than 5 s; [`Error::Closed`] if the peer does
    /// not speak Ropeway, or does not say hello within 3 s.
    ///
    /// # Cancel safety
    /// Dropped early, no line is left.
    pub async fn connect(address: impl IntoAddress) -> Result<Line, Error> {
        Client::<R>::to(address).connect().await
    }

    /// A line with settings and handlers of its own.
    pub fn to(address: impl IntoAddress) -> ClientBuilder<R> {
        ClientBuilder {
            runtime: R::default(),
            address: address.into_address(),
            config: Config::DEFAULT,
            socket: SocketOptions::default(),
            router: Router::new(),
        }
    }
}

/// Settings and handlers of a line to open.
#[must_use = "nothing happens before connect"]
pub struct ClientBuilder<R> {
    runtime: R,
    address: Result<Address, AddressError>,
    config: Config,
    socket: SocketOptions,
    router: Router,
}

settings!(ClientBuilder);

impl<R: Runtime> ClientBuilder<R> {
    /// Opens the line. Without a handler, what the server sends waits for [`Line::messages`].
    ///
    /// # Errors
    /// As [`Client::connect`]; [`Error::Action`] for handlers that can't be.
    ///
    /// # Cancel safety
    /// Dropped early, no line is left.
    pub async fn connect(self) -> Result<Line, Error> {
        let ClientBuilder { runtime, address, config, socket, router } = self;
        let address = address?;
        router.check()?;
        let wait = config.connect_timeout;
        let (stream, endpoints) = within(runtime.clock(), wait, runtime.connect(&address, &socket)).await??;
        let spawn = runtime.spawner();
        let handlers = config.handlers;
        let (line, driver) =
            Line::new(Role::Client, stream, runtime.clock(), spawn.clone(), endpoints, config, crate::entropy()?);
        spawn.spawn(Box::pin(async move {
            driver.await;
        }));
        line.ready().await?;
        if !router.is_empty() {
            spawn.spawn(Box::pin(Arc::new(router).run(line.clone(), handlers, false)));
        }
        Ok(line)
    }
}

impl<R> fmt::Debug for ClientBuilder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("address", &self.address)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// The future's output, unless the time is over first.
pub(crate) async fn within<F: Future>(mut clock: impl Clock, wait: Duration, future: F) -> io::Result<F::Output> {
    let at = clock.now().saturating_add(wait);
    let mut future = pin!(future);
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        clock.poll_until(cx, at).map(|()| Err(io::ErrorKind::TimedOut.into()))
    })
    .await
}
