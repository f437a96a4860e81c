//! A file that grows and can't be continued.

use std::path::PathBuf;

use ropeway_tokio::{FileError, Target};

/// A file that is thrown away unless it is published: nothing could verify what it has if it were continued.
pub(super) struct Unfinished(Option<Target>);

impl Unfinished {
    pub(super) fn new(target: Target) -> Unfinished {
        Unfinished(Some(target))
    }

    /// Appends octets. Blocking.
    pub(super) fn write(mut self, octets: &[u8]) -> Result<Unfinished, FileError> {
        self.0.as_mut().map_or(Ok(()), |target| target.write_at_end(octets))?;
        Ok(self)
    }

    /// Gives it its name; its path. Blocking.
    pub(super) fn publish(mut self) -> Result<PathBuf, FileError> {
        self.0.take().expect("only this and the end take it").publish(None)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(target) = self.0.take() {
            // Nobody is left to be told; the next transfer of the name clears it away.
            let _ = target.discard();
        }
    }
}
