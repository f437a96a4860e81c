//! The shared suite on tokio.

use std::future::Future;

use ropeway_conformance::{Binding, suite};
use ropeway_tokio::Tokio;

/// Tokio with two workers.
struct OnTokio;

impl Binding for OnTokio {
    type Runtime = Tokio;

    fn block_on(scenario: impl Future<Output = ()> + Send + 'static) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("the system has threads to spare");
        // A task of its own, so that it runs where the others do.
        if let Err(failed) = runtime.block_on(runtime.spawn(scenario)) {
            std::panic::resume_unwind(failed.into_panic());
        }
    }
}

suite!(OnTokio);
