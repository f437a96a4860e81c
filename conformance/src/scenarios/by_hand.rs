//! What several families need: transports written by hand, contents to compare, conditions to wait for.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use ropeway_driver::{Error, Failure, Line, Message, StreamReader, StreamWriter, protocol};

use crate::transport::Transport;
use crate::weather::Dice;
use crate::world::{Side, World};

/// Octets that depend on nothing but `seed`, no two stretches of them alike.
pub(super) fn octets(len: usize, seed: usize) -> Vec<u8> {
    let mut dice = Dice::new(seed as u64);
    let mut octets = vec![0; len];
    for some in octets.chunks_mut(4) {
        let thrown = (dice.roll(1 << 31) as u32).to_le_bytes();
        some.copy_from_slice(&thrown[..some.len()]);
    }
    octets
}

/// A panic that nobody is told of: what is printed of panics is of those that nobody wanted.
pub(super) fn collapse<T>() -> T {
    std::panic::resume_unwind(Box::new("as the scenario wants it"))
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

/// What a single poll gives.
pub(super) async fn polled<F: Future>(mut work: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await
}

/// Whichever is done first; the other is dropped.
pub(super) async fn first_of<T>(one: impl Future<Output = T>, other: impl Future<Output = T>) -> T {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|cx| match one.as_mut().poll(cx) {
        Poll::Pending => other.as_mut().poll(cx),
        ready => ready,
    })
    .await
}

/// Both, at once.
pub(super) async fn both<A, B>(one: impl Future<Output = A>, other: impl Future<Output = B>) -> (A, B) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let mut done = (None, None);
    poll_fn(|cx| {
        if done.0.is_none()
            && let Poll::Ready(output) = one.as_mut().poll(cx)
        {
            done.0 = Some(output);
        }
        if done.1.is_none()
            && let Poll::Ready(output) = other.as_mut().poll(cx)
        {
            done.1 = Some(output);
        }
        match (done.0.take(), done.1.take()) {
            (Some(one), Some(other)) => Poll::Ready((one, other)),
            halves => {
                done = halves;
                Poll::Pending
            }
        }
    })
    .await
}

/// Many in one task, each polled when it is woken, in the order of their wakes: so the system keeps none of them waiting
/// and lets another run.
#[derive(Default)]
pub(super) struct Together {
    all: Vec<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
}

impl Together {
    pub(super) fn add(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        self.all.push(Some(Box::pin(work)));
    }

    /// Waits until all are done.
    pub(super) async fn done(mut self) {
        struct One(Queue<usize>, usize);
        impl Wake for One {
            fn wake(self: Arc<Self>) {
                Give(self.0.clone()).put(self.1);
            }
        }
        let (give, take) = queue();
        (0..self.all.len()).for_each(|number| give.put(number));
        while self.all.iter().any(Option::is_some) {
            let number = take.next().await;
            let waker = Waker::from(Arc::new(One(give.0.clone(), number)));
            if let Some(work) = &mut self.all[number]
                && work.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
            {
                self.all[number] = None;
            }
        }
    }
}

/// Lets time pass, second by second, until a side is done: how much it took. It stands still while nobody waits for a time
/// within the hour: who is slow is not overtaken by timers that are hours away.
pub(super) async fn pass_until<T>(world: &World, side: &Side<T>) -> Duration {
    let (time, begun) = (world.time(), world.time().now());
    while !side.is_done() {
        if time.is_awaited_within(Duration::from_secs(3600)) {
            time.pass_unseen(Duration::from_secs(1)).await;
        }
        // What is due is done by others.
        for _ in 0..20 {
            turn().await;
        }
    }
    time.now() - begun
}

/// A queue from one side to another.
pub(super) fn queue<T>() -> (Give<T>, Take<T>) {
    let queue = Arc::new(Mutex::new((VecDeque::new(), None)));
    (Give(queue.clone()), Take(queue))
}

type Queue<T> = Arc<Mutex<(VecDeque<T>, Option<Waker>)>>;

/// Where things are put.
pub(super) struct Give<T>(Queue<T>);

impl<T> Clone for Give<T> {
    fn clone(&self) -> Give<T> {
        Give(self.0.clone())
    }
}

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
    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.is_empty()
    }

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

/// A handler that answers a text with itself.
pub(super) async fn echo(text: String) -> Result<String, Failure> {
    Ok(text)
}

/// A handler that answers a stream with what it brings, as it comes.
pub(super) async fn mirror(mut message: Message) -> Result<(), Failure> {
    let mut reader = message.stream().await?;
    let mut writer = message.respond(&()).stream().await?;
    while let Some(chunk) = reader.chunk().await? {
        writer.send(&chunk).await?;
    }
    Ok(writer.finish().await?)
}

/// A request that an echo answers.
pub(super) async fn still_works(line: &Line) {
    let answer = line.request::<_, String>("echo", "still there?").await;
    assert_eq!(answer.expect("the line works"), "still there?");
}

/// Where a peer that is written by hand is heard: it seals nothing.
pub(super) fn in_the_clear(transport: Transport) -> bool {
    !transport.is_sealed()
}

/// The hello of a client with the limits of a device.
pub(super) fn hello() -> Vec<u8> {
    let (now, lane, flow) = (protocol::Instant::ZERO, [protocol::Lane::EMPTY; 1], [protocol::Flow::EMPTY; 1]);
    let memory = protocol::Memory { opened: lane, accepted: lane, sending: flow, receiving: flow, outbox: [0; 512] };
    let mut said = vec![0; 256];
    let len = protocol::Connection::client(now, protocol::Config::SMALL, [9; 32], memory).poll_transmit(now, &mut said);
    said.truncate(len);
    said
}

/// Writes all of `octets` to a transport.
pub(super) async fn write_all(stream: &mut (impl AsyncWrite + Unpin), mut octets: &[u8]) -> io::Result<()> {
    while !octets.is_empty() {
        let len = poll_fn(|cx| Pin::new(&mut *stream).poll_write(cx, octets)).await?;
        octets = &octets[len..];
    }
    poll_fn(|cx| Pin::new(&mut *stream).poll_flush(cx)).await
}

/// Reads what a transport has; nothing at its end, by whichever means it ends.
pub(super) async fn read_some(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut block = vec![0; 4096];
    let read = poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, &mut block)).await;
    block.truncate(read.unwrap_or(0));
    block
}

/// Reads a transport until its end.
pub(super) async fn read_to_end(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        match read_some(stream).await {
            some if some.is_empty() => return all,
            some => all.extend(some),
        }
    }
}
