//! The shared suite on smol.

use std::future::Future;

use ropeway_conformance::{Binding, suite};
use ropeway_smol::Smol;

/// Smol's global executor, with the threads that the workspace's settings give it.
struct OnSmol;

impl Binding for OnSmol {
    type Runtime = Smol;

    fn block_on(scenario: impl Future<Output = ()> + Send + 'static) {
        // A task of its own, so that it runs where the others do.
        smol::block_on(smol::spawn(scenario));
    }
}

suite!(OnSmol);
