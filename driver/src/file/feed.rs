//! What a file that is sent comes from: a source, read on the blocking pool one chunk ahead, or a reader.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_io::AsyncRead;
use ropeway_core::Accept;

use super::{FileError, Source};
use crate::blocking::Errand;
use crate::error::Error;
use crate::runtime::Spawn;

/// Octets read at once. A trip to the pool costs some 20 us, which is a tenth of what reading this much costs.
const CHUNK: usize = 256 * 1024;
/// Octets asked of a reader at once: two large frames.
const READER_CHUNK: usize = 64 * 1024;
/// Octets of what is not sent but belongs to the digest, hashed on one trip: some 10 ms, so that a transfer that is
/// cancelled lets go of its thread soon.
const PREFIX_STEP: u64 = 32 * 1024 * 1024;

pub(super) type BoxedReader = Pin<Box<dyn AsyncRead + Send>>;

/// Some of the content.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Chunk {
    /// May be empty if it is the last.
    pub(super) octets: Vec<u8>,
    /// Whether it is the end of what was asked for.
    pub(super) last: bool,
}

/// Where the octets of an upload come from. First [`seek`](Feed::seek), then [`poll_start`](Feed::poll_start), then
/// chunks to the last, then the [`digest`](Feed::digest); then it may begin again.
pub(super) enum Feed {
    Source(SourceFeed),
    Reader(ReaderFeed),
}

impl Feed {
    pub(super) fn source(spawn: Arc<dyn Spawn>, source: Source) -> Feed {
        Feed::Source(SourceFeed { errand: Errand::new(spawn, Reading::new(source)), spare: Vec::new() })
    }

    pub(super) fn reader(reader: BoxedReader, size: Option<u64>) -> Feed {
        let hasher = blake3::Hasher::new();
        Feed::Reader(ReaderFeed { reader, size, hasher, end: 0, begun: false, spare: Vec::new() })
    }

    /// How many octets there are, if it is known.
    pub(super) fn size(&mut self) -> Option<u64> {
        match self {
            Feed::Source(feed) => Some(feed.errand.here()?.source.len()),
            Feed::Reader(feed) => feed.size,
        }
    }

    /// Goes to what is asked for.
    pub(super) fn seek(&mut self, accept: &Accept) -> Result<(), Error> {
        match self {
            Feed::Source(feed) => feed.errand.here().map_or(Ok(()), |reading| reading.seek(accept))?,
            Feed::Reader(feed) => feed.seek(accept)?,
        }
        Ok(())
    }

    /// Where the first chunk begins: what was asked for, or 0.
    pub(super) fn poll_start(&mut self, cx: &mut Context<'_>) -> Poll<Result<u64, Error>> {
        match self {
            Feed::Source(feed) => feed.poll_start(cx),
            Feed::Reader(_) => Poll::Ready(Ok(0)),
        }
    }

    /// The next chunk.
    pub(super) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Chunk, Error>> {
        match self {
            Feed::Source(feed) => feed.poll_chunk(cx),
            Feed::Reader(feed) => feed.poll_chunk(cx),
        }
    }

    /// Takes back the memory of a chunk that was sent.
    pub(super) fn reuse(&mut self, octets: Vec<u8>) {
        match self {
            Feed::Source(feed) => feed.spare = octets,
            Feed::Reader(feed) => feed.spare = octets,
        }
    }

    /// BLAKE3, once the last chunk was given: of all content from offset 0, or, if an end was asked for, of what was given.
    pub(super) fn digest(&mut self) -> Option<[u8; 32]> {
        let hasher = match self {
            Feed::Source(feed) => &feed.errand.here()?.hasher,
            Feed::Reader(feed) => &feed.hasher,
        };
        Some(*hasher.finalize().as_bytes())
    }

    /// Waits until the pool has let go of the content.
    pub(super) async fn end(self) {
        if let Feed::Source(feed) = self {
            feed.errand.end().await;
        }
    }
}

pub(super) struct SourceFeed {
    errand: Errand<Reading, Result<Chunk, FileError>>,
    spare: Vec<u8>,
}

