//! What the line runs on: memory, and what seals it if the feature `sealed` is on.

use ropeway_core::{Config, Connection, Flow, Lane, Memory, Storage};

use crate::hardware::now;

const MEMORY: Memory<[Lane; 1], [Flow; 1], [u8; 256]> = Memory::EMPTY;

/// The board has no source of entropy. A client whose line is plain needs none.
#[cfg(not(feature = "sealed"))]
pub(crate) fn open() -> Connection<impl Storage> {
    Connection::client(now(), Config::SMALL, [0; 32], MEMORY)
}

/// By the one suite that there is, and a secret that the peer has, too: Noise NNpsk0.
///
/// The board has no source of entropy. A device that is more than a test must have one, or who knows the secret finds out the
/// keys of lines that are over.
// What it is put together from does not stay on the stack.
#[cfg(feature = "sealed")]
#[inline(never)]
pub(crate) fn open() -> Connection<impl Storage> {
    use ropeway_core::seal::{Anyone, ChaCha20Poly1305, Identity, Pattern, Psk, Sealer};

    /// What the test has as well.
    const PSK: [u8; 32] = [0x5e; 32];

    let identity = Identity { pattern: Pattern::Nn, key: None, psk: Some(Psk::new(PSK)), trust: Anyone };
    match Sealer::client(ChaCha20Poly1305, identity) {
        Ok(sealer) => Connection::client(now(), Config::SMALL, [0; 32], MEMORY.sealed_by(sealer)),
        Err(_) => unreachable!("a client of this pattern needs no key"),
    }
}
