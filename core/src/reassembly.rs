//! Puts pieces back together, in memory the caller supplies: which ranges have come, which holes are left.

use core::fmt;
use core::ops::Range;

/// The most holes remembered: pieces of a line come in order, so more means that somebody plays games.
const MAX_RANGES: usize = 8;

/// Pieces of a whole of known size, in any order.
///
/// ```
/// use ropeway_core::Reassembly;
///
/// let mut memory = [0; 16];
/// let mut whole = Reassembly::new(&mut memory, 10)?;
/// whole.insert(5, b"world")?;
/// assert_eq!(whole.missing(), Some(0..5));
/// whole.insert(0, b"hello")?;
/// assert_eq!(whole.finished(), Some(&b"helloworld"[..]));
/// # Ok::<(), ropeway_core::Gap>(())
/// ```
#[derive(Debug)]
pub struct Reassembly<'m> {
    memory: &'m mut [u8],
    /// Sorted, apart, not empty; the first `count` are valid.
    ranges: [(usize, usize); MAX_RANGES],
    count: usize,
}

/// Why a piece was not taken. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Gap {
    /// The whole does not fit the memory.
    TooLarge {
        /// Octets needed.
        size: u64,
        /// Octets there are.
        memory: usize,
    },
    /// The piece lies outside the whole.
    Outside,
    /// The piece has come before, at least in part.
    Twice,
    /// More holes than are remembered.
    TooMany,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Gap::TooLarge { size, memory } => write!(f, "{size} bytes do not fit {memory} bytes of memory"),
            Gap::Outside => f.write_str("a piece lies outside the whole"),
            Gap::Twice => f.write_str("a piece has come before"),
            Gap::TooMany => f.write_str("too many holes between pieces"),
        }
    }
}

impl core::error::Error for Gap {}

