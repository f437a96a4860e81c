//! Where a replay differs from its trace.

use std::fmt;

use ropeway_core::{Event, Instant};

use super::described::{Described, hex};
use super::frames::Frames;
use super::outcome::Outcome;
use super::record::Record;

/// Octets shown on each side of the first that differs.
const AROUND: usize = 8;

/// What a machine did otherwise than the one that was recorded, when it was told the same.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The number of the record, from 1.
    pub record: u64,
    /// Where the record begins in the trace, in octets.
    pub offset: u64,
    /// When it was.
    pub at: Instant,
    /// What the machine was told.
    pub call: String,
    /// What came of it when it was recorded.
    pub expected: String,
    /// What came of it now.
    pub found: String,
    /// More of it, if octets differ: those that are to be sent, or a body or name in an event.
    pub octets: Option<Differing>,
}

/// Where octets differ first.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Differing {
    /// The offset of the first of them in what was to be sent, or in the body or name.
    pub at: usize,
    /// The octets around it as they were recorded, in hexadecimal digits.
    pub expected: String,
    /// The octets around it as they are now.
    pub found: String,
    /// The frame that was to be sent and has it, if it ends there.
    pub frame: Option<String>,
}

impl Difference {
    /// `frames` are those that were sent before.
    pub(super) fn new(record: &Record<'_>, found: &Outcome<'_>, frames: &Frames) -> Difference {
        let octets = match (record.outcome, *found) {
            (Outcome::Output(expected), Outcome::Output(found)) => Differing::new(expected, found, Some(frames)),
            (Outcome::Event(expected), Outcome::Event(found)) => {
                let both = texts(expected).into_iter().zip(texts(found));
                both.into_iter().find_map(|(expected, found)| Differing::new(expected, found, None))
            }
            _ => None,
        };
        Difference {
            record: record.number,
            offset: record.offset,
            at: record.at,
            call: Described::from(&record.call).to_string(),
            expected: Described::from(&record.outcome).to_string(),
            found: Described::from(found).to_string(),
            octets,
        }
    }
}

impl Differing {
    /// `None` if nothing differs.
    fn new(expected: &[u8], found: &[u8], frames: Option<&Frames>) -> Option<Differing> {
        if expected == found {
            return None;
        }
        let same = expected.iter().zip(found).take_while(|(one, other)| one == other).count();
        let around = |octets: &[u8]| {
            let from = same.saturating_sub(AROUND).min(octets.len());
            hex(&octets[from..same.saturating_add(AROUND).min(octets.len())])
        };
        let frame = frames.and_then(|frames| frames.around(expected, same));
        Some(Differing { at: same, expected: around(expected), found: around(found), frame })
    }
}

/// The octets that an event brings.
fn texts(event: Event<&[u8]>) -> Vec<&[u8]> {
    let mut texts = Vec::new();
    event.map(|octets| texts.push(octets));
    texts
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { record, offset, at, call, expected, found, octets } = self;
        write!(f, "record {record} at offset {offset}, {} us: {call}: ", at.as_micros())?;
        match octets {
            None => write!(f, "expected {expected}, found {found}"),
            Some(Differing { at, expected: one, found: other, frame }) => {
                write!(
                    f,
                    "expected {expected}, found {found}, which differ from octet {at} on: ..{one}.. and ..{other}.."
                )?;
                frame.as_ref().map_or(Ok(()), |frame| write!(f, ", in {frame}"))
            }
        }
    }
}
