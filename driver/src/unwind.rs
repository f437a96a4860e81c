//! Panics of the application's code, kept from harming anybody else's exchange or line.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

/// What `call` gives, unless it panics.
pub(crate) fn call<T>(call: impl FnOnce() -> T) -> Option<T> {
    // What panicked is dropped, and nothing that it may have left halfway is used again.
    let outcome = catch_unwind(AssertUnwindSafe(call));
    if outcome.is_err() {
        tracing::error!("a handler panicked");
    }
    outcome.ok()
}

/// Polls a future, which must not be polled again if it panics.
pub(crate) fn poll<F: Future + ?Sized>(future: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<Option<F::Output>> {
    match call(|| future.poll(cx)) {
        Some(poll) => poll.map(Some),
        None => Poll::Ready(None),
    }
}

/// The output of a future, unless it panics.
pub(crate) async fn output<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| poll(future.as_mut(), cx)).await
}
