//! Random numbers that are the same again from the same seed.

/// A xorshift generator: good enough to vary weather, for nothing else.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice whose throws depend on nothing but `seed`.
    pub fn new(seed: u64) -> Self {
        // Spread by the golden ratio, so that seeds that are neighbours part at once; 0 would stay 0.
        Self((seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `sides`, which is at least 1.
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        // The upper half is the more random one.
        (self.0 >> 32) as usize % sides
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_from_its_seed_only() {
        let throws = |seed| {
            let mut dice = Dice::new(seed);
            (0..32).map(|_| dice.roll(1000)).collect::<Vec<_>>()
        };
        for seed in 0..100 {
            assert_eq!(throws(seed), throws(seed));
            assert_ne!(throws(seed), throws(seed + 1), "seed {seed}");
        }
    }

    #[test]
    fn shows_every_side_and_no_other() {
        for seed in [0, 1, 0x9e37_79b9_7f4a_7c15, u64::MAX] {
            let mut dice = Dice::new(seed);
            let mut seen = [0; 6];
            (0..600).for_each(|_| seen[dice.roll(6)] += 1);
            assert!(seen.iter().all(|&times| times > 50), "seed {seed}: {seen:?}");
        }
    }
}