impl<'m> Reassembly<'m> {
    /// Room for a whole of `size` octets at the start of `memory`.
    ///
    /// # Errors
    /// [`Gap::TooLarge`].
    pub fn new(memory: &'m mut [u8], size: u64) -> Result<Reassembly<'m>, Gap> {
        let len = memory.len();
        let memory = usize::try_from(size)
            .ok()
            .and_then(|size| memory.get_mut(..size))
            .ok_or(Gap::TooLarge { size, memory: len })?;
        Ok(Reassembly { memory, ranges: [(0, 0); MAX_RANGES], count: 0 })
    }

    /// A piece that begins at `offset`.
    ///
    /// # Errors
    /// Any [`Gap`] but [`Gap::TooLarge`]; nothing has changed then.
    pub fn insert(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Gap> {
        let start = usize::try_from(offset).map_err(|_| Gap::Outside)?;
        let end = start.checked_add(bytes.len()).ok_or(Gap::Outside)?;
        if end > self.memory.len() {
            return Err(Gap::Outside);
        }
        if bytes.is_empty() {
            return Ok(());
        }
        self.note(start, end)?;
        if let Some(place) = self.memory.get_mut(start..end) {
            place.copy_from_slice(bytes);
        }
        Ok(())
    }

    /// A piece behind all that has come.
    ///
    /// # Errors
    /// Any [`Gap`] but [`Gap::TooLarge`]; nothing has changed then.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Gap> {
        let end = self.seen().last().map_or(0, |(_, end)| *end);
        self.insert(end as u64, bytes)
    }

    /// The first hole, `None` if there is none.
    pub fn missing(&self) -> Option<Range<u64>> {
        let len = self.memory.len();
        let (start, end) = match self.seen() {
            [] => (0, len),
            [(0, first)] => (*first, len),
            [(0, first), (second, _), ..] => (*first, *second),
            [(first, _), ..] => (0, *first),
        };
        if start == end { None } else { Some(start as u64..end as u64) }
    }

    /// The whole, once it is.
    pub fn finished(&self) -> Option<&[u8]> {
        if self.missing().is_none() { Some(self.memory) } else { None }
    }

    fn seen(&self) -> &[(usize, usize)] {
        self.ranges.get(..self.count).unwrap_or_default()
    }

    /// Notes that `start..end` has come, joined to its neighbours.
    fn note(&mut self, mut start: usize, mut end: usize) -> Result<(), Gap> {
        let mut joined = [(0, 0); MAX_RANGES];
        let mut count = 0usize;
        let mut placed = false;
        let mut keep = |range: (usize, usize)| -> Result<(), Gap> {
            *joined.get_mut(count).ok_or(Gap::TooMany)? = range;
            count = count.saturating_add(1);
            Ok(())
        };
        for &(from, to) in self.ranges.get(..self.count).unwrap_or_default() {
            if from < end && start < to {
                return Err(Gap::Twice);
            }
            if to == start {
                start = from;
            } else if from == end {
                end = to;
            } else if to < start {
                keep((from, to))?;
            } else {
                if !placed {
                    keep((start, end))?;
                    placed = true;
                }
                keep((from, to))?;
            }
        }
        if !placed {
            keep((start, end))?;
        }
        (self.ranges, self.count) = (joined, count);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::testing::roll;

    #[test]
    fn pieces_in_any_order_make_the_whole() {
        let whole: Vec<u8> = (0..200).collect();
        for seed in 0..200 {
            let mut seed = seed;
            let mut pieces = Vec::new();
            let mut at = 0;
            while at < whole.len() {
                let len = (1 + roll(&mut seed, 40)).min(whole.len() - at);
                pieces.push((at, len));
                at += len;
            }
            let mut memory = [0; 256];
            let mut reassembly = Reassembly::new(&mut memory, 200).unwrap();
            while !pieces.is_empty() {
                // Near the front, so that the holes stay few.
                let (start, len) = pieces.remove(roll(&mut seed, pieces.len().min(6)));
                assert!(reassembly.finished().is_none());
                let missing = reassembly.missing().unwrap();
                assert!(missing.start <= start as u64 || missing.end <= start as u64);
                reassembly.insert(start as u64, &whole[start..start + len]).unwrap();
                assert_eq!(reassembly.insert(start as u64, &whole[start..start + len]), Err(Gap::Twice));
            }
            assert_eq!(reassembly.missing(), None);
            assert_eq!(reassembly.finished(), Some(&whole[..]));
        }
    }

    /// B8.
    #[test]
    fn holes_are_bounded_and_a_refusal_changes_nothing() {
        let mut memory = [0; 100];
        let mut reassembly = Reassembly::new(&mut memory, 100).unwrap();
        for i in 0..MAX_RANGES as u64 {
            reassembly.insert(1 + 4 * i, b"x").unwrap();
        }
        assert_eq!(reassembly.insert(90, b"x"), Err(Gap::TooMany));
        assert_eq!(reassembly.missing(), Some(0..1));
        reassembly.insert(2, b"abc").expect("it closes a hole");
        reassembly.insert(90, b"x").expect("so there is one less");
        reassembly.insert(0, b"y").unwrap();
        assert_eq!(reassembly.missing(), Some(6..9));
    }

    #[test]
    fn a_piece_that_overlaps_another_is_refused() {
        let mut memory = [0; 10];
        let mut reassembly = Reassembly::new(&mut memory, 10).unwrap();
        reassembly.insert(4, b"xyz").unwrap();
        for (offset, bytes) in [(3, &b"12"[..]), (3, b"12345"), (4, b"1"), (5, b"1"), (6, b"12"), (4, b"123")] {
            assert_eq!(reassembly.insert(offset, bytes), Err(Gap::Twice), "{offset}, {} octets", bytes.len());
        }
        reassembly.insert(3, b"1").unwrap();
        reassembly.insert(7, b"1").unwrap();
        assert_eq!(reassembly.missing(), Some(0..3));
    }

    #[test]
    fn what_is_pushed_goes_behind_all_that_has_come() {
        let mut memory = [0; 10];
        let mut reassembly = Reassembly::new(&mut memory, 10).unwrap();
        reassembly.insert(1, b"1").unwrap();
        reassembly.insert(4, b"45").unwrap();
        reassembly.push(b"6789").unwrap();
        reassembly.insert(0, b"0").unwrap();
        assert_eq!(reassembly.missing(), Some(2..4));
        reassembly.insert(2, b"23").unwrap();
        assert_eq!(reassembly.finished(), Some(&b"0123456789"[..]));
    }

    #[test]
    fn what_lies_outside_is_refused() {
        assert_eq!(Reassembly::new(&mut [0; 9], 10).map(|_| ()), Err(Gap::TooLarge { size: 10, memory: 9 }));
        assert!(matches!(Reassembly::new(&mut [0; 9], u64::MAX), Err(Gap::TooLarge { .. })));
        let mut memory = [0; 10];
        let mut reassembly = Reassembly::new(&mut memory, 4).unwrap();
        for (offset, bytes) in [(4, &b"x"[..]), (0, b"12345"), (u64::MAX, b"x"), (3, b"xy")] {
            assert_eq!(reassembly.insert(offset, bytes), Err(Gap::Outside));
        }
        reassembly.push(b"12").unwrap();
        reassembly.push(b"34").unwrap();
        assert_eq!(reassembly.push(b"5"), Err(Gap::Outside));
        assert_eq!(reassembly.finished(), Some(&b"1234"[..]));
        assert_eq!(Reassembly::new(&mut [], 0).unwrap().finished(), Some(&b""[..]));
    }
}
