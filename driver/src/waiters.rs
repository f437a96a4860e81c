//! Tasks that wait in line for the same thing.

use std::collections::VecDeque;
use std::task::{Context, Waker};

/// A queue of tasks. Who has waited longest is woken first.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    queue: VecDeque<(u64, Waker)>,
    next: u64,
}

/// A place in a queue of [`Waiters`], kept by the future that waits.
#[derive(Debug, Default)]
pub(crate) struct Place(Option<u64>);

impl Waiters {
    /// Waits at `place`: at the end of the queue, or where it was before it was woken in vain.
    pub(crate) fn wait(&mut self, place: &mut Place, cx: &Context<'_>) {
        let ticket = *place.0.get_or_insert_with(|| {
            self.next += 1;
            self.next
        });
        let at = self.queue.partition_point(|(queued, _)| *queued < ticket);
        match self.queue.get_mut(at) {
            Some((queued, waker)) if *queued == ticket => waker.clone_from(cx.waker()),
            _ => self.queue.insert(at, (ticket, cx.waker().clone())),
        }
    }

    /// Gives the place up, having got what it was for.
    pub(crate) fn served(&mut self, place: &mut Place) {
        if let Some(ticket) = place.0.take()
            && let Ok(at) = self.queue.binary_search_by_key(&ticket, |(queued, _)| *queued)
        {
            self.queue.remove(at);
        }
    }

    /// Gives the place up. What woke it may serve another: that one is returned.
    pub(crate) fn leave(&mut self, place: &mut Place) -> Option<Waker> {
        let ticket = place.0.take()?;
        match self.queue.binary_search_by_key(&ticket, |(queued, _)| *queued) {
            Ok(at) => {
                self.queue.remove(at);
                None
            }
            Err(_) => self.pop(),
        }
    }

    /// The one who has waited longest.
    pub(crate) fn pop(&mut self) -> Option<Waker> {
        self.queue.pop_front().map(|(_, waker)| waker)
    }

    /// Everyone.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Waker> + '_ {
        self.queue.drain(..).map(|(_, waker)| waker)
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
