//! What the driver asks of a runtime. A binding implements these and nothing else.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};

use crate::address::Address;

/// A clock that starts at zero, and wakes.
pub trait Clock: Unpin + Send + 'static {
    /// The time since an epoch that all clocks of the runtime share.
    fn now(&self) -> Duration;

    /// Ready once `at` has come. The last call counts: an earlier deadline is forgotten.
    fn poll_until(&mut self, cx: &mut Context<'_>, at: Duration) -> Poll<()>;
}

/// Where tasks and blocking work go.
pub trait Spawn: Send + Sync + 'static {
    /// Runs a task in the background.
    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>);

    /// Runs work that blocks, off the threads that run tasks.
    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>);

    /// The time since an epoch that all clocks of the runtime share.
    fn now(&self) -> Duration;
}

/// A runtime: sockets, clocks, tasks.
pub trait Runtime: Clone + Send + Sync + 'static {
    /// A connected socket.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// A listening socket.
    type Listener: Send + Sync + 'static;
    /// A clock.
    type Clock: Clock;

    /// A new clock.
    fn clock(&self) -> Self::Clock;

    /// Where tasks go.
    fn spawner(&self) -> Arc<dyn Spawn>;

    /// Connects a socket: [`Address::Tcp`], and [`Address::Unix`] where there are such. Other addresses do not come here.
    fn connect(
        &self,
        address: &Address,
        socket: &SocketOptions,
    ) -> impl Future<Output = io::Result<(Self::Stream, Endpoints)>> + Send;

    /// Listens on a socket, as above. The address may differ from the one asked for: the system picks a port if it is 0.
    fn listen(&self, address: &Address) -> impl Future<Output = io::Result<(Self::Listener, Address)>> + Send;

    /// Waits for the next connection.
    fn accept(
        &self,
        listener: &Self::Listener,
        socket: &SocketOptions,
    ) -> impl Future<Output = io::Result<(Self::Stream, Endpoints)>> + Send;
}

/// How a socket is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketOptions {
    /// Send small segments at once (TCP_NODELAY). On by default: the driver gathers what belongs together itself.
    pub no_delay: bool,
    /// The local address to connect from.
    pub local: Option<SocketAddr>,
}

impl Default for SocketOptions {
    fn default() -> SocketOptions {
        SocketOptions { no_delay: true, local: None }
    }
}

/// Where the two ends of a line are, as far as the transport knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoints {
    /// This end.
    pub local: Option<Endpoint>,
    /// The peer.
    pub peer: Option<Endpoint>,
    #[cfg(feature = "tls")]
    pub(crate) shown: crate::transport::Shown,
}

impl Endpoints {
    /// Both ends.
    pub fn new(local: Option<Endpoint>, peer: Option<Endpoint>) -> Endpoints {
        Endpoints { local, peer, ..Endpoints::default() }
    }

    /// The chain of certificates that the peer showed over TLS, its own first, once the handshake is done. A client shows one
    /// only if it has it and is asked, as a `ServerConfig` of rustls can be told to do.
    #[cfg(feature = "tls")]
    pub fn peer_certificates(&self) -> &[crate::rustls::pki_types::CertificateDer<'static>] {
        self.shown.chain()
    }
}

/// Where one end is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Endpoint {
    /// A TCP address and port.
    Tcp(SocketAddr),
    /// A Unix socket's path; a client's has none.
    Unix(Option<PathBuf>),
    /// A name within this process; a client has none.
    Mem(Option<String>),
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Endpoint::Tcp(address) => address.fmt(f),
            Endpoint::Unix(Some(path)) => path.display().fmt(f),
            Endpoint::Mem(Some(name)) => f.write_str(name),
            Endpoint::Unix(None) | Endpoint::Mem(None) => f.write_str("unnamed"),
        }
    }
}
