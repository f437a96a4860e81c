//! What the task of a transfer and its handles share: progress one way, wishes the other, and how it ended.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use ropeway_core::Code;

use super::reader::FileReader;
use crate::error::Error;
use crate::flow::{Incoming, Outgoing};

/// How far a transfer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Octets of the content that the receiver has, or that are on the way to it, those of an earlier transfer included.
    /// Where only a range is wanted, octets of the range.
    pub done: u64,
    /// Where this transfer began: so many octets of `done` were there before it.
    pub start: u64,
    /// How many there will be, once that is known.
    pub total: Option<u64>,
}

/// The progress of a transfer, as it goes: the latest value only, at once and then whenever it changes. Ends with the
/// transfer, after its last value.
///
/// Where content has to be sent anew from its beginning, `done` falls back.
pub struct ProgressStream {
    control: Arc<Control>,
    seen: Option<Progress>,
}

impl ProgressStream {
    /// The next value; `None` when the transfer is over.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn next(&mut self) -> Option<Progress> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &Context<'_>) -> Poll<Option<Progress>> {
        let mut shared = self.control.lock();
        if self.seen != Some(shared.progress) {
            self.seen = Some(shared.progress);
            return Poll::Ready(self.seen);
        }
        if shared.over {
            return Poll::Ready(None);
        }
        shared.watch(cx);
        Poll::Pending
    }
}

impl Stream for ProgressStream {
    type Item = Progress;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Progress>> {
        self.poll(cx)
    }
}

impl fmt::Debug for ProgressStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgressStream").field("latest", &self.control.lock().progress).finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub(super) struct Control(Mutex<Shared>);

#[derive(Debug, Default)]
struct Shared {
    progress: Progress,
    over: bool,
    cancel: Option<Code>,
    pause: Option<bool>,
    /// The transfer's own task.
    task: Option<Waker>,
    watchers: Vec<Waker>,
}

impl Shared {
    fn watch(&mut self, cx: &Context<'_>) {
        if !self.watchers.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.watchers.push(cx.waker().clone());
        }
    }
}

impl Control {
    pub(super) fn new(total: Option<u64>) -> Arc<Control> {
        let progress = Progress { total, ..Progress::default() };
        Arc::new(Control(Mutex::new(Shared { progress, ..Shared::default() })))
    }

    // ---- the handle's side

    pub(super) fn cancel(&self, code: Code) {
        let mut shared = self.lock();
        shared.cancel.get_or_insert(code);
        wake(shared, |shared| shared.task.take());
    }

    pub(super) fn pause(&self, on: bool) -> Result<(), Error> {
        let mut shared = self.lock();
        if shared.over {
            return Err(Error::Misuse("the transfer is over"));
        }
        shared.pause = Some(on);
        wake(shared, |shared| shared.task.take());
        Ok(())
    }

    pub(super) fn progress(self: &Arc<Control>) -> ProgressStream {
        ProgressStream { control: self.clone(), seen: None }
    }

    pub(super) fn latest(&self) -> Progress {
        self.lock().progress
    }

    fn poll_over(&self, cx: &Context<'_>) -> Poll<()> {
        let mut shared = self.lock();
        if shared.over {
            return Poll::Ready(());
        }
        shared.watch(cx);
        Poll::Pending
    }

    // ---- the task's side

    /// It begins, perhaps anew.
    pub(super) fn begin(&self, start: u64, total: Option<u64>) {
        self.change(|shared| shared.progress = Progress { done: start, start, total });
    }

    pub(super) fn add(&self, octets: usize) {
        self.change(|shared| shared.progress.done += octets as u64);
    }

    /// All there is has come.
    pub(super) fn complete(&self) {
        self.change(|shared| shared.progress.total = Some(shared.progress.done));
    }

