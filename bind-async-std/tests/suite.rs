//! The shared suite on async-std.

use std::future::Future;

use async_std::task;
use ropeway_async_std::AsyncStd;
use ropeway_conformance::{Binding, suite};

/// Async-std's global executor, with a thread for each core.
struct OnAsyncStd;

impl Binding for OnAsyncStd {
    type Runtime = AsyncStd;

    fn block_on(scenario: impl Future<Output = ()> + Send + 'static) {
        // A task of its own, so that it runs where the others do.
        task::block_on(task::spawn(scenario));
    }
}

suite!(OnAsyncStd);
