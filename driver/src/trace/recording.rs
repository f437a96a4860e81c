//! Where the records of a line go: to a writer, off the threads that run tasks, as fast as that is.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::future::poll_fn;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use super::check::Checker;
use super::folder::Folder;
use super::header::Header;
use super::redact::Redactor;
use super::tap::Tap;
use crate::runtime::Spawn;

/// Octets that wait for the disk at once.
const LIMIT: usize = 8 * 1024 * 1024;

/// Where the trace of a line goes, and what is in it.
///
/// Records are put together where the line works, and written on the runtime's pool for work that blocks. When more wait to be
/// written than the limit allows, the recording ends with a record that tells how many are missing; when writing fails, it ends
/// there, and the log says so. The line goes on in both cases as if nothing were recorded.
pub struct Recording {
    sink: Sink,
    limit: usize,
    redacts: bool,
}

enum Sink {
    /// Created when the first record is written, or before; new, or replaced.
    File {
        path: PathBuf,
        new: bool,
    },
    /// Created when the first record is written: what is asked for in vain takes no number.
    Folder(Folder),
    Writer(Box<dyn Write + Send>),
}

impl Recording {
    /// Into a file, which is created, or replaced: a line that is recorded into it still goes on with the old one, which has no
    /// name any more. On Unix a file that is created is for its owner alone.
    pub fn to_file(path: impl Into<PathBuf>) -> Recording {
        Recording::of(Sink::File { path: path.into(), new: false })
    }

    /// The same, but a file that is there is an error.
    pub fn to_new_file(path: impl Into<PathBuf>) -> Recording {
        Recording::of(Sink::File { path: path.into(), new: true })
    }

    pub(super) fn in_folder(folder: Folder) -> Recording {
        Recording::of(Sink::Folder(folder))
    }

    /// Into anything. It is flushed at the end.
    pub fn to(writer: impl Write + Send + 'static) -> Recording {
        Recording::of(Sink::Writer(Box::new(writer)))
    }

    fn of(sink: Sink) -> Recording {
        Recording { sink, limit: LIMIT, redacts: false }
    }

    /// How many octets may wait to be written, 8 MiB if it is not said. Of a batch the writer is busy with, all counts.
    pub fn limit(mut self, octets: usize) -> Recording {
        self.limit = octets;
        self
    }

    /// Puts zeros in the place of bodies, of the contents, names, media types and digests of flows, and of the texts of goodbyes.
    /// Of a hello's extensions and of what broke the protocol only octets stay without which it would not be told the same.
    /// Lengths and all else stay as they are, the names of actions and types too, and so does the replay.
    pub fn without_bodies(mut self) -> Recording {
        self.redacts = true;
        self
    }

    /// Creates the file now. Blocking.
    pub(crate) fn create(mut self) -> io::Result<Recording> {
        if let Sink::File { .. } = self.sink {
            self.sink.writer()?;
        }
        Ok(self)
    }

    /// The recording begins.
    pub(crate) fn begin(self, spawn: Arc<dyn Spawn>, mut header: Header) -> (Tap, Arc<Recorder>) {
        let Recording { sink, limit, redacts } = self;
        header.redacted = redacts;
        let redactor = redacts.then(|| Redactor::new(&header));
        let queue = Queue { chunks: Vec::new(), busy: false, last: false, outcome: None, waiters: Vec::new() };
        let shared = Arc::new(Recorder {
            queue: Mutex::new(queue),
            output: Mutex::new(Some(Writer { sink, redactor, checker: Checker::default() })),
            waiting: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            missing: AtomicU64::new(0),
            limit,
            spawn,
        });
        (Tap::new(&header, shared.clone()), shared)
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Recording");
        match &self.sink {
            Sink::File { path, .. } => shown.field("file", path),
            Sink::Folder(folder) => shown.field("folder", folder),
            Sink::Writer(_) => &mut shown,
        };
        shown.field("limit", &self.limit).field("redacts", &self.redacts).finish_non_exhaustive()
    }
}

