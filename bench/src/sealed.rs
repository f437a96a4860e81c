//! How lines of a row are sealed, and how fast that is without any line.

use std::hint::black_box;
use std::io;
use std::sync::OnceLock;
use std::time::Instant;

use ropeway_driver::seal::{AnySuite, KEYS, Psk, PublicKey, Seal, SecretKey, Suites, aws_lc_rs, ring, rust_crypto};

use crate::figure::Figure;
use crate::side::BODY;

/// Octets of a record that the driver fills, and by which it grows.
const RECORD: usize = 64 * 1024;
const MORE: usize = 64;

/// A suite, computed by the same provider as TLS is where that has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Suite {
    Gcm,
    /// The same by another provider.
    GcmAwsLc,
    ChaCha,
    Cbc,
}

impl Suite {
    fn suite(self) -> Box<dyn AnySuite> {
        match self {
            Suite::Gcm => Box::new(ring::Aes256Gcm),
            Suite::GcmAwsLc => Box::new(aws_lc_rs::Aes256Gcm),
            Suite::ChaCha => Box::new(ring::ChaCha20Poly1305),
            Suite::Cbc => Box::new(rust_crypto::Aes256CbcHmacSha512),
        }
    }

    fn list(self) -> Suites {
        match self {
            Suite::Gcm => Suites::none().and(ring::Aes256Gcm),
            Suite::GcmAwsLc => Suites::none().and(aws_lc_rs::Aes256Gcm),
            Suite::ChaCha => Suites::none().and(ring::ChaCha20Poly1305),
            Suite::Cbc => Suites::none().and(rust_crypto::Aes256CbcHmacSha512),
        }
    }

    /// What a line can't be faster than: one core seals so many octets, in memory.
    pub(crate) fn alone(self, octets: u64) -> io::Result<Figure> {
        let mut cipher = self.suite().cipher(&[[7; 32]; KEYS]);
        let mut record = vec![BODY[0]; RECORD + MORE];
        let records = octets.div_ceil(RECORD as u64);
        let start = Instant::now();
        for number in 0..records {
            black_box(cipher.seal(number, b"h", black_box(&mut record), RECORD).ok_or(io::ErrorKind::InvalidInput)?);
        }
        Ok(Figure::throughput(records * RECORD as u64, start.elapsed()))
    }
}

/// Who proves to whom who it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pattern {
    Nn,
    NnPsk,
    Nx,
    Xx,
}

/// What the two ends of a line have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Seals {
    pub(crate) pattern: Pattern,
    pub(crate) suite: Suite,
}

impl Seals {
    pub(crate) fn client(self) -> Seal {
        let seal = match self.pattern {
            Pattern::Nn => Seal::anonymous(),
            Pattern::NnPsk => Seal::anonymous().psk(secret()),
            Pattern::Nx => Seal::trusting(server_key()),
            Pattern::Xx => Seal::with_key(key(1)).trust(server_key()),
        };
        seal.suites(self.suite.list())
    }

    pub(crate) fn server(self) -> Seal {
        let seal = match self.pattern {
            Pattern::Nn => Seal::anonymous(),
            Pattern::NnPsk => Seal::anonymous().psk(secret()),
            Pattern::Nx => Seal::with_key(key(2)),
            Pattern::Xx => Seal::with_key(key(2)).trust(key(1).public()),
        };
        seal.suites(self.suite.list())
    }
}

/// Computed once: it is no part of a handshake.
fn server_key() -> PublicKey {
    static KEY: OnceLock<PublicKey> = OnceLock::new();
    *KEY.get_or_init(|| key(2).public())
}

fn key(octet: u8) -> SecretKey {
    SecretKey::new([octet; 32])
}

fn secret() -> Psk {
    Psk::new([3; 32])
}
