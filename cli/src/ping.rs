//! `ropeway ping`: how long round trips take.

use std::fmt;
use std::time::Duration;

use ropeway_tokio::Address;
use serde::Serialize;
use tokio::time::sleep;

use crate::client::Peer;
use crate::exit::Failed;
use crate::output::Output;

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
    micros: u64,
}

/// All of them.
#[derive(Serialize)]
struct Summary {
    count: u32,
    min_micros: u64,
    avg_micros: u64,
    max_micros: u64,
}

pub(crate) async fn run(args: Args, out: &Output) -> Result<(), Failed> {
    let Args { peer, count, interval } = args;
    let address = &peer.address;
    peer.with_line(async |line| {
        let mut all = Vec::new();
        for seq in 1..=count {
            if seq > 1 {
                sleep(interval).await;
            }
            let micros = micros(line.ping().await?);
            all.push(micros);
            out.note("pong", &Pong { address, seq, micros })?;
        }
        let (min, max) = (all.iter().min(), all.iter().max());
        let sum: u64 = all.iter().sum();
        out.result(
            "ping",
            &Summary {
                count,
                min_micros: min.copied().unwrap_or_default(),
                avg_micros: sum / u64::from(count),
                max_micros: max.copied().unwrap_or_default(),
            },
        )
    })
    .await
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn display<S: serde::Serializer>(value: &impl fmt::Display, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

impl fmt::Display for Pong<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pong from {}: seq {}, {}", self.address, self.seq, Millis(self.micros))
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [min, avg, max] = [self.min_micros, self.avg_micros, self.max_micros].map(Millis);
        write!(f, "{} pings, min/avg/max {min} / {avg} / {max}", self.count)
    }
}

struct Millis(u64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03} ms", self.0 / 1000, self.0 % 1000)
    }
}
