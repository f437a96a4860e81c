//! Async-std's tasks, as the driver wants them.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use ropeway_driver::Spawn;
use ropeway_driver::reactor::{self, Reactor};

/// The async-std runtime.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsyncStd;

impl Reactor for AsyncStd {}

impl Spawn for AsyncStd {
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
