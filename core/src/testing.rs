//! What tests inside this crate share.

/// A number below `count` that follows from the seed, which moves on.
pub(crate) fn roll(seed: &mut u64, count: usize) -> usize {
    *seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
    (*seed >> 33) as usize % count
}
