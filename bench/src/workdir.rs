//! The folder of the file rows: a source, and a place for its copy.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read};
use std::path::{Path, PathBuf};

use blake3::{Hash, Hasher};

use crate::side::Files;

/// A folder that is made when first needed and removed when this is dropped.
pub(crate) struct Workdir {
    path: PathBuf,
    size: u64,
    /// Of the source, once it is made.
    digest: Option<Hash>,
}

impl Workdir {
    /// In `base`, for a file of `size` bytes.
    pub(crate) fn new(base: PathBuf, size: u64) -> Self {
        let path = base.join(format!("ropeway-bench-{}", std::process::id()));
        Self { path, size, digest: None }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the source, once, and an empty folder for the copy.
    pub(crate) fn prepare(&mut self) -> io::Result<Files> {
        let (source, arrivals) = (self.path.join("source"), self.path.join("arrived"));
        if self.digest.is_none() {
            fs::create_dir_all(&arrivals)?;
            let mut noise = Hasher::new().finalize_xof().take(self.size);
            io::copy(&mut noise, &mut BufWriter::new(File::create_new(&source)?))?;
            self.digest = Some(digest(&source)?);
        }
        fs::remove_dir_all(&arrivals)?;
        fs::create_dir(&arrivals)?;
        Ok(Files { source, target: arrivals.join("copy") })
    }

    /// An error unless the copy equals the source.
    pub(crate) fn check(&self, copy: &Path) -> io::Result<()> {
        let equal = Some(digest(copy)?) == self.digest;
        equal.then_some(()).ok_or_else(|| io::Error::other("the copy differs from its source"))
    }
}

impl Drop for Workdir {
    fn drop(&mut self) {
        // It may never have been made; and nothing can be done about one that stays.
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn digest(path: &Path) -> io::Result<Hash> {
    Ok(Hasher::new().update_reader(File::open(path)?)?.finalize())
}
