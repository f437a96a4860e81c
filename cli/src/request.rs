//! `ropeway request`: asks, and shows what is answered.

use std::fmt;
use std::time::Duration;

use ropeway_tokio::{Action, Error, Reply};
use serde::Serialize;

use crate::body::{Content, Received, action, seconds};
use crate::client::Peer;
use crate::exit::Failed;
use crate::output::Output;

/// Ask, and show the answers
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    peer: Peer,
    /// What it is for: a name, or a number up to 2147483647
    #[arg(value_parser = action)]
    action: Action,
    /// Text to send, or - for standard input
    body: Option<String>,
    /// Seconds to wait for a sign of life; 0 for ever
    #[arg(short, long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
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
    let Args { peer, action, body, timeout } = args;
    let content = Content::of(body).await?;
    peer.with_line(async |line| {
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
    if !reply.code().is_ok() {
        let body = Some(reply.body().clone()).filter(|body| !body.is_empty());
        return Err(Error::Answered(reply.code(), body).into());
    }
    if out.is_json() { Ok(()) } else { answer.body.show(reply.body(), out) }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.body.fmt(f)
    }
}
