//! `ropeway send`: files, several at once on one message.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indicatif::HumanBytes;
use ropeway_tokio::{Error, Line, Source, Upload, printable};
use serde::Serialize;
use tokio::task::{JoinSet, spawn_blocking};

use crate::client::Peer;
use crate::exit::{Exit, Failed};
use crate::output::{Output, micros, rate};

/// Files on one message: as many go their way at once, and are open at once.
const AT_ONCE: usize = 16;

/// Send files
///
/// The peer refuses a file whose name it has. A transfer that was cut off is continued by sending the file again.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    peer: Peer,
    /// What to send
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// One file that the peer has, and has verified.
#[derive(Serialize)]
struct Sent {
    name: String,
    octets: u64,
    #[serde(rename = "micros", serialize_with = "micros")]
    time: Duration,
}

pub(crate) async fn run(args: Args, out: &Output) -> Result<(), Failed> {
    let Args { peer, files } = args;
    for file in &files {
        check(file).await?;
    }
    peer.with_line(async |line| {
        let mut failures = Vec::new();
        for files in files.chunks(AT_ONCE) {
            failures.extend(send(line, files, out).await?);
        }
        // The last ends the program, with the exit code of the first.
        let Some(last) = failures.pop() else { return Ok(()) };
        failures.iter().for_each(|failed| out.failed(failed));
        let exit = failures.first().map_or(last.exit, |first| first.exit);
        Err(Failed { exit, ..last })
    })
    .await
}

/// A file that can't be sent is told by its path before anything is sent.
async fn check(path: &Path) -> Result<(), Failed> {
    let about = |failed: Failed| failed.about(printable(&path.to_string_lossy()));
    let opened = path.to_owned();
    match spawn_blocking(move || Source::open(&opened)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(about(Error::from(error).into())),
        Err(error) => Err(about(Failed::new(Exit::Internal, error.to_string()))),
    }
}

/// Sends files on one message, and shows each as it ends; those that failed.
async fn send(line: &Line, files: &[PathBuf], out: &Output) -> Result<Vec<Failed>, Failed> {
    let message = files.iter().fold(line.open("file", &()), |message, path| message.file(path));
    let mut under_way = JoinSet::new();
    for upload in message.notify().await? {
        under_way.spawn(follow(upload, out.clone()));
    }
    let mut failures: Vec<Failed> = Vec::new();
    while let Some(ended) = under_way.join_next().await {
        match ended {
            Ok(Ok(sent)) => out.result("sent", &sent)?,
            Ok(Err(failed)) => failures.push(failed),
            Err(error) => failures.push(Failed::new(Exit::Internal, error.to_string())),
        }
    }
    Ok(failures)
}

/// One file, until the peer has verified it.
async fn follow(upload: Upload, out: Output) -> Result<Sent, Failed> {
    let began = Instant::now();
    let name = printable(upload.name()).to_string();
    out.follow(&name, upload.progress()).await;
    match upload.finished().await {
        Ok(()) => {
            let octets = upload.size().unwrap_or_default();
            Ok(Sent { name, octets, time: began.elapsed() })
        }
        Err(error) => Err(Failed::from(error).about(name)),
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sent {}: {}, {}, verified", self.name, HumanBytes(self.octets), rate(self.octets, self.time))
    }
}
