//! Hears of every panic in a task, which runtimes swallow.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

type Panic = Box<dyn Any + Send>;

/// Panics of tasks. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Alarm(Arc<Mutex<Heard>>);

#[derive(Default)]
struct Heard {
    panics: Vec<Panic>,
    scenario: Option<Waker>,
}

impl Alarm {
    /// The output of a task, unless it panics.
    pub(crate) async fn guard<F: Future>(&self, task: F) -> Option<F::Output> {
        let mut task = pin!(task);
        let run = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        });
        run.await.map_err(|panic| self.ring(panic)).ok()
    }

    /// A panic that was heard.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Panic> {
        let mut heard = self.heard();
        match heard.panics.pop() {
            Some(panic) => Poll::Ready(panic),
            None => {
                heard.scenario = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn ring(&self, panic: Panic) {
        let scenario = {
            let mut heard = self.heard();
            heard.panics.push(panic);
            heard.scenario.take()
        };
        scenario.into_iter().for_each(Waker::wake);
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
