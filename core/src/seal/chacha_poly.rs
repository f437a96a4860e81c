//! ChaCha20-Poly1305.

use chacha20poly1305::aead;

super::aead::suite! {
    /// ChaCha20 with Poly1305, of RFC 8439: fast, small, and even in time, where the processor does not know AES.
    ChaCha20Poly1305, ChaCha20Poly1305Cipher, "ChaCha20-Poly1305", chacha20poly1305::ChaCha20Poly1305,
    published by ChaCha20Poly1305
}
