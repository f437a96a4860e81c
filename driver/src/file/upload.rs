//! Files that this end sends.

use std::fmt;
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_io::AsyncRead;
use ropeway_core::{Accept, Code, Offer};

use super::Source;
use super::control::{Control, Ends, ProgressStream, Steered, Waits, code_of, outcome};
use super::feed::{BoxedReader, Feed};
use crate::blocking::blocking;
use crate::error::Error;
use crate::flow::Outgoing;
use crate::line::Line;
use crate::state::On;

/// The action of a message that only brings a file.
const FILE: &str = "file";

impl Line {
    /// Offers the peer one file: a notice with the action `file`, no body, and the file.
    ///
    /// Returns when it is offered; [`Upload::finished`] tells what becomes of it.
    ///
    /// # Errors
    /// [`Error::File`] for a file that can't be read, before anything is sent; [`Error::TooLarge`] for a name that is too
    /// long for the peer; [`Error::Closed`].
    ///
    /// # Cancel safety
    /// Dropped early, the file is either not offered or given up.
    pub async fn send_file(&self, file: impl Into<Uploading>) -> Result<Upload, Error> {
        let uploads = self.open(FILE, &()).file(file).notify().await?;
        uploads.into_iter().next().ok_or(Error::Misuse("the exchange is over"))
    }
}

/// A file to send: where its content comes from, and what the peer is told about it.
///
/// Where one is asked for a path will do, and so will a name with its content: `line.send_file(("notes.txt", "no news"))`.
///
/// Nothing is read before the peer asks for it; but a path is opened when it is sent, so that a missing file fails early.
pub struct Uploading {
    name: String,
    media: String,
    content: Content,
}

enum Content {
    Path(PathBuf),
    Source(Source),
    Reader { reader: BoxedReader, size: Option<u64> },
}

impl Uploading {
    /// A file of this system, offered by its own name, without the folders it is in.
    ///
    /// What is sent is what it holds when it is opened; if it changes until all is sent, the transfer fails.
    pub fn from_path(path: impl Into<PathBuf>) -> Uploading {
        let path = path.into();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Uploading::new(name, Content::Path(path))
    }

    /// A file whose content is in memory.
    pub fn from_bytes(name: impl Into<String>, bytes: impl Into<Bytes>) -> Uploading {
        Uploading::from_source(name, bytes.into().into())
    }

    /// A file that is open already.
    pub fn from_source(name: impl Into<String>, source: Source) -> Uploading {
        Uploading::new(name.into(), Content::Source(source))
    }

    /// A file whose content a reader gives, of unknown size unless [`size`](Uploading::size) tells.
    ///
    /// The peer gets it from its beginning, once: it can't continue a partial file, and can't ask for a second range.
    pub fn from_reader(name: impl Into<String>, reader: impl AsyncRead + Send + 'static) -> Uploading {
        Uploading::new(name.into(), Content::Reader { reader: Box::pin(reader), size: None })
    }

    fn new(name: String, content: Content) -> Uploading {
        Uploading { name, media: String::new(), content }
    }

    /// Offers it by this name.
    pub fn name(mut self, name: impl Into<String>) -> Uploading {
        self.name = name.into();
        self
    }

    /// Tells the peer its media type, such as `text/plain`.
    pub fn media(mut self, media: impl Into<String>) -> Uploading {
        self.media = media.into();
        self
    }

    /// How many octets a reader gives. What it has behind them is not read; if it has less, the transfer fails. A path and
    /// octets have a size of their own, which counts.
    pub fn size(mut self, octets: u64) -> Uploading {
        if let Content::Reader { size, .. } = &mut self.content {
            *size = Some(octets);
        }
        self
    }

    /// Opens a path, so that a file that can't be sent fails before anything is.
    ///
    /// Cancel safe.
    pub(crate) async fn prepare(&mut self, line: &Line) -> Result<(), Error> {
        if let Content::Path(path) = &self.content {
            self.content = Content::Source(open(line, path.clone()).await?);
        }
        Ok(())
    }

    /// Offers it on an exchange whose message announced it, and has a task of its own send it.
    ///
    /// Dropped early, it is either not offered or given up.
    pub(crate) async fn offer(self, line: &Line, on: On) -> Result<Upload, Error> {
        let source = |source| Feed::source(line.spawn().clone(), source);
        let mut feed = match self.content {
            Content::Path(path) => source(open(line, path).await?),
            Content::Source(content) => source(content),
            Content::Reader { reader, size } => Feed::reader(reader, size),
        };
        let size = feed.size();
        let offer = Offer { push: false, size, media: &self.media, name: &self.name };
        let flow = Outgoing::offer(line, on, &offer).await?;
        let control = Control::new(size);
        let (ends, waits) = outcome(control.clone());
        let sending = Sending { flow: Steered { flow, control }, feed, size };
        line.spawn().spawn(Box::pin(sending.run(ends)));
        Ok(Upload { name: self.name.into(), size, waits })
    }
}

impl fmt::Debug for Uploading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uploading").field("name", &self.name).field("media", &self.media).finish_non_exhaustive()
    }
}

async fn open(line: &Line, path: PathBuf) -> Result<Source, Error> {
    Ok(blocking(&**line.spawn(), move || Source::open(&path)).await??)
}

impl From<&str> for Uploading {
    fn from(path: &str) -> Uploading {
        Uploading::from_path(path)
    }
}

impl From<String> for Uploading {
    fn from(path: String) -> Uploading {
        Uploading::from_path(path)
    }
}

impl From<&Path> for Uploading {
    fn from(path: &Path) -> Uploading {
        Uploading::from_path(path)
    }
}

