//! AES-256-GCM.

use aes_gcm::aead;

super::aead::suite! {
    /// AES in Galois/counter mode, with a key of 256 bits: the fastest where the processor knows AES.
    Aes256Gcm, Aes256GcmCipher, "AES-256-GCM", aes_gcm::Aes256Gcm, published by AesGcm
}
