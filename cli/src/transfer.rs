//! What is told of a file that went over the line.

use std::fmt;
use std::time::Duration;

use indicatif::HumanBytes;
use serde::Serialize;

use crate::output::{micros, rate};

/// A file that went over the line, and is verified.
#[derive(Serialize)]
pub(crate) struct Transfer {
    octets: u64,
    /// Where it began: octets in front of that were there before. Left out where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    continued_at: Option<u64>,
    #[serde(rename = "micros", serialize_with = "micros")]
    time: Duration,
}

impl Transfer {
    /// Of a file with so many octets, of which so many travelled, if that is known.
    pub(crate) fn new(octets: u64, travelled: Option<u64>, time: Duration) -> Transfer {
        let continued_at = travelled.map(|travelled| octets.saturating_sub(travelled));
        Transfer { octets, continued_at, time }
    }

    pub(crate) fn octets(&self) -> u64 {
        self.octets
    }
}

impl fmt::Display for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        HumanBytes(self.octets).fmt(f)?;
        if let Some(at) = self.continued_at {
            if at > 0 {
                write!(f, ", continued at octet {at}")?;
            }
            if let Some(rate) = rate(self.octets - at, self.time) {
                write!(f, ", {rate}")?;
            }
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
        for (octets, travelled, expected) in [
            (4 * MIB, Some(4 * MIB), "4.00 MiB, 2.00 MiB/s, verified"),
            (4 * MIB, Some(2 * MIB), "4.00 MiB, continued at octet 2097152, 1.00 MiB/s, verified"),
            (4 * MIB, Some(0), "4.00 MiB, continued at octet 4194304, verified"),
            (4 * MIB, None, "4.00 MiB, verified"),
            (9, Some(9), "9 B, verified"),
            (0, Some(0), "0 B, verified"),
        ] {
            assert_eq!(Transfer::new(octets, travelled, Duration::from_secs(2)).to_string(), expected);
        }
    }
}
