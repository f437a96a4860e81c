//! Who waits for what, and whose turn it is.

use std::task::{Context, Poll, Waker};

use ropeway_core::{BULK, Reason, Refused, Until};

use super::State;
use crate::error::{Ended, Error};
use crate::waiters::{Place, Waiters};

/// No message's head counts for more, nor does the window charge more.
const HEAD: usize = 32;

/// Where a verb waits: for what is scarce, for room to send, for the window of messages, for what becomes of the line.
#[derive(Default)]
pub(crate) struct Turn {
    wants: Wants,
    /// Octets that are to go at once.
    len: usize,
    /// What is scarce is not needed after all.
    spared: bool,
    scarce: Place,
    room: Place,
    window: Place,
    phase: Place,
}

/// What a verb needs besides room in the outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Wants {
    #[default]
    Room,
    Lane,
    Flow,
    Bulk,
    /// Nothing open.
    Idle,
    /// A message of the peer's.
    Message,
}

impl Turn {
    /// For a message of so many octets.
    pub(crate) fn for_lane(len: usize) -> Turn {
        Turn { wants: Wants::Lane, len, ..Turn::default() }
    }

    /// For an answer of so many octets.
    pub(crate) fn for_room(len: usize) -> Turn {
        Turn { len, ..Turn::default() }
    }

    pub(crate) fn for_flow() -> Turn {
        Turn { wants: Wants::Flow, ..Turn::default() }
    }

    pub(crate) fn for_bulk() -> Turn {
        Turn { wants: Wants::Bulk, ..Turn::default() }
    }

    pub(crate) fn for_idle() -> Turn {
        Turn { wants: Wants::Idle, ..Turn::default() }
    }

    pub(crate) fn for_message() -> Turn {
        Turn { wants: Wants::Message, ..Turn::default() }
    }

    /// Whether it can do without a lane, as far as is known now.
    pub(crate) fn spare(&mut self, spared: bool) {
        self.spared = spared;
    }

    pub(crate) fn is_waiting(&self) -> bool {
        [&self.scarce, &self.room, &self.window, &self.phase].into_iter().any(Place::is_taken)
    }

    /// Gives the places up, to whoever should have a turn instead.
    pub(crate) fn leave(&mut self, state: &mut State) {
        let room = state.room_queue(self.len).leave(&mut self.room);
        let window = state.window_waiters.leave(&mut self.window);
        let scarce = state.scarce(self.wants).and_then(|(queue, _)| queue.leave(&mut self.scarce));
        state.phase_waiters.served(&mut self.phase);
        state.wakes.extend([room, window, scarce].into_iter().flatten());
    }

    /// Gives the places up after success; the next in the queue, if there is something left for it.
    fn served(&mut self, state: &mut State) -> Option<Waker> {
        let waited_large = state.is_large(self.len) && self.room.is_taken();
        state.room_queue(self.len).served(&mut self.room);
        if waited_large && state.machine.has_bulk_room() {
            let next = state.bulk_waiters.pop();
            state.wakes.extend(next);
        }
        state.window_waiters.served(&mut self.window);
        state.phase_waiters.served(&mut self.phase);
        let (queue, is_left) = state.scarce(self.wants)?;
        let waited = self.scarce.is_taken();
        queue.served(&mut self.scarce);
        if waited && is_left { queue.pop() } else { None }
    }
}

impl State {
    /// All queues.
    pub(super) fn queues(&mut self) -> [&mut Waiters; 8] {
        let State { lane_waiters, room_waiters, window_waiters, bulk_waiters, flow_waiters, .. } = self;
        let State { phase_waiters, idle_waiters, inbox_waiters, .. } = self;
        [
            lane_waiters,
            room_waiters,
            window_waiters,
            bulk_waiters,
            flow_waiters,
            phase_waiters,
            idle_waiters,
            inbox_waiters,
        ]
    }

    /// The queue for what is scarce, and whether there is some of it.
    fn scarce(&mut self, wants: Wants) -> Option<(&mut Waiters, bool)> {
        match wants {
            Wants::Room => None,
            Wants::Lane => Some((&mut self.lane_waiters, self.machine.has_free_lane())),
            Wants::Flow => Some((&mut self.flow_waiters, self.machine.has_free_flow())),
            Wants::Bulk => Some((&mut self.bulk_waiters, self.machine.has_bulk_room())),
            Wants::Idle => Some((&mut self.idle_waiters, false)),
            Wants::Message => Some((&mut self.inbox_waiters, false)),
        }
    }

