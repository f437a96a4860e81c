//! Why a trace can't be read, or does not replay.

use std::fmt;
use std::io;

use super::difference::Difference;

/// Why a trace can't be read, or does not replay. Offsets are octets from its beginning.
#[derive(Debug)]
#[non_exhaustive]
pub enum TraceError {
    /// It does not begin as a trace does.
    Foreign {
        /// The first octet that differs.
        offset: u64,
    },
    /// It is in a version of the format that is not read here.
    Version {
        /// Where it says so.
        offset: u64,
        /// Its version.
        found: u8,
    },
    /// It ends too early: within a record, or without the last.
    Truncated {
        /// Where it ends.
        offset: u64,
    },
    /// A record, or the header, is larger than any can be.
    TooLarge {
        /// Where it begins.
        offset: u64,
        /// How large it says that it is, in octets.
        size: u64,
        /// How large one can be.
        limit: u64,
    },
    /// A record, or the header, is not the one that was written there: it was changed, or one was left out, doubled or moved.
    Check {
        /// Where it begins.
        offset: u64,
    },
    /// A record is of a kind that there is not.
    UnknownKind {
        /// Where it says so.
        offset: u64,
        /// The kind.
        kind: u8,
    },
    /// A field of a record, or of the header, is not what it must be.
    Bad {
        /// Where the field begins.
        offset: u64,
        /// What it is called.
        field: &'static str,
    },
    /// A record is from before the machine was made, or from after all time.
    Time {
        /// Where the record begins.
        offset: u64,
    },
    /// It is whole, but the recording was not: the disk was slower than the line for too long.
    Missing {
        /// Where it would go on.
        offset: u64,
        /// Records that are missing at the end.
        records: u64,
    },
    /// Something follows behind the last record.
    Trailing {
        /// Where it begins.
        offset: u64,
    },
    /// Reading it failed.
    Io {
        /// Where.
        offset: u64,
        /// Why.
        error: io::Error,
    },
    /// It can be read, but a machine that is told the same does something else.
    Difference(Box<Difference>),
}

impl TraceError {
    /// Where it is.
    pub fn offset(&self) -> u64 {
        match self {
            TraceError::Foreign { offset }
            | TraceError::Version { offset, .. }
            | TraceError::Truncated { offset }
            | TraceError::TooLarge { offset, .. }
            | TraceError::Check { offset }
            | TraceError::UnknownKind { offset, .. }
            | TraceError::Bad { offset, .. }
            | TraceError::Time { offset }
            | TraceError::Missing { offset, .. }
            | TraceError::Trailing { offset }
            | TraceError::Io { offset, .. } => *offset,
            TraceError::Difference(difference) => difference.offset,
        }
    }
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TraceError::Foreign { offset } => write!(f, "not a trace, at offset {offset}"),
            TraceError::Version { offset, found } => {
                let known = super::header::VERSION;
                write!(f, "a trace of version {found} at offset {offset}, of which only {known} is known")
            }
            TraceError::Truncated { offset } => write!(f, "it ends too early, at offset {offset}"),
            TraceError::TooLarge { offset, size, limit } => {
                write!(f, "a record of {size} octets at offset {offset}, the limit is {limit}")
            }
            TraceError::Check { offset } => write!(f, "not what was written at offset {offset}"),
            TraceError::UnknownKind { offset, kind } => write!(f, "unknown kind of record {kind} at offset {offset}"),
            TraceError::Bad { offset, field } => write!(f, "bad value of {field} at offset {offset}"),
            TraceError::Time { offset } => write!(f, "impossible time in the record at offset {offset}"),
            TraceError::Missing { offset, records } => {
                write!(f, "{records} records were not recorded, from offset {offset} on")
            }
            TraceError::Trailing { offset } => write!(f, "more behind the last record, at offset {offset}"),
            TraceError::Io { offset, error } => write!(f, "can't be read at offset {offset}: {error}"),
            TraceError::Difference(difference) => difference.fmt(f),
        }
    }
}

impl std::error::Error for TraceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            TraceError::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}