    /// A future that ends early when the transfer is cancelled.
    pub(super) async fn unless_cancelled<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let mut work = pin!(work);
        poll_fn(|cx| match self.wishes(cx).cancel {
            Some(code) => Poll::Ready(Err(Error::Cancelled(code))),
            None => work.as_mut().poll(cx),
        })
        .await
    }

    /// What the handles want of the task, which is woken when they want more.
    fn wishes(&self, cx: &Context<'_>) -> MutexGuard<'_, Shared> {
        let mut shared = self.lock();
        match &mut shared.task {
            Some(task) => task.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        shared
    }

    fn change(&self, change: impl FnOnce(&mut Shared)) {
        let mut shared = self.lock();
        change(&mut shared);
        if !shared.watchers.is_empty() {
            wake(shared, |shared| std::mem::take(&mut shared.watchers));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes behind the lock.
fn wake<W: IntoIterator<Item = Waker>>(mut shared: MutexGuard<'_, Shared>, who: impl FnOnce(&mut Shared) -> W) {
    let who = who(&mut shared);
    drop(shared);
    for waker in who {
        waker.wake();
    }
}

/// The waiting end of a transfer, kept by its handle.
pub(super) struct Waits<T> {
    pub(super) control: Arc<Control>,
    outcome: Arc<Mutex<Option<Result<T, Error>>>>,
}

/// The task's end: says that the transfer is over, also if the runtime drops the task.
pub(super) struct Ends<T> {
    control: Arc<Control>,
    outcome: Arc<Mutex<Option<Result<T, Error>>>>,
}

pub(super) fn outcome<T>(control: Arc<Control>) -> (Ends<T>, Waits<T>) {
    let outcome = Arc::new(Mutex::new(None));
    (Ends { control: control.clone(), outcome: outcome.clone() }, Waits { control, outcome })
}

impl<T> Waits<T> {
    /// How it ended. What came of it is given once, an error as often as it is asked for.
    pub(super) async fn over(&self) -> Result<T, Error> {
        let mut outcome = self.outcome().await;
        match outcome.take() {
            Some(Err(error)) => {
                *outcome = Some(Err(error.clone()));
                Err(error)
            }
            Some(ok) => ok,
            None => Err(Error::Misuse("what came of the transfer was given before")),
        }
    }

    async fn outcome(&self) -> MutexGuard<'_, Option<Result<T, Error>>> {
        poll_fn(|cx| self.control.poll_over(cx)).await;
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waits<()> {
    /// How it ended, as often as it is asked for.
    pub(super) async fn told(&self) -> Result<(), Error> {
        self.outcome().await.clone().unwrap_or(Ok(()))
    }
}

impl<T> Ends<T> {
    pub(super) fn end(self, result: Result<T, Error>) {
        self.set(result);
    }

    fn set(&self, result: Result<T, Error>) {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(result);
        self.control.change(|shared| shared.over = true);
    }
}

impl<T> Drop for Ends<T> {
    fn drop(&mut self) {
        if !self.control.lock().over {
            self.set(Err(std::io::Error::other("the task was given up by the runtime").into()));
        }
    }
}

/// A flow whose steps do what the handles want meanwhile.
pub(super) struct Steered<F> {
    pub(super) flow: F,
    pub(super) control: Arc<Control>,
}

impl<F: Flow> Steered<F> {
    /// Waits for something, and pauses the flow, lets it go on, or gives up as soon as that is wanted.
    pub(super) async fn step<T>(
        &mut self,
        mut step: impl FnMut(&mut F, &mut Context<'_>) -> Poll<Result<T, Error>>,
    ) -> Result<T, Error> {
        poll_fn(|cx| {
            let mut wishes = self.control.wishes(cx);
            if let Some(code) = wishes.cancel {
                return Poll::Ready(Err(Error::Cancelled(code)));
            }
            let pause = wishes.pause.take();
            drop(wishes);
            if let Some(on) = pause {
                self.flow.pause(on);
            }
            step(&mut self.flow, cx)
        })
        .await
    }
}

/// Either end of a flow.
pub(super) trait Flow {
    fn pause(&self, on: bool);
}

impl Flow for Outgoing {
    fn pause(&self, on: bool) {
        // A flow that is over has nothing to pause, and its task is about to find out.
        let _ = Outgoing::pause(self, on);
    }
}

impl Flow for Incoming {
    fn pause(&self, on: bool) {
        let _ = Incoming::pause(self, on);
    }
}

impl Flow for FileReader {
    fn pause(&self, on: bool) {
        let _ = self.set_paused(on);
    }
}

/// What the peer is told about why this end gives up.
pub(super) fn code_of(error: &Error) -> Code {
    match error {
        Error::Cancelled(code) => *code,
        Error::File(error) => error.code(),
        Error::Name(_) => Code::BAD_NAME,
        Error::Io(_) => Code::IO,
        _ => Code::CANCELLED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Paused(Mutex<Vec<bool>>);

    impl Flow for Paused {
        fn pause(&self, on: bool) {
            self.0.lock().expect("not poisoned").push(on);
        }
    }

    fn poll<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn progress_is_the_latest_alone_and_ends_after_the_last() {
        let control = Control::new(Some(9));
        let (ends, _waits) = outcome::<()>(control.clone());
        let mut stream = control.progress();
        let mut next = || poll(pin!(stream.next()));
        let at = |start, done, total| Poll::Ready(Some(Progress { done, start, total }));
        assert_eq!(next(), at(0, 0, Some(9)));
        assert_eq!(next(), Poll::Pending);
        control.add(3);
        control.add(4);
        assert_eq!(next(), at(0, 7, Some(9)));
        control.begin(2, None);
        control.add(1);
        control.complete();
        ends.end(Ok(()));
        assert_eq!(next(), at(2, 3, Some(3)));
        assert_eq!(next(), Poll::Ready(None));
    }

    #[test]
    fn a_step_does_what_is_wanted_meanwhile() {
        let control = Control::new(None);
        let mut steered = Steered { flow: Paused::default(), control: control.clone() };
        let paused = |steered: &Steered<Paused>| steered.flow.0.lock().expect("not poisoned").clone();
        let idle = |_: &mut Paused, _: &mut Context<'_>| Poll::<Result<(), Error>>::Pending;
        {
            let mut step = pin!(steered.step(idle));
            assert!(poll(step.as_mut()).is_pending());
            control.pause(true).expect("not over");
            assert!(poll(step.as_mut()).is_pending());
            assert!(poll(step).is_pending());
        }
        assert_eq!(paused(&steered), [true], "once");
        control.pause(false).expect("not over");
        assert!(poll(pin!(control.unless_cancelled(std::future::pending::<Result<(), Error>>()))).is_pending());
        assert!(poll(pin!(steered.step(idle))).is_pending());
        assert_eq!(paused(&steered), [true, false], "kept for the next step");
        control.cancel(Code::BUSY);
        control.cancel(Code::OK);
        let cancelled = |poll| matches!(poll, Poll::Ready(Err(Error::Cancelled(Code::BUSY))));
        assert!(cancelled(poll(pin!(steered.step(idle)))));
        assert!(cancelled(poll(pin!(control.unless_cancelled(std::future::pending())))));
    }

    #[test]
    fn what_came_of_it_is_given_once_and_the_rest_always() {
        let (ends, waits) = outcome(Control::new(None));
        assert!(poll(pin!(waits.over())).is_pending());
        ends.end(Ok(7));
        assert!(matches!(poll(pin!(waits.over())), Poll::Ready(Ok(7))));
        assert!(matches!(poll(pin!(waits.over())), Poll::Ready(Err(Error::Misuse(_)))));
        assert!(waits.control.pause(true).is_err());

        let (ends, waits) = outcome::<()>(Control::new(None));
        drop(ends);
        for _ in 0..2 {
            assert!(matches!(poll(pin!(waits.over())), Poll::Ready(Err(Error::Io(_)))));
            assert!(matches!(poll(pin!(waits.told())), Poll::Ready(Err(Error::Io(_)))));
        }

        let (ends, waits) = outcome(Control::new(None));
        ends.end(Ok(()));
        for _ in 0..2 {
            assert!(matches!(poll(pin!(waits.told())), Poll::Ready(Ok(()))));
        }
    }
}
