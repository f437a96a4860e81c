//! One direction: its key, how much was sealed with it, and whether it is sealed now.

use core::time::Duration;

use zeroize::Zeroizing;

use super::schedule::{self, Label};
use super::suite::Cipher;
use crate::error::PeerError;
use crate::time::Instant;
use crate::wire::Rekey;
use crate::wire::seal::RECORD;

/// Records that one key may open, whatever the peer thinks of it: far below what any suite can bear, and above what
/// [`RekeyAfter`] allows.
const MOST_RECORDS: u64 = 1 << 33;
/// What changes of a key cost, in records; each record pays for one. A fresh agreement takes as long as sealing so many.
const NEXT_COST: u32 = 16;
const SHARE_COST: u32 = 128;
/// The most that may be owed: more than that is a flood. An end goes half as far by itself.
const MOST_OWED: u32 = 1024;

/// When a key is followed by the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RekeyAfter {
    /// Records sealed; at most 2^32.
    pub records: u64,
    /// Octets sealed.
    pub octets: u64,
    /// Time since it came into use.
    pub time: Duration,
}

impl RekeyAfter {
    /// - 2^22 records and 2^36 octets: with records of the largest size, AES-GCM keeps an advantage below 2^-57 by the
    ///   bounds of draft-irtf-cfrg-aead-limits, and one key does not see more than 64 GiB.
    /// - An hour: what was recorded before is safe from who gets hold of a key later. SSH's default is the same (RFC 4253, section 9).
    pub const DEFAULT: RekeyAfter = RekeyAfter { records: 1 << 22, octets: 1 << 36, time: Duration::from_secs(3600) };
}

impl Default for RekeyAfter {
    fn default() -> RekeyAfter {
        RekeyAfter::DEFAULT
    }
}

#[cfg_attr(test, derive(Clone))]
pub(crate) struct Way<K> {
    secret: Zeroizing<[u8; 32]>,
    cipher: K,
    on: bool,
    wants_next: bool,
    /// Records of this key, and their octets.
    number: u64,
    octets: u64,
    since: Instant,
    /// What is owed for changes of the key, by the peer or by this end.
    owed: u32,
}

impl<K: Cipher> Way<K> {
    pub(crate) fn new(now: Instant, secret: Zeroizing<[u8; 32]>, cipher: K, on: bool) -> Way<K> {
        Way { secret, cipher, on, wants_next: false, number: 0, octets: 0, since: now, owed: 0 }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.on
    }

    pub(crate) fn set_on(&mut self, on: bool) {
        self.on = on;
    }

    pub(crate) fn overhead(&self) -> usize {
        self.cipher.overhead()
    }

    /// Seals the first `len` octets in place. A key that has sealed all it may seals nothing.
    pub(crate) fn seal(&mut self, octets: &mut [u8], len: usize) -> Option<usize> {
        if self.number >= MOST_RECORDS {
            return None;
        }
        let sealed = self.cipher.seal(self.number, &[RECORD], octets, len)?;
        self.count(len);
        Some(sealed)
    }

    /// Opens a record in place. One that fails ends the line, so its number is not tried again.
    pub(crate) fn open(&mut self, record: &mut [u8]) -> Result<usize, PeerError> {
        if self.number >= MOST_RECORDS {
            return Err(PeerError::RekeyOverdue);
        }
        let len = self.cipher.open(self.number, &[RECORD], record).ok_or(PeerError::Forged)?;
        self.count(len);
        Ok(len)
    }

    fn count(&mut self, octets: usize) {
        self.number = self.number.saturating_add(1);
        self.octets = self.octets.saturating_add(octets as u64);
        self.owed = self.owed.saturating_sub(1);
    }

    // ---- the next key

    pub(crate) fn want_next(&mut self) {
        self.wants_next = true;
    }

    /// Whether the next key is wanted, and may be had.
    pub(crate) fn wants_next(&self) -> bool {
        self.wants_next && self.affords(NEXT_COST)
    }

    /// Whether this end may say a share that the peer did not ask for.
    pub(crate) fn affords_share(&self) -> bool {
        self.affords(SHARE_COST)
    }

    fn affords(&self, cost: u32) -> bool {
        self.owed.saturating_add(cost) <= MOST_OWED / 2
    }

    /// Whether the next key is to be used from the next record on.
    pub(crate) fn is_due(&self, now: Instant, after: &RekeyAfter) -> bool {
        let used = self.number >= after.records.min(MOST_RECORDS / 2) || self.octets >= after.octets;
        // A key that has sealed nothing is as good as the next.
        let due = self.wants_next || (self.number > 0 && (used || self.since.after(after.time) <= now));
        due && self.affords(NEXT_COST)
    }

    /// Goes on with the key that follows from this one, from which this one does not follow.
    pub(crate) fn turn_to_next(&mut self, now: Instant, cipher: impl FnOnce(&[u8; 32]) -> Option<K>) {
        let next = schedule::derive(&self.secret, Label::Next);
        self.turn_to(now, next, cipher);
    }

    /// Goes on with another key.
    pub(crate) fn turn_to(
        &mut self,
        now: Instant,
        secret: Zeroizing<[u8; 32]>,
        cipher: impl FnOnce(&[u8; 32]) -> Option<K>,
    ) {
        // The suite is the one that made the cipher before.
        if let Some(cipher) = cipher(&secret) {
            let Way { on, owed, .. } = *self;
            *self = Way { on, owed, ..Way::new(now, secret, cipher, on) };
        }
    }

