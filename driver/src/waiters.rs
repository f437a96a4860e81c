//! Tasks that wait in line for the same thing.

use std::collections::VecDeque;
use std::task::{Context, Waker};

/// A queue of tasks. Who has waited longest is woken first.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    queue: VecDeque<Waiter>,
    next: u64,
    /// How many were woken and have not come yet.
    called: usize,
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    /// How much of what is waited for it needs.
    need: usize,
    waker: Waker,
}

/// A place in a queue of [`Waiters`], kept by the future that waits.
#[derive(Debug, Default)]
pub(crate) struct Place(Option<u64>);

impl Waiters {
    /// Waits at `place` for so much: at the end of the queue, or where it was before it was woken in vain.
    pub(crate) fn wait(&mut self, place: &mut Place, need: usize, cx: &Context<'_>) {
        let is_new = !place.is_taken();
        let ticket = *place.0.get_or_insert_with(|| {
            self.next += 1;
            self.next
        });
        let at = self.queue.partition_point(|waiter| waiter.ticket < ticket);
        match self.queue.get_mut(at) {
            Some(waiter) if waiter.ticket == ticket => waiter.waker.clone_from(cx.waker()),
            _ => {
                self.called = self.called.saturating_sub(usize::from(!is_new));
                self.queue.insert(at, Waiter { ticket, need, waker: cx.waker().clone() });
            }
        }
    }

    /// Gives the place up, having got what it was for.
    pub(crate) fn served(&mut self, place: &mut Place) {
        let Some(ticket) = place.0.take() else { return };
        match self.queue.binary_search_by_key(&ticket, |waiter| waiter.ticket) {
            Ok(at) => drop(self.queue.remove(at)),
            Err(_) => self.called = self.called.saturating_sub(1),
        }
    }

    /// Gives the place up. What woke it may serve another: that one is returned.
    pub(crate) fn leave(&mut self, place: &mut Place) -> Option<Waker> {
        let ticket = place.0.take()?;
        match self.queue.binary_search_by_key(&ticket, |waiter| waiter.ticket) {
            Ok(at) => {
                self.queue.remove(at);
                None
            }
            Err(_) => {
                self.called = self.called.saturating_sub(1);
                self.pop()
            }
        }
    }

    /// The one who has waited longest.
    pub(crate) fn pop(&mut self) -> Option<Waker> {
        let waiter = self.queue.pop_front()?;
        self.called += 1;
        Some(waiter.waker)
    }

    /// Those who have waited longest, as many as find what they need in so much.
    pub(crate) fn pop_within(&mut self, mut room: usize) -> impl Iterator<Item = Waker> + '_ {
        std::iter::from_fn(move || {
            let need = self.queue.front()?.need;
            room = room.checked_sub(need)?;
            self.pop()
        })
    }

    /// Whether the one who has waited longest finds what it needs in so much.
    pub(crate) fn fits(&self, room: usize) -> bool {
        self.queue.front().is_some_and(|waiter| waiter.need <= room)
    }

    /// Everyone.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Waker> + '_ {
        self.called += self.queue.len();
        self.queue.drain(..).map(|waiter| waiter.waker)
    }

    /// Whether nobody waits, and nobody was woken who has not come yet.
    pub(crate) fn is_settled(&self) -> bool {
        self.queue.is_empty() && self.called == 0
    }

    /// Whether it is the turn of who waits at `place`, or does not wait yet: it was woken, or nobody has waited longer.
    pub(crate) fn is_turn_of(&self, place: &Place) -> bool {
        let Some(ticket) = place.0 else { return self.is_settled() };
        let waits = self.queue.binary_search_by_key(&ticket, |waiter| waiter.ticket);
        waits.is_err() || (waits == Ok(0) && self.called == 0)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Lets go of rows that nobody waits in.
    pub(crate) fn rest(&mut self) {
        if self.is_empty() {
            self.queue = VecDeque::new();
        }
    }
}

impl Place {
    pub(crate) const fn is_taken(&self) -> bool {
        self.0.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_turn_of_who_was_woken_and_of_nobody_who_comes_meanwhile() {
        let cx = Context::from_waker(Waker::noop());
        let (mut queue, mut first, mut second, mut third) = (Waiters::default(), Place(None), Place(None), Place(None));
        assert!(queue.is_turn_of(&first), "nobody waits");
        queue.wait(&mut first, 0, &cx);
        queue.wait(&mut second, 0, &cx);
        let turns = |queue: &Waiters, places: [&Place; 3]| places.map(|place| queue.is_turn_of(place));
        // It is looked at though nobody was woken, as in a select.
        assert_eq!(turns(&queue, [&first, &second, &third]), [true, false, false]);
        assert!(queue.pop().is_some());
        assert_eq!(turns(&queue, [&first, &second, &third]), [true, false, false], "the second waits behind it still");
        queue.wait(&mut third, 0, &cx);
        // In vain: it stays in front of the others.
        queue.wait(&mut first, 0, &cx);
        assert_eq!(turns(&queue, [&first, &second, &third]), [true, false, false]);
        assert!(queue.pop().is_some());
        assert!(queue.leave(&mut first).is_some(), "it has what it wanted elsewhere, and the next is woken");
        assert_eq!(turns(&queue, [&first, &second, &third]), [false, true, false]);
        queue.served(&mut second);
        assert_eq!(turns(&queue, [&first, &second, &third]), [false, false, true]);
    }
}