impl From<PathBuf> for Uploading {
    fn from(path: PathBuf) -> Uploading {
        Uploading::from_path(path)
    }
}

impl From<&PathBuf> for Uploading {
    fn from(path: &PathBuf) -> Uploading {
        Uploading::from_path(path)
    }
}

/// A name, and the content.
impl<N: Into<String>, B: Into<Bytes>> From<(N, B)> for Uploading {
    fn from((name, bytes): (N, B)) -> Uploading {
        Uploading::from_bytes(name, bytes)
    }
}

/// A file that was offered to the peer.
///
/// A task of its own sends it, whether or not this handle lives: dropping the handle changes nothing,
/// [`cancel`](Upload::cancel) gives the file up. While the transfer is under way it keeps the line open.
pub struct Upload {
    name: Box<str>,
    size: Option<u64>,
    waits: Waits<()>,
}

impl Upload {
    /// The name it was offered by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its size in octets, if it is known.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// How far it is, as it goes.
    pub fn progress(&self) -> ProgressStream {
        self.waits.control.progress()
    }

    /// Sends nothing more until [`resume`](Upload::resume). The peer is told.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the transfer is over.
    pub fn pause(&self) -> Result<(), Error> {
        self.waits.control.pause(true)
    }

    /// Goes on, unless the peer has paused it too.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the transfer is over.
    pub fn resume(&self) -> Result<(), Error> {
        self.waits.control.pause(false)
    }

    /// Gives it up, with a code for the peer. [`finished`](Upload::finished) tells whether it was over before.
    pub fn cancel(&self, code: Code) {
        self.waits.control.cancel(code);
    }

    /// Waits until the peer has all it wants and has verified it.
    ///
    /// # Errors
    /// [`Error::Aborted`] with the peer's code if it declined, stopped, or got something else than was sent
    /// ([`Code::DIGEST`]); [`Error::Cancelled`] if this end did; [`Error::File`] if the content can't be read or changed;
    /// [`Error::Closed`].
    ///
    /// # Cancel safety
    /// Safe; it can be asked again.
    pub async fn finished(&self) -> Result<(), Error> {
        self.waits.told().await
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("name", &self.name)
            .field("progress", &self.waits.control.latest())
            .finish_non_exhaustive()
    }
}

/// The files of a message that is being sent: given up with it if it does not come to its end.
#[derive(Default)]
pub(crate) struct Uploads(Vec<Upload>);

impl Uploads {
    pub(crate) fn push(&mut self, upload: Upload) {
        self.0.push(upload);
    }

    /// The message is sent: its files go on by themselves.
    pub(crate) fn sent(mut self) -> Vec<Upload> {
        std::mem::take(&mut self.0)
    }
}

impl Drop for Uploads {
    fn drop(&mut self) {
        for upload in &self.0 {
            upload.cancel(Code::CANCELLED);
        }
    }
}

/// The task that sends a file.
struct Sending {
    flow: Steered<Outgoing>,
    feed: Feed,
    size: Option<u64>,
}

impl Sending {
    async fn run(mut self, ends: Ends<()>) {
        let mut result = self.serve().await;
        if let Err(error) = &result {
            self.flow.flow.cancel(code_of(error));
        }
        if let Err(Error::Misuse(_)) = result {
            // The line is closing and takes no verb any more. How that ends is what there is to tell.
            result = self.flow.step(|flow, cx| flow.poll_done(cx)).await.and_then(|code| Err(Error::Aborted(code)));
        }
        drop(self.flow);
        self.feed.end().await;
        ends.end(result);
    }

    /// Sends what the peer asks for until it wants no more.
    async fn serve(&mut self) -> Result<(), Error> {
        let mut finished = false;
        loop {
            match self.flow.step(|flow, cx| flow.poll_accepted(cx)).await? {
                Ok(accept) => self.send(&accept).await?,
                Err(Code::OK) if finished => return Ok(()),
                Err(code) => return Err(Error::Aborted(code)),
            }
            finished = true;
        }
    }

    async fn send(&mut self, accept: &Accept) -> Result<(), Error> {
        let Sending { flow: steered, feed, size } = self;
        feed.seek(accept)?;
        let start = steered.step(|flow, cx| unless_done(flow, cx, |cx| feed.poll_start(cx))).await?;
        match accept.end {
            None => steered.control.begin(start, *size),
            Some(end) => steered.control.begin(0, size.map(|size| end.min(size).saturating_sub(start))),
        }
        steered.control.clone().unless_cancelled(steered.flow.begin(start)).await?;
        let mut last = false;
        while !last {
            let chunk = steered.step(|flow, cx| unless_done(flow, cx, |cx| feed.poll_chunk(cx))).await?;
            let mut rest = chunk.octets.as_slice();
            while !rest.is_empty() {
                let sent = steered.step(|flow, cx| flow.poll_data(cx, rest)).await?;
                rest = rest.get(sent..).unwrap_or_default();
                steered.control.add(sent);
            }
            last = chunk.last;
            feed.reuse(chunk.octets);
        }
        steered.control.complete();
        let digest = feed.digest();
        steered.step(|flow, cx| flow.poll_finish(cx, digest)).await
    }
}

/// Waits for content; but the peer may want no more of it meanwhile.
fn unless_done<T>(
    flow: &mut Outgoing,
    cx: &mut Context<'_>,
    wait: impl FnOnce(&mut Context<'_>) -> Poll<Result<T, Error>>,
) -> Poll<Result<T, Error>> {
    match flow.poll_done(cx) {
        Poll::Ready(Ok(code)) => Poll::Ready(Err(Error::Aborted(code))),
        Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        Poll::Pending => wait(cx),
    }
}
