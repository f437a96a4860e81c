//! The algorithms of key agreement, as the Noise framework wants them. They are always these, whatever seals the records.

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Nonce, Tag};
use noise_protocol::{Cipher, DH, Hash, U8Array};
use sha2::Digest;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::keys::{PublicKey, SecretKey};

/// Octets of a tag.
const TAG: usize = 16;

/// X25519 of RFC 7748, which refuses what does not come from both ends.
pub(super) enum X25519 {}

impl DH for X25519 {
    type Key = Secret;
    type Pubkey = [u8; 32];
    type Output = Secret;

    fn name() -> &'static str {
        "25519"
    }

    /// Dice are not thrown here: every key is handed in, and this one, that all can guess, is never asked for.
    fn genkey() -> Secret {
        Secret([0; 32])
    }

    fn pubkey(key: &Secret) -> [u8; 32] {
        SecretKey::new(key.0).public().0
    }

    fn dh(key: &Secret, peer: &[u8; 32]) -> Result<Secret, ()> {
        SecretKey::new(key.0).agree(&PublicKey(*peer)).map(|shared| Secret(*shared)).ok_or(())
    }
}

/// ChaCha20-Poly1305 of RFC 8439.
pub(super) enum ChaChaPoly {}

impl ChaChaPoly {
    fn seal(key: &Secret, number: u64, head: &[u8], text: &mut [u8], tag: &mut [u8]) {
        let sealed = ChaCha20Poly1305::new((&key.0).into()).encrypt_inout_detached(&nonce(number), head, text.into());
        match sealed {
            Ok(sealed) => tag.copy_from_slice(&sealed),
            // More than 256 GiB of text, which is on no line; and still nothing leaks.
            Err(_) => text.zeroize(),
        }
    }

    fn open(key: &Secret, number: u64, head: &[u8], text: &mut [u8], tag: &[u8]) -> Result<(), ()> {
        let tag = Tag::try_from(tag).map_err(|_| ())?;
        let opened =
            ChaCha20Poly1305::new((&key.0).into()).decrypt_inout_detached(&nonce(number), head, text.into(), &tag);
        opened.map_err(|_| text.zeroize())
    }
}

impl Cipher for ChaChaPoly {
    type Key = Secret;

    fn name() -> &'static str {
        "ChaChaPoly"
    }

    fn encrypt(key: &Secret, number: u64, head: &[u8], text: &[u8], out: &mut [u8]) {
        let (sealed, tag) = out.split_at_mut(text.len());
        sealed.copy_from_slice(text);
        Self::seal(key, number, head, sealed, tag);
    }

    fn encrypt_in_place(key: &Secret, number: u64, head: &[u8], text: &mut [u8], len: usize) -> usize {
        let (text, behind) = text.split_at_mut(len);
        let (tag, _) = behind.split_at_mut(TAG);
        Self::seal(key, number, head, text, tag);
        len.saturating_add(TAG)
    }

    fn decrypt(key: &Secret, number: u64, head: &[u8], sealed: &[u8], out: &mut [u8]) -> Result<(), ()> {
        let (text, tag) = sealed.split_last_chunk::<TAG>().ok_or(())?;
        out.copy_from_slice(text);
        Self::open(key, number, head, out, tag)
    }

    fn decrypt_in_place(key: &Secret, number: u64, head: &[u8], sealed: &mut [u8], len: usize) -> Result<usize, ()> {
        let (text, tag) = sealed.get_mut(..len).and_then(|sealed| sealed.split_last_chunk_mut::<TAG>()).ok_or(())?;
        Self::open(key, number, head, text, tag)?;
        Ok(text.len())
    }
}

/// As Noise has it: four octets of zero, and the number.
fn nonce(number: u64) -> Nonce {
    let [a, b, c, d, e, f, g, h] = number.to_le_bytes();
    [0, 0, 0, 0, a, b, c, d, e, f, g, h].into()
}

/// SHA-256.
#[derive(Default)]
pub(super) struct Sha256(sha2::Sha256);

impl Hash for Sha256 {
    type Block = Secret<64>;
    type Output = Secret;

    fn name() -> &'static str {
        "SHA256"
    }

    fn input(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn result(&mut self) -> Secret {
        let mut hash = Secret([0; 32]);
        core::mem::take(&mut self.0).finalize_into((&mut hash.0).into());
        hash
    }
}

/// Octets that are wiped when the framework drops them: it does not do that by itself.
#[derive(ZeroizeOnDrop)]
pub(super) struct Secret<const N: usize = 32>(pub(super) [u8; N]);

impl<const N: usize> U8Array for Secret<N> {
    fn new() -> Self {
        Secret([0; N])
    }

    fn new_with(octet: u8) -> Self {
        Secret([octet; N])
    }

    fn from_slice(octets: &[u8]) -> Self {
        let mut secret = Secret([0; N]);
        secret.0.copy_from_slice(octets);
        secret
    }

    fn len() -> usize {
        N
    }

    fn as_slice(&self) -> &[u8] {
        &self.0
    }

    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}
