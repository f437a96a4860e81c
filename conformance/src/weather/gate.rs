//! A gate each way, in the hand of the test.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::{Op, Verdict, Way, Weather};

/// Weather and handle in one: put a clone over the stream and keep one to shut and open it.
///
/// A shut gate holds calls back until it opens: shut for writes it is a peer that does not read, shut for reads a peer
/// that is silent. It wakes a task only when there is way to go. Flushing and closing need an open gate too.
#[derive(Clone, Default)]
pub struct Gate(Arc<Mutex<[Side; 2]>>);

impl Gate {
    /// A gate that is open both ways.
    pub fn new() -> Self {
        Self::default()
    }

    /// Holds back all calls that way from now on.
    pub fn shut(&self, way: Way) {
        self.sides()[way as usize].room = Some(0);
    }

    /// Lets everything pass that way.
    pub fn open(&self, way: Way) {
        self.change(way, |side| side.room = None);
    }

    /// Lets so many bytes more pass a shut gate; an open one stays open.
    pub fn allow(&self, way: Way, bytes: usize) {
        self.change(way, |side| side.room = side.room.map(|room| room.saturating_add(bytes)));
    }

    /// Waits until a call is held back that way, if none is now.
    ///
    /// Losing the future loses nothing.
    pub async fn held(&self, way: Way) {
        poll_fn(|cx| {
            let side = &mut self.sides()[way as usize];
            if side.held.is_some() {
                return Poll::Ready(());
            }
            if !side.watchers.iter().any(|watcher| watcher.will_wake(cx.waker())) {
                side.watchers.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    fn change(&self, way: Way, change: impl FnOnce(&mut Side)) {
        let mut sides = self.sides();
        let side = &mut sides[way as usize];
        change(side);
        let freed = if side.room == Some(0) { None } else { side.held.take() };
        drop(sides);
        freed.into_iter().for_each(Waker::wake);
    }

    fn sides(&self) -> MutexGuard<'_, [Side; 2]> {
        // No code that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Weather for Gate {
    fn admit(&mut self, cx: &mut Context<'_>, op: Op, len: usize) -> Poll<Verdict> {
        let mut sides = self.sides();
        let side = &mut sides[op.way() as usize];
        if side.room != Some(0) {
            return Poll::Ready(Verdict::Pass(side.room.map_or(len, |room| room.min(len))));
        }
        side.held = Some(cx.waker().clone());
        let watchers = std::mem::take(&mut side.watchers);
        drop(sides);
        watchers.into_iter().for_each(Waker::wake);
        Poll::Pending
    }

    fn seen(&mut self, _: &mut Context<'_>, op: Op, outcome: &Poll<io::Result<usize>>) {
        if let (Poll::Ready(Ok(count)), Some(room)) = (outcome, &mut self.sides()[op.way() as usize].room) {
            // The gate may have been shut since the call was admitted.
            *room = room.saturating_sub(*count);
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [read, write] = &*self.sides();
        f.debug_struct("Gate").field("read", read).field("write", write).finish()
    }
}

#[derive(Debug, Default)]
struct Side {
    /// Bytes that may still pass; without a limit if the gate is open.
    room: Option<usize>,
    /// The task held back.
    held: Option<Waker>,
    /// Tasks that want to know of it.
    watchers: Vec<Waker>,
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;
    use crate::weather::testing::{Prober, ready};
    use crate::weather::{Outdoors, pipe};

    #[test]
    fn holds_writes_back_and_wakes_them_when_opened() {
        let (prober, gate) = (Prober::new(), Gate::new());
        let (a, mut b) = pipe(64);
        let mut a = a.under(gate.clone());
        gate.shut(Way::Write);
        assert!(prober.write(&mut a, b"abc").is_pending());
        assert!(prober.flush(&mut a).is_pending());
        assert!(prober.close(&mut a).is_pending());
        assert_eq!(prober.wakes(), 0, "nothing has changed");
        ready(prober.write(&mut b, b"x"));
        assert_eq!(ready(prober.read(&mut a, 9)), b"x", "the other way is open");
        gate.open(Way::Write);
        assert_eq!(prober.wakes(), 1);
        assert_eq!(ready(prober.write(&mut a, b"abc")), 3);
        ready(prober.flush(&mut a));
        ready(prober.close(&mut a));
    }

    #[test]
    fn holds_reads_back_and_wakes_them_when_opened() {
        let (prober, gate) = (Prober::new(), Gate::new());
        let (a, mut b) = pipe(64);
        let mut a = a.under(gate.clone());
        gate.shut(Way::Read);
        ready(prober.write(&mut b, b"abc"));
        assert!(prober.read(&mut a, 9).is_pending());
        assert_eq!(ready(prober.write(&mut a, b"x")), 1, "the other way is open");
        assert_eq!(prober.wakes(), 0, "nothing has changed");
        gate.open(Way::Read);
        assert_eq!(prober.wakes(), 1);
        assert_eq!(ready(prober.read(&mut a, 9)), b"abc");
    }

    #[test]
    fn allows_so_many_bytes_and_no_more() {
        let (prober, gate) = (Prober::new(), Gate::new());
        let (a, _b) = pipe(64);
        let mut a = a.under(gate.clone());
        gate.shut(Way::Write);
        assert!(prober.write(&mut a, b"abcdef").is_pending());
        gate.allow(Way::Write, 0);
        assert_eq!(prober.wakes(), 0, "there is no way to go");
        gate.allow(Way::Write, 2);
        gate.allow(Way::Write, 2);
        assert_eq!(prober.wakes(), 1);
        assert_eq!(ready(prober.write(&mut a, b"abc")), 3);
        assert_eq!(ready(prober.write(&mut a, b"def")), 1);
        assert!(prober.write(&mut a, b"ef").is_pending());
        gate.open(Way::Write);
        gate.allow(Way::Write, 1);
        assert_eq!(ready(prober.write(&mut a, b"ef")), 2, "an open gate stays open");
    }

    #[test]
    fn tells_when_a_call_is_held_back() {
        let (prober, watcher, gate) = (Prober::new(), Prober::new(), Gate::new());
        let (a, _b) = pipe(64);
        let mut a = a.under(gate.clone());
        let mut held = pin!(gate.held(Way::Write));
        assert!(watcher.poll(held.as_mut()).is_pending());
        ready(prober.write(&mut a, b"abc"));
        gate.shut(Way::Write);
        assert!(watcher.poll(held.as_mut()).is_pending());
        assert_eq!(watcher.wakes(), 0, "nothing is held back");
        assert!(prober.write(&mut a, b"abc").is_pending());
        assert_eq!(watcher.wakes(), 1);
        assert!(watcher.poll(held.as_mut()).is_ready());
        assert!(watcher.poll(pin!(gate.held(Way::Write))).is_ready(), "it still is");
        gate.open(Way::Write);
        assert!(watcher.poll(pin!(gate.held(Way::Write))).is_pending(), "it no longer is");
    }
}
