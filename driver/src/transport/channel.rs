//! A connected stream, whatever lies between it and a socket.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

use crate::error::Error;

/// A connected stream: the socket `S` itself, or what was put over one, or what came from elsewhere.
///
/// If its transport has a handshake of its own, that goes on whenever it is read, written or flushed, and fails what is asked
/// for if it fails. So it is part of what comes first on a line, and whoever sets a deadline for that sets it for both.
pub struct Channel<S>(Kind<S>);

enum Kind<S> {
    Socket(S),
    Other(Box<dyn Duplex>),
    Handshaking(Handshake),
    /// The handshake failed, or was not waited for.
    Gone,
}

/// Any stream both ways.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

type Handshake = Pin<Box<dyn Future<Output = Result<Box<dyn Duplex>, Error>> + Send>>;

impl<S> Channel<S> {
    /// A socket.
    pub(super) fn socket(socket: S) -> Channel<S> {
        Channel(Kind::Socket(socket))
    }

    /// Any stream.
    pub(crate) fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Channel<S> {
        Channel(Kind::Other(Box::new(stream)))
    }

    /// What comes of a handshake.
    #[cfg_attr(
        not(any(feature = "tls", feature = "websocket")),
        allow(dead_code, reason = "what has no feature has no handshake")
    )]
    pub(super) fn handshaking(
        handshake: impl Future<Output = Result<Box<dyn Duplex>, Error>> + Send + 'static,
    ) -> Channel<S> {
        Channel(Kind::Handshaking(Box::pin(handshake)))
    }

    /// Waits for the end of the transport's own handshake, if it has one.
    ///
    /// # Errors
    /// What the handshake failed with. After that there is no connection any more.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn established(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll_established(cx)).await
    }

    fn poll_established(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match &mut self.0 {
            Kind::Socket(_) | Kind::Other(_) => Poll::Ready(Ok(())),
            Kind::Handshaking(handshake) => {
                let done = ready!(handshake.as_mut().poll(cx));
                self.0 = Kind::Gone;
                Poll::Ready(done.map(|stream| self.0 = Kind::Other(stream)))
            }
            Kind::Gone => Poll::Ready(Err(gone().into())),
        }
    }
}

fn gone() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

/// Calls the same method on whichever stream it is, once it is one.
macro_rules! through {
    ($self:ident, $cx:ident, $stream:ident => $call:expr) => {{
        let channel = $self.get_mut();
        ready!(channel.poll_established($cx))?;
        match &mut channel.0 {
            Kind::Socket(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
            Kind::Other(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
            Kind::Handshaking(_) | Kind::Gone => Poll::Ready(Err(gone())),
        }
    }};
}

impl<S: AsyncRead + Unpin> AsyncRead for Channel<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        through!(self, cx, stream => stream.poll_read(cx, out))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Channel<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        through!(self, cx, stream => stream.poll_write(cx, octets))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        through!(self, cx, stream => stream.poll_write_vectored(cx, pieces))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        through!(self, cx, stream => stream.poll_flush(cx))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Kind::Handshaking(_) | Kind::Gone = self.0 {
            self.0 = Kind::Gone;
            return Poll::Ready(Ok(()));
        }
        through!(self, cx, stream => stream.poll_close(cx))
    }
}

impl<S> fmt::Debug for Channel<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Socket(_) => "Channel::Socket",
            Kind::Other(_) => "Channel::Other",
            Kind::Handshaking(_) => "Channel::Handshaking",
            Kind::Gone => "Channel::Gone",
        })
    }
}
