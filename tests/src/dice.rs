//! Choices: drawn from bytes, so that a failing case shrinks, or from a seed.

/// A stream of choices. When its bytes are used up, every choice is the first.
#[derive(Clone, Debug)]
pub struct Dice<'a> {
    bytes: &'a [u8],
    seed: Option<u64>,
}

impl<'a> Dice<'a> {
    /// Choices drawn from bytes.
    pub fn bytes(bytes: &'a [u8]) -> Dice<'a> {
        Dice { bytes, seed: None }
    }

    /// Choices without end.
    pub fn seed(seed: u64) -> Dice<'static> {
        Dice { bytes: &[], seed: Some(seed ^ 0x9e37_79b9_7f4a_7c15) }
    }

    /// A number below `count`.
    pub fn below(&mut self, count: u64) -> u64 {
        if count < 2 { 0 } else { self.next(count) % count }
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    /// True once in `odds`.
    pub fn once_in(&mut self, odds: u64) -> bool {
        self.below(odds) == odds - 1
    }

    /// Whether there are bytes left to draw from.
    pub fn has_more(&self) -> bool {
        self.seed.is_some() || !self.bytes.is_empty()
    }

    fn next(&mut self, count: u64) -> u64 {
        if let Some(seed) = &mut self.seed {
            // splitmix64
            *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = *seed;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            return z ^ (z >> 31);
        }
        let wide = if count > 256 { 2 } else { 1 };
        let (drawn, rest) = self.bytes.split_at(wide.min(self.bytes.len()));
        self.bytes = rest;
        drawn.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }
}
