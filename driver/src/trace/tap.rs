//! Notes what a machine is told, and what comes of it, under the lock of its line.

use std::sync::Arc;

use ropeway_core::Instant;

use super::call::Call;
use super::header::Header;
use super::outcome::Outcome;
use super::record::Held;
use super::recording::Recorder;

/// Notes in memory, until they are handed over.
pub(crate) struct Tap {
    to: Arc<Recorder>,
    /// The latest time that the machine was told.
    at: Instant,
    notes: Vec<u8>,
    block: Vec<u8>,
    /// Records that found no room. Since the first of them nothing is noted: what has a gap does not replay.
    missing: u64,
}

impl Tap {
    pub(super) fn new(header: &Header, to: Arc<Recorder>) -> Tap {
        let mut notes = Vec::new();
        header.encode(&mut notes);
        Tap { to, at: header.start, notes, block: Vec::new(), missing: 0 }
    }

    /// What the machine was told at `now`, if it was told the time, and what came of it.
    pub(crate) fn note(&mut self, now: Option<Instant>, call: Call<'_>, outcome: Outcome<'_>) {
        if self.to.is_over() {
            self.notes = Vec::new();
            return;
        }
        if self.missing > 0 {
            self.missing += 1;
            return;
        }
        let now = now.unwrap_or(self.at);
        let at = now.max(self.at);
        let (delta, behind) = (at.as_micros() - self.at.as_micros(), at.as_micros() - now.as_micros());
        let before = self.notes.len();
        Held::Call { delta, behind, call, outcome }.encode(&mut self.block, &mut self.notes);
        if !self.to.has_room(self.notes.len()) {
            self.notes.truncate(before);
            self.missing = 1;
            return;
        }
        self.at = at;
    }

    /// What was noted since it was last asked for.
    pub(crate) fn take_notes(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.notes)
    }

    /// The last of it. It has room in any case.
    pub(crate) fn end(mut self) -> Vec<u8> {
        self.to.miss(self.missing);
        Held::End { missing: self.missing }.encode(&mut self.block, &mut self.notes);
        self.notes
    }
}

impl std::fmt::Debug for Tap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tap").field("missing", &self.missing).finish_non_exhaustive()
    }
}
