//! A connected stream, whatever lies between it and a socket.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

/// A connected stream: the socket `S` itself, or what was put over one, or what came from elsewhere.
pub struct Channel<S>(Kind<S>);

enum Kind<S> {
    Socket(S),
    Other(Box<dyn Duplex>),
}

/// Any stream both ways.
trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

impl<S> Channel<S> {
    /// A socket.
    pub(crate) fn socket(socket: S) -> Channel<S> {
        Channel(Kind::Socket(socket))
    }

    /// Any stream.
    pub(crate) fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Channel<S> {
        Channel(Kind::Other(Box::new(stream)))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Channel<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Kind::Socket(stream) => Pin::new(stream).poll_read(cx, out),
            Kind::Other(stream) => Pin::new(stream).poll_read(cx, out),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Channel<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Kind::Socket(stream) => Pin::new(stream).poll_write(cx, octets),
            Kind::Other(stream) => Pin::new(stream).poll_write(cx, octets),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Kind::Socket(stream) => Pin::new(stream).poll_flush(cx),
            Kind::Other(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Kind::Socket(stream) => Pin::new(stream).poll_close(cx),
            Kind::Other(stream) => Pin::new(stream).poll_close(cx),
        }
    }
}

impl<S> fmt::Debug for Channel<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Socket(_) => "Channel::Socket",
            Kind::Other(_) => "Channel::Other",
        })
    }
}
