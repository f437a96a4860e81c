//! Listening and connecting in memory.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use ropeway_driver::{Address, Endpoints};

use super::Duplex;
use crate::weather::{End, pipe};

/// Who listens in memory, by port.
#[derive(Clone, Default)]
pub(super) struct Backlog(Arc<Mutex<HashMap<u16, Queue>>>);

#[derive(Default)]
struct Queue {
    waiting: VecDeque<End>,
    acceptor: Option<Waker>,
}

impl Backlog {
    pub(super) fn listen(&self) -> (Listening, Address) {
        let mut queues = self.queues();
        let port = (1..).find(|port| !queues.contains_key(port)).expect("no scenario listens that often");
        queues.insert(port, Queue::default());
        (Listening { backlog: self.clone(), port }, Address::Tcp { host: "localhost".into(), port })
    }

    pub(super) fn connect(&self, address: &Address, capacity: usize) -> io::Result<(Duplex, Endpoints)> {
        let Address::Tcp { port, .. } = address else { return Err(io::ErrorKind::InvalidInput.into()) };
        let (near, far) = pipe(capacity);
        let acceptor = {
            let mut queues = self.queues();
            let queue = queues.get_mut(port).ok_or(io::ErrorKind::ConnectionRefused)?;
            queue.waiting.push_back(far);
            queue.acceptor.take()
        };
        acceptor.into_iter().for_each(Waker::wake);
        Ok((Box::new(near), Endpoints::default()))
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<u16, Queue>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Listens until dropped.
pub(super) struct Listening {
    backlog: Backlog,
    port: u16,
}

impl Listening {
    pub(super) async fn accept(&self) -> io::Result<(Duplex, Endpoints)> {
        poll_fn(|cx| {
            let mut queues = self.backlog.queues();
            let queue = queues.get_mut(&self.port).ok_or(io::ErrorKind::NotConnected)?;
            match queue.waiting.pop_front() {
                Some(end) => Poll::Ready(Ok((Box::new(end) as Duplex, Endpoints::default()))),
                None => {
                    queue.acceptor = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // Who was not accepted is hung up on, out of the lock.
        let left = self.backlog.queues().remove(&self.port);
        drop(left);
    }
}