impl Sink {
    fn writer(&mut self) -> io::Result<&mut (dyn Write + Send)> {
        let created = match self {
            Sink::File { path, new } => Some(create(path, *new)?),
            Sink::Folder(folder) => Some(folder.create()?),
            Sink::Writer(_) => None,
        };
        if let Some(file) = created {
            *self = Sink::Writer(Box::new(file));
        }
        match self {
            Sink::Writer(writer) => Ok(writer),
            Sink::File { .. } | Sink::Folder(_) => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// Creates a file that its owner alone may read: all that was said is in it. Blocking.
pub(super) fn create(path: &Path, new: bool) -> io::Result<File> {
    // Emptied, it would still be read by whom it was for before, and written by a line that is recorded into it.
    let is_file = !new && fs::symlink_metadata(path).is_ok_and(|found| found.is_file());
    let is_gone = is_file && fs::remove_file(path).is_ok();
    let mut options = OpenOptions::new();
    options.write(true).create_new(new || is_gone).create(!new).truncate(!new);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        // Another was faster.
        Err(error) if is_gone && error.kind() == io::ErrorKind::AlreadyExists => create(path, new),
        opened => opened,
    }
}

/// Takes records and writes them.
pub(crate) struct Recorder {
    queue: Mutex<Queue>,
    /// Whoever writes holds it; gone once all is written.
    output: Mutex<Option<Writer>>,
    /// Octets that were handed over and are not written yet.
    waiting: AtomicUsize,
    /// Writing has failed: nothing more is wanted.
    over: AtomicBool,
    /// Records that found no room.
    missing: AtomicU64,
    limit: usize,
    spawn: Arc<dyn Spawn>,
}

struct Queue {
    chunks: Vec<Vec<u8>>,
    /// Somebody writes, or is about to.
    busy: bool,
    /// Nothing more will come.
    last: bool,
    outcome: Option<Result<(), Arc<io::Error>>>,
    waiters: Vec<Waker>,
}

struct Writer {
    sink: Sink,
    redactor: Option<Redactor>,
    checker: Checker,
}

impl Recorder {
    /// Whether so many octets more may wait.
    pub(super) fn has_room(&self, octets: usize) -> bool {
        self.waiting.load(Ordering::Relaxed).saturating_add(octets) <= self.limit
    }

    /// Whether nothing more is wanted.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// So many records found no room.
    pub(super) fn miss(&self, records: u64) {
        self.missing.store(records, Ordering::Relaxed);
    }

    /// Takes records to be written. Not to be called under the lock of a line: the work may be done at once.
    pub(crate) fn push(self: &Arc<Recorder>, chunk: Vec<u8>, last: bool) {
        self.waiting.fetch_add(chunk.len(), Ordering::Relaxed);
        let begins = {
            let mut queue = self.queue();
            queue.chunks.push(chunk);
            queue.last |= last;
            !std::mem::replace(&mut queue.busy, true)
        };
        if begins {
            let job = Job(Some(self.clone()));
            self.spawn.spawn_blocking(Box::new(move || job.run()));
        }
    }

    /// Waits until all is written, or writing has failed. What is not all there is a failure, too.
    pub(crate) async fn written(&self) -> Result<(), Arc<io::Error>> {
        poll_fn(|cx| {
            let mut queue = self.queue();
            if let Some(outcome) = &queue.outcome {
                return Poll::Ready(outcome.clone());
            }
            if !queue.waiters.iter().any(|waiter| waiter.will_wake(cx.waker())) {
                queue.waiters.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await
    }

    /// Writes until there is nothing left.
    fn work(&self) {
        loop {
            let (chunks, last) = {
                let mut queue = self.queue();
                if queue.chunks.is_empty() {
                    queue.busy = false;
                    return;
                }
                (std::mem::take(&mut queue.chunks), queue.last)
            };
            let octets = chunks.iter().map(Vec::len).sum();
            let written = self.write(chunks, last);
            self.waiting.fetch_sub(octets, Ordering::Relaxed);
            match written {
                Ok(()) if last => self.end(self.whole()),
                Ok(()) => {}
                Err(error) => self.fail(error),
            }
        }
    }

    fn whole(&self) -> Result<(), Arc<io::Error>> {
        match self.missing.load(Ordering::Relaxed) {
            0 => Ok(()),
            missing => {
                let text = format!("writing was too slow: {missing} records are missing at the end of the trace");
                Err(Arc::new(io::Error::other(text)))
            }
        }
    }

    fn write(&self, chunks: Vec<Vec<u8>>, last: bool) -> io::Result<()> {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        // What comes behind a failure goes nowhere.
        let Some(Writer { sink, redactor, checker }) = &mut *output else { return Ok(()) };
        let to = sink.writer()?;
        for chunk in chunks {
            let chunk = redactor.as_mut().map_or(&chunk[..], |redactor| redactor.pass(&chunk));
            to.write_all(checker.pass(chunk))?;
        }
        if last {
            to.flush()?;
            *output = None;
        }
        Ok(())
    }

    fn fail(&self, error: io::Error) {
        self.over.store(true, Ordering::Relaxed);
        *self.output.lock().unwrap_or_else(PoisonError::into_inner) = None;
        tracing::warn!(%error, "recording a line failed, and ends");
        self.end(Err(Arc::new(error)));
    }

    fn end(&self, outcome: Result<(), Arc<io::Error>>) {
        let waiters = {
            let mut queue = self.queue();
            queue.outcome.get_or_insert(outcome);
            std::mem::take(&mut queue.waiters)
        };
        waiters.into_iter().for_each(Waker::wake);
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The work of writing, which is done also if the runtime ends and drops it.
struct Job(Option<Arc<Recorder>>);

impl Job {
    fn run(mut self) {
        if let Some(recorder) = self.0.as_ref() {
            recorder.work();
        }
        self.0 = None;
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        let Some(recorder) = self.0.take() else { return };
        if std::thread::panicking() {
            recorder.fail(io::Error::other("what writes the trace panicked"));
            recorder.queue().busy = false;
        } else {
            recorder.work();
        }
    }
}
