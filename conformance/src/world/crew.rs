//! The tasks of a scenario, which end once nothing is held any more: not every runtime ends with a scenario.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// Tasks that are waited for. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Crew(Arc<Mutex<Roll>>);

#[derive(Default)]
struct Roll {
    members: usize,
    /// Who waits until there are none.
    waiter: Option<Waker>,
}

/// A task's place, which it leaves when this is dropped.
pub(crate) struct Member(Crew);

impl Crew {
    pub(crate) fn enlist(&self) -> Member {
        self.roll().members += 1;
        Member(self.clone())
    }

    /// Waits until no task is left. One that stays has been forgotten.
    pub(crate) async fn gone(&self) {
        poll_fn(|cx| {
            let mut roll = self.roll();
            if roll.members == 0 {
                return Poll::Ready(());
            }
            roll.waiter = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn roll(&self) -> MutexGuard<'_, Roll> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let waiter = {
            let mut roll = self.0.roll();
            roll.members -= 1;
            if roll.members == 0 { roll.waiter.take() } else { None }
        };
        waiter.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block_on;
    use std::future::Future;
    use std::pin::pin;
    use std::task::Context;
    use std::thread;

    #[test]
    fn the_last_task_is_waited_for() {
        let crew = Crew::default();
        let (first, last) = (crew.enlist(), crew.enlist());
        drop(first);
        assert!(pin!(crew.gone()).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let leaving = thread::spawn(|| drop(last));
        block_on(crew.gone());
        leaving.join().expect("it leaves");
    }
}
