//! Whether the time that a refusal takes tells why: a statistic for eyes, since machines that others share would fail it at times.
//!
//! ```sh
//! cargo test --release -p ropeway-core --all-features timing -- --ignored --nocapture --test-threads 1
//! ```
//!
//! Two kinds of record are refused in an order that is drawn, and their times compared by Welch's t, without the slowest tenth.
//! Beyond 4.5 either way, and the further the more rounds, there is a difference; what is there by chance comes and goes.

use std::time::Instant;
use std::vec::Vec;

use super::suite::{Cipher, Suite};
use crate::testing::roll;

const ROUNDS: usize = 400_000;

/// Prints Welch's t of the times in which `open` refuses the first kind of record, and the second.
pub(super) fn compare(what: &str, kinds: [&[u8]; 2], mut open: impl FnMut(&mut [u8]) -> Option<usize>) {
    let mut seed = 1;
    let mut times = [Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS)];
    let mut record = kinds[0].to_vec();
    for _ in 0..ROUNDS {
        let kind = roll(&mut seed, 2);
        record.copy_from_slice(kinds[kind]);
        let start = Instant::now();
        let opened = std::hint::black_box(open(std::hint::black_box(&mut record)));
        let time = start.elapsed().as_nanos() as f64;
        assert_eq!(opened, None, "{what}");
        times[kind].push(time);
    }
    let mut all = times.concat();
    all.sort_by(f64::total_cmp);
    let most = all[all.len() * 9 / 10];
    let [one, other] = times.map(|times| {
        let times: Vec<f64> = times.into_iter().filter(|&time| time <= most).collect();
        let count = times.len() as f64;
        let mean = times.iter().sum::<f64>() / count;
        (mean, times.iter().map(|time| (time - mean) * (time - mean)).sum::<f64>() / (count - 1.0) / count)
    });
    let t = (one.0 - other.0) / (one.1 + other.1).sqrt();
    std::println!("{what}: {:.1} ns and {:.1} ns, t = {t:.2}", one.0, other.0);
}

/// Tags that are wrong in their first octet, and in their last.
pub(super) fn tags(suite: &impl Suite, tag: usize) {
    let mut cipher = suite.cipher(&[[1; 32], [2; 32], [3; 32]]);
    let mut record = [7; 128];
    let len = cipher.seal(1, b"head", &mut record, 64).unwrap();
    let [mut first, mut last] = [record[..len].to_vec(), record[..len].to_vec()];
    first[len - tag] ^= 0x80;
    last[len - 1] ^= 0x80;
    compare(suite.name(), [&first, &last], |record| cipher.open(1, b"head", record));
}
