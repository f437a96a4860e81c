//! All tasks of a scenario, which end with it: not every runtime ends with a scenario.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Tasks that end together. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Crew(Arc<Mutex<Roll>>);

#[derive(Default)]
struct Roll {
    dismissed: bool,
    came: u64,
    /// Who is there, and how to call them.
    members: HashMap<u64, Option<Waker>>,
    /// Who waits until nobody is.
    last: Option<Waker>,
}

impl Crew {
    /// The task, until it ends or all are dismissed.
    pub(crate) fn enlist<F: Future<Output = ()>>(&self, task: F) -> impl Future<Output = ()> + use<F> {
        let member = Member::new(self.clone());
        async move {
            // The task goes before it leaves the roll.
            let member = member;
            let mut task = pin!(task);
            poll_fn(|cx| if member.is_dismissed(cx) { Poll::Ready(()) } else { task.as_mut().poll(cx) }).await;
        }
    }

    /// Ends all tasks, also those to come.
    pub(crate) fn dismiss(&self) {
        let members = {
            let mut roll = self.roll();
            roll.dismissed = true;
            roll.members.values_mut().filter_map(Option::take).collect::<Vec<_>>()
        };
        members.into_iter().for_each(Waker::wake);
    }

    /// Waits until no task is left.
    pub(crate) async fn gone(&self) {
        poll_fn(|cx| {
            let mut roll = self.roll();
            if roll.members.is_empty() {
                return Poll::Ready(());
            }
            roll.last = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn roll(&self) -> MutexGuard<'_, Roll> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Member {
    crew: Crew,
    number: u64,
}

impl Member {
    fn new(crew: Crew) -> Member {
        let number = {
            let mut roll = crew.roll();
            roll.came += 1;
            let number = roll.came;
            roll.members.insert(number, None);
            number
        };
        Member { crew, number }
    }

    fn is_dismissed(&self, cx: &Context<'_>) -> bool {
        let mut roll = self.crew.roll();
        let dismissed = roll.dismissed;
        if let Some(waker) = roll.members.get_mut(&self.number)
            && !dismissed
            && waker.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker()))
        {
            *waker = Some(cx.waker().clone());
        }
        dismissed
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let (_left, last) = {
            let mut roll = self.crew.roll();
            let left = roll.members.remove(&self.number);
            (left, if roll.members.is_empty() { roll.last.take() } else { None })
        };
        last.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block_on;
    use std::future::pending;
    use std::thread;

    /// Tells when it is dropped.
    struct Flag(Arc<Mutex<bool>>);

    impl Drop for Flag {
        fn drop(&mut self) {
            *self.0.lock().expect("nobody panics") = true;
        }
    }

    #[test]
    fn a_task_that_would_never_end_is_gone_once_dismissed() {
        let (crew, dropped) = (Crew::default(), Arc::new(Mutex::new(false)));
        let flag = Flag(dropped.clone());
        let task = crew.enlist(async move {
            let _flag = flag;
            pending().await
        });
        let running = thread::spawn(|| block_on(task));
        crew.dismiss();
        block_on(crew.gone());
        assert!(*dropped.lock().expect("nobody panics"), "it is still there");
        running.join().expect("it ends");
    }

    #[test]
    fn who_comes_late_does_not_begin() {
        let crew = Crew::default();
        crew.dismiss();
        block_on(crew.enlist(async { panic!("it begins") }));
        block_on(crew.gone());
    }

    #[test]
    fn who_ends_alone_is_not_waited_for() {
        let crew = Crew::default();
        block_on(crew.enlist(async {}));
        drop(crew.enlist(pending()));
        block_on(crew.gone());
    }
}
