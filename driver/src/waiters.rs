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
    /// Waits at `place`, at the end of the queue if the task had none or was woken.
    pub(crate) fn wait(&mut self, place: &mut Place, cx: &Context<'_>) {
        if let Some(ticket) = place.0
            && let Some((_, waker)) = self.queue.iter_mut().find(|(queued, _)| *queued == ticket)
        {
            waker.clone_from(cx.waker());
            return;
        }
        // Having been woken in vain is no reason to lose one's turn, but whoever came since has waited too.
        self.next += 1;
        place.0 = Some(self.next);
        self.queue.push_back((self.next, cx.waker().clone()));
    }

    /// Gives the place up. What woke it may serve another: that one is returned.
    pub(crate) fn leave(&mut self, place: &mut Place) -> Option<Waker> {
        let ticket = place.0.take()?;
        match self.queue.iter().position(|(queued, _)| *queued == ticket) {
            Some(at) => {
                self.queue.remove(at);
                None
            }
            None => self.pop(),
        }
    }

    /// Gives the place up, where everyone is woken at once and nobody waits for another.
    pub(crate) fn forget(&mut self, place: &mut Place) {
        if let Some(ticket) = place.0.take() {
            self.queue.retain(|(queued, _)| *queued != ticket);
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
