//! Within one process: `mem://name`.

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_io::{AsyncRead, AsyncWrite};

use crate::runtime::{Endpoint, Endpoints};

/// Octets that a pipe holds each way; then its writer waits.
const CAPACITY: usize = 64 * 1024;
/// What a pipe keeps of its memory when it has run empty.
const SMALL: usize = 1024;
/// Connections that wait to be accepted, as many as sockets commonly have; further ones are refused.
const BACKLOG: usize = 128;

/// Who listens, by name.
static LISTENERS: Mutex<BTreeMap<String, Queue>> = Mutex::new(BTreeMap::new());

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Pipe>,
    acceptor: Option<Waker>,
}

/// Connects to who listens on a name.
pub(super) fn connect(name: &str) -> io::Result<(Pipe, Endpoints)> {
    let refused = |why: &str| Err(io::Error::new(io::ErrorKind::ConnectionRefused, why));
    let (near, acceptor) = {
        let mut listeners = listeners();
        let Some(queue) = listeners.get_mut(name) else {
            return refused("nobody in this process listens there");
        };
        if queue.waiting.len() >= BACKLOG {
            return refused("too many connections wait already to be accepted there");
        }
        let (near, far) = pair();
        queue.waiting.push_back(far);
        (near, queue.acceptor.take())
    };
    acceptor.into_iter().for_each(Waker::wake);
    Ok((near, Endpoints::new(Some(Endpoint::Mem(None)), Some(Endpoint::Mem(Some(name.into()))))))
}

/// Listens on a name, until dropped.
pub(super) struct Listener {
    name: String,
}

impl Listener {
    /// Takes the name, or a free one if it is empty.
    pub(super) fn bind(name: &str) -> io::Result<Listener> {
        let mut listeners = listeners();
        let name = match name {
            "" => (1u64..).map(|n| n.to_string()).find(|name| !listeners.contains_key(name)).unwrap_or_default(),
            name if listeners.contains_key(name) => {
                let why = "somebody in this process listens there already";
                return Err(io::Error::new(io::ErrorKind::AddrInUse, why));
            }
            name => name.to_owned(),
        };
        listeners.insert(name.clone(), Queue::default());
        Ok(Listener { name })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) async fn accept(&self) -> (Pipe, Endpoints) {
        let pipe = poll_fn(|cx| {
            let mut listeners = listeners();
            // It is there as long as this is.
            let Some(queue) = listeners.get_mut(&self.name) else { return Poll::Pending };
            match queue.waiting.pop_front() {
                Some(pipe) => Poll::Ready(pipe),
                None => {
                    queue.acceptor = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        });
        let ends = Endpoints::new(Some(Endpoint::Mem(Some(self.name.clone()))), Some(Endpoint::Mem(None)));
        (pipe.await, ends)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let left = listeners().remove(&self.name);
        // Who was not accepted is hung up on, out of the lock.
        drop(left);
    }
}

fn listeners() -> MutexGuard<'static, BTreeMap<String, Queue>> {
    // Nothing that can panic halfway runs under the lock.
    LISTENERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One end of a pipe. Dropped or closed, it is an end of file to the peer, once that has read what was written.
pub(super) struct Pipe {
    ways: Arc<[Mutex<Way>; 2]>,
    /// The way it reads; it writes the other.
    reads: usize,
}

/// One direction.
#[derive(Default)]
struct Way {
    octets: VecDeque<u8>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// Nothing more will be written.
    ended: bool,
    /// Nothing more will be read.
    deaf: bool,
}

/// Both ends of a pipe.
pub(super) fn pair() -> (Pipe, Pipe) {
    let ways = Arc::new([Mutex::default(), Mutex::default()]);
    (Pipe { ways: ways.clone(), reads: 0 }, Pipe { ways, reads: 1 })
}

impl Pipe {
    fn way(&self, way: usize) -> MutexGuard<'_, Way> {
        self.ways[way].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn incoming(&self) -> MutexGuard<'_, Way> {
        self.way(self.reads)
    }

    fn outgoing(&self) -> MutexGuard<'_, Way> {
        self.way(1 - self.reads)
    }

