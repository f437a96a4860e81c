//! One bit arrives wrong.

use std::io;
use std::task::{Context, Poll};

use super::{Op, Verdict, Way, Weather};

/// Flips one bit of one byte, and leaves all others as they are.
#[derive(Clone, Debug)]
pub struct Corrupt {
    way: Way,
    bits: u8,
    /// Bytes to go before the one to be flipped; none once that is done.
    left: Option<u64>,
}

impl Corrupt {
    /// Flips bit `bit` (0 to 7, 0 the lowest) of the byte at `offset` of all bytes that go that way.
    pub fn new(way: Way, offset: u64, bit: u8) -> Self {
        assert!(bit < 8, "a byte has eight bits");
        Self { way, bits: 1 << bit, left: Some(offset) }
    }
}

impl Weather for Corrupt {
    fn admit(&mut self, _: &mut Context<'_>, op: Op, len: usize) -> Poll<Verdict> {
        Poll::Ready(match self.left {
            Some(left) if op.way() == self.way => match usize::try_from(left) {
                Ok(0) => Verdict::Flip(self.bits),
                Ok(left) => Verdict::Pass(left.min(len)),
                Err(_) => Verdict::Pass(len),
            },
            _ => Verdict::Pass(len),
        })
    }

    fn seen(&mut self, _: &mut Context<'_>, op: Op, outcome: &Poll<io::Result<usize>>) {
        if let (Poll::Ready(Ok(count)), Some(left)) = (outcome, self.left)
            && op.way() == self.way
        {
            self.left = left.checked_sub(*count as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weather::testing::{Prober, ready};
    use crate::weather::{Outdoors, pipe};

    #[test]
    fn flips_that_bit_and_no_other() {
        for offset in 0..7 {
            for bit in 0..8 {
                for pieces in 1..7 {
                    check(offset, bit, pieces);
                }
            }
        }
    }

    #[test]
    fn waits_for_its_byte_when_there_is_none_or_no_room() {
        let prober = Prober::new();
        let (a, mut b) = pipe(1);
        let mut a = a.under(Corrupt::new(Way::Read, 0, 0)).under(Corrupt::new(Way::Write, 1, 0));
        assert!(prober.read(&mut a, 1).is_pending());
        assert_eq!(ready(prober.read(&mut a, 0)), b"");
        ready(prober.write(&mut b, b"@"));
        assert_eq!(ready(prober.read(&mut a, 1)), b"A");
        ready(prober.write(&mut a, b"@"));
        assert!(prober.write(&mut a, b"@").is_pending());
        assert_eq!(ready(prober.read(&mut b, 1)), b"@");
        ready(prober.write(&mut a, b"@"));
        assert_eq!(ready(prober.read(&mut b, 1)), b"A");
    }

    /// Sends six bytes each way, in pieces of that size.
    fn check(offset: usize, bit: u8, piece: usize) {
        let prober = Prober::new();
        let sent = *b"abcdef";
        let mut wanted = sent;
        wanted.iter_mut().skip(offset).take(1).for_each(|byte| *byte ^= 1 << bit);
        for way in [Way::Read, Way::Write] {
            let (a, mut b) = pipe(64);
            let mut a = a.under(Corrupt::new(way, offset as u64, bit));
            let mut got = (Vec::new(), Vec::new());
            for piece in sent.chunks(piece) {
                let mut rest = piece;
                while !rest.is_empty() {
                    rest = &rest[ready(prober.write(&mut a, rest))..];
                }
                ready(prober.write(&mut b, piece));
            }
            while got.0.len() < sent.len() {
                got.0.extend(ready(prober.read(&mut a, piece)));
            }
            while got.1.len() < sent.len() {
                got.1.extend(ready(prober.read(&mut b, piece)));
            }
            let wanted = match way {
                Way::Read => (wanted, sent),
                Way::Write => (sent, wanted),
            };
            assert_eq!((&got.0[..], &got.1[..]), (&wanted.0[..], &wanted.1[..]), "{way:?} {offset} {bit} {piece}");
        }
    }
}
