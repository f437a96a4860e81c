//! What is told of a file that went over the line.

use std::fmt;
use std::time::Duration;

use indicatif::HumanBytes;
use ropeway_tokio::Progress;
use serde::Serialize;

use crate::output::{micros, rate};

/// A file that went over the line, and is verified.
#[derive(Serialize)]
pub(crate) struct Transfer {
    octets: u64,
    /// Where it began: octets in front of that were there before.
    continued_at: u64,
    #[serde(rename = "micros", serialize_with = "micros")]
    time: Duration,
    /// One that is not is a failure, and never told as a result.
    verified: bool,
}

impl Transfer {
    /// Of a file that is so far.
    pub(crate) fn new(progress: Progress, time: Duration) -> Transfer {
        Transfer { octets: progress.done, continued_at: progress.start, time, verified: true }
    }

    pub(crate) fn octets(&self) -> u64 {
        self.octets
    }
}

impl fmt::Display for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        HumanBytes(self.octets).fmt(f)?;
        if self.continued_at > 0 {
            write!(f, ", continued at octet {}", self.continued_at)?;
        }
        if let Some(rate) = rate(self.octets.saturating_sub(self.continued_at), self.time) {
            write!(f, ", {rate}")?;
        }
        f.write_str(", verified")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn counts_what_travelled_alone() {
        for (octets, continued_at, expected) in [
            (4 * MIB, 0, "4.00 MiB, 2.00 MiB/s, verified"),
            (4 * MIB, 2 * MIB, "4.00 MiB, continued at octet 2097152, 1.00 MiB/s, verified"),
            (4 * MIB, 4 * MIB, "4.00 MiB, continued at octet 4194304, verified"),
            (9, 0, "9 B, verified"),
            (0, 0, "0 B, verified"),
        ] {
            let transfer = Transfer { octets, continued_at, time: Duration::from_secs(2), verified: true };
            assert_eq!(transfer.to_string(), expected);
        }
    }
}
