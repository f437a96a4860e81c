//! How fast suites seal and open on this machine, beside what that of CBC and HMAC is made of; and how large their ciphers are.
//!
//! ```sh
//! cargo run --release -p ropeway-core --all-features --example suites
//! ```
//!
//! In GB a second, of one core, the best of some turns.

use std::time::{Duration, Instant};

use aes::Aes256;
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use hmac::{Hmac, KeyInit, Mac};
use ropeway_core::seal::{Aes256CbcHmacSha512, Aes256Gcm, ChaCha20Poly1305, Cipher, MAX_OVERHEAD, Suite};
use sha2::Sha512;

const SIZES: [usize; 3] = [64, 16 << 10, 64 << 10];

fn main() {
    println!("{:32}{:>16}{:>16}{:>16}{:>16}", "GB/s", "64 B", "16 KiB", "64 KiB", "octets in RAM");
    suite(&Aes256Gcm);
    suite(&ChaCha20Poly1305);
    suite(&Aes256CbcHmacSha512);
    primitives();
}

fn suite<S: Suite>(suite: &S) {
    let mut cipher = suite.cipher(&[[1; 32], [2; 32], [3; 32]]);
    let (mut seal, mut open) = (Vec::new(), Vec::new());
    for size in SIZES {
        let times = best(size, |records| {
            let start = Instant::now();
            for (number, record) in records.iter_mut().enumerate() {
                let len = cipher.seal(number as u64, b"head", record, size);
                record.truncate(len.expect("there is room"));
            }
            let sealed = start.elapsed();
            let start = Instant::now();
            for (number, record) in records.iter_mut().enumerate() {
                assert_eq!(cipher.open(number as u64, b"head", record), Some(size));
            }
            [sealed, start.elapsed()]
        });
        seal.push(times[0]);
        open.push(times[1]);
    }
    row(&format!("{} seal", suite.name()), &seal, Some(size_of::<S::Cipher>()));
    row(&format!("{} open", suite.name()), &open, None);
}

/// AES-256-CBC and HMAC-SHA-512 on their own, and one after the other as a suite can be at best.
fn primitives() {
    let hmac = <Hmac<Sha512> as KeyInit>::new_from_slice(&[1; 32]).expect("HMAC takes any key");
    let (key, iv) = ([2; 32], [3; 16]);
    let mut speeds = [const { Vec::new() }; 3];
    for size in SIZES {
        let times = best(size, |records| {
            let start = Instant::now();
            for record in records.iter_mut() {
                let encryptor = cbc::Encryptor::<Aes256>::new(&key.into(), &iv.into());
                encryptor.encrypt_padded::<NoPadding>(record, size).expect("whole blocks");
            }
            let encrypted = start.elapsed();
            let start = Instant::now();
            for record in records.iter_mut() {
                let decryptor = cbc::Decryptor::<Aes256>::new(&key.into(), &iv.into());
                decryptor.decrypt_padded::<NoPadding>(&mut record[..size]).expect("whole blocks");
            }
            let decrypted = start.elapsed();
            let start = Instant::now();
            for record in records.iter_mut() {
                std::hint::black_box(hmac.clone().chain_update(&record[..size]).finalize());
            }
            [encrypted, decrypted, start.elapsed()]
        });
        speeds.iter_mut().zip(times).for_each(|(speeds, speed)| speeds.push(speed));
    }
    let [encrypt, decrypt, mac] = speeds;
    let both = |cipher: &[f64]| -> Vec<f64> { cipher.iter().zip(&mac).map(|(a, b)| a * b / (a + b)).collect() };
    row("AES-256-CBC encrypt", &encrypt, None);
    row("AES-256-CBC decrypt", &decrypt, None);
    row("HMAC-SHA-512", &mac, None);
    row("CBC encrypt and HMAC", &both(&encrypt), None);
    row("CBC decrypt and HMAC", &both(&decrypt), None);
}

/// The best speed of each part of `turn`, over records that fit a second-level cache together.
fn best<const PARTS: usize>(size: usize, mut turn: impl FnMut(&mut [Vec<u8>]) -> [Duration; PARTS]) -> [f64; PARTS] {
    let count = ((128 << 10) / size).max(1);
    let mut best = [0.0; PARTS];
    let end = Instant::now() + Duration::from_millis(500);
    let mut records = vec![Vec::new(); count];
    while Instant::now() < end {
        records.iter_mut().for_each(|record| record.resize(size + MAX_OVERHEAD, 7));
        for (best, time) in best.iter_mut().zip(turn(&mut records)) {
            *best = f64::max(*best, (count * size) as f64 / time.as_nanos() as f64);
        }
    }
    best
}

fn row(name: &str, speeds: &[f64], octets: Option<usize>) {
    let octets = octets.map(|octets| octets.to_string()).unwrap_or_default();
    println!("{name:32}{:>16.3}{:>16.3}{:>16.3}{octets:>16}", speeds[0], speeds[1], speeds[2]);
}
