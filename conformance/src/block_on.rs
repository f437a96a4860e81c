//! The smallest executor there is: one future, one thread, park and unpark.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// Runs `future` to its end on this thread.
///
/// It polls only when the future's own waker was called, never because the thread was unparked for another
/// reason: a lost wake-up stays lost, so that a watchdog can find it.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let bell = Arc::new(Bell { thread: thread::current(), rung: AtomicBool::new(false) });
    let waker = Waker::from(bell.clone());
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        while !bell.rung.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}

struct Bell {
    thread: Thread,
    rung: AtomicBool,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[test]
    fn is_woken_from_another_thread() {
        let mut started = false;
        let output = block_on(poll_fn(|cx| {
            if started {
                return Poll::Ready(7);
            }
            started = true;
            let waker = cx.waker().clone();
            thread::spawn(move || waker.wake());
            Poll::Pending
        }));
        assert_eq!(output, 7);
    }

    #[test]
    fn polls_only_when_woken() {
        let woken = Arc::new(AtomicBool::new(false));
        let mut polls = 0;
        block_on(poll_fn(|cx| {
            polls += 1;
            if polls == 2 {
                return Poll::Ready(());
            }
            let (waker, sleeper, waking) = (cx.waker().clone(), thread::current(), woken.clone());
            thread::spawn(move || {
                for _ in 0..100 {
                    sleeper.unpark();
                    thread::yield_now();
                }
                waking.store(true, Ordering::Release);
                waker.wake();
            });
            Poll::Pending
        }));
        assert!(woken.load(Ordering::Acquire), "polled before it was woken");
    }
}