    fn end(&self) {
        let mut way = self.outgoing();
        way.ended = true;
        wake(way, |way| &mut way.reader);
    }
}

impl AsyncRead for Pipe {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut way = self.incoming();
        if way.octets.is_empty() && !way.ended && !out.is_empty() {
            way.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = way.octets.read(out);
        if way.octets.is_empty() {
            // An idle line holds next to nothing.
            way.octets.shrink_to(SMALL);
        }
        wake(way, |way| &mut way.writer);
        Poll::Ready(count)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let mut way = self.outgoing();
        if way.ended || way.deaf {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let count = octets.len().min(CAPACITY - way.octets.len());
        if count == 0 && !octets.is_empty() {
            way.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        way.octets.extend(&octets[..count]);
        wake(way, |way| &mut way.reader);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.end();
        let mut way = self.incoming();
        way.deaf = true;
        way.octets = VecDeque::new();
        wake(way, |way| &mut way.writer);
    }
}

/// Wakes after the lock is gone, as who is woken may want it at once.
fn wake(mut way: MutexGuard<'_, Way>, who: impl FnOnce(&mut Way) -> &mut Option<Waker>) {
    let waker = who(&mut way).take();
    drop(way);
    waker.into_iter().for_each(Waker::wake);
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    /// A task that counts how often it is woken.
    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Task>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Task {
        fn waker(self: &Arc<Task>) -> Waker {
            self.clone().into()
        }

        fn wakes(&self) -> usize {
            self.0.swap(0, Ordering::Relaxed)
        }

        fn read(self: &Arc<Task>, pipe: &mut Pipe, len: usize) -> Poll<Result<Vec<u8>, ErrorKind>> {
            let mut out = vec![0; len];
            let read = Pin::new(pipe).poll_read(&mut Context::from_waker(&self.waker()), &mut out);
            read.map(|read| read.map(|len| out[..len].to_vec()).map_err(|error| error.kind()))
        }

        fn write(self: &Arc<Task>, pipe: &mut Pipe, octets: &[u8]) -> Poll<Result<usize, ErrorKind>> {
            let wrote = Pin::new(pipe).poll_write(&mut Context::from_waker(&self.waker()), octets);
            wrote.map_err(|error| error.kind())
        }
    }

    fn tasks<const N: usize>() -> [Arc<Task>; N] {
        std::array::from_fn(|_| Arc::default())
    }

    #[test]
    fn a_writer_waits_for_room_and_a_reader_for_octets_each_woken_alone() {
        let [reader, writer, peer] = tasks();
        let (mut a, mut b) = pair();
        assert_eq!(writer.write(&mut a, &[7; CAPACITY + 1]), Poll::Ready(Ok(CAPACITY)));
        assert_eq!(writer.write(&mut a, &[7]), Poll::Pending);
        assert_eq!(reader.read(&mut a, 9), Poll::Pending);
        assert_eq!(peer.write(&mut b, b"x"), Poll::Ready(Ok(1)));
        assert_eq!((reader.wakes(), writer.wakes()), (1, 0));
        assert_eq!(peer.read(&mut b, 2), Poll::Ready(Ok(vec![7; 2])));
        assert_eq!((reader.wakes(), writer.wakes()), (0, 1));
        assert_eq!(writer.write(&mut a, &[7; 5]), Poll::Ready(Ok(2)));
        assert_eq!(reader.read(&mut a, 9), Poll::Ready(Ok(b"x".to_vec())));
    }

    #[test]
    fn what_ran_empty_gives_its_memory_back() {
        let [task] = tasks();
        let (mut a, mut b) = pair();
        assert_eq!(task.write(&mut a, &[7; CAPACITY]), Poll::Ready(Ok(CAPACITY)));
        while task.read(&mut b, CAPACITY).is_ready() {}
        assert!(b.incoming().octets.capacity() <= 2 * SMALL);
    }

    #[test]
    fn an_end_comes_after_what_was_written_and_breaks_what_is_written_to_it() {
        for dropped in [false, true] {
            let [reader, writer] = tasks();
            let (mut a, mut b) = pair();
            assert_eq!(writer.write(&mut a, b"ab"), Poll::Ready(Ok(2)));
            assert_eq!(reader.read(&mut b, 1), Poll::Ready(Ok(b"a".to_vec())));
            let mut a = Some(a);
            if dropped {
                a = None;
            } else if let Some(a) = &mut a {
                assert!(Pin::new(a).poll_close(&mut Context::from_waker(&writer.waker())).is_ready());
            }
            assert_eq!(reader.read(&mut b, 9), Poll::Ready(Ok(b"b".to_vec())));
            assert_eq!(reader.read(&mut b, 9), Poll::Ready(Ok(vec![])));
            let wrote = reader.write(&mut b, b"x");
            match a {
                Some(mut a) => {
                    assert_eq!(wrote, Poll::Ready(Ok(1)), "the other way goes on");
                    assert_eq!(writer.write(&mut a, b"x"), Poll::Ready(Err(ErrorKind::BrokenPipe)));
                }
                None => assert_eq!(wrote, Poll::Ready(Err(ErrorKind::BrokenPipe))),
            }
        }
    }

    #[test]
    fn an_end_wakes_who_waits_for_it() {
        let [reader, writer] = tasks();
        let (mut a, b) = pair();
        assert_eq!(reader.read(&mut a, 1), Poll::Pending);
        assert_eq!(writer.write(&mut a, &[7; CAPACITY]), Poll::Ready(Ok(CAPACITY)));
        assert_eq!(writer.write(&mut a, &[7]), Poll::Pending);
        drop(b);
        assert_eq!((reader.wakes(), writer.wakes()), (1, 1));
    }

    #[test]
    fn a_name_is_taken_once_and_free_again() {
        let listener = Listener::bind("once").expect("the name is free");
        assert_eq!(Listener::bind("once").err().map(|error| error.kind()), Some(ErrorKind::AddrInUse));
        drop(listener);
        Listener::bind("once").expect("the name is free again");
        let [one, other] = [(), ()].map(|()| Listener::bind("").expect("there are names enough"));
        assert_ne!(one.name(), other.name());
    }

    #[test]
    fn nobody_and_too_many_are_refused() {
        let kind = |connected: io::Result<_>| connected.err().map(|error| error.kind());
        assert_eq!(kind(connect("nobody")), Some(ErrorKind::ConnectionRefused));
        assert_eq!(kind(connect("")), Some(ErrorKind::ConnectionRefused));
        let listener = Listener::bind("crowded").expect("the name is free");
        let _waiting: Vec<_> = (0..BACKLOG).map(|_| connect("crowded").expect("there is room")).collect();
        assert_eq!(kind(connect("crowded")), Some(ErrorKind::ConnectionRefused));
        assert!(pin!(listener.accept()).poll(&mut Context::from_waker(Waker::noop())).is_ready());
        connect("crowded").expect("there is room again");
    }

    #[test]
    fn who_is_not_accepted_is_hung_up_on() {
        let [task] = tasks();
        let listener = Listener::bind("busy").expect("the name is free");
        let (mut pipe, _) = connect("busy").expect("it listens");
        drop(listener);
        assert_eq!(task.read(&mut pipe, 1), Poll::Ready(Ok(vec![])));
    }

    #[test]
    fn an_acceptor_is_woken_by_who_connects() {
        let [task] = tasks();
        let listener = Listener::bind("sleepy").expect("the name is free");
        let mut accepting = pin!(listener.accept());
        assert!(accepting.as_mut().poll(&mut Context::from_waker(&task.waker())).is_pending());
        let _near = connect("sleepy").expect("it listens");
        assert_eq!(task.wakes(), 1);
        let Poll::Ready((_far, ends)) = accepting.poll(&mut Context::from_waker(&task.waker())) else {
            panic!("it was woken for nothing");
        };
        assert_eq!(ends.local, Some(Endpoint::Mem(Some("sleepy".into()))));
    }
}
