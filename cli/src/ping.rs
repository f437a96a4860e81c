//! `ropeway ping`: how long round trips take.

use std::fmt;
use std::time::Duration;

use ropeway_tokio::Address;
use serde::Serialize;
use tokio::time::sleep;

use crate::client::Peer;
use crate::exit::Failed;
use crate::output::{Output, micros};

/// Measure round trips
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    peer: Peer,
    /// How many pings
    #[arg(short, long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// Seconds between them
    #[arg(short, long, default_value = "1", value_parser = crate::body::seconds)]
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

/// All of them.
#[derive(Serialize)]
struct Summary {
    count: u32,
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
    let times = peer.with_line(async |line| {
        let mut times = Vec::new();
        for seq in 1..=count {
            if seq > 1 {
                sleep(interval).await;
            }
            let time = line.ping().await?;
            times.push(time);
            out.note("pong", &Pong { address, seq, time })?;
        }
        Ok(times)
    });
    let times = times.await?;
    let [min, max] = [times.iter().min(), times.iter().max()].map(|time| time.copied().unwrap_or_default());
    let avg = times.iter().sum::<Duration>() / count;
    out.result("ping", &Summary { count, min, avg, max })
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
        write!(f, "{} pings, min/avg/max {min} / {avg} / {max}", self.count)
    }
}

fn millis(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1000.0)
}
