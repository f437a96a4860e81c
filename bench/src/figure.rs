//! A measured number with its unit.

use std::fmt;
use std::time::Duration;

/// One measured number, or the median of several rounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figure {
    pub(crate) value: f64,
    /// Of `value` and `p99`.
    pub(crate) unit: &'static str,
    /// For times: what 99 of 100 stay within.
    pub(crate) p99: Option<f64>,
}

impl Figure {
    /// `count` of something in `elapsed`, in millions a second.
    pub(crate) fn rate(count: u64, elapsed: Duration) -> Self {
        Self {
            value: count as f64 / elapsed.as_secs_f64() / 1e6,
            unit: "M/s",
            p99: None,
        }
    }

    /// `bytes` in `elapsed`, in 10^9 a second.
    pub(crate) fn throughput(bytes: u64, elapsed: Duration) -> Self {
        Self {
            value: bytes as f64 / elapsed.as_secs_f64() / 1e9,
            unit: "GB/s",
            p99: None,
        }
    }

    /// Resident memory in KiB.
    pub(crate) fn memory(kib: f64) -> Self {
        Self {
            value: kib,
            unit: "KiB",
            p99: None,
        }
    }

    /// The median and the p99 of `times` in microseconds.
    pub(crate) fn latency(times: Vec<Duration>) -> Self {
        let mut micros: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e6).collect();
        micros.sort_by(f64::total_cmp);
        let p99 = micros.get(micros.len() * 99 / 100).copied();
        Self {
            value: median(micros),
            unit: "us",
            p99,
        }
    }

    /// The medians of several rounds, or `None` of none.
    pub(crate) fn median(rounds: &[Self]) -> Option<Self> {
        let unit = rounds.first()?.unit;
        let p99s: Vec<f64> = rounds.iter().filter_map(|round| round.p99).collect();
        let p99 = (!p99s.is_empty()).then(|| median(p99s));
        Some(Self {
            value: median(rounds.iter().map(|round| round.value).collect()),
            unit,
            p99,
        })
    }

    /// Whether more of it is better.
    pub(crate) fn is_rate(&self) -> bool {
        self.unit.ends_with("/s")
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let p99 = self
            .p99
            .map_or(String::new(), |p99| format!(" / {}", short(p99)));
        f.pad(&(short(self.value) + &p99))
    }
}

/// Three digits that mean something.
pub(crate) fn short(value: f64) -> String {
    let decimals = if value < 10.0 {
        2
    } else {
        usize::from(value < 100.0)
    };
    format!("{value:.decimals$}")
}

/// The middle of `values`, the upper one of two; not a number if there are none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
#[test]
fn a_latency_tells_the_usual_from_the_slow() {
    let mut times = vec![Duration::from_micros(10); 98];
    times.insert(0, Duration::from_micros(900));
    times.push(Duration::from_micros(700));
    assert_eq!(Figure::latency(times).to_string(), "10.0 / 900");
}
