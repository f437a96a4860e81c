//! What scenarios of files need: folders, content, sources and writers with moods.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_io::{AsyncRead, AsyncWrite};
use ropeway_driver::{Error, FileError, FileReader, Line, Message, Offered, Progress, ProgressStream};
use tempfile::TempDir;

/// A folder of its own, gone when this is dropped.
pub(super) struct Folder(TempDir);

impl Folder {
    pub(super) fn new() -> Folder {
        Folder(tempfile::Builder::new().prefix("ropeway-files-").tempdir().expect("there is room for a folder"))
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Where a file of the name is, or would be.
    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Where what has come of it waits for the rest.
    pub(super) fn partial(&self, name: &str) -> PathBuf {
        self.path().join(format!(".ropeway-{name}.part"))
    }

    /// Makes a file.
    pub(super) fn put(&self, name: &str, octets: &[u8]) -> PathBuf {
        let path = self.at(name);
        fs::write(&path, octets).expect("the folder takes files");
        path
    }

    pub(super) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.at(name)).expect("it is there")
    }

    /// The names of all there is.
    pub(super) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).expect("it is there");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("it is there").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// The next message and the first file that it offers.
pub(super) async fn offered(line: &Line) -> (Message, Offered) {
    let mut message = line.messages().next().await.expect("a message comes");
    let file = message.file().await.expect("the line is up").expect("it offers a file");
    (message, file)
}

/// All that a reader gives.
pub(super) async fn read_file(reader: &mut FileReader) -> Result<Vec<u8>, Error> {
    let mut all = Vec::new();
    while let Some(chunk) = reader.chunk().await? {
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

/// Follows a transfer to its end: its first progress and its last. It never falls back.
pub(super) async fn follow(mut progress: ProgressStream) -> (Progress, Progress) {
    let first = progress.next().await.expect("the latest at once");
    let mut last = first;
    while let Some(now) = progress.next().await {
        assert!(now.done >= last.done, "from {last:?} back to {now:?}");
        last = now;
    }
    (first, last)
}

/// Waits until a transfer is so far.
pub(super) async fn until_done(progress: &mut ProgressStream, octets: u64) {
    while progress.next().await.expect("it is not over").done < octets {}
}

/// What went wrong with a file, in words of this end alone.
pub(super) fn file_error<T: std::fmt::Debug>(result: Result<T, Error>) -> Arc<FileError> {
    match result {
        Err(Error::File(error)) => error,
        other => panic!("no error of a file: {other:?}"),
    }
}

/// Gives octets a few at a time, and ends somehow.
pub(super) struct Giving {
    octets: Bytes,
    most: usize,
    end: Option<io::ErrorKind>,
    until: Option<Arc<AtomicBool>>,
    /// Whether it has something only at every second try.
    pub(super) lazy: bool,
    rested: bool,
}

impl Giving {
    /// At most `most` at a time.
    pub(super) fn new(octets: impl Into<Bytes>, most: usize) -> Giving {
        Giving { octets: octets.into(), most, end: None, until: None, lazy: false, rested: false }
    }

    /// Fails behind the last.
    pub(super) fn failing(self, how: io::ErrorKind) -> Giving {
        Giving { end: Some(how), ..self }
    }

    /// Does not end before it is told to.
    pub(super) fn holding(self, until: &Arc<AtomicBool>) -> Giving {
        Giving { until: Some(until.clone()), ..self }
    }

    /// Has something only at every second try.
    pub(super) fn lazy(self) -> Giving {
        Giving { lazy: true, ..self }
    }
}

impl AsyncRead for Giving {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        self.rested = self.lazy && !self.rested;
        let held = self.until.as_ref().is_some_and(|until| !until.load(Ordering::Relaxed));
        if self.rested || (held && self.octets.len() <= self.most) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.octets.is_empty()
            && let Some(how) = self.end
        {
            return Poll::Ready(Err(how.into()));
        }
        let len = self.octets.len().min(out.len()).min(self.most);
        out[..len].copy_from_slice(&self.octets.split_to(len));
        Poll::Ready(Ok(len))
    }
}

/// Which writer took how much, in order.
#[derive(Clone, Default)]
pub(super) struct Journal(Arc<Mutex<Vec<usize>>>);

impl Journal {
    /// A writer that is known by a number.
    pub(super) fn writer(&self, number: usize) -> Noting {
        Noting { number, journal: self.clone(), octets: Vec::new() }
    }

    /// How often it was another writer's turn.
    pub(super) fn turns(&self) -> usize {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.windows(2).filter(|pair| pair[0] != pair[1]).count()
    }
}

/// Keeps what is written, and notes when.
pub(super) struct Noting {
    number: usize,
    journal: Journal,
    pub(super) octets: Vec<u8>,
}

impl AsyncWrite for Noting {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.journal.0.lock().unwrap_or_else(PoisonError::into_inner).push(self.number);
        self.octets.extend_from_slice(octets);
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
