//! `ropeway send`: files, several at once on one message.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indicatif::HumanBytes;
use ropeway_tokio::{Error, Line, Upload, Uploading, printable};
use serde::Serialize;
use tokio::task::JoinSet;

use crate::client::Peer;
use crate::disk::{self, blocking};
use crate::exit::{Exit, Failed};
use crate::input::StandardInput;
use crate::output::{Output, micros, rate};
use crate::transfer::Transfer;

/// Files on one message: as many go their way at once, and are open at once.
const AT_ONCE: usize = 16;

/// Send files
///
/// The peer refuses a file whose name it has. A transfer that was cut off is continued by sending the file again; what
/// came from standard input is not.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) peer: Peer,
    /// What to send; - is standard input, to its end
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What to call standard input [default: stdin]
    #[arg(short, long)]
    name: Option<String>,
}

/// One file that the peer has, and has verified.
#[derive(Serialize)]
struct Sent {
    name: String,
    #[serde(flatten)]
    transfer: Transfer,
}

/// Several of them.
#[derive(Serialize)]
struct Total {
    files: usize,
    octets: u64,
    /// How many went over the line, those of files that failed included.
    travelled: u64,
    #[serde(rename = "micros", serialize_with = "micros")]
    time: Duration,
}

pub(crate) async fn run(args: Args, out: &Output) -> Result<(), Failed> {
    let inputs = args.files.iter().filter(|file| is_input(file)).count();
    match (inputs, &args.name) {
        (2.., _) => return Err(Failed::new(Exit::Usage, "- can be given once: there is one standard input")),
        (0, Some(_)) => return Err(Failed::new(Exit::Usage, "--name is for standard input, and no file is -")),
        _ => {}
    }
    let files = args.files.clone();
    blocking(move || check(&files)).await?;
    args.peer.with_line(out, async |line| send_all(line, &args, out).await).await
}

/// A file that can't be sent is told by its path before anything is sent. Blocking.
fn check(files: &[PathBuf]) -> Result<(), Failed> {
    files.iter().filter(|file| !is_input(file)).try_for_each(|file| disk::open(file).map(drop))
}

fn is_input(file: &Path) -> bool {
    file.as_os_str() == "-"
}

async fn send_all(line: &Line, args: &Args, out: &Output) -> Result<(), Failed> {
    let began = Instant::now();
    let (mut sent, mut failures) = (Vec::new(), Vec::new());
    for files in args.files.chunks(AT_ONCE) {
        let files = files.iter().map(|file| source(file, args)).collect();
        for ended in send(line, files, out).await? {
            match ended {
                Ok(octets) => sent.push(octets),
                Err(failed) => failures.push(failed),
            }
        }
    }
    if sent.len() > 1 {
        let (files, octets) = (sent.len(), sent.iter().sum());
        let travelled = line.stats().sent.flow_octets;
        out.note("total", &Total { files, octets, travelled, time: began.elapsed() })?;
    }
    // The last ends the program, with the exit code of the first.
    let Some(last) = failures.pop() else { return Ok(()) };
    failures.iter().for_each(|failed| out.failed(failed));
    let exit = failures.first().map_or(last.exit, |first| first.exit);
    Err(Failed { exit, ..last })
}

fn source(file: &Path, args: &Args) -> Uploading {
    match is_input(file) {
        true => Uploading::from_reader(args.name.as_deref().unwrap_or("stdin"), StandardInput::open()),
        false => Uploading::from_path(file),
    }
}

/// Sends files on one message, and shows each as it ends: how many octets it has, or why the peer does not have it.
async fn send(line: &Line, files: Vec<Uploading>, out: &Output) -> Result<Vec<Result<u64, Failed>>, Failed> {
    let message = files.into_iter().fold(line.open("file", &()), |message, file| message.file(file));
    let mut under_way = JoinSet::new();
    for upload in message.notify().await? {
        under_way.spawn(follow(upload, out.clone()));
    }
    let mut all = Vec::new();
    while let Some(ended) = under_way.join_next().await {
        let ended = ended?;
        if let Ok(sent) = &ended {
            out.result("sent", sent)?;
        }
        all.push(ended.map(|sent| sent.transfer.octets()));
    }
    Ok(all)
}

/// One file, until the peer has verified it.
async fn follow(upload: Upload, out: Output) -> Result<Sent, Failed> {
    let began = Instant::now();
    let name = printable(upload.name()).to_string();
    let progress = out.follow(&name, upload.progress()).await;
    match upload.finished().await {
        Ok(()) => Ok(Sent { name, transfer: Transfer::new(progress, began.elapsed()) }),
        Err(error) => Err(refused(error).about(name)),
    }
}

/// To a sender it is not the transfer that counts but the file.
fn refused(error: Error) -> Failed {
    match error {
        Error::Aborted(code) => Failed { text: format!("not taken by the peer: {code}"), ..error.into() },
        _ => error.into(),
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sent {}: {}", self.name, self.transfer)
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Total { files, octets, travelled, time } = self;
        write!(f, "sent {files} files: {}", HumanBytes(*octets))?;
        if let there @ 1.. = octets.saturating_sub(*travelled) {
            write!(f, ", {} of it there before", HumanBytes(there))?;
        }
        rate(*travelled, *time).map_or(Ok(()), |rate| write!(f, ", {rate}"))
    }
}