impl SourceFeed {
    fn poll_start(&mut self, cx: &mut Context<'_>) -> Poll<Result<u64, Error>> {
        loop {
            match self.errand.here().map(Reading::start) {
                Some(Some(start)) => return Poll::Ready(Ok(start)),
                Some(None) => self.errand.send(|reading| reading.catch_up().map(|()| Chunk::default())),
                None => {}
            }
            ready!(self.errand.poll_back(cx))??;
        }
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Chunk, Error>> {
        if !self.errand.is_away() {
            self.read();
        }
        let chunk = ready!(self.errand.poll_back(cx))??;
        if !chunk.last {
            self.read();
        }
        Poll::Ready(Ok(chunk))
    }

    fn read(&mut self) {
        let octets = std::mem::take(&mut self.spare);
        self.errand.send(|reading| reading.read(octets));
    }
}

/// A place in a source. Blocking.
#[derive(Debug)]
struct Reading {
    source: Source,
    hasher: blake3::Hasher,
    /// Offset of the next octet.
    at: u64,
    /// Offset of the first octet that is given.
    start: u64,
    end: u64,
    /// What comes before `start` must have this digest, or all is given.
    prefix: Option<[u8; 32]>,
    /// The digest is of what is given alone.
    of_range: bool,
}

impl Reading {
    fn new(source: Source) -> Reading {
        let end = source.len();
        Reading { source, hasher: blake3::Hasher::new(), at: 0, start: 0, end, prefix: None, of_range: false }
    }

    fn seek(&mut self, accept: &Accept) -> Result<(), FileError> {
        let Accept { start, end, prefix } = *accept;
        if start > self.source.len() {
            return Err(FileError::Range);
        }
        self.hasher.reset();
        self.of_range = end.is_some();
        self.prefix = prefix.filter(|_| start > 0);
        self.start = start;
        self.end = end.unwrap_or(u64::MAX).min(self.source.len());
        // Of a range that nothing has to be compared for only the range is read.
        self.at = if self.of_range && self.prefix.is_none() { start } else { 0 };
        Ok(())
    }

    /// Where it begins, once that is known.
    fn start(&mut self) -> Option<u64> {
        if self.at < self.start {
            return None;
        }
        if self.prefix.take().is_some_and(|prefix| prefix != *self.hasher.finalize().as_bytes()) {
            (self.at, self.start) = (0, 0);
            self.hasher.reset();
        }
        if self.of_range {
            self.hasher.reset();
        }
        Some(self.start)
    }

    /// Hashes some of what comes before the start.
    fn catch_up(&mut self) -> Result<(), FileError> {
        let until = self.start.min(self.at.saturating_add(PREFIX_STEP));
        let mut block = vec![0; CHUNK];
        while self.at < until {
            let len = length(until - self.at, CHUNK);
            self.source.fill_at(self.at, &mut block[..len])?;
            self.hasher.update(&block[..len]);
            self.at += len as u64;
        }
        Ok(())
    }

