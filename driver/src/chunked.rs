//! Chunks that come whole, read as a stream of bytes.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};

use crate::error::Error;

/// What gives chunks, and is read into buffers of any size.
pub(crate) trait Chunked {
    /// What is left of a chunk that was larger than the buffer.
    fn left(&mut self) -> &mut Bytes;

    /// The chunk behind it; `None` behind the last.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>>;

    /// The next chunk, what is left first; `None` behind the last.
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        if self.left().is_empty() {
            return self.poll_more(cx);
        }
        Poll::Ready(Ok(Some(std::mem::take(self.left()))))
    }

    /// Fills some of `out`; 0 behind the last chunk, or if there is nothing to fill.
    fn poll_fill(&mut self, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        if out.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if self.left().is_empty() {
            match ready!(self.poll_more(cx))? {
                Some(chunk) => *self.left() = chunk,
                None => return Poll::Ready(Ok(0)),
            }
        }
        let left = self.left();
        let len = left.len().min(out.len());
        left.copy_to_slice(&mut out[..len]);
        Poll::Ready(Ok(len))
    }
}
