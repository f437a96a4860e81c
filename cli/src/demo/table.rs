//! What the demo shows when all is done.

use std::fmt;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount};
use ropeway_tokio::{Ended, Stats};
use serde::Serialize;

use crate::exit::{Exit, Failed};
use crate::output::{Output, micros, per_second, rate};

/// One kind of exchange, and how it went.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) what: String,
    pub(super) count: u64,
    /// Of content; what came of a transfer, or what the line carried for messages.
    pub(super) octets: u64,
    #[serde(rename = "micros", serialize_with = "micros")]
    pub(super) time: Duration,
    #[serde(skip)]
    pub(super) bulk: bool,
    pub(super) verified: bool,
}

/// A clock for a row.
pub(super) struct Measure {
    what: String,
    began: Instant,
}

impl Measure {
    pub(super) fn start(what: impl Into<String>) -> Measure {
        Measure { what: what.into(), began: Instant::now() }
    }

    /// Many small exchanges.
    pub(super) fn messages(self, count: u64, octets: u64, verified: bool) -> Row {
        let time = self.began.elapsed();
        Row { what: self.what, count, octets, time, bulk: false, verified }
    }

    /// A few large ones.
    pub(super) fn bulk(self, count: u64, octets: u64, verified: bool) -> Row {
        Row { bulk: true, ..self.messages(count, octets, verified) }
    }
}

/// Rows as they come: shown to machines at once, to people in a table at the end.
pub(super) struct Table<'o> {
    pub(super) out: &'o Output,
    began: Instant,
    rows: Vec<Row>,
}

impl Table<'_> {
    pub(super) fn new(out: &Output) -> Table<'_> {
        Table { out, began: Instant::now(), rows: Vec::new() }
    }

    pub(super) fn push(&mut self, row: Row) -> Result<(), Failed> {
        if self.out.is_json() {
            self.out.result("row", &Aligned { row: &row, width: 0 })?;
        }
        self.rows.push(row);
        Ok(())
    }

    /// Shows what there is, and fails if not all of it is verified.
    pub(super) fn close(self, stats: Stats, ended: &Ended) -> Result<(), Failed> {
        let Table { out, began, rows } = self;
        if !out.is_json() {
            show(&rows, out)?;
        }
        let wrong: Vec<_> = rows.iter().filter(|row| !row.verified).map(|row| row.what.as_str()).collect();
        let total = Total {
            verified: wrong.is_empty(),
            rows: rows.len(),
            sent_octets: stats.sent.octets,
            received_octets: stats.received.octets,
            time: began.elapsed(),
            ended: ended.to_string(),
        };
        out.result("demo", &total)?;
        match total.verified {
            true => Ok(()),
            false => Err(Failed::new(Exit::Verify, format!("not as it should be: {}", wrong.join("; ")))),
        }
    }
}

fn show(rows: &[Row], out: &Output) -> Result<(), Failed> {
    let width = rows.iter().map(|row| row.what.chars().count()).max().unwrap_or_default();
    let head = format!("{:width$} {:>8} {:>12} {:>9} {:>14}  verified", "", "number", "octets", "time", "rate");
    out.raw(head.as_bytes(), true)?;
    rows.iter().try_for_each(|row| out.result("row", &Aligned { row, width }))
}

/// All of it.
#[derive(Debug, Serialize)]
pub(super) struct Total {
    verified: bool,
    rows: usize,
    sent_octets: u64,
    received_octets: u64,
    #[serde(rename = "micros", serialize_with = "micros")]
    time: Duration,
    ended: String,
}

/// A row as wide as the others.
#[derive(Serialize)]
#[serde(transparent)]
struct Aligned<'a> {
    row: &'a Row,
    #[serde(skip)]
    width: usize,
}

impl fmt::Display for Aligned<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Aligned { row: Row { what, count, octets, time, bulk, verified }, width } = self;
        let rate = match (bulk, count) {
            (true, _) => rate(*octets, *time).unwrap_or_else(|| "-".into()),
            // A few say how long they took, not how many there could be.
            (false, 0..100) => "-".into(),
            (false, _) => format!("{}/s", HumanCount(per_second(*count, *time))),
        };
        let [count, octets] = [HumanCount(*count).to_string(), HumanBytes(*octets).to_string()];
        let time = format!("{time:.1?}");
        let verified = if *verified { "yes" } else { "NO" };
        write!(f, "{what:width$} {count:>8} {octets:>12} {time:>9} {rate:>14}  {verified}")
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [sent, received] = [self.sent_octets, self.received_octets].map(HumanBytes);
        let seconds = self.time.as_secs_f64();
        writeln!(f)?;
        writeln!(f, "one line carried {sent} one way and {received} the other in {seconds:.2} s; {}", self.ended)?;
        f.write_str(if self.verified { "all verified" } else { "NOT all verified" })
    }
}
