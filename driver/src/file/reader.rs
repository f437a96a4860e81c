//! Files of the peer's that are read as they come.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::ops::RangeBounds;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_core::Stream;
use futures_io::AsyncRead;
use ropeway_core::Code;

use super::FileError;
use super::control::code_of;
use super::part::Part;
use crate::chunked::Chunked;
use crate::error::Error;
use crate::flow::Incoming;

/// Reads a file, or a range of it, that the peer offered.
///
/// The content is checked as it comes: if it is not what its digest promised, the end is an error instead of an end
/// ([`FileError::Digest`]). So what was read is to be trusted only once the end has come.
///
/// The sender hears that all is well at the verified end; after a range, when the reader is dropped, for it may ask for
/// another [`range`](FileReader::range). Dropped before, it stops the sender.
pub struct FileReader {
    /// `None` once the last word is said.
    flow: Option<Incoming>,
    size: Option<u64>,
    state: State,
    /// The last word waits until this is dropped: it may ask for another range, or have more to do.
    holds: bool,
    hasher: blake3::Hasher,
    /// What came and was not read.
    chunk: Bytes,
}

enum State {
    /// Asked for from here on.
    Asked(u64),
    /// As many octets come before what was asked for.
    Running(u64),
    Ended,
    Failed(Error),
}

impl FileReader {
    /// Of what was asked for from `start` on.
    pub(super) fn new(flow: Incoming, size: Option<u64>, start: u64, holds: bool) -> FileReader {
        FileReader {
            flow: Some(flow),
            size,
            state: State::Asked(start),
            holds,
            hasher: blake3::Hasher::new(),
            chunk: Bytes::new(),
        }
    }

    /// The size of the whole file in octets, if the peer knows it.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// The next octets, as they came; `None` at the end, when they are verified.
    ///
    /// # Errors
    /// [`Error::Aborted`] if the sender gave it up; [`Error::File`] if the content is not what its digest promised;
    /// [`Error::Closed`]. Once it failed it fails again.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    /// Asks for another range, once the range before was read to its end.
    ///
    /// # Errors
    /// [`FileError::Range`] if it is empty or not within the size; [`Error::Misuse`] if the range before is not at its end, or all
    /// of the file was asked for at first; [`Error::Aborted`] if the sender gave it up; [`Error::Closed`].
    ///
    /// # Cancel safety
    /// Safe: the range was either asked for, and comes, or not.
    pub async fn range(&mut self, range: impl RangeBounds<u64>) -> Result<(), Error> {
        let accept = Part::new(&range).within(self.size)?;
        let Some(flow) = &mut self.flow else { return Err(Error::Misuse("the file is read to its end")) };
        match &self.state {
            State::Ended => {}
            State::Failed(error) => return Err(error.clone()),
            State::Asked(_) | State::Running(_) => return Err(Error::Misuse("the range before is not at its end")),
        }
        flow.accept(&accept).await?;
        flow.set_last_word(Code::CANCELLED);
        self.state = State::Asked(accept.start);
        self.hasher.reset();
        Ok(())
    }

    /// Pauses it. What is on its way still comes.
    ///
    /// # Errors
    /// [`Error::Misuse`] when it is over.
    pub fn pause(&self) -> Result<(), Error> {
        self.set_paused(true)
    }

    /// Lets it go on, as far as this end is concerned.
    ///
    /// # Errors
    /// [`Error::Misuse`] when it is over.
    pub fn resume(&self) -> Result<(), Error> {
        self.set_paused(false)
    }

    pub(super) fn set_paused(&self, on: bool) -> Result<(), Error> {
        self.flow.as_ref().ok_or(Error::Misuse("the file is read to its end"))?.pause(on)
    }

    /// Stops the sender, with a code for it.
    pub fn stop(self, code: Code) {
        if let Some(flow) = self.flow {
            flow.done(code);
        }
    }

    fn poll_flow(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        loop {
            let skip = match &mut self.state {
                State::Ended => return Poll::Ready(Ok(None)),
                State::Failed(error) => return Poll::Ready(Err(error.clone())),
                State::Asked(start) => {
                    let start = *start;
                    let began = ready!(self.open()?.poll_began(cx))?;
                    // A sender that can't go to the start gives all, and the digest is of that.
                    self.state = State::Running(start.saturating_sub(began));
                    continue;
                }
                State::Running(skip) => *skip,
            };
            let Some(mut octets) = ready!(self.open()?.poll_chunk(cx))? else {
                self.finish()?;
                return Poll::Ready(Ok(None));
            };
            self.hasher.update(&octets);
            let dropped = usize::try_from(skip).unwrap_or(usize::MAX).min(octets.len());
            self.state = State::Running(skip - dropped as u64);
            octets.advance(dropped);
            if !octets.is_empty() {
                return Poll::Ready(Ok(Some(octets)));
            }
        }
    }

    fn open(&mut self) -> Result<&mut Incoming, Error> {
        self.flow.as_mut().ok_or(Error::Misuse("the file is read to its end"))
    }

    /// All that was asked for has come.
    fn finish(&mut self) -> Result<(), Error> {
        let digest = self.open()?.digest();
        if digest.is_some_and(|digest| digest != *self.hasher.finalize().as_bytes()) {
            return Err(FileError::Digest.into());
        }
        self.state = State::Ended;
        if self.holds {
            self.open()?.set_last_word(Code::OK);
        } else if let Some(flow) = self.flow.take() {
            flow.done(Code::OK);
        }
        Ok(())
    }
}

impl Chunked for FileReader {
    fn left(&mut self) -> &mut Bytes {
        &mut self.chunk
    }

    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        let polled = ready!(self.poll_flow(cx));
        if let Err(error) = &polled {
            self.state = State::Failed(error.clone());
            if let Some(flow) = self.flow.take() {
                flow.done(code_of(error));
            }
        }
        Poll::Ready(polled)
    }
}

impl AsyncRead for FileReader {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_fill(cx, out)
    }
}

impl Stream for FileReader {
    type Item = Result<Bytes, Error>;

    /// Ends after an error.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if matches!(self.state, State::Failed(_)) {
            return Poll::Ready(None);
        }
        self.poll_chunk(cx).map(Result::transpose)
    }
}

impl fmt::Debug for FileReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileReader").field("size", &self.size).finish_non_exhaustive()
    }
}

/// Tokio's own trait.
#[cfg(feature = "tokio")]
impl tokio::io::AsyncRead for FileReader {
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
