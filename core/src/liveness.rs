//! Whether the peer lives: pings, the smoothed round-trip time, acknowledgements that are overdue, and every deadline.

use core::time::Duration;

use crate::time::Instant;

/// How long an acknowledgement waits for other traffic to ride on. Well below [`OVERDUE`].
const ACK_DELAY: Duration = Duration::from_secs(1);
/// Octets received after which an acknowledgement goes out on its own.
const ACK_OCTETS: u64 = 256 * 1024;
/// After this time an acknowledgement is overdue (the number is Cryo's).
const OVERDUE: Duration = Duration::from_millis(2500);

/// The deadlines of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    Hello,
    Ping,
    Dead,
    Ack,
    Overdue,
    Lanes,
}

impl Timer {
    const COUNT: usize = 6;
}

/// One deadline each; [`Instant::NEVER`] when off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timers([Instant; Timer::COUNT]);

impl Timers {
    pub(crate) const OFF: Timers = Timers([Instant::NEVER; Timer::COUNT]);

    #[inline]
    pub(crate) fn set(&mut self, timer: Timer, at: Instant) {
        if let Some(slot) = self.0.get_mut(timer as usize) {
            *slot = at;
        }
    }

    #[inline]
    pub(crate) fn get(&self, timer: Timer) -> Instant {
        self.0.get(timer as usize).copied().unwrap_or(Instant::NEVER)
    }

    /// Makes the deadline no later than `at`.
    #[inline]
    pub(crate) fn pull(&mut self, timer: Timer, at: Instant) {
        if at < self.get(timer) {
            self.set(timer, at);
        }
    }

    /// Turns the timer off and says yes if it is due.
    pub(crate) fn fire(&mut self, timer: Timer, now: Instant) -> bool {
        let due = self.get(timer) <= now;
        if due {
            self.set(timer, Instant::NEVER);
        }
        due
    }

    pub(crate) fn first(&self) -> Option<Instant> {
        self.0.iter().min().copied().filter(|at| *at != Instant::NEVER)
    }
}

/// Pings and round-trip time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pings {
    /// A ping waits to be sent.
    pub(crate) due: bool,
    /// The latest ping of the peer waits to be answered. A flood of pings costs this one slot.
    pub(crate) answer: Option<u32>,
    id: u32,
    sent: Option<Instant>,
    /// In microseconds.
    smoothed: Option<u32>,
}

impl Pings {
    /// The id of the ping that is sent now.
    pub(crate) fn send(&mut self, now: Instant) -> u32 {
        self.due = false;
        // While one is under way it is said again, not anew: its pong answers everyone, however often they ask.
        if self.sent.is_none() {
            self.id = self.id.wrapping_add(1);
            self.sent = Some(now);
        }
        self.id
    }

    /// The round-trip time if this answers the latest ping.
    pub(crate) fn answered(&mut self, now: Instant, id: u32) -> Option<Duration> {
        let sent = self.sent.take_if(|_| id == self.id)?;
        // More than an hour is an hour: to divide 64 bits is a kilobyte on a device.
        let micros = u32::try_from(now.as_micros().saturating_sub(sent.as_micros())).unwrap_or(u32::MAX);
        self.smoothed = Some(match self.smoothed {
            // alpha = 0.2
            Some(old) => old.saturating_sub(old / 5).saturating_add(micros / 5),
            None => micros,
        });
        Some(Duration::from_micros(u64::from(micros)))
    }

    pub(crate) fn smoothed(&self) -> Option<Duration> {
        self.smoothed.map(|micros| Duration::from_micros(u64::from(micros)))
    }
}

/// Acknowledgements, both ways.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Acks {
    /// Counted frames received, and how many of them were acknowledged.
    received: u64,
    told: u64,
    octets: u64,
    pub(crate) due: bool,
    /// Counted frames that the peer acknowledged.
    acked: u64,
    /// One frame of which the acknowledgement is timed.
    watched: Option<u64>,
}

impl Acks {
    #[inline]
    pub(crate) fn count(&mut self, now: Instant, octets: usize, timers: &mut Timers) {
        if self.received == self.told {
            timers.set(Timer::Ack, now.after(ACK_DELAY));
        }
        self.received = self.received.saturating_add(1);
        self.octets = self.octets.saturating_add(octets as u64);
        if self.octets >= ACK_OCTETS {
            self.due = true;
        }
    }

