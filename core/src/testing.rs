//! What tests inside this crate share.

#[cfg(feature = "seal")]
use std::vec::Vec;

/// A number below `count` that follows from the seed, which moves on.
pub(crate) fn roll(seed: &mut u64, count: usize) -> usize {
    *seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
    (*seed >> 33) as usize % count
}

/// The octets of hex digits.
#[cfg(feature = "seal")]
pub(crate) fn of_hex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
