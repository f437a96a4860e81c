//! One record: what a machine was told, when, and what came of it.

use ropeway_core::Instant;

use super::call::{Call, MOST_OUTPUT};
use super::field::{Bad, Field, Fields, put_varint};
use super::outcome::Outcome;

/// The most octets of a record behind its length: what is sent at once, and what else is said of it.
pub(super) const MOST_RECORD: usize = MOST_OUTPUT + 4096;
/// The kind of the last record.
pub(super) const END: u8 = 127;

/// What a machine was told, when, and what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record<'a> {
    /// Its number, from 1.
    pub number: u64,
    /// Octets of the trace before it.
    pub offset: u64,
    /// When it was: the latest time that the machine had been told by then.
    pub at: Instant,
    /// The time that the machine was told, which may lie before that: a handle looks at the clock before its turn comes, and
    /// who needs no time tells none.
    pub now: Instant,
    /// What it was told.
    pub call: Call<'a>,
    /// What came of it.
    pub outcome: Outcome<'a>,
}

/// What a record holds, as it lies in a trace.
pub(super) enum Held<'a> {
    /// Microseconds since the last, how far before that the machine's own time was, what it was told and what came of it.
    Call { delta: u64, behind: u64, call: Call<'a>, outcome: Outcome<'a> },
    /// The last: how many records are missing before it.
    End { missing: u64 },
}

impl<'a> Held<'a> {
    /// Writes it behind its length. `block` is what it is put together in.
    pub(super) fn encode(&self, block: &mut Vec<u8>, out: &mut Vec<u8>) {
        block.clear();
        match self {
            Held::Call { delta, behind, call, outcome } => {
                delta.put(block);
                behind.put(block);
                call.put(block);
                outcome.put(block);
            }
            Held::End { missing } => {
                block.extend_from_slice(&[0, 0, END]);
                missing.put(block);
            }
        }
        put_varint(block.len() as u64, out);
        out.extend_from_slice(block);
    }

    /// What is behind the length.
    pub(super) fn decode(octets: &'a [u8]) -> Result<Held<'a>, Bad> {
        let mut from = Fields::new(octets);
        let (delta, behind) = (from.field("delta")?, from.field("behind")?);
        if from.peek() == Some(END) {
            let _: u8 = from.field(KIND)?;
            let missing = from.field("missing")?;
            from.end()?;
            return Ok(Held::End { missing });
        }
        let call: Call<'a> = from.field(KIND)?;
        // What was read last is how much it was.
        if !call.is_bounded() {
            return Err(from.bad());
        }
        let outcome: Outcome<'a> = from.field("outcome")?;
        // Or a few octets could stand for many.
        if call.given().is_some_and(|given| outcome.taken(given.len) != given.taken.len()) {
            return Err(from.bad());
        }
        from.end()?;
        Ok(Held::Call { delta, behind, call, outcome })
    }
}

/// What the field is called that is wrong if a kind is unknown.
pub(super) const KIND: &str = "kind of record";
