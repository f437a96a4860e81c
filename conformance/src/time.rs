//! Time that stands still until a scenario moves it.

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A time of its own, and all clocks that show it.
#[derive(Clone, Default)]
pub struct Time(Arc<Mutex<Book>>);

#[derive(Default)]
struct Book {
    now: Duration,
    /// How often it was moved.
    moves: u64,
    next: u64,
    clocks: HashMap<u64, Entry>,
    /// Who waits until all clocks were looked at.
    mover: Option<Waker>,
}

#[derive(Default)]
struct Entry {
    /// At which move it was last looked at.
    seen: u64,
    /// The move until which somebody waits that it is looked at.
    awaited: u64,
    /// The last look read the time, rather than waited for one.
    read: bool,
    /// The last look found that the time waited for has come.
    fired: bool,
    sleeper: Option<(Duration, Waker)>,
}

impl Time {
    /// How much has passed since the beginning.
    pub fn now(&self) -> Duration {
        self.book().now
    }

    /// A clock that shows it.
    pub fn clock(&self) -> Clock {
        let mut book = self.book();
        book.next += 1;
        let id = book.next;
        book.clocks.insert(id, Entry::default());
        Clock { time: self.clone(), id }
    }

    /// Lets time pass. Returns once everyone who waits for a time has looked at the clock since, whatever that time was:
    /// what happens from then on happens later.
    pub async fn pass(&self, by: Duration) {
        self.shift(by, false).await;
    }

    /// Whether somebody waits for a time that has not come, and is no further away.
    pub fn is_awaited_within(&self, by: Duration) -> bool {
        let book = self.book();
        let (now, last) = (book.now, book.now.saturating_add(by));
        book.clocks.values().any(|entry| entry.sleeper.as_ref().is_some_and(|(at, _)| now < *at && *at <= last))
    }

    /// Whether somebody whose time has come has not looked at the clock since, to wait for another.
    pub fn has_fired(&self) -> bool {
        self.book().clocks.values().any(|entry| entry.fired)
    }

    /// Lets time pass, and nobody look at the clock whose time has not come.
    pub async fn pass_unseen(&self, by: Duration) {
        self.shift(by, true).await;
    }

    async fn shift(&self, by: Duration, only_due: bool) {
        let (sleepers, moved) = {
            let mut book = self.book();
            book.now += by;
            book.moves += 1;
            let (now, moved) = (book.now, book.moves);
            let woken = |at: Duration| !only_due || at <= now;
            let sleepers: Vec<_> = book
                .clocks
                .iter()
                .filter_map(|(id, entry)| Some((*id, entry.sleeper.as_ref().filter(|(at, _)| woken(*at))?.1.clone())))
                .collect();
            for (id, _) in &sleepers {
                book.clocks.entry(*id).or_default().awaited = moved;
            }
            (sleepers, moved)
        };
        let ids: Vec<_> = sleepers.iter().map(|(id, _)| *id).collect();
        sleepers.into_iter().for_each(|(_, sleeper)| sleeper.wake());
        poll_fn(|cx| {
            let mut book = self.book();
            if ids.iter().all(|id| book.clocks.get(id).is_none_or(|clock| clock.seen >= moved)) {
                return Poll::Ready(());
            }
            book.mover = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Time").field(&self.now()).finish()
    }
}

/// A clock that shows a [`Time`].
#[derive(Debug)]
pub struct Clock {
    time: Time,
    id: u64,
}

impl Clock {
    /// Somebody looks at it; what `read` makes of the time and of its place.
    fn look<T>(&self, reads: bool, look: impl FnOnce(Duration, &mut Entry) -> T) -> T {
        let mut book = self.time.book();
        let (now, moves) = (book.now, book.moves);
        let entry = book.clocks.entry(self.id).or_default();
        // A driver reads the time, works, and then waits: that it waits does not mean that it knows of the move.
        let knows = reads || !entry.read;
        (entry.read, entry.fired) = (reads, false);
        let is_news = knows && entry.seen < moves;
        if knows {
            entry.seen = moves;
        }
        let output = look(now, entry);
        let mover = if is_news { book.mover.take() } else { None };
        drop(book);
        mover.into_iter().for_each(Waker::wake);
        output
    }
}

impl ropeway_driver::Clock for Clock {
    fn now(&self) -> Duration {
        self.look(true, |now, _| now)
    }

    fn poll_until(&mut self, cx: &mut Context<'_>, at: Duration) -> Poll<()> {
        let (poll, is_late) = self.look(false, |now, entry| {
            if at <= now {
                (entry.sleeper, entry.fired) = (None, true);
                return (Poll::Ready(()), false);
            }
            entry.sleeper = Some((at, cx.waker().clone()));
            (Poll::Pending, entry.seen < entry.awaited)
        });
        if is_late {
            // Who slept here before was woken for the move, and may be another: this one is to look again.
            cx.waker().wake_by_ref();
        }
        poll
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        let mover = {
            let mut book = self.time.book();
            book.clocks.remove(&self.id);
            book.mover.take()
        };
        mover.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use ropeway_driver::Clock as _;

    use super::*;
    use crate::weather::testing::Prober;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn who_took_a_clock_over_while_time_moved_looks_again() {
        let time = Time::default();
        let mut clock = time.clock();
        let (there, here) = (Prober::new(), Prober::new());
        let look = |clock: &mut Clock, task: &Prober| task.poll(pin!(poll_fn(|cx| clock.poll_until(cx, HOUR))));
        assert!(look(&mut clock, &there).is_pending());
        clock.now();
        let mut passing = pin!(time.pass(Duration::from_secs(1)));
        assert!(there.poll(passing.as_mut()).is_pending(), "nobody has looked since");
        assert!(look(&mut clock, &here).is_pending());
        assert_eq!(here.wakes(), 1);
        assert_eq!(clock.now(), Duration::from_secs(1));
        assert!(there.poll(passing).is_ready());
        assert!(look(&mut clock, &here).is_pending());
        assert_eq!(here.wakes(), 0, "it has looked");
    }

    #[test]
    fn whose_time_has_come_is_at_work_until_it_looks_again() {
        let time = Time::default();
        let (mut clock, other) = (time.clock(), time.clock());
        let task = Prober::new();
        let mut wait = |until| task.poll(pin!(poll_fn(|cx| clock.poll_until(cx, until)))).is_ready();
        assert!(!wait(HOUR) && !time.has_fired());
        let mut passing = pin!(time.pass(HOUR));
        assert!(task.poll(passing.as_mut()).is_pending() && !time.has_fired());
        assert!(wait(HOUR) && time.has_fired());
        assert!(task.poll(passing).is_ready());
        other.now();
        assert!(time.has_fired(), "that was another");
        assert!(!wait(2 * HOUR) && !time.has_fired());
        assert!(wait(HOUR) && time.has_fired());
        drop(clock);
        assert!(!time.has_fired());
    }
}
