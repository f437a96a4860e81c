//! Lines run by hand: tasks run on the caller's thread until nothing is left to do, and time passes when told to.
//!
//! What waits for ever shows at once, as nothing runs any more: a lost wake-up needs no watchdog. And what lines hold
//! while their peers are stuck can be measured while everything stands still.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use ropeway_driver::{Clock, Ended, Endpoints, Line, LineOptions, Role, Spawn};

use crate::weather::{End, pipe};

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A thread's worth of tasks, and the time.
#[derive(Clone, Default)]
pub(in crate::scenarios) struct Hand(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    now: Duration,
    woken: VecDeque<Arc<Task>>,
    blocking: VecDeque<Box<dyn FnOnce() + Send>>,
    /// By the number of the clock.
    sleeping: Vec<(u64, Duration, Waker)>,
    clocks: u64,
}

impl Hand {
    pub(in crate::scenarios) fn new() -> Hand {
        let hand = Hand::default();
        // So that a heap measured later does not grow by it.
        hand.state().woken.reserve(4096);
        hand
    }

    /// Two ends of a line that have said hello: the client and the server.
    pub(in crate::scenarios) fn lines(
        &self,
        client: impl Into<LineOptions>,
        server: impl Into<LineOptions>,
    ) -> (Line, Line) {
        let (near, far) = pipe(PIPE);
        let (client, _) = self.client(near, client);
        let (server, _) = self.server(far, server);
        self.finish(async { client.ready().await.and(server.ready().await) }).expect("both say hello");
        (client, server)
    }

    /// The end that opened the stream, and how it ends.
    pub(in crate::scenarios) fn client(&self, stream: End, options: impl Into<LineOptions>) -> (Line, Doing<Ended>) {
        self.line(Role::Client, stream, options.into())
    }

    /// The end that accepted the stream, and how it ends.
    pub(in crate::scenarios) fn server(&self, stream: End, options: impl Into<LineOptions>) -> (Line, Doing<Ended>) {
        self.line(Role::Server, stream, options.into())
    }

    fn line(&self, role: Role, stream: End, options: LineOptions) -> (Line, Doing<Ended>) {
        let number = {
            let mut state = self.state();
            state.clocks += 1;
            state.clocks
        };
        let clock = ByHand { number, hand: self.clone() };
        let mut entropy = [7; 32];
        entropy[..8].copy_from_slice(&number.to_le_bytes());
        let line = Line::new(role, stream, clock, Arc::new(self.clone()), Endpoints::default(), entropy, options);
        let (line, driver) = line.expect("it can be sealed like that, if it is");
        (line, self.start(driver))
    }

    /// Starts a task. It is dropped when nothing is left that could wake it, and what is returned is dropped.
    pub(in crate::scenarios) fn start<F>(&self, work: F) -> Doing<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let output = Arc::new(Mutex::new(None));
        let slot = output.clone();
        let task = self.task(Box::pin(async move {
            let output = work.await;
            *lock(&slot) = Some(output);
        }));
        Doing { output, _task: task }
    }

    fn task(&self, work: Work) -> Arc<Task> {
        let task = Task { hand: self.clone(), work: Mutex::new(Some(work)), woken: AtomicBool::new(false) };
        let task = Arc::new(task);
        task.clone().wake();
        task
    }

    /// Runs what can run, until everything waits; panics if that does not come soon.
    #[track_caller]
    pub(in crate::scenarios) fn run(&self) {
        for _ in 0..STEPS {
            let task = self.state().woken.pop_front();
            if let Some(task) = task {
                task.run();
                continue;
            }
            let work = self.state().blocking.pop_front();
            match work {
                Some(work) => work(),
                None => return,
            }
        }
        panic!("it does not come to rest: what should wait does not");
    }

    /// Runs until `work` is done; panics if it never will be.
    #[track_caller]
    pub(in crate::scenarios) fn finish<F: Future>(&self, work: F) -> F::Output {
        let mut work = pin!(work);
        let bell = Arc::new(Bell(AtomicBool::new(true)));
        let waker = Waker::from(bell.clone());
        while bell.0.swap(false, Ordering::Relaxed) {
            if let Poll::Ready(output) = work.as_mut().poll(&mut Context::from_waker(&waker)) {
                return output;
            }
            self.run();
        }
        panic!("it waits, and nothing is left that could wake it");
    }

    /// Time passes, with all that it brings.
    pub(in crate::scenarios) fn pass(&self, time: Duration) {
        self.run();
        let end = self.state().now + time;
        while let Some(waker) = self.next_before(end) {
            waker.wake();
            self.run();
        }
        self.state().now = end;
    }

    /// Goes to the next deadline.
    fn next_before(&self, end: Duration) -> Option<Waker> {
        let mut state = self.state();
        let sleeping = state.sleeping.iter().enumerate();
        let (at, due) = sleeping.map(|(at, (_, due, _))| (at, *due)).min_by_key(|(_, due)| *due)?;
        if due > end {
            return None;
        }
        state.now = state.now.max(due);
        Some(state.sleeping.swap_remove(at).2)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }
}

impl Spawn for Hand {
    fn spawn(&self, work: Work) {
        self.task(work);
    }

    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        self.state().blocking.push_back(work);
    }

    fn now(&self) -> Duration {
        self.state().now
    }
}

/// More than any scenario needs at once, and too few to use all memory of the system up.
const STEPS: usize = 20_000;
/// Room in the pipe of a pair of lines: less than anything that is measured.
const PIPE: usize = 16 * 1024;

/// A task that was started.
pub(in crate::scenarios) struct Doing<T> {
    output: Arc<Mutex<Option<T>>>,
    _task: Arc<Task>,
}

impl<T> Doing<T> {
    /// What came of it, once, when it is done.
    pub(in crate::scenarios) fn done(&self) -> Option<T> {
        lock(&self.output).take()
    }
}

struct Task {
    hand: Hand,
    /// Gone when it is done.
    work: Mutex<Option<Work>>,
    woken: AtomicBool,
}

impl Task {
    fn run(self: Arc<Self>) {
        self.woken.store(false, Ordering::Relaxed);
        let waker = Waker::from(self.clone());
        let mut work = lock(&self.work);
        let over = work.as_mut().is_some_and(|work| work.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
        if over {
            *work = None;
        }
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        if !self.woken.swap(true, Ordering::Relaxed) {
            let hand = self.hand.clone();
            hand.state().woken.push_back(self);
        }
    }
}

struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A clock that moves when told to.
pub(in crate::scenarios) struct ByHand {
    number: u64,
    hand: Hand,
}

impl Clock for ByHand {
    fn now(&self) -> Duration {
        self.hand.now()
    }

    fn poll_until(&mut self, cx: &mut Context<'_>, at: Duration) -> Poll<()> {
        let mut state = self.hand.state();
        state.sleeping.retain(|(number, ..)| *number != self.number);
        if at <= state.now {
            return Poll::Ready(());
        }
        state.sleeping.push((self.number, at, cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for ByHand {
    fn drop(&mut self) {
        let mut state = self.hand.state();
        state.sleeping.retain(|(number, ..)| *number != self.number);
    }
}

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}
