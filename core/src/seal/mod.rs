//! Sealing: keys are agreed on, and everything a direction says is encrypted and authenticated.
//!
//! A [`Sealer`] is handed over with the memory of a connection, and does the rest: it offers its suites in the hello, agrees on
//! keys by the Noise framework, seals runs of frames as records, and changes keys in good time. What is promised, against
//! whom, and what is not, is in the project's `docs/SECURITY.md`; the octets are in `docs/PROTOCOL.md`.
//!
//! - **Who is who.** An [`Identity`] has a [`Pattern`]: who proves to whom who it is. [`Trust`] says whose keys are good.
//! - **How.** A [`Suite`] of this crate, each a feature, or one of yours; several are a list in order of preference.
//! - **What.** A [`Policy`] says what must be sealed, each direction for itself. Unless told, everything must.
//!
//! A sealed line needs more room: input of the largest frame that it takes and [`SEALED_BY`](crate::SEALED_BY) more, output of
//! the [`largest`](crate::Connection::largest) that it sends and as much more.
//!
//! ```
//! # #[cfg(feature = "chacha20-poly1305")]
//! # fn main() {
//! use ropeway_core::seal::{Anyone, ChaCha20Poly1305, Identity, Pattern, Sealer, SecretKey};
//! use ropeway_core::{Config, Connection, Flow, Instant, Lane, Memory};
//!
//! const MEMORY: Memory<[Lane; 2], [Flow; 1], [u8; 512]> = Memory::EMPTY;
//!
//! // The server is known by its key, which its clients have been told.
//! let key = SecretKey::new([7; 32]);
//! let trust = key.public();
//! let client = Identity { pattern: Pattern::Nx, key: None, psk: None, trust };
//! let server = Identity { pattern: Pattern::Nx, key: Some(key), psk: None, trust: Anyone };
//! let client = MEMORY.sealed_by(Sealer::client(ChaCha20Poly1305, client).unwrap());
//! let server = MEMORY.sealed_by(Sealer::server(ChaCha20Poly1305, server).unwrap());
//!
//! let now = Instant::ZERO;
//! let mut client = Connection::client(now, Config::SMALL, [1; 32], client);
//! let mut server = Connection::server(now, Config::SMALL, [2; 32], server);
//! let mut wire = [0; 512];
//! for _ in 0..3 {
//!     let len = client.poll_transmit(now, &mut wire);
//!     server.handle_input(now, &mut wire[..len]).unwrap();
//!     let len = server.poll_transmit(now, &mut wire);
//!     client.handle_input(now, &mut wire[..len]).unwrap();
//! }
//! assert!(client.is_ready() && server.is_ready());
//! assert_eq!(client.sealer().suite(), Some("ChaCha20-Poly1305"));
//! assert_eq!(client.sealer().binding(), server.sealer().binding());
//! # }
//! # #[cfg(not(feature = "chacha20-poly1305"))]
//! # fn main() {}
//! ```

#[cfg(any(feature = "aes-256-gcm", feature = "chacha20-poly1305"))]
mod aead;
#[cfg(feature = "aes-256-gcm")]
mod aes_gcm;
#[cfg(feature = "aes-256-cbc-hmac-sha-512")]
mod cbc_hmac;
#[cfg(feature = "chacha20-poly1305")]
mod chacha_poly;
#[cfg(all(test, feature = "chacha20-poly1305"))]
mod exchange;
mod fresh;
mod handshake;
mod identity;
mod keys;
mod offer;
mod policy;
mod primitives;
mod schedule;
mod sealer;
mod suite;
#[cfg(all(test, any(feature = "aes-256-gcm", feature = "chacha20-poly1305", feature = "aes-256-cbc-hmac-sha-512")))]
mod testing;
#[cfg(all(test, any(feature = "aes-256-gcm", feature = "chacha20-poly1305", feature = "aes-256-cbc-hmac-sha-512")))]
mod timing;
mod trust;
mod way;

#[cfg(feature = "aes-256-gcm")]
pub use aes_gcm::{Aes256Gcm, Aes256GcmCipher};
#[cfg(feature = "aes-256-cbc-hmac-sha-512")]
pub use cbc_hmac::{Aes256CbcHmacSha512, Aes256CbcHmacSha512Cipher};
#[cfg(feature = "chacha20-poly1305")]
pub use chacha_poly::{ChaCha20Poly1305, ChaCha20Poly1305Cipher};
pub use handshake::Pattern;
pub use identity::{Identity, NoKey};
pub use keys::{BadKey, Psk, PublicKey, SecretKey};
pub use policy::{Policy, Rule};
pub use sealer::Sealer;
pub use suite::{Cipher, Either, KEYS, MAX_OVERHEAD, MAX_SUITE_NAME, Suite, Suites};
pub use trust::{Anyone, Trust};
pub use way::RekeyAfter;
