//! Who computes suites: what one of them seals any other opens, octet by octet. Ciphers alone; keys are agreed on by the core.

/// In plain Rust, by the crates of RustCrypto.
pub mod rust_crypto {
    pub use ropeway_core::seal::{Aes256CbcHmacSha512, Aes256Gcm, ChaCha20Poly1305};
}

/// Both crates have the same interface, of types of their own.
#[cfg(any(feature = "seal-ring", feature = "seal-aws-lc-rs"))]
macro_rules! provider {
    ($(#[$about:meta])* $provider:ident) => {
        $(#[$about])*
        pub mod $provider {
            use ::$provider::aead::{AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
            use ropeway_core::seal::{Cipher, KEYS, Suite};

            use super::{TAG, nonce, rust_crypto};

            /// AES-256-GCM.
            #[derive(Clone, Copy, Debug, Default)]
            pub struct Aes256Gcm;

            /// ChaCha20-Poly1305.
            #[derive(Clone, Copy, Debug, Default)]
            pub struct ChaCha20Poly1305;

            /// What seals, or opens, by either of them.
            #[derive(Debug)]
            pub struct Aead(LessSafeKey);

            impl Suite for Aes256Gcm {
                type Cipher = Aead;

                fn name(&self) -> &str {
                    rust_crypto::Aes256Gcm.name()
                }

                fn cipher(&self, keys: &[[u8; 32]; KEYS]) -> Aead {
                    Aead::new(&AES_256_GCM, keys)
                }
            }

            impl Suite for ChaCha20Poly1305 {
                type Cipher = Aead;

                fn name(&self) -> &str {
                    rust_crypto::ChaCha20Poly1305.name()
                }

                fn cipher(&self, keys: &[[u8; 32]; KEYS]) -> Aead {
                    Aead::new(&CHACHA20_POLY1305, keys)
                }
            }

            impl Aead {
                fn new(algorithm: &'static Algorithm, [key, ..]: &[[u8; 32]; KEYS]) -> Aead {
                    Aead(LessSafeKey::new(UnboundKey::new(algorithm, key).expect("both take 32 octets")))
                }
            }

            impl Cipher for Aead {
                fn overhead(&self) -> usize {
                    TAG
                }

                fn seal(&mut self, number: u64, head: &[u8], record: &mut [u8], len: usize) -> Option<usize> {
                    let (content, behind) = record.split_at_mut_checked(len)?;
                    let tag = behind.first_chunk_mut::<TAG>()?;
                    let nonce = Nonce::assume_unique_for_key(nonce(number));
                    let sealed = self.0.seal_in_place_separate_tag(nonce, Aad::from(head), content).ok()?;
                    *tag = sealed.as_ref().try_into().ok()?;
                    Some(len + TAG)
                }

                fn open(&mut self, number: u64, head: &[u8], record: &mut [u8]) -> Option<usize> {
                    let nonce = Nonce::assume_unique_for_key(nonce(number));
                    let opened = self.0.open_in_place(nonce, Aad::from(head), record).ok().map(|content| content.len());
                    if opened.is_none() {
                        // What was decrypted before the tag was known to be wrong is nobody's to read.
                        record.fill(0);
                    }
                    opened
                }
            }
        }
    };
}

#[cfg(feature = "seal-aws-lc-rs")]
provider! {
    /// By AWS-LC.
    aws_lc_rs
}

#[cfg(feature = "seal-ring")]
provider! {
    /// By ring, which does not wipe its keys when they are dropped.
    ring
}

// The first that there is: AWS-LC is the fastest, and wipes its keys.
#[cfg(feature = "seal-aws-lc-rs")]
pub(super) use self::aws_lc_rs as preferred;
#[cfg(all(feature = "seal-ring", not(feature = "seal-aws-lc-rs")))]
pub(super) use self::ring as preferred;
#[cfg(not(any(feature = "seal-ring", feature = "seal-aws-lc-rs")))]
pub(super) use self::rust_crypto as preferred;

/// Octets of a tag, which stands behind the content.
#[cfg(any(feature = "seal-ring", feature = "seal-aws-lc-rs"))]
const TAG: usize = 16;

/// The nonce of a record: its number, behind four octets that are zero.
#[cfg(any(feature = "seal-ring", feature = "seal-aws-lc-rs"))]
fn nonce(number: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&number.to_le_bytes());
    nonce
}

#[cfg(test)]
mod tests {
    use ropeway_core::seal::KEYS;

    use super::super::{AnySuite, Suites};
    use super::*;

    const HEAD: &[u8] = &[216];

    /// Each suite that more than one provider may have, by all that are there.
    fn suites() -> [Vec<(&'static str, Box<dyn AnySuite>)>; 2] {
        #[cfg_attr(
            not(any(feature = "seal-ring", feature = "seal-aws-lc-rs")),
            expect(unused_mut, reason = "none is added")
        )]
        let mut all: [Vec<(&str, Box<dyn AnySuite>)>; 2] = [
            vec![("rust_crypto", Box::new(rust_crypto::Aes256Gcm))],
            vec![("rust_crypto", Box::new(rust_crypto::ChaCha20Poly1305))],
        ];
        #[cfg(feature = "seal-ring")]
        {
            all[0].push(("ring", Box::new(ring::Aes256Gcm)));
            all[1].push(("ring", Box::new(ring::ChaCha20Poly1305)));
        }
        #[cfg(feature = "seal-aws-lc-rs")]
        {
            all[0].push(("aws_lc_rs", Box::new(aws_lc_rs::Aes256Gcm)));
            all[1].push(("aws_lc_rs", Box::new(aws_lc_rs::ChaCha20Poly1305)));
        }
        all
    }

    fn sealed(suite: &dyn AnySuite, keys: &[[u8; 32]; KEYS], number: u64, content: &[u8]) -> Vec<u8> {
        let mut cipher = suite.cipher(keys);
        let mut record = content.to_vec();
        record.resize(content.len() + cipher.overhead(), 0xee);
        let without_room = content.len() + cipher.overhead() - 1;
        assert_eq!(cipher.seal(number, HEAD, &mut record[..without_room], content.len()), None);
        assert_eq!(&record[..content.len()], content, "nothing is changed for want of room");
        assert_eq!(cipher.seal(number, HEAD, &mut record, content.len()), Some(record.len()));
        record
    }

    #[test]
    fn what_one_provider_seals_every_other_opens_and_nothing_else() {
        fn check(key: u64, number: u64, content: Vec<u8>, flipped: usize, cut: usize) {
            let mut keys = [[7; 32]; KEYS];
            keys[0][..8].copy_from_slice(&key.to_le_bytes());
            for suite in suites() {
                let records: Vec<_> =
                    suite.iter().map(|(_, suite)| sealed(&**suite, &keys, number, &content)).collect();
                for ((provider, by), other) in suite.iter().zip(&records) {
                    assert_eq!(by.name(), suite[0].1.name());
                    assert_eq!(other, &records[0], "{provider} seals otherwise");
                    let open = |number, head: &[u8], record: &[u8]| {
                        let mut record = record.to_vec();
                        let len = by.cipher(&keys).open(number, head, &mut record);
                        if len.is_none() {
                            assert!(record.iter().all(|octet| *octet == 0), "{provider}: what fails is wiped");
                        }
                        len.map(|len| record[..len].to_vec())
                    };
                    assert_eq!(open(number, HEAD, other), Some(content.clone()), "{provider}");
                    let mut forged = other.clone();
                    let at = flipped % forged.len();
                    forged[at] ^= 1 << (flipped % 8);
                    assert_eq!(open(number, HEAD, &forged), None, "{provider}: octet {at} was changed");
                    assert_eq!(open(number, HEAD, &other[..cut % other.len()]), None, "{provider}: cut");
                    assert_eq!(open(number.wrapping_add(1), HEAD, other), None, "{provider}: another number");
                    assert_eq!(open(number, &[217], other), None, "{provider}: another head");
                }
            }
        }
        check(1, 0, Vec::new(), 0, 15);
        check(1, u64::MAX, vec![1; 65_000], 64_999, 16);
        quickcheck::quickcheck(check as fn(u64, u64, Vec<u8>, usize, usize));
    }

    #[test]
    fn the_default_list_is_the_same_whoever_computes_it() {
        let names: Vec<_> = Suites::default().names().map(String::from).collect();
        assert_eq!(names, ["AES-256-GCM", "ChaCha20-Poly1305", "A256CBC-HS512"]);
    }
}
