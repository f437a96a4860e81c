//! Tokio's clock and tasks, as the driver wants them.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use ropeway_driver::{Address, Clock, Endpoints, Runtime, SocketOptions, Spawn};
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::net::{Listener, Socket, connect};

/// The tokio runtime. What uses it must run inside one, with I/O and time enabled.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tokio;

impl Runtime for Tokio {
    type Stream = Socket;
    type Listener = Listener;
    type Clock = TokioClock;

    fn clock(&self) -> TokioClock {
        TokioClock { sleep: None }
    }

    fn spawner(&self) -> Arc<dyn Spawn> {
        Arc::new(Spawner(Handle::current()))
    }

    async fn connect(&self, address: &Address, socket: &SocketOptions) -> io::Result<(Socket, Endpoints)> {
        connect(&*self.spawner(), address, socket).await
    }

    async fn listen(&self, address: &Address) -> io::Result<(Listener, Address)> {
        Listener::bind(&*self.spawner(), address).await
    }

    async fn accept(&self, listener: &Listener, socket: &SocketOptions) -> io::Result<(Socket, Endpoints)> {
        listener.accept(socket).await
    }
}

/// The epoch of all clocks.
fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

fn now() -> Duration {
    Instant::now().saturating_duration_since(epoch())
}

/// A clock of tokio. It follows tokio's paused time in tests.
#[derive(Debug)]
pub struct TokioClock {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Clock for TokioClock {
    fn now(&self) -> Duration {
        now()
    }

    fn poll_until(&mut self, cx: &mut Context<'_>, at: Duration) -> Poll<()> {
        // A deadline too far to be told is never.
        let Some(at) = epoch().checked_add(at) else { return Poll::Pending };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(at)));
        // To set it anew at each poll would put it off for ever: tokio rounds up.
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        sleep.as_mut().poll(cx)
    }
}

struct Spawner(Handle);

impl Spawn for Spawner {
    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        self.0.spawn(task);
    }

    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        self.0.spawn_blocking(work);
    }

    fn now(&self) -> Duration {
        now()
    }
}
