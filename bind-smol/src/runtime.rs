//! Smol's tasks, as the driver wants them.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use ropeway_driver::Spawn;
use ropeway_driver::reactor::{self, Reactor};

/// The smol runtime: its global executor, its pool for what blocks, and async-io's reactor.
#[derive(Clone, Copy, Debug, Default)]
pub struct Smol;

impl Reactor for Smol {}

impl Spawn for Smol {
    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        smol::spawn(task).detach();
    }

    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        smol::unblock(work).detach();
    }

    fn now(&self) -> Duration {
        reactor::now()
    }
}
