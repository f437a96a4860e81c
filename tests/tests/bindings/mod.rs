//! The bindings, for tests that run on all of them.

use std::future::Future;
use std::pin::Pin;

use ropeway_driver::Runtime;

/// A future that a runtime runs.
pub(crate) type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A binding, how its futures are run, and what a test has it do.
pub(crate) struct Side<P> {
    pub(crate) name: &'static str,
    pub(crate) block_on: fn(Job),
    pub(crate) part: P,
}

/// What a test has a binding do.
pub(crate) trait Part {
    fn on<R: Runtime + Default>() -> Self;
}

/// How many there are.
pub(crate) const SIDES: usize = 3;

/// All of them.
pub(crate) fn sides<P: Part>() -> [Side<P>; SIDES] {
    [
        side::<ropeway_tokio::Tokio, P>("tokio", |job| {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            runtime.expect("the system has threads to spare").block_on(job);
        }),
        side::<ropeway_async_std::AsyncStd, P>("async-std", async_std::task::block_on),
        side::<ropeway_smol::Smol, P>("smol", smol::block_on),
    ]
}

fn side<R: Runtime + Default, P: Part>(name: &'static str, block_on: fn(Job)) -> Side<P> {
    Side { name, block_on, part: P::on::<R>() }
}
