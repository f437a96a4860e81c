//! A folder with a file for each line.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::recording::{Recording, create};

/// What a trace's file is called behind its number.
const EXTENSION: &str = "trace";

/// A folder with a file for each line: `1.trace` and on, behind those that are there. Clones number on together.
///
/// No file is ever replaced: where somebody else was faster, it is the next number.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    /// The highest number that is taken.
    last: Arc<AtomicU64>,
}

impl Folder {
    /// Looks at a folder that exists. Blocking.
    ///
    /// # Errors
    /// What the system says, or that the highest number there is taken.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Folder> {
        let path = path.into();
        let mut last = 0;
        for entry in fs::read_dir(&path)? {
            last = last.max(number(Path::new(&entry?.file_name())).unwrap_or(0));
        }
        if last == u64::MAX {
            return Err(full());
        }
        Ok(Folder { path, last: Arc::new(AtomicU64::new(last)) })
    }

    /// Into the next file, which is created when the first record is written.
    pub fn recording(&self) -> Recording {
        Recording::in_folder(self.clone())
    }

    /// The next file. Blocking.
    pub(super) fn create(&self) -> io::Result<File> {
        loop {
            let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| last.checked_add(1));
            let number = last.map_err(|_| full())? + 1;
            match create(&self.path.join(format!("{number}.{EXTENSION}")), true) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                created => return created,
            }
        }
    }
}

fn full() -> io::Error {
    io::Error::other("no number is left for another trace")
}

/// The number of a trace's file.
fn number(file: &Path) -> Option<u64> {
    file.extension().filter(|extension| *extension == EXTENSION)?;
    file.file_stem()?.to_str()?.parse().ok()
}
