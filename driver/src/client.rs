//! Opens lines.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};

use crate::address::{Address, AddressError, IntoAddress};
use crate::blocking::blocking;
use crate::builder::settings;
use crate::config::Config;
use crate::error::Error;
use crate::line::{Line, Role};
use crate::options::LineOptions;
use crate::router::Router;
use crate::runtime::{Clock, Endpoints, Runtime};
#[cfg(feature = "seal")]
use crate::seal::{Credential, Credentials, Seal, prove, renew};
use crate::trace::Traces;
#[cfg(feature = "tls")]
use crate::transport::ClientTls;
use crate::transport::{self, Channel, ConnectOptions};

/// Opens lines on the runtime `R`.
#[derive(Debug)]
pub struct Client<R>(PhantomData<R>);

impl<R: Runtime + Default> Client<R> {
    /// Opens a line with default settings.
    ///
    /// # Errors
    /// [`Error::Address`]; [`Error::Io`] if connecting, with the handshakes of its transport, fails or takes longer than 5 s; [`Error::Closed`] if the peer does
    /// not speak Ropeway, or does not say hello within 3 s.
    ///
    /// # Cancel safety
    /// Dropped early, no line is left.
    pub async fn connect(address: impl IntoAddress) -> Result<Line, Error> {
        Client::<R>::to(address).connect().await
    }

    /// A line with settings and handlers of its own.
    pub fn to(address: impl IntoAddress) -> ClientBuilder<R> {
        ClientBuilder::new(Peer::At(address.into_address()))
    }

    /// A line over a stream that is connected already, whatever it is: the far end is given to
    /// [`Server::serve_stream`](crate::Server::serve_stream), or is any other program's that speaks Ropeway.
    ///
    /// What it leads to is unknown, so [`Line::endpoints`] are none. Closing it must let the peer read what was written before.
    pub fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> ClientBuilder<R> {
        ClientBuilder::new(Peer::Over(Channel::over(stream)))
    }
}

/// Settings and handlers of a line to open.
#[must_use = "nothing happens before connect"]
pub struct ClientBuilder<R: Runtime> {
    runtime: R,
    peer: Peer<R>,
    config: Config,
    options: ConnectOptions,
    router: Router,
    traces: Traces,
    #[cfg(feature = "seal")]
    seal: Option<Seal>,
    #[cfg(feature = "seal")]
    credentials: Option<Credentials>,
}

/// How the peer is reached.
enum Peer<R: Runtime> {
    At(Result<Address, AddressError>),
    Over(Channel<R::Stream>),
}

impl<R: Runtime + Default> ClientBuilder<R> {
    fn new(peer: Peer<R>) -> ClientBuilder<R> {
        let (runtime, options) = (R::default(), ConnectOptions::default());
        ClientBuilder {
            runtime,
            peer,
            config: Config::DEFAULT,
            options,
            router: Router::new(),
            traces: Traces::default(),
            #[cfg(feature = "seal")]
            seal: None,
            #[cfg(feature = "seal")]
            credentials: None,
        }
    }
}

settings!(ClientBuilder);

#[cfg(feature = "tls")]
impl<R: Runtime> ClientBuilder<R> {
    /// Whom to trust over TLS, for an address that has it: rustls' configuration, or a ready [`ClientTls`].
    ///
    /// Without it, the authorities of the features `tls-platform-roots` or `tls-webpki-roots` are trusted if one is on.
    pub fn tls(mut self, tls: impl Into<ClientTls>) -> Self {
        self.options.tls = Some(tls.into());
        self
    }
}

#[cfg(feature = "seal")]
impl<R: Runtime> ClientBuilder<R> {
    /// Says this if the server asks who this end is.
    pub fn credential(self, credential: Credential) -> Self {
        self.credentials(move || std::future::ready(credential.clone()))
    }

    /// Says what this gives, whenever the server asks who this end is: once a line, and in good time before what was granted ends.
    /// If that is not taken it is asked again, once or more, before the end; a server closes the line of who is refused too often.
    ///
    /// It gives a [`Credential`], or an `Option` of one. With `None`, because it has none now, no line opens, which is
    /// [`SealError::NoCredential`](crate::SealError::NoCredential); one that is open goes on, and it is asked again.
    pub fn credentials<F, Fut>(mut self, credentials: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Into<Option<Credential>>> + Send + 'static,
    {
        self.credentials = Some(Arc::new(move || {
            let credential = credentials();
            Box::pin(async move { credential.await.into() })
        }));
        self
    }
}

impl<R: Runtime> ClientBuilder<R> {
    /// Opens the line. Without a handler, what the server sends waits for [`Line::messages`].
    ///
    /// # Errors
    /// As [`Client::connect`]; [`Error::Action`] for handlers that can't be; [`Error::Io`] for a trace that can't be written.
    ///
    /// # Cancel safety
    /// Dropped early, no line is left.
    pub async fn connect(self) -> Result<Line, Error> {
        #[cfg(feature = "seal")]
        let (seal, credentials) = (self.checked_seal(Role::Client)?, self.credentials.clone());
        let ClientBuilder { runtime, peer, config, options, router, traces, .. } = self;
        router.check()?;
        let (stream, endpoints) = match peer {
            Peer::At(address) => {
                let (address, wait) = (address?, config.connect_timeout);
                let connecting = async {
                    let (mut stream, endpoints) = transport::connect(&runtime, &address, &options).await?;
                    stream.established().await?;
                    Ok::<_, Error>((stream, endpoints))
                };
                let connected = within(runtime.clock(), wait, connecting).await.map_err(Error::from).flatten();
                connected.map_err(|error| error.about(format_args!("no line to {address}")))?
            }
            Peer::Over(stream) => (stream, Endpoints::default()),
        };
        // Not before: a line that never was replaces no file.
        let recording = match traces.is_nowhere() {
            true => None,
            false => blocking(&*runtime.spawner(), || traces.of_client()).await??,
        };
        let spawn = runtime.spawner();
        let handlers = config.handlers;
        let (clock, entropy) = (runtime.clock(), crate::entropy()?);
        let options = LineOptions {
            config,
            recording,
            #[cfg(feature = "seal")]
            seal,
            #[cfg(feature = "seal")]
            auth: None,
        };
        let (line, driver) = Line::new(Role::Client, stream, clock, spawn.clone(), endpoints, entropy, options)?;
        spawn.spawn(Box::pin(async move {
            driver.await;
        }));
        #[cfg(feature = "seal")]
        if let (true, Some(credentials)) = (prove(&line, credentials.as_ref()).await?, credentials) {
            let renewed = renew(line.downgrade(), credentials, runtime.clock());
            spawn.spawn(Box::pin(renewed));
        }
        line.ready().await?;
        if !router.is_empty() {
            spawn.spawn(Box::pin(Arc::new(router).run(line.clone(), handlers, false)));
        }
        Ok(line)
    }
}

impl<R: Runtime> fmt::Debug for ClientBuilder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ClientBuilder");
        match &self.peer {
            Peer::At(address) => shown.field("address", address),
            Peer::Over(stream) => shown.field("stream", stream),
        };
        shown.field("config", &self.config).finish_non_exhaustive()
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