    /// Whether a message or answer of so many octets goes in one large frame. One that is larger begins with a small one if it
    /// must.
    #[inline]
    fn is_large(&self, len: usize) -> bool {
        len > BULK && self.machine.fits(len)
    }

    /// Where a message of so many octets waits for room: a large frame beside the pieces of bodies and flows.
    fn room_queue(&mut self, len: usize) -> &mut Waiters {
        if self.is_large(len) { &mut self.bulk_waiters } else { &mut self.room_waiters }
    }

    /// Refuses a piece, a large frame or a flow where others have waited longer for one: who is woken for something else, such
    /// as credit, or has just come, would go before them again and again.
    pub(crate) fn in_turn(&self, turn: &Turn) -> Result<(), Refused> {
        let place = match turn.wants {
            Wants::Flow if self.flow_waiters.is_turn_of(&turn.scarce) => return Ok(()),
            Wants::Flow => return Err(Refused::Later(Until::Flow)),
            Wants::Bulk => &turn.scarce,
            _ if self.is_large(turn.len) => &turn.room,
            _ => return Ok(()),
        };
        if self.bulk_waiters.is_turn_of(place) { Ok(()) } else { Err(Refused::Later(Until::Transmit)) }
    }

    /// Whether others have waited longer for a lane, or to send a large frame. If so this waits behind them.
    pub(crate) fn must_queue(&mut self, turn: &mut Turn, cx: &Context<'_>) -> bool {
        if self.ended.is_some() {
            return false;
        }
        let behind = !turn.spared && !turn.scarce.is_taken() && !self.lane_waiters.is_settled();
        if !behind && self.in_turn(turn).is_err() {
            self.wait_for_bulk(Wants::Lane, turn, cx);
            return true;
        }
        if behind {
            self.lane_waiters.wait(&mut turn.scarce, 0, cx);
            if self.machine.has_free_lane() {
                // It is kept for one that was woken; the driver looks whether that one comes.
                self.wake_driver();
            }
        }
        behind
    }

    /// Turns a verb's answer into a poll: what must wait, waits where it will be woken.
    #[inline]
    pub(crate) fn outcome<T>(
        &mut self,
        answer: Result<T, Refused>,
        place: &mut Turn,
        cx: &Context<'_>,
    ) -> Poll<Result<T, Error>> {
        if let Some(error) = self.over() {
            return Poll::Ready(Err(error));
        }
        match answer {
            Ok(value) => {
                if place.is_waiting() {
                    let next = place.served(self);
                    self.wakes.extend(next);
                }
                Poll::Ready(Ok(value))
            }
            Err(refused) => self.wait(refused, place, cx).map(Err),
        }
    }

    /// Waits for what a verb was refused for want of, or says why that is of no use.
    fn wait(&mut self, refused: Refused, place: &mut Turn, cx: &Context<'_>) -> Poll<Error> {
        match refused {
            Refused::Later(until) => {
                // What fits a frame fits an empty outbox, and an open window.
                let need = place.len.saturating_add(HEAD).min(self.machine.largest());
                match (until, place.wants) {
                    (Until::Lane, _) => self.lane_waiters.wait(&mut place.scarce, 0, cx),
                    (Until::Flow, _) => {
                        self.flow_waiters.wait(&mut place.scarce, 0, cx);
                        if self.machine.has_free_flow() {
                            // As for what is large.
                            self.wake_driver();
                        }
                    }
                    (Until::Transmit, wants) if wants == Wants::Bulk || self.is_large(place.len) => {
                        self.wait_for_bulk(wants, place, cx);
                    }
                    (Until::Credit, Wants::Bulk) => {
                        // The lane or flow whose credit it is wakes the task; others need not wait for that.
                        let next = self.bulk_waiters.leave(&mut place.scarce);
                        self.wakes.extend(next);
                    }
                    (Until::Transmit, _) => self.room_waiters.wait(&mut place.room, need, cx),
                    (Until::Credit, Wants::Lane) => self.window_waiters.wait(&mut place.window, need, cx),
                    // The lane or flow whose credit it is wakes the task.
                    (Until::Credit, _) => {}
                }
                if until != Until::Transmit && self.is_large(place.len) {
                    // Nor need they wait for this.
                    let next = self.bulk_waiters.leave(&mut place.room);
                    self.wakes.extend(next);
                }
                Poll::Pending
            }
            Refused::NotReady => {
                self.wait_for_phase(place, cx);
                Poll::Pending
            }
            Refused::Closed => {
                let reason = self.machine.ending().unwrap_or(Reason::Eof);
                Poll::Ready(Error::Closed(Ended { reason, text: "".into() }))
            }
            Refused::Away => Poll::Ready(Error::Away),
            Refused::TooLarge(limit) => Poll::Ready(Error::TooLarge(limit)),
            Refused::NoLane | Refused::NoFlow => Poll::Ready(Error::Misuse("the exchange is over")),
            Refused::WrongState => Poll::Ready(Error::Misuse("not possible in this state")),
            #[cfg(feature = "seal")]
            Refused::NoKeys => Poll::Ready(crate::seal::SealError::NoKeys.into()),
            #[cfg(feature = "seal")]
            Refused::Policy(by) => {
                Poll::Ready(crate::seal::SealError::Fixed { ours: by == ropeway_core::Side::Us }.into())
            }
            _ => Poll::Ready(Error::Misuse("an argument is outside its range")),
        }
    }

