//! `ropeway ping`: how long round trips take.

use std::fmt;
use std::time::Duration;

use ropeway_tokio::Address;
use serde::Serialize;
use tokio::time::sleep;

use crate::body::seconds;
use crate::client::Peer;
use crate::exit::Failed;
use crate::output::{Output, micros};

/// Measure round trips
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) peer: Peer,
    /// How many pings
    #[arg(short, long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..), allow_negative_numbers = true)]
    count: u32,
    /// Seconds between them
    #[arg(short, long, value_name = "SECONDS", default_value = "1", value_parser = seconds, allow_negative_numbers = true)]
    interval: Duration,
}

/// One answer.
#[derive(Serialize)]
struct Pong<'a> {
    #[serde(serialize_with = "display")]
    address: &'a Address,
    seq: u32,
    #[serde(rename = "micros", serialize_with = "micros")]
    time: Duration,
}

/// All that were answered.
#[derive(Serialize)]
struct Summary {
    count: usize,
    #[serde(rename = "min_micros", serialize_with = "micros")]
    min: Duration,
    #[serde(rename = "avg_micros", serialize_with = "micros")]
    avg: Duration,
    #[serde(rename = "max_micros", serialize_with = "micros")]
    max: Duration,
}

pub(crate) async fn run(args: Args, out: &Output) -> Result<(), Failed> {
    let Args { peer, count, interval } = args;
    let address = &peer.address;
    let mut times = Vec::new();
    let outcome = peer.with_line(out, async |line| {
        for seq in 1..=count {
            if seq > 1 {
                sleep(interval).await;
            }
            let time = line.ping().await?;
            times.push(time);
            out.note("pong", &Pong { address, seq, time })?;
        }
        Ok(())
    });
    let outcome = outcome.await;
    // However it ended, what was measured until then stands.
    let Some(summary) = Summary::of(&times) else { return outcome };
    let shown = out.result("ping", &summary);
    outcome.and(shown)
}

impl Summary {
    /// `None` if none was answered.
    fn of(times: &[Duration]) -> Option<Summary> {
        let (min, max) = (*times.iter().min()?, *times.iter().max()?);
        let count = times.len();
        let avg = times.iter().sum::<Duration>().div_f64(count as f64);
        Some(Summary { count, min, avg, max })
    }
}

fn display<S: serde::Serializer>(value: &impl fmt::Display, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

impl fmt::Display for Pong<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pong from {}: seq {}, {}", self.address, self.seq, millis(self.time))
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [min, avg, max] = [self.min, self.avg, self.max].map(millis);
        let pings = if self.count == 1 { "1 ping".into() } else { format!("{} pings", self.count) };
        write!(f, "{pings}, min/avg/max {min} / {avg} / {max}")
    }
}

fn millis(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1000.0)
}
