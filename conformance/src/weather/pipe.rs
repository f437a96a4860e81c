//! A connected pair of streams in memory.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_io::{AsyncRead, AsyncWrite};

/// A connected pair of streams that holds at most `capacity` bytes, at least 1, each way.
///
/// The memory for them is taken here, so that a heap measured later does not grow by it.
pub fn pipe(capacity: usize) -> (End, End) {
    assert!(capacity > 0, "a pipe without room carries nothing");
    let (near, far) = (Channel::new(capacity), Channel::new(capacity));
    let end =
        |from: &Arc<Channel>, to: &Arc<Channel>| End { reader: ReadHalf(from.clone()), writer: WriteHalf(to.clone()) };
    (end(&far, &near), end(&near, &far))
}

/// One end of a [`pipe`].
///
/// Dropped or closed, it is an end of file to the peer once that has read what was written; written to after the peer is
/// gone, it fails with `BrokenPipe`. Each way wakes its own task.
#[derive(Debug)]
pub struct End {
    reader: ReadHalf,
    writer: WriteHalf,
}

impl End {
    /// Both halves, to be used by different tasks and dropped one by one.
    pub fn split(self) -> (ReadHalf, WriteHalf) {
        (self.reader, self.writer)
    }
}

impl AsyncRead for End {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.reader).poll_read(cx, buf)
    }
}

impl AsyncWrite for End {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_close(cx)
    }
}

/// The half of an [`End`] that reads; the peer's writes fail once it is dropped.
#[derive(Debug)]
pub struct ReadHalf(Arc<Channel>);

impl AsyncRead for ReadHalf {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut state = self.0.state();
        if state.bytes.is_empty() && !state.ended && !buf.is_empty() {
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = state.bytes.read(buf);
        wake(state, |state| &mut state.writer);
        Poll::Ready(count)
    }
}

impl Drop for ReadHalf {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.deaf = true;
        wake(state, |state| &mut state.writer);
    }
}

/// The half of an [`End`] that writes; the peer reads to its end once it is dropped.
#[derive(Debug)]
pub struct WriteHalf(Arc<Channel>);

impl AsyncWrite for WriteHalf {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.0.state();
        if state.ended || state.deaf {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let count = buf.len().min(self.0.capacity - state.bytes.len());
        if count == 0 && !buf.is_empty() {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        state.bytes.extend(&buf[..count]);
        wake(state, |state| &mut state.reader);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.end();
        Poll::Ready(Ok(()))
    }
}

impl Drop for WriteHalf {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// One direction.
#[derive(Debug)]
struct Channel {
    capacity: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    bytes: VecDeque<u8>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// Nothing more will be written.
    ended: bool,
    /// Nothing more will be read.
    deaf: bool,
}

impl Channel {
    fn new(capacity: usize) -> Arc<Self> {
        let state = State { bytes: VecDeque::with_capacity(capacity), ..State::default() };
        Arc::new(Self { capacity, state: Mutex::new(state) })
    }

    fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        wake(state, |state| &mut state.reader);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic halfway runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes after the lock is gone, as who is woken may want it at once.
fn wake(mut state: MutexGuard<'_, State>, who: impl FnOnce(&mut State) -> &mut Option<Waker>) {
    let waker = who(&mut state).take();
    drop(state);
    waker.into_iter().for_each(Waker::wake);
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;
    use crate::weather::testing::{Prober, exchange, failed, ready};

    #[test]
    fn carries_bytes_each_way_with_all_halves_on_tasks_of_their_own() {
        for capacity in [1, 2, 1000, 1 << 16] {
            let (a, b) = pipe(capacity);
            exchange(&format!("pipe of {capacity}"), Box::new(a), Box::new(b));
        }
    }

    #[test]
    fn wakes_each_way_its_own_task() {
        let [reader, writer, peer] = [Prober::new(), Prober::new(), Prober::new()];
        let (mut a, mut b) = pipe(2);
        assert_eq!(ready(writer.write(&mut a, b"abc")), 2);
        assert!(writer.write(&mut a, b"c").is_pending());
        assert!(reader.read(&mut a, 9).is_pending());
        assert_eq!((reader.wakes(), writer.wakes()), (0, 0));
        ready(peer.write(&mut b, b"x"));
        assert_eq!((reader.wakes(), writer.wakes()), (1, 0));
        assert_eq!(ready(peer.read(&mut b, 1)), b"a");
        assert_eq!((reader.wakes(), writer.wakes()), (0, 1));
        assert_eq!(ready(writer.write(&mut a, b"cd")), 1);
        ready(peer.read(&mut b, 1));
        assert_eq!((reader.wakes(), writer.wakes()), (0, 0), "nobody waits");
    }

    #[test]
    fn wakes_the_task_that_polled_last() {
        let [first, last, peer] = [Prober::new(), Prober::new(), Prober::new()];
        let (mut a, mut b) = pipe(2);
        assert!(first.read(&mut a, 9).is_pending());
        assert!(last.read(&mut a, 9).is_pending());
        ready(peer.write(&mut b, b"x"));
        assert_eq!((first.wakes(), last.wakes()), (0, 1));
    }

    #[test]
    fn empty_calls_move_nothing_and_end_nothing() {
        let prober = Prober::new();
        let (mut a, mut b) = pipe(1);
        assert_eq!(ready(prober.read(&mut a, 0)), b"");
        ready(prober.write(&mut a, b"x"));
        assert_eq!(ready(prober.write(&mut a, b"")), 0);
        assert_eq!(ready(prober.read(&mut b, 9)), b"x");
    }

    #[test]
    fn drop_is_an_end_to_the_peer_after_what_was_written() {
        check_end(|a, prober| {
            ready(prober.write(a.as_mut().expect("not dropped yet"), b"ab"));
            *a = None;
        });
    }

    #[test]
    fn close_is_an_end_to_the_peer_after_what_was_written() {
        check_end(|a, prober| {
            let a = a.as_mut().expect("not dropped yet");
            ready(prober.write(a, b"ab"));
            ready(prober.close(a));
            assert_eq!(failed(prober.write(a, b"c")), ErrorKind::BrokenPipe);
        });
    }

    #[test]
    fn drop_breaks_the_peers_writes_and_wakes_it() {
        let prober = Prober::new();
        let (a, mut b) = pipe(1);
        ready(prober.write(&mut b, b"x"));
        assert!(prober.write(&mut b, b"y").is_pending());
        drop(a);
        assert_eq!(prober.wakes(), 1);
        assert_eq!(failed(prober.write(&mut b, b"y")), ErrorKind::BrokenPipe);
    }

    #[test]
    fn halves_end_one_by_one() {
        let prober = Prober::new();
        let (a, mut b) = pipe(4);
        let (mut reader, writer) = a.split();
        drop(writer);
        assert_eq!(ready(prober.read(&mut b, 9)), b"");
        ready(prober.write(&mut b, b"x"));
        assert_eq!(ready(prober.read(&mut reader, 9)), b"x");
        drop(reader);
        assert_eq!(failed(prober.write(&mut b, b"y")), ErrorKind::BrokenPipe);
    }

    fn check_end(end: impl FnOnce(&mut Option<End>, &Prober)) {
        let (prober, peer) = (Prober::new(), Prober::new());
        let (a, mut b) = pipe(4);
        let mut a = Some(a);
        assert!(peer.read(&mut b, 1).is_pending());
        end(&mut a, &prober);
        assert_eq!(peer.wakes(), 1, "once for the bytes, as it has not polled since");
        assert_eq!(ready(peer.read(&mut b, 1)), b"a");
        assert_eq!(ready(peer.read(&mut b, 1)), b"b");
        assert_eq!(ready(peer.read(&mut b, 1)), b"");
        assert_eq!(ready(peer.read(&mut b, 1)), b"", "and so it stays");
    }

    #[test]
    fn end_wakes_a_reader_that_waits() {
        let (prober, peer) = (Prober::new(), Prober::new());
        let (mut a, mut b) = pipe(4);
        assert!(peer.read(&mut b, 1).is_pending());
        ready(prober.close(&mut a));
        assert_eq!(peer.wakes(), 1);
        let (a, mut b) = pipe(4);
        assert!(peer.read(&mut b, 1).is_pending());
        drop(a);
        assert_eq!(peer.wakes(), 1);
    }
}
