//! Reads a trace, a record at a time.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use ropeway_core::Instant;

use super::check::{self, Check};
use super::error::TraceError;
use super::field::{Bad, Varint};
use super::header::{Header, MAGIC, VERSION};
use super::record::{Held, KIND, MOST_RECORD, Record};
use super::replay::{Replay, Replayed};

/// The most octets of a header behind its length.
pub(super) const MOST_HEADER: usize = 4096;

/// A recording of one line's machine. It holds no more than one record at a time.
#[derive(Debug)]
pub struct Trace<R> {
    from: R,
    header: Header,
    /// Octets read so far, and records.
    offset: u64,
    records: u64,
    at: Instant,
    block: Vec<u8>,
    check: Check,
    missing: Option<u64>,
}

impl Trace<BufReader<File>> {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// [`TraceError::Io`] if there is no such file, or what [`Trace::new`] says.
    pub fn open(path: impl AsRef<Path>) -> Result<Trace<BufReader<File>>, TraceError> {
        let file = File::open(path).map_err(|error| TraceError::Io { offset: 0, error })?;
        Trace::new(BufReader::new(file))
    }
}

impl<R: Read> Trace<R> {
    /// Reads the header of a trace. It reads in small pieces: what is slow to ask is best put into a [`BufReader`].
    ///
    /// # Errors
    /// Whatever of [`TraceError`] is wrong with it.
    pub fn new(mut from: R) -> Result<Trace<R>, TraceError> {
        let mut offset = 0;
        let mut magic = [0; MAGIC.len()];
        for at in 0..magic.len() {
            // What differs is no trace, however short it is.
            magic[at] = octet(&mut from, &mut offset)?.ok_or(TraceError::Truncated { offset })?;
            if magic[at] != MAGIC[at] {
                return Err(TraceError::Foreign { offset: at as u64 });
            }
        }
        let version = offset;
        match octet(&mut from, &mut offset)?.ok_or(TraceError::Truncated { offset })? {
            VERSION => {}
            found => return Err(TraceError::Version { offset: version, found }),
        }
        let (mut block, mut check) = (Vec::new(), Check::default());
        check.push(&MAGIC);
        check.push(&[VERSION]);
        let start = length(&mut from, &mut offset, MOST_HEADER, &mut block)?.ok_or(TraceError::Truncated { offset })?;
        checked(&mut from, &mut offset, &mut check, &block, 0)?;
        let header = Header::decode(&block)
            .map_err(|bad| TraceError::Bad { offset: start + bad.at as u64, field: bad.field })?;
        Ok(Trace { from, header, offset, records: 0, at: header.start, block, check, missing: None })
    }

    /// How the machine was made.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How many records are missing at the end, because the disk was slower than the line for too long; `None` before the end
    /// was read.
    pub fn missing(&self) -> Option<u64> {
        self.missing
    }

    /// The next record; `None` behind the last.
    ///
    /// # Errors
    /// Whatever of [`TraceError`] is wrong with it. What follows makes no sense then.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, TraceError> {
        if self.missing.is_some() {
            return Ok(None);
        }
        let offset = self.offset;
        let start = length(&mut self.from, &mut self.offset, MOST_RECORD, &mut self.block)?;
        let start = start.ok_or(TraceError::Truncated { offset })?;
        checked(&mut self.from, &mut self.offset, &mut self.check, &self.block, offset)?;
        let held = match Held::decode(&self.block) {
            Ok(held) => held,
            Err(Bad { field: KIND, at }) => {
                let (offset, kind) = (start + at as u64, self.block.get(at).copied());
                return Err(kind
                    .map_or(TraceError::Bad { offset, field: KIND }, |kind| TraceError::UnknownKind { offset, kind }));
            }
            Err(Bad { field, at }) => return Err(TraceError::Bad { offset: start + at as u64, field }),
        };
        match held {
            Held::Call { delta, behind, call, outcome } => {
                let at = self.at.as_micros().checked_add(delta).ok_or(TraceError::Time { offset })?;
                let now = at.checked_sub(behind).ok_or(TraceError::Time { offset })?;
                // Who needs no time may tell zero.
                if now != 0 && now < self.header.start.as_micros() {
                    return Err(TraceError::Time { offset });
                }
                self.at = Instant::from_micros(at);
                self.records += 1;
                let (number, at, now) = (self.records, self.at, Instant::from_micros(now));
                Ok(Some(Record { number, offset, at, now, call, outcome }))
            }
            Held::End { missing } => {
                let offset = self.offset;
                if octet(&mut self.from, &mut self.offset)?.is_some() {
                    return Err(TraceError::Trailing { offset });
                }
                self.missing = Some(missing);
                Ok(None)
            }
        }
    }

    /// Tells a machine that was made in the same way all of it, and compares what comes of it, to the octet.
    ///
    /// # Errors
    /// [`TraceError::Difference`], the first that there is; otherwise what is wrong with the trace, once all before it has
    /// replayed: [`TraceError::Missing`] if that is only that it was not recorded to its end.
    pub fn replay(mut self) -> Result<Replayed, TraceError> {
        let mut replay = Replay::new(&self.header);
        let mut offset = self.offset;
        while let Some(record) = self.next_record()? {
            replay.check(&record)?;
            offset = self.offset;
        }
        match self.missing.unwrap_or_default() {
            0 => Ok(replay.end()),
            records => Err(TraceError::Missing { offset, records }),
        }
    }
}

/// Reads an octet, `None` at the end.
fn octet(from: &mut impl Read, offset: &mut u64) -> Result<Option<u8>, TraceError> {
    let mut octet = [0];
    loop {
        match from.read(&mut octet) {
            Ok(0) => return Ok(None),
            Ok(_) => {
                *offset += 1;
                return Ok(Some(octet[0]));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(TraceError::Io { offset: *offset, error }),
        }
    }
}

/// Reads the check of what begins at `begin`.
fn checked(
    from: &mut impl Read,
    offset: &mut u64,
    check: &mut Check,
    block: &[u8],
    begin: u64,
) -> Result<(), TraceError> {
    check.push_behind_len(block);
    let mut found = [0; check::LEN];
    for at in &mut found {
        *at = octet(from, offset)?.ok_or(TraceError::Truncated { offset: *offset })?;
    }
    if found == check.octets() { Ok(()) } else { Err(TraceError::Check { offset: begin }) }
}

/// Reads a length, and as many octets: where these begin. `None` if there was nothing.
fn length(
    from: &mut impl Read,
    offset: &mut u64,
    limit: usize,
    block: &mut Vec<u8>,
) -> Result<Option<u64>, TraceError> {
    let begin = *offset;
    let Some(mut next) = octet(from, offset)? else { return Ok(None) };
    let mut number = Varint::default();
    let len = loop {
        match number.push(next) {
            Ok(Some(len)) => break len,
            Ok(None) => next = octet(from, offset)?.ok_or(TraceError::Truncated { offset: *offset })?,
            Err(()) => return Err(TraceError::Bad { offset: begin, field: "length" }),
        }
    };
    let wanted = usize::try_from(len).ok().filter(|len| *len <= limit);
    let wanted = wanted.ok_or(TraceError::TooLarge { offset: begin, size: len, limit: limit as u64 })?;
    let start = *offset;
    block.clear();
    // No more memory than octets that there are.
    let read = from.take(len).read_to_end(block);
    *offset += block.len() as u64;
    read.map_err(|error| TraceError::Io { offset: *offset, error })?;
    if block.len() < wanted { Err(TraceError::Truncated { offset: *offset }) } else { Ok(Some(start)) }
}
