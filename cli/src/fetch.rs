//! `ropeway fetch`: a file of the peer's, or a range of it.

mod destination;
mod span;

use std::fmt;
use std::path::PathBuf;
use std::time::Instant;

use bytes::Bytes;
use indicatif::ProgressBar;
use ropeway_tokio::{Code, FileReader, Line, Offered, printable};
use serde::Serialize;
use tokio::io::AsyncWriteExt;

use self::destination::{Destination, Place};
use self::span::{Octets, Span};
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
    pub(crate) peer: Peer,
    /// What the peer calls it
    name: String,
    /// Only the octets from A up to, but not including, B; A.. to its end, ..B from its beginning; saved as NAME.A-B
    #[arg(short, long, value_name = "A..B", allow_hyphen_values = true)]
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
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<Octets>,
    #[serde(flatten)]
    transfer: Transfer,
}

pub(crate) async fn run(args: Args, out: &Output) -> Result<(), Failed> {
    let wanted = args.clone();
    let destination = blocking(move || Destination::new(&wanted)).await?;
    let about = |failed: Failed| failed.about(printable(&args.name));
    let bring = async |line: &Line| bring(line, &args, destination, out).await.map_err(about);
    // What went to standard output stays alone there.
    let Some((path, transfer)) = args.peer.with_line(out, bring).await? else { return Ok(()) };
    let range = args.range.as_ref().map(|span| span.of(transfer.octets()));
    out.result("fetched", &Fetched { name: args.name.clone(), path: path.display().to_string(), range, transfer })
}

/// Brings the file to where it goes: its path, if it has one.
async fn bring(
    line: &Line,
    args: &Args,
    destination: Destination,
    out: &Output,
) -> Result<Option<(PathBuf, Transfer)>, Failed> {
    let offered = ask(line, &args.name).await?;
    match destination {
        Destination::StandardOutput => print(offered, args, out).await.map(|()| None),
        Destination::File(place) => save(offered, args, &place, out).await.map(Some),
    }
}

/// Asks for a file by its name.
async fn ask(line: &Line, name: &str) -> Result<Offered, Failed> {
    let mut exchange = line.open("files.get", name).send().await?;
    exchange.answer::<()>().await?;
    let offered = exchange.file().await?;
    offered.ok_or_else(|| Failed::new(Exit::Refused, "the peer answered without a file"))
}

/// Into a folder. By the name that was asked for: another one is not the peer's to choose.
async fn save(offered: Offered, args: &Args, place: &Place, out: &Output) -> Result<(PathBuf, Transfer), Failed> {
    let name = printable(&args.name).to_string();
    let began = Instant::now();
    let download = wanted(offered, args)?.save(place.save()).await?;
    let progress = out.follow(&name, download.progress()).await;
    Ok((download.finished().await?, Transfer::new(progress, began.elapsed())))
}

/// What is wanted of it. A range that it does not have is declined as such.
fn wanted(offered: Offered, args: &Args) -> Result<Offered, Failed> {
    let Some(span) = &args.range else { return Ok(offered) };
    match span.within(offered.size()) {
        Ok(range) => Ok(offered.range(range)),
        Err(failed) => {
            offered.decline(Code::BAD_RANGE);
            Err(failed)
        }
    }
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
        let reader = wanted(offered, args)?.read().await?;
        let total = match &args.range {
            Some(span) => span.within(size).map(|range| size.map(|_| range.end - range.start))?,
            None => size,
        };
        Ok(Content { reader, bar: out.bar(&name, total) })
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, Failed> {
        let chunk = self.reader.chunk().await?;
        self.bar.inc(chunk.as_ref().map_or(0, |chunk| chunk.len() as u64));
        Ok(chunk)
    }

    /// The peer hears that all is well.
    fn end(self) {
        self.bar.finish_and_clear();
    }
}

impl fmt::Display for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fetched { name, path, transfer, .. } = self;
        write!(f, "fetched {} to {}: {transfer}", printable(name), printable(path))
    }
}
