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
