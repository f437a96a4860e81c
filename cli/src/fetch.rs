//! `ropeway fetch`: a file of the peer's, or a range of it.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indicatif::HumanBytes;
use ropeway_tokio::{Error, Existing, FileError, FileReader, Line, Offered, SafeName, Save, Target, printable};
use serde::Serialize;
use tokio::io::AsyncWriteExt;
use tokio::task::spawn_blocking;

use crate::client::Peer;
use crate::exit::{Exit, Failed};
use crate::output::{Output, micros, rate};

/// Fetch a file, or a range of it
///
/// It appears under its name when all of it is there and verified. What was cut off is continued by fetching it again.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    peer: Peer,
    /// What the peer calls it
    name: String,
    /// Only the octets from A up to, but not including, B; saved as NAME.A-B
    #[arg(short, long, value_name = "A..B", value_parser = range)]
    range: Option<Range<u64>>,
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
    octets: u64,
    #[serde(rename = "micros", serialize_with = "micros")]
    time: Duration,
}

/// Where it goes.
enum Destination {
    StandardOutput,
    File { folder: PathBuf, name: String },
}

pub(crate) async fn run(args: Args, out: &Output) -> Result<(), Failed> {
    let destination = args.destination()?;
    let began = Instant::now();
    let about = |failed: Failed| failed.about(printable(&args.name));
    let bring = async |line: &Line| bring(line, &args, &destination, out).await.map_err(about);
    let (octets, path) = args.peer.with_line(bring).await?;
    // What went to standard output stays alone there.
    let Some(path) = path else { return Ok(()) };
    let (name, path, time) = (args.name, path.display().to_string(), began.elapsed());
    out.result("fetched", &Fetched { name, path, octets, time })
}

impl Args {
    fn destination(&self) -> Result<Destination, Failed> {
        let Some(output) = &self.output else {
            let name = match &self.range {
                None => self.name.clone(),
                Some(Range { start, end }) => format!("{}.{start}-{end}", self.name),
            };
            return Ok(Destination::File { folder: self.to.clone(), name });
        };
        if output.as_os_str() == "-" {
            return Ok(Destination::StandardOutput);
        }
        let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = output.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| Failed::new(Exit::Usage, "--output needs the name of a file"))?;
        Ok(Destination::File { folder: folder.to_owned(), name: name.to_owned() })
    }

    fn existing(&self) -> Existing {
        if self.force { Existing::Replace } else { Existing::Refuse }
    }
}

/// Brings the file to where it goes: how many octets, and its path if it has one.
async fn bring(
    line: &Line,
    args: &Args,
    destination: &Destination,
    out: &Output,
) -> Result<(u64, Option<PathBuf>), Failed> {
    let offered = ask(line, &args.name).await?;
    let (octets, path) = match (destination, &args.range) {
        (Destination::StandardOutput, _) => return Ok((print(offered, args, out).await?, None)),
        (Destination::File { folder, name }, None) => save(offered, args, folder, name, out).await?,
        (Destination::File { folder, name }, Some(range)) => {
            save_range(offered, range, args, folder, name, out).await?
        }
    };
    Ok((octets, Some(path)))
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
    offered: Offered,
    args: &Args,
    folder: &Path,
    name: &str,
    out: &Output,
) -> Result<(u64, PathBuf), Failed> {
    let mut save = Save::in_folder(folder).name(name);
    if args.force {
        save = save.replace();
    }
    let download = offered.save(save).await?;
    out.follow(&printable(name).to_string(), download.progress()).await;
    let path = download.finished().await?;
    let octets = download.size().unwrap_or_default();
    Ok((octets, path))
}

/// A range into a file of its own.
async fn save_range(
    offered: Offered,
    range: &Range<u64>,
    args: &Args,
    folder: &Path,
    name: &str,
    out: &Output,
) -> Result<(u64, PathBuf), Failed> {
    let name = SafeName::new(name).map_err(Error::from)?;
    let mut reader = offered.read_range(range.clone()).await?;
    let (folder, existing) = (folder.to_owned(), args.existing());
    let mut target = blocking(move || Target::create(&folder, &name, existing)).await?;
    let bar = out.bar(&printable(&args.name).to_string(), Some(range.end - range.start));
    let mut octets = 0;
    while let Some(chunk) = reader.chunk().await? {
        octets += chunk.len() as u64;
        bar.set_position(octets);
        target = blocking(move || target.write_at_end(&chunk).map(|()| target)).await?;
    }
    bar.finish_and_clear();
    let path = blocking(move || target.publish(None)).await?;
    Ok((octets, path))
}

/// To standard output, as it comes.
async fn print(offered: Offered, args: &Args, out: &Output) -> Result<u64, Failed> {
    let total = args.range.as_ref().map(|range| range.end - range.start).or(offered.size());
    let mut reader: FileReader = match &args.range {
        None => offered.read().await?,
        Some(range) => offered.read_range(range.clone()).await?,
    };
    let bar = out.bar(&printable(&args.name).to_string(), total);
    let mut to = tokio::io::stdout();
    let failed = || Failed::file("can't write to standard output");
    let mut octets = 0;
    while let Some(chunk) = reader.chunk().await? {
        to.write_all(&chunk).await.map_err(failed())?;
        octets += chunk.len() as u64;
        bar.set_position(octets);
    }
    to.flush().await.map_err(failed())?;
    bar.finish_and_clear();
    Ok(octets)
}

/// Work on files, off the threads that run tasks.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FileError> + Send + 'static,
) -> Result<T, Failed> {
    match spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| Error::from(error).into()),
        Err(error) => Err(Failed::new(Exit::Internal, error.to_string())),
    }
}

/// For clap: two numbers.
fn range(text: &str) -> Result<Range<u64>, String> {
    let numbers = text.split_once("..").and_then(|(start, end)| Some(start.parse().ok()?..end.parse().ok()?));
    match numbers {
        Some(range) if !range.is_empty() => Ok(range),
        Some(_) => Err("the range is empty".into()),
        None => Err("a range is two numbers, such as 0..1024".into()),
    }
}

impl fmt::Display for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fetched { name, path, octets, time } = self;
        write!(f, "fetched {} to {}", printable(name), printable(path))?;
        write!(f, ": {}, {}, verified", HumanBytes(*octets), rate(*octets, *time))
    }
}
