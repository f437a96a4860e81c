//! The window of messages: octets allowed until the receiving application has taken what came.

use crate::error::PeerError;
use crate::wire::hello::{CHARGE, Limits};

/// What a frame with `len` octets of payload is charged.
#[inline]
pub(crate) const fn charge(len: usize) -> u64 {
    (len as u64).saturating_add(CHARGE)
}

/// How many octets of payload fit into `room` octets of credit.
#[inline]
pub(crate) const fn payload(room: u64) -> usize {
    room.saturating_sub(CHARGE) as usize
}

/// Raises a limit that the peer tells. An old, lower one changes nothing; whether it grew.
pub(crate) fn raise(limit: &mut u64, told: u64) -> Result<bool, PeerError> {
    if told > Limits::MAX_OCTETS.saturating_mul(256) {
        return Err(PeerError::CreditOverflow);
    }
    let grew = told > *limit;
    *limit = told.max(*limit);
    Ok(grew)
}

/// Whether the peer should be told: half of the credit is free again; or so much that without it a whole `frame` might
/// wait although all is taken.
#[inline]
pub(crate) fn should_tell(taken: u64, told: u64, credit: u64, frame: u32) -> bool {
    let whole = u64::from(frame).saturating_add(CHARGE);
    let least = credit.div_ceil(2).min(credit.saturating_sub(whole).saturating_add(1));
    taken.saturating_add(credit).saturating_sub(told) >= least
}

/// One direction of the window.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Window {
    /// Octets charged so far.
    pub(crate) used: u64,
    /// Octets allowed so far; at the receiver, as last told.
    pub(crate) limit: u64,
    /// Octets the application has taken (at the receiver).
    pub(crate) taken: u64,
}

impl Window {
    #[inline]
    pub(crate) fn room(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }

    /// Charges a frame with `len` octets of payload, if it is allowed.
    #[inline]
    pub(crate) fn charge(&mut self, len: usize) -> Result<(), PeerError> {
        let used = self.used.saturating_add(charge(len));
        if used > self.limit {
            return Err(PeerError::Window);
        }
        self.used = used;
        Ok(())
    }
}