    /// Whether there is something to tell when other traffic goes out anyway.
    pub(crate) fn is_behind(&self) -> bool {
        self.told < self.received
    }

    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// The acknowledgement is on its way.
    pub(crate) fn tell(&mut self, timers: &mut Timers) {
        self.told = self.received;
        self.octets = 0;
        self.due = false;
        timers.set(Timer::Ack, Instant::NEVER);
    }

    /// Frames up to `written` have been transmitted.
    pub(crate) fn watch(&mut self, now: Instant, written: u64, timers: &mut Timers) {
        if self.watched.is_none() && written > self.acked {
            self.watched = Some(written);
            timers.set(Timer::Overdue, now.after(OVERDUE));
        }
    }

    /// The peer has received `count` frames. It can't be fewer than before; an old count changes nothing.
    pub(crate) fn acked(&mut self, count: u64, timers: &mut Timers) {
        self.acked = self.acked.max(count);
        if self.watched.take_if(|watched| *watched <= count).is_some() {
            timers.set(Timer::Overdue, Instant::NEVER);
        }
    }

    /// The watched frame is overdue: look at the next one.
    pub(crate) fn give_up(&mut self) {
        self.watched = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn a_timer_fires_once_and_the_first_is_known() {
        let mut timers = Timers::OFF;
        assert_eq!(timers.first(), None);
        timers.set(Timer::Ping, at(20));
        timers.set(Timer::Dead, at(10));
        timers.pull(Timer::Dead, at(15));
        timers.pull(Timer::Ping, at(12));
        assert_eq!(timers.first(), Some(at(10)));
        assert!(!timers.fire(Timer::Dead, at(9)));
        assert!(timers.fire(Timer::Dead, at(10)));
        assert!(!timers.fire(Timer::Dead, at(99)));
        assert_eq!(timers.first(), Some(at(12)));
    }

    #[test]
    fn a_ping_under_way_is_said_again_and_answered_once() {
        let mut pings = Pings { due: true, ..Pings::default() };
        let first = pings.send(at(0));
        assert!(!pings.due);
        assert_eq!(pings.send(at(10)), first);
        assert_eq!(pings.answered(at(20), first.wrapping_add(1)), None);
        assert_eq!(pings.answered(at(30), first), Some(Duration::from_millis(30)));
        assert_eq!(pings.answered(at(40), first), None);
        assert_ne!(pings.send(at(50)), first);
        assert_eq!(pings.smoothed(), Some(Duration::from_millis(30)));
    }

    #[test]
    fn much_that_came_is_acknowledged_at_once_and_little_after_a_while() {
        let (mut acks, mut timers) = (Acks::default(), Timers::OFF);
        acks.count(at(0), 100, &mut timers);
        acks.count(at(900), 100, &mut timers);
        assert_eq!(timers.first(), Some(at(1000)), "from the first that is not acknowledged");
        assert!(acks.is_behind() && !acks.due);
        acks.tell(&mut timers);
        assert_eq!((acks.is_behind(), timers.first()), (false, None));
        for _ in 0..ACK_OCTETS / 1024 {
            assert!(!acks.due);
            acks.count(at(2000), 1024, &mut timers);
        }
        assert!(acks.due);
        acks.tell(&mut timers);
        acks.count(at(3000), 1024, &mut timers);
        assert!(!acks.due, "it counts anew");
    }

    #[test]
    fn one_frame_at_a_time_is_watched() {
        let (mut acks, mut timers) = (Acks::default(), Timers::OFF);
        acks.watch(at(0), 0, &mut timers);
        assert_eq!(timers.first(), None, "nothing was sent");
        acks.watch(at(0), 3, &mut timers);
        acks.watch(at(500), 9, &mut timers);
        assert_eq!(timers.first(), Some(at(2500)));
        acks.acked(2, &mut timers);
        assert_eq!(timers.first(), Some(at(2500)));
        acks.acked(3, &mut timers);
        assert_eq!(timers.first(), None);
        acks.acked(1, &mut timers);
        acks.watch(at(600), 3, &mut timers);
        assert_eq!(timers.first(), None, "all of it is acknowledged");
    }
}
