//! Everything moves in small pieces.

use std::task::{Context, Poll};

use super::{Dice, Op, Verdict, Weather};

/// Reads and writes move pieces of a random size, from 1 byte to `most`.
#[derive(Clone, Debug)]
pub struct Chop {
    dice: Dice,
    most: usize,
}

impl Chop {
    /// Pieces of at most `most` bytes, which is at least 1.
    pub fn new(seed: u64, most: usize) -> Self {
        assert!(most > 0, "a piece has bytes");
        Self { dice: Dice::new(seed), most }
    }
}

impl Weather for Chop {
    fn admit(&mut self, _: &mut Context<'_>, op: Op, len: usize) -> Poll<Verdict> {
        let piece = match op {
            Op::Read | Op::Write => 1 + self.dice.roll(self.most),
            Op::Flush | Op::Close => 0,
        };
        Poll::Ready(Verdict::Pass(piece.min(len)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weather::testing::{Prober, ready};
    use crate::weather::{Outdoors, pipe};

    #[test]
    fn cuts_pieces_of_every_size_up_to_its_most() {
        let mut pieces = pieces(1);
        pieces.sort_unstable();
        pieces.dedup();
        assert_eq!(pieces, [1, 2, 3, 4, 5]);
    }

    #[test]
    fn cuts_the_same_from_the_same_seed() {
        assert_eq!(pieces(1), pieces(1));
        assert_ne!(pieces(1), pieces(2));
    }

    /// Sizes of what is written and read, in turns.
    fn pieces(seed: u64) -> Vec<usize> {
        let prober = Prober::new();
        let (a, mut b) = pipe(4096);
        ready(prober.write(&mut b, &[0; 4096]));
        let mut a = a.under(Chop::new(seed, 5));
        (0..50).flat_map(|_| [ready(prober.write(&mut a, &[0; 9])), ready(prober.read(&mut a, 9)).len()]).collect()
    }
}
