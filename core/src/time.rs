//! A point in time, given by the caller. Core has no clock.

use core::time::Duration;

/// Microseconds since an epoch that the caller chooses once for each connection.
///
/// Only differences count. The caller stamps it when bytes arrive or a timer fires, and never lets it go backwards; if
/// it does, deadlines are late and nothing else happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The epoch itself.
    pub const ZERO: Instant = Instant(0);
    /// Later than any time that will come.
    pub(crate) const NEVER: Instant = Instant(u64::MAX);

    /// The time `micros` microseconds after the epoch.
    pub const fn from_micros(micros: u64) -> Instant {
        Instant(micros)
    }

    /// The time `millis` milliseconds after the epoch.
    pub const fn from_millis(millis: u64) -> Instant {
        Instant(millis.saturating_mul(1000))
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to this, zero if `earlier` is later.
    pub const fn since(self, earlier: Instant) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// This time and `wait` more; the last representable time if that overflows.
    pub const fn after(self, wait: Duration) -> Instant {
        self.after_micros(micros(wait))
    }

    /// The same.
    pub(crate) const fn after_micros(self, wait: u64) -> Instant {
        Instant(self.0.saturating_add(wait))
    }
}

/// Whole microseconds, as many as there can be. In 128 bits it would be half a kilobyte on a device.
pub(crate) const fn micros(wait: Duration) -> u64 {
    wait.as_secs().saturating_mul(1_000_000).saturating_add(wait.subsec_micros() as u64)
}
