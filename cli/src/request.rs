//! `ropeway request`: asks, and shows what is answered.

use std::fmt;
use std::time::Duration;

use ropeway_tokio::{Body, Reply};
use serde::Serialize;

use crate::body::{Content, Received, Told, seconds};
use crate::exit::Failed;
use crate::output::Output;

/// Ask, and show the answers
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) told: Told,
    /// Seconds to wait for a sign of life; 0 for ever
    #[arg(short, long, value_name = "SECONDS", default_value = "5", value_parser = seconds, allow_negative_numbers = true)]
    timeout: Duration,
}

/// An answer, or a report of progress.
#[derive(Serialize)]
struct Answer {
    code: u16,
    #[serde(flatten)]
    body: Received,
    /// Streams and files, which this command leaves.
    attached: u16,
}

pub(crate) async fn run(args: Args, out: &Output) -> Result<(), Failed> {
    let Args { told: Told { peer, action, body }, timeout } = args;
    let content = Content::of(body).await?;
    peer.with_line(out, async |line| {
        let mut exchange = line.open(&action, &content).timeout(timeout).send().await?;
        while let Some(reply) = exchange.next().await {
            show(&reply?, out)?;
        }
        Ok(())
    })
    .await
}

fn show(reply: &Reply, out: &Output) -> Result<(), Failed> {
    let body = Received::new(reply.body());
    let answer = Answer { code: reply.code().value(), attached: reply.attached(), body };
    if reply.is_update() {
        return out.note("update", &answer);
    }
    if out.is_json() {
        out.result("answer", &answer)?;
    }
    let _: Body = reply.clone().decode()?;
    if out.is_json() {
        return Ok(());
    }
    answer.body.show(reply.body(), out)?;
    if answer.attached > 0 {
        out.hint("a stream or file came with the answer and was left; ropeway fetch takes files");
    }
    Ok(())
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.body.fmt(f)
    }
}
