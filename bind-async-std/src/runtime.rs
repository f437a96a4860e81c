//! Async-std's tasks, and its sockets and clocks, as the driver wants them.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ropeway_driver::reactor::{self, Clock, Listener, Socket};
use ropeway_driver::{Address, Endpoints, Runtime, SocketOptions, Spawn};

/// The async-std runtime.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsyncStd;

impl Runtime for AsyncStd {
    type Stream = Socket;
    type Listener = Listener;
    type Clock = Clock;

    fn clock(&self) -> Clock {
        Clock::default()
    }

    fn spawner(&self) -> Arc<dyn Spawn> {
        Arc::new(Spawner)
    }

    async fn connect(&self, address: &Address, options: &SocketOptions) -> io::Result<(Socket, Endpoints)> {
        reactor::connect(&Spawner, address, options).await
    }

    async fn listen(&self, address: &Address) -> io::Result<(Listener, Address)> {
        Listener::bind(&Spawner, address).await
    }

    async fn accept(&self, listener: &Listener, options: &SocketOptions) -> io::Result<(Socket, Endpoints)> {
        listener.accept(options).await
    }
}

struct Spawner;

impl Spawn for Spawner {
    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        async_std::task::spawn(task);
    }

    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        async_std::task::spawn_blocking(work);
    }

    fn now(&self) -> Duration {
        reactor::now()
    }
}
