//! One side of a scenario: a task that is waited for.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// A task that was started. Awaited, it gives what came of it; dropped, it goes on.
#[must_use = "a side that is not awaited may not have come to its end"]
pub struct Side<T>(Arc<Mutex<Slot<T>>>);

impl<T> Side<T> {
    /// Whether it has come to its end, as far as is known.
    pub fn is_done(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).output.is_some()
    }
}

struct Slot<T> {
    output: Option<T>,
    waiter: Option<Waker>,
}

impl<T> Future for Side<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match slot.output.take() {
            Some(output) => Poll::Ready(output),
            None => {
                slot.waiter = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// What is waited for, and what runs.
pub(super) fn side<F: Future>(work: F) -> (Side<F::Output>, impl Future<Output = ()>) {
    let slot = Arc::new(Mutex::new(Slot { output: None, waiter: None }));
    let side = Side(slot.clone());
    let task = async move {
        let output = work.await;
        let waiter = {
            let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
            slot.output = Some(output);
            slot.waiter.take()
        };
        waiter.into_iter().for_each(Waker::wake);
    };
    (side, task)
}
