//! What suites with a nonce of 96 bits and a tag of 128 share.

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