    fn read(&mut self, mut octets: Vec<u8>) -> Result<Chunk, FileError> {
        octets.resize(length(self.end - self.at, CHUNK), 0);
        self.source.fill_at(self.at, &mut octets)?;
        self.hasher.update(&octets);
        self.at += octets.len() as u64;
        let last = self.at == self.end;
        if last {
            self.source.check_unchanged()?;
        }
        Ok(Chunk { octets, last })
    }
}

pub(super) struct ReaderFeed {
    reader: BoxedReader,
    size: Option<u64>,
    /// Of all that was read; it also counts it.
    hasher: blake3::Hasher,
    end: u64,
    begun: bool,
    spare: Vec<u8>,
}

impl ReaderFeed {
    /// What was read can't be read again, so it is all given, once.
    fn seek(&mut self, accept: &Accept) -> Result<(), FileError> {
        if self.begun {
            return Err(FileError::Range);
        }
        self.begun = true;
        self.end = accept.end.unwrap_or(u64::MAX).min(self.size.unwrap_or(u64::MAX));
        Ok(())
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Chunk, Error>> {
        let at = self.hasher.count();
        let mut octets = std::mem::take(&mut self.spare);
        octets.resize(length(self.end - at, READER_CHUNK), 0);
        if octets.is_empty() {
            return Poll::Ready(Ok(Chunk { octets, last: true }));
        }
        let read = loop {
            match self.reader.as_mut().poll_read(cx, &mut octets) {
                Poll::Pending => {
                    self.spare = octets;
                    return Poll::Pending;
                }
                Poll::Ready(Ok(read)) => break read,
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(Err(FileError::failed_to("read the content")(error).into()));
                }
            }
        };
        if read == 0 && self.size.is_some() {
            return Poll::Ready(Err(FileError::Changed.into()));
        }
        octets.truncate(read);
        self.hasher.update(&octets);
        let last = read == 0 || self.hasher.count() == self.end;
        Poll::Ready(Ok(Chunk { octets, last }))
    }
}

fn length(left: u64, most: usize) -> usize {
    usize::try_from(left).unwrap_or(usize::MAX).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn content(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i % 251) as u8).collect()
    }

    fn digest(octets: &[u8]) -> [u8; 32] {
        *blake3::hash(octets).as_bytes()
    }

    /// Gives what is asked for: where it begins, the octets, the digest.
    fn give(reading: &mut Reading, accept: &Accept) -> Result<(u64, Vec<u8>, [u8; 32]), FileError> {
        reading.seek(accept)?;
        let start = loop {
            match reading.start() {
                Some(start) => break start,
                None => reading.catch_up()?,
            }
        };
        let (mut all, mut spare) = (Vec::new(), Vec::new());
        loop {
            let Chunk { octets, last } = reading.read(spare)?;
            assert!(octets.len() <= CHUNK);
            all.extend_from_slice(&octets);
            if last {
                return Ok((start, all, *reading.hasher.finalize().as_bytes()));
            }
            assert_eq!(octets.len(), CHUNK);
            spare = octets;
        }
    }

    #[test]
    fn gives_what_is_asked_for_and_its_digest() {
        for len in [0, 1, 100, CHUNK, CHUNK + 1, 2 * CHUNK] {
            let all = content(len);
            let mut reading = Reading::new(Bytes::from(all.clone()).into());
            for start in [0, len / 3, len] {
                for end in [None, Some(len / 2), Some(len)] {
                    for prefix in [None, Some(digest(&all[..start])), Some([7; 32])] {
                        let to = end.unwrap_or(len);
                        if start > to {
                            continue;
                        }
                        let accept = Accept { start: start as u64, end: end.map(|end| end as u64), prefix };
                        let from = if prefix == Some([7; 32]) { 0 } else { start };
                        let hashed = if end.is_some() { &all[from..to] } else { &all[..] };
                        let expected = (from as u64, all[from..to].to_vec(), digest(hashed));
                        let given = give(&mut reading, &accept).expect("given");
                        assert!(given == expected, "{len} {accept:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn refuses_to_begin_behind_the_end() {
        let mut reading = Reading::new(Bytes::from_static(b"0123").into());
        let accept = Accept { start: 5, ..Accept::default() };
        assert!(matches!(reading.seek(&accept), Err(FileError::Range)));
    }

    #[test]
    fn a_source_that_shrinks_or_changes_is_never_given_as_whole() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        io::Write::write_all(&mut file, &content(3 * CHUNK)).expect("written");
        let changes: [fn(&std::fs::File) -> io::Result<()>; 2] =
            [|file| file.set_len(CHUNK as u64 + 7), |file| file.set_modified(std::time::SystemTime::UNIX_EPOCH)];
        for change in changes {
            let mut reading = Reading::new(Source::open(file.path()).expect("opened"));
            reading.seek(&Accept::default()).expect("within");
            let read = reading.read(Vec::new()).expect("read");
            assert!(!read.last);
            change(file.as_file()).expect("changed");
            let given = loop {
                match reading.read(Vec::new()) {
                    Ok(Chunk { last: false, .. }) => {}
                    result => break result,
                }
            };
            assert!(matches!(given, Err(FileError::Changed)), "{given:?}");
        }
    }

    /// Gives a few octets a time, and has nothing at every second try.
    struct Slow(Bytes, bool);

    impl AsyncRead for Slow {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
            self.1 = !self.1;
            if self.1 {
                return Poll::Pending;
            }
            let len = self.0.len().min(out.len()).min(7);
            out[..len].copy_from_slice(&self.0.split_to(len));
            Poll::Ready(Ok(len))
        }
    }

    /// What comes of reading `Slow` content of 100 octets with this size to this end.
    fn check(size: Option<u64>, end: Option<u64>, expected: Option<usize>) {
        let all = content(100);
        let mut feed = Feed::reader(Box::pin(Slow(all.clone().into(), false)), size);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        feed.seek(&Accept { start: 50, end, prefix: None }).expect("nothing was read");
        assert!(matches!(feed.poll_start(&mut cx), Poll::Ready(Ok(0))));
        let mut given = Vec::new();
        let outcome = loop {
            match feed.poll_chunk(&mut cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(chunk)) => {
                    given.extend_from_slice(&chunk.octets);
                    let last = chunk.last;
                    feed.reuse(chunk.octets);
                    if last {
                        break Ok(());
                    }
                }
                Poll::Ready(Err(error)) => break Err(error),
            }
        };
        match expected {
            Some(len) => {
                assert_eq!((given.len(), feed.digest()), (len, Some(digest(&all[..len]))));
                outcome.expect("given");
            }
            None => assert!(matches!(outcome, Err(Error::File(error)) if matches!(*error, FileError::Changed))),
        }
        assert!(matches!(feed.seek(&Accept::default()), Err(Error::File(error)) if matches!(*error, FileError::Range)));
    }

    #[test]
    fn a_reader_is_given_from_its_start_once() {
        check(None, None, Some(100));
        check(Some(100), None, Some(100));
        check(Some(60), None, Some(60));
        check(Some(0), None, Some(0));
        check(None, Some(70), Some(70));
        check(None, Some(170), Some(100));
        check(Some(101), None, None);
        check(Some(101), Some(100), Some(100));
    }
}
