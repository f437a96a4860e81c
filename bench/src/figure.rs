//! A measured number with its unit.

use std::fmt;
use std::time::Duration;

/// The units there are.
const UNITS: [&str; 6] = ["M/s", "GB/s", "/s", "us", "ns", "KiB"];

/// One measured number, or the median of several rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Figure {
    pub(crate) value: f64,
    /// Of `value` and `p99`.
    pub(crate) unit: &'static str,
    /// For times: what 99 of 100 stay within.
    pub(crate) p99: Option<f64>,
}

impl Figure {
    pub(crate) fn new(value: f64, unit: &'static str) -> Self {
        let p99 = None;
        Self { value, unit, p99 }
    }

    /// `count` of something in `elapsed`, in millions a second.
    pub(crate) fn rate(count: u64, elapsed: Duration) -> Self {
        Self::new(count as f64 / elapsed.as_secs_f64() / 1e6, "M/s")
    }

    /// `bytes` in `elapsed`, in 10^9 a second.
    pub(crate) fn throughput(bytes: u64, elapsed: Duration) -> Self {
        Self::new(bytes as f64 / elapsed.as_secs_f64() / 1e9, "GB/s")
    }

    /// The median and the p99 of `times`, in microseconds.
    pub(crate) fn latency(times: &[Duration]) -> Self {
        let micros: Vec<f64> = times.iter().map(|it| it.as_secs_f64() * 1e6).collect();
        let p99 = Some(quantile(micros.clone(), 0.99));
        Self { p99, ..Self::new(quantile(micros, 0.5), "us") }
    }

    /// Whether more is better.
    pub(crate) fn is_rate(&self) -> bool {
        matches!(self.unit, "M/s" | "GB/s" | "/s")
    }

    /// How one process tells it to another.
    pub(crate) fn told(&self) -> String {
        let p99 = self.p99.map(|p99| format!(" {p99}")).unwrap_or_default();
        format!("{} {}{p99}", self.unit, self.value)
    }

    /// What was told, if it was a figure.
    pub(crate) fn heard(told: &str) -> Option<Self> {
        let mut words = told.split_whitespace();
        let unit = words.next()?;
        let unit = UNITS.into_iter().find(|known| *known == unit)?;
        let value = words.next()?.parse().ok()?;
        let p99 = words.next().map(str::parse).transpose().ok()?;
        Some(Self { value, unit, p99 })
    }

    /// The medians of several rounds, or `None` of none.
    pub(crate) fn median(rounds: &[Self]) -> Option<Self> {
        let values = rounds.iter().map(|it| it.value).collect();
        let p99s: Vec<f64> = rounds.iter().filter_map(|it| it.p99).collect();
        let p99 = (!p99s.is_empty()).then(|| quantile(p99s, 0.5));
        Some(Self { p99, ..Self::new(quantile(values, 0.5), rounds.first()?.unit) })
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let p99 = self.p99.map(|p99| format!(" / {}", short(p99)));
        f.pad(&(short(self.value) + &p99.unwrap_or_default()))
    }
}

/// Three digits that mean something.
pub(crate) fn short(value: f64) -> String {
    let decimals = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.decimals$}")
}

/// The value that this part of `values` lies below; not a number if there are none.
fn quantile(mut values: Vec<f64>, part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() as f64 * part) as usize;
    values.get(at).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
#[test]
fn a_latency_tells_the_usual_from_the_slow() {
    let mut times = [Duration::from_micros(10); 100];
    times[0] = Duration::from_micros(900);
    times[50] = Duration::from_micros(700);
    assert_eq!(Figure::latency(&times).to_string(), "10.0 / 900");
}

#[cfg(test)]
#[test]
fn what_is_told_is_heard() {
    for figure in [Figure::new(1.0 / 3.0, "GB/s"), Figure { p99: Some(7.25), ..Figure::new(0.5, "us") }] {
        assert_eq!(Figure::heard(&figure.told()), Some(figure));
    }
    for nonsense in ["", "us", "miles 3", "us 3 four"] {
        assert_eq!(Figure::heard(nonsense), None);
    }
}
