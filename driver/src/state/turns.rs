//! Who waits for what, and whose turn it is.

use std::task::{Context, Poll, Waker};

use ropeway_core::{Reason, Refused};

use super::State;
use crate::error::{Ended, Error};
use crate::waiters::{Place, Waiters};

/// Where a verb waits: for what is scarce, and for room.
#[derive(Default)]
pub(crate) struct Turn {
    wants: Wants,
    /// What is scarce is not needed after all.
    spared: bool,
    scarce: Place,
    room: Place,
}

/// What a verb needs besides room in the outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Wants {
    #[default]
    Room,
    Lane,
    Flow,
    Bulk,
}

impl Turn {
    pub(crate) fn for_lane() -> Turn {
        Turn { wants: Wants::Lane, ..Turn::default() }
    }

    pub(crate) fn for_flow() -> Turn {
        Turn { wants: Wants::Flow, ..Turn::default() }
    }

    pub(crate) fn for_bulk() -> Turn {
        Turn { wants: Wants::Bulk, ..Turn::default() }
    }

    /// Whether it can do without a lane, as far as is known now.
    pub(crate) fn spare(&mut self, spared: bool) {
        self.spared = spared;
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.scarce.is_taken() || self.room.is_taken()
    }

    /// Gives the places up; whoever should have a turn instead.
    pub(crate) fn leave(&mut self, state: &mut State) -> Option<Waker> {
        state.room_waiters.served(&mut self.room);
        let (queue, _) = state.scarce(self.wants)?;
        queue.leave(&mut self.scarce)
    }

    /// Gives the places up after success; the next in the queue, if there is something left for it.
    fn served(&mut self, state: &mut State) -> Option<Waker> {
        state.room_waiters.served(&mut self.room);
        let (queue, is_left) = state.scarce(self.wants)?;
        let waited = self.scarce.is_taken();
        queue.served(&mut self.scarce);
        if waited && is_left { queue.pop() } else { None }
    }
}

impl State {
    /// The queue for what is scarce, and whether there is some of it.
    fn scarce(&mut self, wants: Wants) -> Option<(&mut Waiters, bool)> {
        match wants {
            Wants::Room => None,
            Wants::Lane => Some((&mut self.lane_waiters, self.machine.has_free_lane())),
            Wants::Flow => Some((&mut self.flow_waiters, self.machine.has_free_flow())),
            Wants::Bulk => Some((&mut self.bulk_waiters, self.machine.has_bulk_room())),
        }
    }

    /// Whether others have waited longer for a lane. If so this waits behind them. (Who waits for room for a large frame
    /// or for a flow comes round by itself: to have got one is to have none for the next.)
    pub(crate) fn must_queue(&mut self, turn: &mut Turn, cx: &Context<'_>) -> bool {
        let behind = !turn.spared && !turn.scarce.is_taken() && self.ended.is_none() && !self.lane_waiters.is_empty();
        if behind {
            self.lane_waiters.wait(&mut turn.scarce, cx);
        }
        behind
    }

    /// Turns a verb's answer into a poll: what must wait, waits where it will be woken.
    pub(crate) fn outcome<T>(
        &mut self,
        answer: Result<T, Refused>,
        place: &mut Turn,
        cx: &Context<'_>,
    ) -> Poll<Result<T, Error>> {
        if let Some(error) = self.over() {
            return Poll::Ready(Err(error));
        }
        let refused = match answer {
            Ok(value) => {
                let next = place.served(self);
                self.wakes.extend(next);
                return Poll::Ready(Ok(value));
            }
            Err(refused) => refused,
        };
        match refused {
            Refused::Later => {
                match self.scarce(place.wants) {
                    Some((queue, false)) if !place.spared => queue.wait(&mut place.scarce, cx),
                    _ => self.room_waiters.wait(&mut place.room, cx),
                }
                Poll::Pending
            }
            Refused::NotReady => {
                self.wait_for_phase(cx);
                Poll::Pending
            }
            Refused::Closed => {
                let reason = self.machine.ending().unwrap_or(Reason::Eof);
                Poll::Ready(Err(Error::Closed(Ended { reason, text: "".into() })))
            }
            Refused::Away => Poll::Ready(Err(Error::Away)),
            Refused::TooLarge(limit) => Poll::Ready(Err(Error::TooLarge(limit))),
            Refused::NoLane | Refused::NoFlow => Poll::Ready(Err(Error::Misuse("the exchange is over"))),
            Refused::WrongState => Poll::Ready(Err(Error::Misuse("not possible in this state"))),
            _ => Poll::Ready(Err(Error::Misuse("an argument is outside its range"))),
        }
    }

    /// After the machine has transmitted: who waited for room tries again.
    pub(crate) fn after_transmit(&mut self) {
        if !self.room_waiters.is_empty() {
            self.wakes.extend(self.room_waiters.drain());
        }
        if !self.bulk_waiters.is_empty() && self.machine.has_bulk_room() {
            let next = self.bulk_waiters.pop();
            self.wakes.extend(next);
        }
    }

    /// Before the driver sleeps: wakes those for whom there is room, in case one that was woken never came. Whether
    /// there may be more.
    pub(crate) fn before_sleep(&mut self) -> bool {
        let before = self.wakes.len();
        if self.machine.has_bulk_room() {
            let next = self.bulk_waiters.pop();
            self.wakes.extend(next);
        }
        if self.machine.has_free_lane() {
            let next = self.lane_waiters.pop();
            self.wakes.extend(next);
        }
        if self.machine.has_free_flow() {
            let next = self.flow_waiters.pop();
            self.wakes.extend(next);
        }
        if self.is_quiet() {
            self.wakes.append(&mut self.idle_waiters);
        }
        self.wakes.len() > before
    }

    /// Wakes the task when the line is ready, changes, or is over.
    pub(crate) fn wait_for_phase(&mut self, cx: &Context<'_>) {
        wait(&mut self.phase_waiters, cx);
    }

    /// Wakes the task when an exchange or flow is over.
    pub(crate) fn wait_for_idle(&mut self, cx: &Context<'_>) {
        wait(&mut self.idle_waiters, cx);
    }

    /// Wakes the task when a message comes.
    pub(crate) fn wait_for_message(&mut self, cx: &Context<'_>) {
        wait(&mut self.inbox_waiters, cx);
    }

    /// Whether nothing is open, and every message that came is done with.
    pub(crate) fn is_quiet(&self) -> bool {
        let open = self.machine.lanes() != (0, 0) || self.machine.flows() != (0, 0);
        !open && self.inbox.is_empty() && self.unfinished == 0
    }

    /// So many messages that were fetched are done with.
    pub(crate) fn finished(&mut self, messages: usize) {
        self.unfinished -= messages;
        if self.unfinished == 0 {
            self.wakes.append(&mut self.idle_waiters);
        }
    }

    /// Somebody may fetch what is in the inbox.
    pub(crate) fn wake_for_message(&mut self) {
        if !self.inbox.is_empty() {
            self.wakes.append(&mut self.inbox_waiters);
        }
    }
}

fn wait(waiters: &mut Vec<Waker>, cx: &Context<'_>) {
    if !waiters.iter().any(|waker| waker.will_wake(cx.waker())) {
        waiters.push(cx.waker().clone());
    }
}