    /// A change of the key is paid for with records, but not a share that answers one.
    pub(crate) fn charge(&mut self, change: &Rekey) -> Result<(), PeerError> {
        let cost = match change {
            Rekey::Next => NEXT_COST,
            Rekey::Share(_) => SHARE_COST,
            // Paid for by its share.
            Rekey::Fresh => 0,
        };
        self.owed = self.owed.saturating_add(cost);
        if self.owed > MOST_OWED { Err(PeerError::RekeyFlood) } else { Ok(()) }
    }
}

#[cfg(all(test, feature = "chacha20-poly1305"))]
mod tests {
    use super::*;
    use crate::seal::{ChaCha20Poly1305, ChaCha20Poly1305Cipher, Suite};

    const NOW: Instant = Instant::ZERO;

    fn cipher(secret: &[u8; 32]) -> Option<ChaCha20Poly1305Cipher> {
        Some(ChaCha20Poly1305.cipher(&[*secret; 3]))
    }

    fn ways() -> [Way<ChaCha20Poly1305Cipher>; 2] {
        [(); 2].map(|()| Way::new(NOW, Zeroizing::new([1; 32]), cipher(&[1; 32]).unwrap(), true))
    }

    fn pass([ours, theirs]: &mut [Way<ChaCha20Poly1305Cipher>; 2]) -> Result<usize, PeerError> {
        let mut record = [7; 40];
        let len = ours.seal(&mut record, 8).unwrap();
        theirs.open(&mut record[..len])
    }

    /// D9: no number comes twice, and a key that has sealed, or opened, all it may does no more.
    #[test]
    fn a_key_is_used_up_at_last() {
        let mut ways = ways();
        ways.iter_mut().for_each(|way| way.number = MOST_RECORDS - 2);
        assert_eq!((pass(&mut ways), pass(&mut ways)), (Ok(8), Ok(8)));
        let [ours, theirs] = &mut ways;
        let mut record = [7; 40];
        assert_eq!(ours.seal(&mut record, 8), None);
        assert_eq!(record, [7; 40]);
        assert_eq!(theirs.open(&mut record), Err(PeerError::RekeyOverdue));
        // The next key has its own numbers.
        ways.iter_mut().for_each(|way| way.turn_to_next(NOW, cipher));
        assert_eq!((ways[0].number, pass(&mut ways)), (0, Ok(8)));
    }

    /// D9: it is due long before that, whatever the limits are.
    #[test]
    fn a_key_is_changed_before_it_is_used_up() {
        let [mut way, _] = ways();
        let never = RekeyAfter { records: u64::MAX, octets: u64::MAX, time: Duration::MAX };
        way.number = MOST_RECORDS / 2 - 1;
        assert!(!way.is_due(NOW, &never));
        way.count(0);
        assert!(way.is_due(NOW, &never));
    }

    /// D9: it is due by each of the limits, not before, and each is counted anew with the next key.
    #[test]
    fn a_key_is_changed_when_one_of_its_limits_is_reached() {
        let never = RekeyAfter { records: u64::MAX, octets: u64::MAX, time: Duration::MAX };
        // Ten records of eight octets, one a second.
        for limits in [
            RekeyAfter { records: 10, ..never },
            RekeyAfter { octets: 80, ..never },
            RekeyAfter { time: Duration::from_secs(10), ..never },
        ] {
            let mut ways = ways();
            let mut now = NOW;
            for key in 0..3 {
                for record in 0..10 {
                    assert!(!ways[0].is_due(now, &limits), "{limits:?}, key {key}, record {record}");
                    assert_eq!(pass(&mut ways), Ok(8));
                    now = now.after(Duration::from_secs(1));
                }
                assert!(ways[0].is_due(now, &limits), "{limits:?}, key {key}");
                ways.iter_mut().for_each(|way| way.turn_to_next(now, cipher));
            }
        }
    }

    /// D8: what does not open uses up no number.
    #[test]
    fn garbage_does_not_count() {
        let mut ways = ways();
        assert_eq!(ways[1].open(&mut [9; 60]), Err(PeerError::Forged));
        assert_eq!(pass(&mut ways), Ok(8));
    }

    /// D9: changes that nothing pays for are a flood; an end that keeps to what it affords is never taken for one.
    #[test]
    fn a_flood_of_changes_is_refused() {
        for (change, most) in [(Rekey::Next, MOST_OWED / NEXT_COST), (Rekey::Share([9; 32]), MOST_OWED / SHARE_COST)] {
            let [_, mut theirs] = ways();
            for _ in 0..most {
                assert_eq!(theirs.charge(&change), Ok(()));
            }
            assert_eq!(theirs.charge(&change), Err(PeerError::RekeyFlood));
        }
        let mut ways = ways();
        for turn in 0..10_000 {
            let change = if turn % 3 == 0 { Rekey::Share([9; 32]) } else { Rekey::Next };
            let cost = if turn % 3 == 0 { SHARE_COST } else { NEXT_COST };
            if ways[0].affords(cost) {
                ways[0].charge(&change).unwrap();
                assert_eq!(pass(&mut ways), Ok(8));
                assert_eq!(ways[1].charge(&change), Ok(()), "turn {turn}");
            } else {
                assert_eq!(pass(&mut ways), Ok(8));
            }
        }
    }
}
