//! `ropeway trace replay`: whether machines still do what was recorded.

use std::fmt;
use std::path::{Path, PathBuf};

use indicatif::HumanBytes;
use ropeway_tokio::trace::{Replayed, Trace};
use serde::Serialize;

use crate::disk::shown;
use crate::exit::Failed;
use crate::output::Output;

/// A trace that replays.
#[derive(Serialize)]
struct Exactly {
    file: String,
    records: u64,
    events: u64,
    received: u64,
    sent: u64,
}

/// Replays all of them. The last that fails ends the program, with the exit code of the first. Blocking.
pub(super) fn run(files: &[PathBuf], out: &Output) -> Result<(), Failed> {
    let mut failures = Vec::new();
    for file in files {
        match replay(file) {
            Ok(exactly) => out.result("replayed", &exactly)?,
            Err(failed) => failures.push(failed),
        }
    }
    let Some(last) = failures.pop() else { return Ok(()) };
    failures.iter().for_each(|failed| out.failed(failed));
    let exit = failures.first().map_or(last.exit, |first| first.exit);
    Err(Failed { exit, ..last })
}

fn replay(file: &Path) -> Result<Exactly, Failed> {
    let replayed = Trace::open(file).and_then(Trace::replay);
    let Replayed { records, events, received, sent, .. } =
        replayed.map_err(|error| Failed::trace(error).about(shown(file)))?;
    Ok(Exactly { file: shown(file), records, events, received, sent })
}

impl fmt::Display for Exactly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Exactly { file, records, events, received, sent } = self;
        let (received, sent) = (HumanBytes(*received), HumanBytes(*sent));
        write!(f, "{file} replays exactly: {records} records, {events} events, {received} received, {sent} sent")
    }
}
