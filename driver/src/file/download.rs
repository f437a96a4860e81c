//! Files that this end receives in the background: into a folder, or to a writer.

use std::fmt;
use std::future::poll_fn;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_io::AsyncWrite;
use ropeway_core::{Accept, Code};

use super::control::{Control, Ends, Flow, ProgressStream, Steered, Waits, code_of, outcome};
use super::reader::FileReader;
use super::{FileError, Target};
use crate::blocking::Errand;
use crate::chunked::Chunked;
use crate::error::Error;
use crate::flow::Incoming;
use crate::runtime::Spawn;

/// Octets written on one trip to the pool, if as many have come. A trip costs some 20 us.
const GATHER: usize = 256 * 1024;

/// A file that is being received; `T` is what comes of it: its path, or the writer.
///
/// A task of its own receives it, whether or not this handle lives: dropping the handle changes nothing,
/// [`cancel`](Download::cancel) gives the file up. While the transfer is under way it keeps the line open. What has come into
/// a folder before a transfer fails stays under its hidden name, for the next to continue.
pub struct Download<T> {
    size: Option<u64>,
    waits: Waits<T>,
}

impl<T> Download<T> {
    /// Its size in octets, if the peer knows it.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// How far it is, as it goes: what is written.
    pub fn progress(&self) -> ProgressStream {
        self.waits.control.progress()
    }

    /// Asks the peer to send nothing until [`resume`](Download::resume). What is on its way still comes.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the transfer is over.
    pub fn pause(&self) -> Result<(), Error> {
        self.waits.control.pause(true)
    }

    /// Lets the peer go on.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the transfer is over.
    pub fn resume(&self) -> Result<(), Error> {
        self.waits.control.pause(false)
    }

    /// Gives it up, with a code for the peer. Without effect once all has come and is being checked.
    pub fn cancel(&self, code: Code) {
        self.waits.control.cancel(code);
    }

    /// Waits until all has come and is checked: its path, on the disk under its name; or the writer, flushed. It is given
    /// once.
    ///
    /// # Errors
    /// [`Error::Aborted`] if the sender gave it up; [`Error::Cancelled`] if this end did; [`Error::File`] if it can't be written, or
    /// is not what its digest promised ([`FileError::Digest`]); [`Error::Closed`]. Errors are given as often as asked for.
    ///
    /// # Cancel safety
    /// Safe; it can be asked again.
    pub async fn finished(&self) -> Result<T, Error> {
        self.waits.over().await
    }
}

impl<T> fmt::Debug for Download<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download").field("progress", &self.waits.control.latest()).finish_non_exhaustive()
    }
}

/// Receives what was asked for: what the target does not have of a file, or a range, to a target that has nothing. More
/// than `most` octets are refused.
pub(super) fn to_folder(
    flow: Incoming,
    accept: &Accept,
    target: Target,
    size: Option<u64>,
    most: u64,
) -> Download<PathBuf> {
    let spawn = flow.line().spawn().clone();
    let (at, total) = (target.length(), total(accept, size));
    let (ends, waits) = outcome(Control::new(total));
    let control = waits.control.clone();
    control.begin(at, total);
    let disk = Disk { at, errand: Errand::new(spawn.clone(), target), most, total };
    let coming = match accept.end {
        None => Coming::Rest(flow),
        Some(_) => Coming::Range(Box::new(FileReader::new(flow, size, accept.start, true))),
    };
    spawn.spawn(Box::pin(disk.run(Steered { flow: coming, control }, ends)));
    Download { size, waits }
}

/// Receives all of what was asked for.
pub(super) fn to_writer<W>(flow: Incoming, accept: &Accept, writer: W, size: Option<u64>) -> Download<W>
where
    W: AsyncWrite + Unpin + Send + 'static,
{
    let spawn: Arc<dyn Spawn> = flow.line().spawn().clone();
    let (ends, waits) = outcome(Control::new(total(accept, size)));
    let control = waits.control.clone();
    // The last word waits until all of it is written.
    let reader = FileReader::new(flow, size, accept.start, true);
    spawn.spawn(Box::pin(write(Steered { flow: reader, control }, writer, ends)));
    Download { size, waits }
}

/// How many octets there will be, if that is known.
fn total(accept: &Accept, size: Option<u64>) -> Option<u64> {
    size.map(|size| accept.end.map_or(size, |end| end.saturating_sub(accept.start)))
}

/// What comes for a folder.
enum Coming {
    /// What is not there yet of a file, whose digest is of all of it.
    Rest(Incoming),
    /// A range, which is checked as it comes.
    Range(Box<FileReader>),
}

impl Coming {
    /// Where in the target it begins.
    fn poll_began(&mut self, cx: &mut Context<'_>) -> Poll<Result<u64, Error>> {
        match self {
            Coming::Rest(flow) => flow.poll_began(cx),
            Coming::Range(_) => Poll::Ready(Ok(0)),
        }
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        match self {
            Coming::Rest(flow) => flow.poll_chunk(cx),
            Coming::Range(reader) => reader.poll_chunk(cx),
        }
    }

    /// What the digest of the target is to be, unless that is of no interest or was checked already.
    fn digest(&self) -> Option<[u8; 32]> {
        match self {
            Coming::Rest(flow) => flow.digest(),
            Coming::Range(_) => None,
        }
    }

