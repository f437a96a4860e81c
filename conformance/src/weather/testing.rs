//! What the tests of the weather share: polling by hand, and an exchange between four threads.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};

use crate::{block_on, watchdog::watchdog};

/// A task that is polled by hand and counts how often it is woken.
pub(crate) struct Prober {
    wakes: Arc<Wakes>,
    waker: Waker,
}

impl Prober {
    pub(crate) fn new() -> Self {
        let wakes = Arc::new(Wakes::default());
        Self { waker: wakes.clone().into(), wakes }
    }

    /// Wake-ups since it was last asked.
    pub(crate) fn wakes(&self) -> usize {
        self.wakes.0.swap(0, Ordering::Relaxed)
    }

    pub(crate) fn poll<F: Future>(&self, future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut self.context())
    }

    pub(crate) fn read(&self, stream: &mut (impl AsyncRead + Unpin), most: usize) -> Poll<io::Result<Vec<u8>>> {
        let mut buf = vec![0; most];
        let outcome = Pin::new(stream).poll_read(&mut self.context(), &mut buf);
        outcome.map_ok(|count| {
            buf.truncate(count);
            buf
        })
    }

    pub(crate) fn write(&self, stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(stream).poll_write(&mut self.context(), bytes)
    }

    pub(crate) fn flush(&self, stream: &mut (impl AsyncWrite + Unpin)) -> Poll<io::Result<()>> {
        Pin::new(stream).poll_flush(&mut self.context())
    }

    pub(crate) fn close(&self, stream: &mut (impl AsyncWrite + Unpin)) -> Poll<io::Result<()>> {
        Pin::new(stream).poll_close(&mut self.context())
    }

    fn context(&self) -> Context<'_> {
        Context::from_waker(&self.waker)
    }
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[track_caller]
pub(crate) fn ready<T>(outcome: Poll<io::Result<T>>) -> T {
    match outcome {
        Poll::Ready(Ok(value)) => value,
        Poll::Ready(Err(error)) => panic!("failed: {error}"),
        Poll::Pending => panic!("not ready"),
    }
}

#[track_caller]
pub(crate) fn failed<T>(outcome: Poll<io::Result<T>>) -> ErrorKind {
    match outcome {
        Poll::Ready(Ok(_)) => panic!("did not fail"),
        Poll::Ready(Err(error)) => error.kind(),
        Poll::Pending => panic!("not ready"),
    }
}

/// Any stream both ways.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

pub(crate) type Duplex = Box<dyn Stream>;

/// Sends bytes both ways at once, each half on its own thread, so that no task is woken by another's luck.
pub(crate) fn exchange(name: &str, a: Duplex, b: Duplex) {
    let (a, b) = (Mutex::new(a), Mutex::new(b));
    thread::scope(|scope| {
        for (stream, ours, theirs) in [(&a, 1, 2), (&b, 2, 1)] {
            scope.spawn(move || run(name, write_all(stream, &message(ours))));
            scope.spawn(move || assert_eq!(run(name, read_all(stream)), message(theirs), "{name}"));
        }
    });
}

fn run<F: Future>(name: &str, future: F) -> F::Output {
    block_on(watchdog(name, Duration::from_secs(30), future))
}

fn message(seed: u8) -> Vec<u8> {
    (0..5000u32).map(|i| (i % 251) as u8 ^ seed).collect()
}

async fn write_all(stream: &Mutex<Duplex>, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let count = poll(stream, |stream, cx| stream.poll_write(cx, bytes)).await;
        bytes = &bytes[count..];
    }
    poll(stream, |stream, cx| stream.poll_flush(cx)).await;
    poll(stream, |stream, cx| stream.poll_close(cx)).await;
}

async fn read_all(stream: &Mutex<Duplex>) -> Vec<u8> {
    let (mut all, mut buf) = (Vec::new(), [0; 100]);
    loop {
        match poll(stream, |stream, cx| stream.poll_read(cx, &mut buf)).await {
            0 => return all,
            count => all.extend(&buf[..count]),
        }
    }
}

async fn poll<T>(
    stream: &Mutex<Duplex>,
    mut call: impl FnMut(Pin<&mut Duplex>, &mut Context<'_>) -> Poll<io::Result<T>>,
) -> T {
    let outcome = poll_fn(|cx| call(Pin::new(&mut *stream.lock().expect("no half panics")), cx)).await;
    outcome.expect("legal weather loses nothing")
}