    fn wait_for_bulk(&mut self, wants: Wants, turn: &mut Turn, cx: &Context<'_>) {
        let place = if wants == Wants::Bulk { &mut turn.scarce } else { &mut turn.room };
        self.bulk_waiters.wait(place, 0, cx);
        if self.machine.has_bulk_room() {
            // It is kept for one that was woken; the driver looks whether that one comes.
            self.wake_driver();
        }
    }

    /// After the machine has transmitted: those for whom there is room try again.
    pub(crate) fn after_transmit(&mut self) {
        self.wakes.extend(self.room_waiters.pop_within(self.machine.room()));
        if !self.bulk_waiters.is_empty() && self.machine.has_bulk_room() {
            let next = self.bulk_waiters.pop();
            self.wakes.extend(next);
        }
        // However that came: by a verb, or as the peer wished, once there was room.
        let sealed = self.machine.will_seal();
        if sealed != self.sealed {
            self.sealed = sealed;
            self.phase_changed();
        }
    }

    /// Whether somebody waits for what there is: another was woken for it, and has not come yet.
    pub(crate) fn is_owed(&self) -> bool {
        self.room_waiters.fits(self.machine.room())
            || self.window_waiters.fits(self.window())
            || (!self.bulk_waiters.is_empty() && self.machine.has_bulk_room())
            || (!self.lane_waiters.is_empty() && self.machine.has_free_lane())
            || (!self.flow_waiters.is_empty() && self.machine.has_free_flow())
    }

    /// Wakes the next in every queue for which there is something.
    pub(crate) fn wake_next(&mut self) {
        let window = self.window();
        let State { wakes, machine, .. } = self;
        for (queue, is_left) in [
            (&mut self.room_waiters, true),
            (&mut self.window_waiters, window > 0),
            (&mut self.bulk_waiters, machine.has_bulk_room()),
            (&mut self.lane_waiters, machine.has_free_lane()),
            (&mut self.flow_waiters, machine.has_free_flow()),
        ] {
            if is_left {
                wakes.extend(queue.pop());
            }
        }
    }

    /// The window has grown: those for whom it is large enough try again.
    pub(super) fn after_window(&mut self) {
        let window = self.window();
        self.wakes.extend(self.window_waiters.pop_within(window));
    }

    fn window(&self) -> usize {
        usize::try_from(self.machine.window()).unwrap_or(usize::MAX)
    }

    /// Before the driver sleeps: who waits until nothing is open is told if nothing is.
    pub(crate) fn before_sleep(&mut self) {
        if !self.idle_waiters.is_empty() && self.is_quiet() {
            self.wakes.extend(self.idle_waiters.drain());
        }
    }

    /// The line is ready, or has changed.
    pub(crate) fn phase_changed(&mut self) {
        self.wakes.extend(self.phase_waiters.drain());
    }

    /// Wakes the task when the line is ready, changes, or is over.
    pub(crate) fn wait_for_phase(&mut self, turn: &mut Turn, cx: &Context<'_>) {
        self.phase_waiters.wait(&mut turn.phase, 0, cx);
    }

    /// Wakes the task when an exchange or flow is over.
    pub(crate) fn wait_for_idle(&mut self, turn: &mut Turn, cx: &Context<'_>) {
        self.idle_waiters.wait(&mut turn.scarce, 0, cx);
    }

    /// Wakes the task when a message comes.
    pub(crate) fn wait_for_message(&mut self, turn: &mut Turn, cx: &Context<'_>) {
        self.inbox_waiters.wait(&mut turn.scarce, 0, cx);
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
            self.wakes.extend(self.idle_waiters.drain());
        }
    }

    /// Somebody may fetch what is in the inbox.
    pub(crate) fn wake_for_message(&mut self) {
        if !self.inbox.is_empty() {
            self.wakes.extend(self.inbox_waiters.drain());
        }
    }
}
