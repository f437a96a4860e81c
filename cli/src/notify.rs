//! `ropeway notify`: a message that wants no answer.

use std::fmt;

use serde::Serialize;

use crate::body::{Content, Told};
use crate::exit::Failed;
use crate::output::Output;

/// Send a message that wants no answer
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) told: Told,
}

/// It is on its way, and all before it.
#[derive(Serialize)]
struct Sent {
    action: String,
    octets: usize,
}

pub(crate) async fn run(args: Args, out: &Output) -> Result<(), Failed> {
    let Told { peer, action, body } = args.told;
    let content = Content::of(body).await?;
    let octets = content.len();
    peer.with_line(out, async |line| {
        line.notify(&action, &content).await?;
        // The line is in order: a peer that answers this has the message.
        line.ping().await.map_err(|error| Failed::from(error).about("sent, but perhaps not received"))?;
        Ok(())
    })
    .await?;
    out.note("sent", &Sent { action: action.to_string(), octets })
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sent {}", self.action)?;
        match self.octets {
            0 => Ok(()),
            1 => f.write_str(" with 1 octet"),
            octets => write!(f, " with {octets} octets"),
        }
    }
}
