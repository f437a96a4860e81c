//! What time does: timers fire, requests expire, memory rests.

use super::{Connection, State};
use crate::config::from_millis;
use crate::error::{CloseCode, Reason};
use crate::event::Event;
use crate::flow::Flow;
use crate::id::{Code, LaneId, Side};
use crate::lane::Lane;
use crate::liveness::{Timer, Timers};
use crate::memory::{Slots, Storage};
use crate::pool::Pool;
use crate::sealing::Inner;
use crate::time::{Instant, micros};

impl<S: Storage> Connection<S> {
    /// A deadline may have passed. Call again until it gives `None`.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Event<&'static [u8]>> {
        if self.is_over() {
            return None;
        }
        if self.timers.fire(Timer::Hello, now) {
            match self.state {
                State::Proving { .. } if S::Sealer::SEALS && self.is_server => {
                    self.close(CloseCode::DENIED, "it took too long");
                }
                // Its goodbye is still to be said.
                State::Closing { .. } => {}
                _ => return Some(self.end(Reason::HelloTimeout)),
            }
        }
        if S::Sealer::SEALS
            && self.ending().is_none()
            && let Some(event) = self.decide_in_time(now)
        {
            return Some(event);
        }
        if self.timers.fire(Timer::Dead, now) {
            let last = self.last_heard.after_micros(self.patience());
            if last <= now {
                return Some(self.end(Reason::Dead));
            }
            self.timers.set(Timer::Dead, last);
        }
        if self.timers.fire(Timer::Ping, now) {
            self.pings.due = true;
            self.timers.set(Timer::Ping, now.after(self.heartbeat));
            self.rest();
        }
        if self.timers.fire(Timer::Ack, now) {
            self.acks.due = true;
        }
        if self.timers.fire(Timer::Overdue, now) {
            self.stats.overdue_acks = self.stats.overdue_acks.saturating_add(1);
            self.acks.give_up();
        }
        if self.timers.get(Timer::Lanes) <= now {
            return self.expire(now);
        }
        None
    }

    /// When [`handle_timeout`](Connection::handle_timeout) should be called, if nothing happens before. It may turn out
    /// that nothing was due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.is_over() {
            return None;
        }
        let first = self.timers.first();
        // A line that closes does so in its own time.
        if S::Sealer::SEALS && self.ending().is_none() {
            return first.into_iter().chain(self.sealer.deadline()).min();
        }
        first
    }

    // ---- inside

    /// How long the peer may be silent, in microseconds.
    pub(super) fn patience(&self) -> u64 {
        micros(self.heartbeat).saturating_mul(u64::from(self.misses))
    }

    /// There was a sign of life on a request: its deadline moves.
    #[inline]
    pub(super) fn prolong(&mut self, now: Instant, lane: LaneId) {
        if lane.side == Side::Us
            && let Some(slot) = self.opened.get_mut(lane.number)
        {
            slot.prolong(now, &mut self.timers);
        }
    }

    /// A request without a sign of life, if there is one; otherwise sets the timer to the next.
    ///
    /// The timer is a lower bound: an answered request leaves it alone, so that answering costs nothing, and what it
    /// finds then is the earliest of those still open. So all lanes are walked once a timeout, not once a message.
    fn expire(&mut self, now: Instant) -> Option<Event<&'static [u8]>> {
        let mut first = Instant::NEVER;
        let mut late = None;
        for (number, lane) in self.opened.iter() {
            if !lane.is_awaited() {
                continue;
            }
            if lane.deadline <= now {
                late = Some(number);
                break;
            }
            first = first.min(lane.deadline);
        }
        let Some(number) = late else {
            self.timers.set(Timer::Lanes, first);
            return None;
        };
        let lane = LaneId { number, side: Side::Us };
        self.stats.expired = self.stats.expired.saturating_add(1);
        self.give_up(lane, Code::TIMEOUT);
        Some(Event::Expired { lane })
    }

    /// Lets go of memory that nothing has used for a heartbeat.
    fn rest(&mut self) {
        self.opened.rest();
        self.accepted.rest();
        self.sending.rest();
        self.receiving.rest();
        self.outbox.rest();
    }
}

impl Lane {
    fn prolong(&mut self, now: Instant, timers: &mut Timers) {
        if self.timeout > 0 && self.is_awaited() {
            self.deadline = now.after(from_millis(self.timeout));
            timers.pull(Timer::Lanes, self.deadline);
        }
    }
}

impl Flow {
    /// It moves, which is a sign of life on the request it belongs to, while that is open.
    #[inline]
    pub(super) fn moves(&self, now: Instant, opened: &mut Pool<Lane, impl Slots<Lane>>, timers: &mut Timers) {
        // The lane may serve another exchange by now.
        if let Some(lane) = opened.get_mut(self.lane).filter(|lane| lane.serial == self.serial) {
            lane.prolong(now, timers);
        }
    }
}
