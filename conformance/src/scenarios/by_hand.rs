//! What several families need: transports written by hand, contents to compare, conditions to wait for.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use futures_io::{AsyncRead, AsyncWrite};
use ropeway_driver::{Error, Line, StreamReader, StreamWriter};

use crate::weather::Dice;

/// Octets that depend on nothing but `seed`, no two stretches of them alike.
pub(super) fn octets(len: usize, seed: usize) -> Vec<u8> {
    let mut dice = Dice::new(seed as u64);
    (0..len).map(|_| dice.roll(256) as u8).collect()
}

/// Lets other tasks run.
pub(super) async fn turn() {
    let mut waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Waits until `holds` does, for what nobody tells of.
pub(super) async fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        turn().await;
    }
}

/// Polls a future so many times at most, as it is woken, and drops it then.
pub(super) async fn cut_short<F: Future>(polls: usize, work: F) -> Option<F::Output> {
    let mut work = Box::pin(work);
    let mut left = polls;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match work.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// A queue from one side to another.
pub(super) fn queue<T>() -> (Give<T>, Take<T>) {
    let queue = Arc::new(Mutex::new((VecDeque::new(), None)));
    (Give(queue.clone()), Take(queue))
}

type Queue<T> = Arc<Mutex<(VecDeque<T>, Option<Waker>)>>;

/// Where things are put.
pub(super) struct Give<T>(Queue<T>);

impl<T> Give<T> {
    pub(super) fn put(&self, thing: T) {
        let taker = {
            let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            queue.0.push_back(thing);
            queue.1.take()
        };
        taker.into_iter().for_each(Waker::wake);
    }
}

/// Where things are taken.
pub(super) struct Take<T>(Queue<T>);

impl<T> Take<T> {
    pub(super) async fn next(&self) -> T {
        poll_fn(|cx| {
            let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match queue.0.pop_front() {
                Some(thing) => Poll::Ready(thing),
                None => {
                    queue.1 = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

/// Sends so much on a stream, finishes it, and waits until all was taken.
pub(super) async fn write_stream(mut writer: StreamWriter, octets: &[u8]) -> Result<(), Error> {
    writer.send(octets).await?;
    writer.finish().await
}

/// All of a stream.
pub(super) async fn read_stream(reader: &mut StreamReader) -> Result<Vec<u8>, Error> {
    let mut all = Vec::new();
    while let Some(chunk) = reader.chunk().await? {
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

/// A request that an echo answers.
pub(super) async fn still_works(line: &Line) {
    let answer = line.request::<_, String>("echo", "still there?").await;
    assert_eq!(answer.expect("the line works"), "still there?");
}

/// Writes all of `octets` to a transport.
pub(super) async fn write_all(stream: &mut (impl AsyncWrite + Unpin), mut octets: &[u8]) -> io::Result<()> {
    while !octets.is_empty() {
        let len = poll_fn(|cx| Pin::new(&mut *stream).poll_write(cx, octets)).await?;
        octets = &octets[len..];
    }
    poll_fn(|cx| Pin::new(&mut *stream).poll_flush(cx)).await
}

/// Reads a transport until its end, by whichever means it ends.
pub(super) async fn read_to_end(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let (mut all, mut block) = (Vec::new(), [0; 4096]);
    loop {
        match poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, &mut block)).await {
            Ok(0) | Err(_) => return all,
            Ok(len) => all.extend_from_slice(&block[..len]),
        }
    }
}
