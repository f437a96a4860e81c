//! Streams: bytes in one direction, on a message or an answer.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use futures_io::{AsyncRead, AsyncWrite};
use ropeway_core::{Code, Offer};

use crate::chunked::Chunked;
use crate::error::Error;
use crate::exchange::Asking;
use crate::flow::{Incoming, Outgoing};
use crate::line::Line;
use crate::state::On;

/// Writes a stream. Closing it tells the reader that it is complete; dropping it before, that it is not.
pub struct StreamWriter(Outgoing);

impl StreamWriter {
    pub(crate) async fn offer(line: &Line, on: On, name: &str) -> Result<StreamWriter, Error> {
        Ok(StreamWriter(Outgoing::offer(line, on, &Offer { name, ..Offer::STREAM }).await?))
    }

    /// Sends all of `octets`. Waits while the reader has no room, or paused the stream.
    ///
    /// # Errors
    /// [`Error::Aborted`] if the reader stopped; [`Error::Closed`].
    ///
    /// # Cancel safety
    /// Not safe: some of `octets` may have been sent. Use [`AsyncWrite::poll_write`] where that matters.
    pub async fn send(&mut self, mut octets: &[u8]) -> Result<(), Error> {
        while !octets.is_empty() {
            let sent = poll_fn(|cx| self.0.poll_data(cx, octets)).await?;
            octets = octets.get(sent..).unwrap_or_default();
        }
        Ok(())
    }

    /// Says that the stream is complete, and waits until the reader has taken all of it.
    ///
    /// # Errors
    /// [`Error::Aborted`] if the reader stopped before; [`Error::Closed`].
    ///
    /// # Cancel safety
    /// Safe: the stream is complete from the first poll that had room for a frame.
    pub async fn finish(mut self) -> Result<(), Error> {
        poll_fn(|cx| self.0.poll_finish(cx, None)).await?;
        match poll_fn(|cx| self.0.poll_done(cx)).await? {
            Code::OK => Ok(()),
            code => Err(Error::Aborted(code)),
        }
    }

    /// Gives the stream up. The reader gets this code instead of the rest.
    pub fn cancel(mut self, code: Code) {
        self.0.cancel(code);
    }

    /// Pauses it. While either end has paused it nothing is sent.
    ///
    /// # Errors
    /// [`Error::Misuse`] when it is over.
    pub fn pause(&self) -> Result<(), Error> {
        self.0.pause(true)
    }

    /// Lets it go on, as far as this end is concerned.
    ///
    /// # Errors
    /// [`Error::Misuse`] when it is over.
    pub fn resume(&self) -> Result<(), Error> {
        self.0.pause(false)
    }

    /// Whether the reader has paused it.
    pub fn is_paused(&self) -> bool {
        self.0.is_paused()
    }
}

impl AsyncWrite for StreamWriter {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        if octets.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.0.poll_data(cx, octets).map_err(Into::into)
    }

    /// What was written is on its way already.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_finish(cx, None).map_err(Into::into)
    }
}

/// Reads a stream. Dropping it before the end stops the writer.
pub struct StreamReader {
    source: Source,
    chunk: Bytes,
    /// As a stream of chunks it has told its error, and ends.
    failed: bool,
}

enum Source {
    /// The stream comes with an answer that has not come.
    Answer(Asking),
    Flow(Incoming),
}

impl StreamReader {
    pub(crate) fn new(flow: Incoming) -> StreamReader {
        StreamReader { source: Source::Flow(flow), chunk: Bytes::new(), failed: false }
    }

    pub(crate) fn answering(asking: Asking) -> StreamReader {
        StreamReader { source: Source::Answer(asking), chunk: Bytes::new(), failed: false }
    }

    /// The stream's name; `None` if it has none, or has not come yet.
    pub fn name(&self) -> Option<String> {
        match &self.source {
            Source::Flow(flow) => Some(flow.offer().0.into()).filter(|name: &String| !name.is_empty()),
            Source::Answer(_) => None,
        }
    }

    /// The next bytes, as they came; `None` at the end.
    ///
    /// # Errors
    /// [`Error::Aborted`] if the writer gave up; [`Error::Answered`] if the request was answered otherwise than by a
    /// stream; [`Error::Closed`].
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    /// Pauses it. What is on its way still comes.
    ///
    /// # Errors
    /// [`Error::Misuse`] when it is over, or has not come yet.
    pub fn pause(&self) -> Result<(), Error> {
        self.set_paused(true)
    }

    /// Lets it go on, as far as this end is concerned.
    ///
    /// # Errors
    /// As [`pause`](StreamReader::pause).
    pub fn resume(&self) -> Result<(), Error> {
        self.set_paused(false)
    }

    fn set_paused(&self, on: bool) -> Result<(), Error> {
        match &self.source {
            Source::Flow(flow) => flow.pause(on),
            Source::Answer(_) => Err(Error::Misuse("the stream has not come yet")),
        }
    }

    /// Whether the writer has paused it.
    pub fn is_paused(&self) -> bool {
        matches!(&self.source, Source::Flow(flow) if flow.is_paused())
    }

    /// Stops the writer, with a code for it.
    pub fn stop(self, code: Code) {
        if let Source::Flow(flow) = self.source {
            flow.done(code);
        }
    }
}

impl Chunked for StreamReader {
    fn left(&mut self) -> &mut Bytes {
        &mut self.chunk
    }

    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        loop {
            match &mut self.source {
                Source::Flow(flow) => return flow.poll_chunk(cx),
                Source::Answer(asking) => match ready!(asking.poll_flow(cx))? {
                    Some(flow) if flow.is_push() => {
                        // The rest of the answer, and answers behind it, are of no interest; they are not to be cut short.
                        asking.forget();
                        self.source = Source::Flow(flow);
                    }
                    Some(_) => {}
                    None => match ready!(asking.poll_answer(cx)) {
                        Some(answer) => drop(answer?.into_body()?),
                        None => return Poll::Ready(Err(Error::Missing("stream"))),
                    },
                },
            }
        }
    }
}

impl AsyncRead for StreamReader {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_fill(cx, out)
    }
}

impl Stream for StreamReader {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.failed {
            return Poll::Ready(None);
        }
        let next = self.poll_chunk(cx).map(Result::transpose);
        self.failed = matches!(next, Poll::Ready(Some(Err(_))));
        next
    }
}

impl fmt::Debug for StreamWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamWriter").finish_non_exhaustive()
    }
}

impl fmt::Debug for StreamReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamReader").field("name", &self.name()).finish_non_exhaustive()
    }
}

/// Tokio's own traits on our streams.
#[cfg(feature = "tokio")]
mod tokio_io {
    use super::*;

    impl tokio::io::AsyncWrite for StreamWriter {
        fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
            AsyncWrite::poll_write(self, cx, octets)
        }

        fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            AsyncWrite::poll_flush(self, cx)
        }

        fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.poll_close(cx)
        }
    }

    impl tokio::io::AsyncRead for StreamReader {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            out: &mut tokio::io::ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let len = ready!(self.poll_fill(cx, out.initialize_unfilled()))?;
            out.advance(len);
            Poll::Ready(Ok(()))
        }
    }
}
