//! `ropeway fetch`: a file of the peer's, or a range of it.

mod destination;
mod span;
mod unfinished;

use std::fmt;
use std::path::PathBuf;
use std::time::Instant;

use bytes::Bytes;
use indicatif::ProgressBar;
use ropeway_tokio::{FileReader, Line, Offered, printable};
use serde::Serialize;
use tokio::io::AsyncWriteExt;

use self::destination::{Destination, Place};
use self::span::Span;
use self::unfinished::Unfinished;
use crate::client::Peer;
use crate::disk::blocking;
use crate::exit::{Exit, Failed};
use crate::output::Output;
use crate::transfer::Transfer;

/// Fetch a file, or a range of it
///
/// It appears under its name when all of it is there and verified. What was cut off is continued by fetching it again;
/// a range is not, nor what went to standard output.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    peer: Peer,
    /// What the peer calls it
    name: String,
    /// Only the octets from A up to, but not including, B; A.. to its end, ..B from its beginning; saved as NAME.A-B
    #[arg(short, long, value_name = "A..B")]
    range: Option<Span>,
    /// The folder to save it in
    #[arg(short, long, value_name = "DIR", default_value = ".", conflicts_with = "output")]
    to: PathBuf,
    /// The file to save it as, or - for standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(short, long)]
    force: bool,
}

/// What was fetched.
#[derive(Serialize)]
struct Fetched {
    name: String,
    path: String,
    #[serde(flatten)]
    transfer: Transfer,
}

pub(crate) async fn run(args: Args, out: &Output) -> Result<(), Failed> {
    let wanted = args.clone();
    let destination = blocking(move || Destination::new(&wanted)).await?;
    let about = |failed: Failed| failed.about(printable(&args.name));
    let bring = async |line: &Line| bring(line, &args, destination, out).await.map_err(about);
    // What went to standard output stays alone there.
    let Some((path, transfer)) = args.peer.with_line(bring).await? else { return Ok(()) };
    out.result("fetched", &Fetched { name: args.name.clone(), path: path.display().to_string(), transfer })
}

/// Brings the file to where it goes: its path, if it has one.
async fn bring(
    line: &Line,
    args: &Args,
    destination: Destination,
    out: &Output,
) -> Result<Option<(PathBuf, Transfer)>, Failed> {
    let offered = ask(line, &args.name).await?;
    match (destination, &args.range) {
        (Destination::StandardOutput, _) => print(offered, args, out).await.map(|()| None),
        (Destination::File(place), None) => save(line, offered, args, &place, out).await.map(Some),
        (Destination::File(place), Some(_)) => save_range(offered, args, place, out).await.map(Some),
    }
}

/// Asks for a file by its name.
async fn ask(line: &Line, name: &str) -> Result<Offered, Failed> {
    let mut exchange = line.open("files.get", name).send().await?;
    exchange.answer::<()>().await?;
    let offered = exchange.file().await?;
    offered.ok_or_else(|| Failed::new(Exit::Refused, "the peer answered without a file"))
}

/// All of it into a folder. By the name that was asked for: another one is not the peer's to choose.
async fn save(
    line: &Line,
    offered: Offered,
    args: &Args,
    place: &Place,
    out: &Output,
) -> Result<(PathBuf, Transfer), Failed> {
    let name = printable(&args.name).to_string();
    let (began, before) = (Instant::now(), line.stats().received.flow_octets);
    let download = offered.save(place.save()).await?;
    let octets = out.follow(&name, download.progress()).await;
    let path = download.finished().await?;
    // Nothing else comes over this line.
    let travelled = line.stats().received.flow_octets - before;
    Ok((path, Transfer::new(octets, Some(travelled), began.elapsed())))
}

/// A range into a file of its own.
async fn save_range(offered: Offered, args: &Args, place: Place, out: &Output) -> Result<(PathBuf, Transfer), Failed> {
    let began = Instant::now();
    let mut content = Content::read(offered, args, out).await?;
    let mut file = blocking(move || place.create().map(Unfinished::new)).await?;
    while let Some(chunk) = content.chunk().await? {
        file = blocking(move || file.write(&chunk)).await?;
    }
    let octets = content.end();
    let path = blocking(move || file.publish()).await?;
    Ok((path, Transfer::new(octets, Some(octets), began.elapsed())))
}

/// To standard output, as it comes.
async fn print(offered: Offered, args: &Args, out: &Output) -> Result<(), Failed> {
    let mut content = Content::read(offered, args, out).await?;
    let mut to = tokio::io::stdout();
    while let Some(chunk) = content.chunk().await? {
        to.write_all(&chunk).await.map_err(Failed::output)?;
    }
    to.flush().await.map_err(Failed::output)?;
    content.end();
    Ok(())
}

/// What is wanted of a file, as it comes, with a bar.
struct Content {
    reader: FileReader,
    bar: ProgressBar,
}

impl Content {
    async fn read(offered: Offered, args: &Args, out: &Output) -> Result<Content, Failed> {
        let (name, size) = (printable(&args.name).to_string(), offered.size());
        let Some(span) = &args.range else {
            return Ok(Content { reader: offered.read().await?, bar: out.bar(&name, size) });
        };
        let range = span.within(size)?;
        let total = size.map(|_| range.end - range.start);
        Ok(Content { reader: offered.range(range).read().await?, bar: out.bar(&name, total) })
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, Failed> {
        let chunk = self.reader.chunk().await?;
        self.bar.inc(chunk.as_ref().map_or(0, |chunk| chunk.len() as u64));
        Ok(chunk)
    }

    /// How many octets there were. The peer hears that all is well.
    fn end(self) -> u64 {
        self.bar.finish_and_clear();
        self.bar.position()
    }
}

impl fmt::Display for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fetched { name, path, transfer } = self;
        write!(f, "fetched {} to {}: {transfer}", printable(name), printable(path))
    }
}