    /// Says the last word.
    fn done(self, code: Code) {
        match self {
            Coming::Rest(flow) => flow.done(code),
            Coming::Range(reader) => reader.stop(code),
        }
    }
}

impl Flow for Coming {
    fn pause(&self, on: bool) {
        match self {
            Coming::Rest(flow) => Flow::pause(flow, on),
            Coming::Range(reader) => Flow::pause(&**reader, on),
        }
    }
}

/// The task that receives into a folder.
struct Disk {
    errand: Errand<Target, Result<Vec<Bytes>, FileError>>,
    /// How many octets are written.
    at: u64,
    total: Option<u64>,
    most: u64,
}

impl Disk {
    async fn run(mut self, mut steered: Steered<Coming>, ends: Ends<PathBuf>) {
        let received = self.receive(&mut steered).await;
        let Steered { flow, .. } = steered;
        let result = match received {
            // From here on it is no longer given up: nobody could tell whether the file has its name.
            Ok(()) => {
                let digest = flow.digest();
                match self.errand.finish(move |target| target.publish(digest.as_ref())).await {
                    Ok(published) => published.map_err(Error::from),
                    Err(error) => Err(error),
                }
            }
            Err(Error::File(error)) if matches!(*error, FileError::TooLarge { .. }) => {
                let _ = self.errand.finish(Target::discard).await;
                Err(Error::File(error))
            }
            Err(error) => {
                self.errand.end().await;
                Err(error)
            }
        };
        flow.done(last_word(&result));
        ends.end(result);
    }

    async fn receive(&mut self, steered: &mut Steered<Coming>) -> Result<(), Error> {
        let start = steered.step(|flow, cx| flow.poll_began(cx)).await?;
        if start != self.at {
            // The sender's content differs from what is here.
            self.errand.send(|target| target.restart().map(|()| Vec::new()));
            steered.step(|_, cx| self.errand.poll_back(cx)).await??;
            self.at = start;
            steered.control.begin(start, self.total);
        }
        let mut batch = Vec::new();
        while steered.step(|flow, cx| poll_gather(flow, cx, &mut batch)).await? {
            let octets: usize = batch.iter().map(Bytes::len).sum();
            self.at += octets as u64;
            if self.at > self.most {
                return Err(FileError::TooLarge { most: self.most }.into());
            }
            self.errand.send(move |target| {
                for octets in &batch {
                    target.write_at_end(octets)?;
                }
                batch.clear();
                Ok(batch)
            });
            batch = steered.step(|_, cx| self.errand.poll_back(cx)).await??;
            steered.control.add(octets);
        }
        steered.control.complete();
        Ok(())
    }
}

/// Waits for octets and takes what else has come; whether there are any before the end.
fn poll_gather(coming: &mut Coming, cx: &mut Context<'_>, batch: &mut Vec<Bytes>) -> Poll<Result<bool, Error>> {
    let mut octets = 0;
    while octets < GATHER {
        match coming.poll_chunk(cx) {
            Poll::Ready(Ok(Some(chunk))) => {
                octets += chunk.len();
                batch.push(chunk);
            }
            // What has come is written first; the end and errors stay to be found.
            _ if octets > 0 => break,
            Poll::Ready(Ok(None)) => return Poll::Ready(Ok(false)),
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => return Poll::Pending,
        }
    }
    Poll::Ready(Ok(true))
}

/// The task that receives to a writer.
async fn write<W: AsyncWrite + Unpin>(mut steered: Steered<FileReader>, mut writer: W, ends: Ends<W>) {
    let result = copy(&mut steered, &mut writer).await;
    steered.flow.stop(last_word(&result));
    ends.end(result.map(|()| writer));
}

async fn copy<W: AsyncWrite + Unpin>(steered: &mut Steered<FileReader>, writer: &mut W) -> Result<(), Error> {
    let mut since_turn = 0;
    while let Some(chunk) = steered.step(|reader, cx| reader.poll_chunk(cx)).await? {
        let mut rest = &*chunk;
        while !rest.is_empty() {
            let wrote = steered.step(|_, cx| poll_io(|| Pin::new(&mut *writer).poll_write(cx, rest))).await?;
            if wrote == 0 {
                return Err(failed(std::io::ErrorKind::WriteZero.into()));
            }
            rest = rest.get(wrote..).unwrap_or_default();
            steered.control.add(wrote);
        }
        since_turn += chunk.len();
        if since_turn >= GATHER {
            since_turn = 0;
            turn().await;
        }
    }
    steered.step(|_, cx| poll_io(|| Pin::new(&mut *writer).poll_flush(cx))).await?;
    steered.control.complete();
    Ok(())
}

/// One step of a writer.
fn poll_io<T>(mut step: impl FnMut() -> Poll<std::io::Result<T>>) -> Poll<Result<T, Error>> {
    loop {
        match ready!(step()) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            result => return Poll::Ready(result.map_err(failed)),
        }
    }
}

fn failed(error: std::io::Error) -> Error {
    FileError::failed_to("write the content")(error).into()
}

/// Lets other tasks have a turn: a writer that is always ready would keep the thread.
async fn turn() {
    let mut had = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut had, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// What the peer is told about how it ended.
fn last_word<T>(result: &Result<T, Error>) -> Code {
    match result {
        Ok(_) => Code::OK,
        Err(error) => code_of(error),
    }
}
