//! Runs one future, and sleeps while it waits.

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use crate::hardware::sleep;

/// Whatever wakes the processor may be what the future waits for, so no waker tells.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        sleep();
    }
}
