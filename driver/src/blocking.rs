//! Work that blocks, done on the runtime's pool, as futures.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use crate::error::Error;
use crate::runtime::Spawn;

/// Starts `work`, which goes on whether or not anybody waits for it.
pub(crate) fn blocking<T: Send + 'static>(spawn: &dyn Spawn, work: impl FnOnce() -> T + Send + 'static) -> Blocking<T> {
    let slot = Arc::new(Mutex::new(Slot::Working(None)));
    let promise = Promise(slot.clone());
    spawn.spawn_blocking(Box::new(move || promise.keep(work())));
    Blocking(slot)
}

/// What comes of blocking work.
#[derive(Debug)]
pub(crate) struct Blocking<T>(Arc<Mutex<Slot<T>>>);

#[derive(Debug)]
enum Slot<T> {
    Working(Option<Waker>),
    Done(T),
    /// The work panicked, or the runtime is gone; or what came of it was taken.
    Gone,
}

impl<T> Future for Blocking<T> {
    type Output = Result<T, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut slot = lock(&self.0);
        match std::mem::replace(&mut *slot, Slot::Gone) {
            Slot::Working(_) => {
                *slot = Slot::Working(Some(cx.waker().clone()));
                Poll::Pending
            }
            Slot::Done(value) => Poll::Ready(Ok(value)),
            Slot::Gone => Poll::Ready(Err(gone())),
        }
    }
}

/// Tells the waiting end what came of the work, also if nothing did.
struct Promise<T>(Arc<Mutex<Slot<T>>>);

impl<T> Promise<T> {
    fn keep(self, value: T) {
        self.settle(Slot::Done(value));
    }

    fn settle(&self, slot: Slot<T>) {
        let before = std::mem::replace(&mut *lock(&self.0), slot);
        if let Slot::Working(Some(waker)) = before {
            waker.wake();
        }
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        let broken = matches!(&*lock(&self.0), Slot::Working(_));
        if broken {
            self.settle(Slot::Gone);
        }
    }
}

/// A value that is sent to the pool to work there, and is here in between; `R` is what it brings back.
pub(crate) struct Errand<S, R> {
    spawn: Arc<dyn Spawn>,
    here: Option<S>,
    away: Option<Blocking<(S, R)>>,
}

impl<S: Send + 'static, R: Send + 'static> Errand<S, R> {
    pub(crate) fn new(spawn: Arc<dyn Spawn>, value: S) -> Errand<S, R> {
        Errand { spawn, here: Some(value), away: None }
    }

    /// Sends the value away. What it brings back must be waited for before it is sent again.
    pub(crate) fn send(&mut self, work: impl FnOnce(&mut S) -> R + Send + 'static) {
        if let Some(mut value) = self.here.take() {
            self.away = Some(blocking(&*self.spawn, move || {
                let back = work(&mut value);
                (value, back)
            }));
        }
    }

    /// Waits until the value is back.
    pub(crate) fn poll_back(&mut self, cx: &mut Context<'_>) -> Poll<Result<R, Error>> {
        let Some(away) = &mut self.away else { return Poll::Ready(Err(gone())) };
        let back = ready!(Pin::new(away).poll(cx));
        self.away = None;
        let (value, back) = back?;
        self.here = Some(value);
        Poll::Ready(Ok(back))
    }

    pub(crate) fn is_away(&self) -> bool {
        self.away.is_some()
    }

    /// The value, if it is here.
    pub(crate) fn here(&mut self) -> Option<&mut S> {
        self.here.as_mut()
    }

    /// Waits until nothing is under way any more, and lets go of the value where that may block.
    pub(crate) async fn end(mut self) {
        if self.is_away() {
            let _ = std::future::poll_fn(|cx| self.poll_back(cx)).await;
        }
        if let Some(value) = self.here.take() {
            let _ = blocking(&*self.spawn, move || drop(value)).await;
        }
    }

    /// Sends the value on its last errand.
    pub(crate) async fn finish<T: Send + 'static>(
        mut self,
        work: impl FnOnce(S) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let value = self.here.take().ok_or_else(gone)?;
        blocking(&*self.spawn, move || work(value)).await
    }
}

fn gone() -> Error {
    io::Error::other("blocking work was given up by the runtime").into()
}

fn lock<T>(slot: &Mutex<T>) -> MutexGuard<'_, T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    type Work = Box<dyn FnOnce() + Send>;

    /// Runs work when told to.
    #[derive(Default)]
    struct Pool(Mutex<Vec<Work>>);

    impl Spawn for Pool {
        fn spawn(&self, _: Pin<Box<dyn Future<Output = ()> + Send>>) {}

        fn spawn_blocking(&self, work: Work) {
            lock(&self.0).push(work);
        }

        fn now(&self) -> std::time::Duration {
            std::time::Duration::ZERO
        }
    }

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What a waiting task sees of work that is run, dropped, or panics.
    fn check(end: impl FnOnce(Work), expected: Option<u8>, work: fn() -> u8) {
        let (pool, wakes) = (Pool::default(), Arc::new(Wakes::default()));
        let waker = wakes.clone().into();
        let mut cx = Context::from_waker(&waker);
        let mut waits = blocking(&pool, work);
        assert!(Pin::new(&mut waits).poll(&mut cx).is_pending());
        end(lock(&pool.0).pop().expect("spawned"));
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
        let Poll::Ready(value) = Pin::new(&mut waits).poll(&mut cx) else { panic!("still waiting") };
        assert_eq!(value.ok(), expected);
    }

    #[test]
    fn wakes_with_what_came_of_the_work() {
        check(|work| work(), Some(7), || 7);
    }

    #[test]
    fn never_hangs_on_work_that_is_given_up() {
        check(drop, None, || 7);
        let run = |work: Work| assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err());
        check(run, None, || panic!("on purpose"));
    }

    #[test]
    fn a_value_comes_back_from_every_errand() {
        let pool = Arc::new(Pool::default());
        let mut cx = Context::from_waker(Waker::noop());
        let mut errand: Errand<u8, u8> = Errand::new(pool.clone(), 1);
        for expected in 2..5 {
            errand.send(|value| {
                *value += 1;
                *value
            });
            assert!(errand.is_away() && errand.here().is_none());
            assert!(errand.poll_back(&mut cx).is_pending());
            let work = lock(&pool.0).pop().expect("spawned");
            work();
            assert!(matches!(errand.poll_back(&mut cx), Poll::Ready(Ok(back)) if back == expected));
            assert_eq!(errand.here(), Some(&mut { expected }));
        }
    }
}
