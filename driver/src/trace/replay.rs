//! Tells a machine what another was told, and compares.

use ropeway_core::{Connection, Instant};

use super::call::Call;
use super::difference::Difference;
use super::error::TraceError;
use super::frames::Frames;
use super::header::Header;
use super::outcome::Outcome;
use super::record::Record;
use crate::memory::Grown;

/// A machine that is told what another was told.
pub(super) struct Replay {
    machine: Connection<Grown>,
    block: Vec<u8>,
    frames: Frames,
    so_far: Replayed,
}

/// What was replayed, and differed in nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replayed {
    /// Records.
    pub records: u64,
    /// Events.
    pub events: u64,
    /// Octets that came, of whole frames.
    pub received: u64,
    /// Octets that were sent.
    pub sent: u64,
}

impl Replay {
    pub(super) fn new(header: &Header) -> Replay {
        Replay { machine: header.machine(), block: Vec::new(), frames: Frames::default(), so_far: Replayed::default() }
    }

    pub(super) fn machine(&self) -> &Connection<Grown> {
        &self.machine
    }

    /// What comes of it now.
    pub(super) fn tell(&mut self, call: &Call<'_>, now: Instant) -> Outcome<'_> {
        call.tell(&mut self.machine, now, &mut self.block)
    }

    /// Whether the same comes of it.
    pub(super) fn check(&mut self, record: &Record<'_>) -> Result<(), TraceError> {
        let found = record.call.tell(&mut self.machine, record.now, &mut self.block);
        if found != record.outcome {
            return Err(TraceError::Difference(Box::new(Difference::new(record, &found, &self.frames))));
        }
        let so_far = &mut self.so_far;
        so_far.records += 1;
        match record.outcome {
            Outcome::Event(_) => so_far.events += 1,
            Outcome::Output(octets) => {
                so_far.sent += octets.len() as u64;
                self.frames.push(octets, |_, _| {});
            }
            _ => {}
        }
        if let Call::Input { octets } = record.call {
            so_far.received += octets.len() as u64;
        }
        Ok(())
    }

    pub(super) fn end(self) -> Replayed {
        self.so_far
    }
}
