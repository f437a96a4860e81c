//! What is written stays behind until it is flushed.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

/// A stream that keeps what is written until it is flushed or closed, or until it can keep no more.
///
/// Sockets pass everything on at once, so they never show a flush that was forgotten; streams that seal or frame what
/// they carry do.
#[derive(Debug)]
pub struct Buffered<S> {
    inner: S,
    kept: Vec<u8>,
    most: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Buffered<S> {
    /// Keeps at most so many bytes, at least 1.
    pub fn new(inner: S, most: usize) -> Self {
        assert!(most > 0, "it could never take a byte");
        Self { inner, kept: Vec::new(), most }
    }

    fn pass_on(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.kept.is_empty() {
            match ready!(Pin::new(&mut self.inner).poll_write(cx, &self.kept))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => drop(self.kept.drain(..count)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Buffered<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Buffered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.kept.len() == self.most {
            ready!(self.pass_on(cx))?;
        }
        let count = buf.len().min(self.most - self.kept.len());
        self.kept.extend_from_slice(&buf[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.pass_on(cx))?;
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.pass_on(cx))?;
        Pin::new(&mut self.inner).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weather::pipe;
    use crate::weather::testing::{Prober, exchange, ready};

    #[test]
    fn passes_on_what_was_flushed_or_finds_no_place() {
        let prober = Prober::new();
        let (a, mut b) = pipe(64);
        let mut a = Buffered::new(a, 4);
        assert_eq!(ready(prober.write(&mut a, b"abc")), 3);
        assert!(prober.read(&mut b, 9).is_pending());
        ready(prober.flush(&mut a));
        assert_eq!(ready(prober.read(&mut b, 9)), b"abc");
        assert_eq!(ready(prober.write(&mut a, b"defgh")), 4);
        assert!(prober.read(&mut b, 9).is_pending());
        assert_eq!(ready(prober.write(&mut a, b"h")), 1);
        assert_eq!(ready(prober.read(&mut b, 9)), b"defg");
        ready(prober.close(&mut a));
        assert_eq!(ready(prober.read(&mut b, 9)), b"h");
        assert_eq!(ready(prober.read(&mut b, 9)), b"");
    }

    #[test]
    fn waits_for_room_while_it_passes_on() {
        let (prober, peer) = (Prober::new(), Prober::new());
        let (a, mut b) = pipe(2);
        let mut a = Buffered::new(a, 4);
        ready(prober.write(&mut a, b"abcd"));
        assert!(prober.flush(&mut a).is_pending());
        assert_eq!(ready(prober.write(&mut a, b"efgh")), 2);
        assert!(prober.write(&mut a, b"gh").is_pending());
        assert_eq!(ready(peer.read(&mut b, 9)), b"ab");
        assert_eq!(prober.wakes(), 1);
        assert!(prober.flush(&mut a).is_pending());
        assert_eq!(ready(peer.read(&mut b, 9)), b"cd");
        ready(prober.flush(&mut a));
        assert_eq!(ready(peer.read(&mut b, 9)), b"ef");
    }

    #[test]
    fn carries_every_byte() {
        for capacity in [1, 7, 4096] {
            let (a, b) = pipe(capacity);
            exchange("buffered", Box::new(Buffered::new(a, 100)), Box::new(Buffered::new(b, 5000)));
        }
    }
}
