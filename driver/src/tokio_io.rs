//! Tokio's readers and writers as ours.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};
use tokio::io::ReadBuf;

/// A reader or a writer of tokio's where one of futures-io's is asked for:
/// `Uploading::from_reader("dump.sql", TokioIo(stdout))`, `file.write_to(TokioIo(file))`.
///
/// [`StreamReader`](crate::StreamReader), [`StreamWriter`](crate::StreamWriter) and [`FileReader`](crate::FileReader) are both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokioIo<T>(pub T);

impl<R: tokio::io::AsyncRead + Unpin> AsyncRead for TokioIo<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut out = ReadBuf::new(out);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut out))?;
        Poll::Ready(Ok(out.filled().len()))
    }
}

impl<W: tokio::io::AsyncWrite + Unpin> AsyncWrite for TokioIo<W> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, octets)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, pieces)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
