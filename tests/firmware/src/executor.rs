//! Runs one future, and sleeps while it waits.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use crate::hardware::sleep;

/// Whatever wakes the processor may be what the future waits for, so no waker tells. The future stays where it is: handed
/// over, there would be two of it on the stack.
pub(crate) fn block_on<F: Future>(mut future: Pin<&mut F>) -> F::Output {
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        sleep();
    }
}
