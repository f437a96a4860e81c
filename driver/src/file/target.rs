//! Where a received file is written, and how it gets its name. Blocking.
//!
//! A file grows under a hidden name in the folder it is meant for, and takes its own name only when it is complete, checked and
//! on the disk. The folder is trusted to be the one that was meant; who else can write in it is not: nothing is followed,
//! nothing that was put in the way is written to, and what is not the file that was written is not published as it.
//!
//! ```text
//!   create ─┐         ┌─> publish ──> NAME
//!           ├─> Target┼─> keep, drop: .ropeway-NAME.part, if it holds anything
//!   resume ─┘         └─> discard, wrong digest: nothing
//! ```

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::open::{Links, open_regular};
use super::{FileError, SafeName};

/// What to do when a file of the name exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Existing {
    /// Leave it alone and refuse the one that comes: [`FileError::Exists`].
    #[default]
    Refuse,
    /// Put the complete file in its place in one step, if it is a regular file: [`FileError::NotRegular`] if not.
    Replace,
}

/// A file being received.
///
/// As long as it lives no other transfer can write to the same name. Dropped, it leaves behind what a crash would: the bytes
/// written so far, for [`resume`](Self::resume), or nothing if there are none. Only [`discard`](Self::discard) and a wrong digest
/// throw bytes away.
#[derive(Debug)]
pub struct Target {
    file: File,
    place: Place,
    /// Of all the file holds; it also counts the bytes.
    hasher: blake3::Hasher,
    /// It is thrown away unless it is published.
    passing: bool,
}

#[derive(Debug)]
struct Place {
    folder: PathBuf,
    name: SafeName,
    existing: Existing,
}

impl Target {
    /// Begins a file in a folder that exists, from its first byte; what an earlier transfer of the name left is thrown away.
    ///
    /// An existing file is refused here, before anything was sent, and again when publishing.
    pub fn create(folder: &Path, name: &SafeName, existing: Existing) -> Result<Self, FileError> {
        let place = Place::new(folder, name, existing);
        place.check_published()?;
        let partial = place.partial();
        let file = match create_private(&partial) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                remove_stale(&partial)?;
                create_private(&partial)
            }
            created => created,
        };
        let file = file.map_err(|e| match e.kind() {
            // It was just removed: a rival was faster.
            io::ErrorKind::AlreadyExists => FileError::Busy,
            _ => FileError::failed_to("create the partial file")(e),
        })?;
        lock(&file, &partial)?;
        Ok(Self { file, place, hasher: blake3::Hasher::new(), passing: false })
    }

    /// Takes up what an earlier transfer of the name left in the folder; `None` if there is nothing.
    ///
    /// Reads all of it for its [`digest`](Self::digest), which tells the sender whether it can be continued; if not,
    /// [`restart`](Self::restart) keeps the name and drops the bytes. A partial file that is a link, has a second name or belongs
    /// to another user is refused; [`create`](Self::create) clears it away, unless it is a link or the system forbids.
    pub fn resume(folder: &Path, name: &SafeName, existing: Existing) -> Result<Option<Self>, FileError> {
        let place = Place::new(folder, name, existing);
        place.check_published()?;
        let partial = place.partial();
        let Some(file) = open_regular(OpenOptions::new().read(true).write(true), &partial, Links::Refuse)? else {
            return Ok(None);
        };
        lock(&file, &partial)?;
        if !is_ours_alone(&file).map_err(FileError::failed_to("look at the partial file"))? {
            return Err(FileError::NotOurs);
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(&file).map_err(FileError::failed_to("read the partial file"))?;
        Ok(Some(Self { file, place, hasher, passing: false }))
    }

    /// The same, but dropped before it is published it leaves nothing: for what no later transfer could continue.
    pub fn passing(mut self) -> Target {
        self.passing = true;
        self
    }

    /// How many bytes the file holds, which is the offset at which to go on.
    pub fn length(&self) -> u64 {
        self.hasher.count()
    }

    /// The BLAKE3 digest of all bytes the file holds, those of an earlier transfer included.
    pub fn digest(&self) -> [u8; 32] {
        *self.hasher.finalize().as_bytes()
    }

    /// Appends all of `bytes`.
    ///
    /// On an error some of them may have been written: [`length`](Self::length) and [`digest`](Self::digest) say what the file
    /// holds, and once there is room again it goes on from there.
    pub fn write_at_end(&mut self, mut bytes: &[u8]) -> Result<(), FileError> {
        while !bytes.is_empty() {
            let written = match self.file.write(bytes) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Ok(0) => Err(io::ErrorKind::WriteZero.into()),
                result => result,
            };
            let (done, rest) = bytes.split_at(written.map_err(FileError::failed_to("write the partial file"))?);
            self.hasher.update(done);
            bytes = rest;
        }
        Ok(())
    }

    /// Drops all bytes and begins anew, still the only one to write the name.
    pub fn restart(&mut self) -> Result<(), FileError> {
        let emptied = self.file.set_len(0).and_then(|()| io::Seek::rewind(&mut self.file));
        emptied.map_err(FileError::failed_to("empty the partial file"))?;
        self.hasher.reset();
        Ok(())
    }

    /// Gives the complete file its name, once all of it is on the disk, and returns its path.
    ///
    /// Where a digest is expected and the content has another, nothing is published and the bytes are thrown away:
    /// [`FileError::Digest`]. Every other error leaves the partial file for [`resume`](Self::resume). Only after the file got its
    /// name can it still be reported that the folder did not reach the disk ([`FileError::Io`]) or that another file was
    /// slipped in under the name at the last moment ([`FileError::NotOurs`]).
    ///
    /// The file gets the permissions that a new file gets in this folder, also when it replaces one.
    pub fn publish(self, expected: Option<&[u8; 32]>) -> Result<PathBuf, FileError> {
        if expected.is_some_and(|expected| *expected != self.digest()) {
            // Whether or not they can be removed: the bytes are wrong, and that is what has to be told.
            let _ = self.discard();
            return Err(FileError::Digest);
        }
        self.publish_by(second_name)
    }

    /// Leaves the partial file for [`resume`](Self::resume) as dropping does, and returns once it is on the disk.
    pub fn keep(self) -> Result<(), FileError> {
        self.file.sync_all().map_err(FileError::failed_to("write the partial file to disk"))
    }

    /// Throws away what was received.
    pub fn discard(self) -> Result<(), FileError> {
        self.remove().map_err(FileError::failed_to("remove the partial file"))
    }

    fn publish_by(self, link: impl FnOnce(&Path, &Path) -> io::Result<()>) -> Result<PathBuf, FileError> {
        let (partial, published) = (self.place.partial(), self.place.published());
        self.check_at(&partial)?;
        self.place.give_usual_mode(&self.file).map_err(FileError::failed_to("set the permissions of the file"))?;
        self.file.sync_all().map_err(FileError::failed_to("write the file to disk"))?;
        self.place.check_published()?;
        match self.place.existing {
            Existing::Refuse => publish_new(&self.file, &partial, &published, link)?,
            Existing::Replace => {
                fs::rename(&partial, &published).map_err(FileError::failed_to("rename the partial file"))?
            }
        }
        self.check_at(&published)?;
        sync_folder(&self.place.folder).map_err(FileError::failed_to("write the folder to disk"))?;
        Ok(published)
    }

    fn check_at(&self, path: &Path) -> Result<(), FileError> {
        match is_at(&self.file, path).map_err(FileError::failed_to("look at the file"))? {
            true => Ok(()),
            false => Err(FileError::NotOurs),
        }
    }

    /// Who holds the lock is alone in removing the file, so nobody else's can come under its name between look and removal.
    fn remove(&self) -> io::Result<()> {
        remove_own(&self.file, &self.place.partial())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if self.passing || self.length() == 0 {
            // Nobody is left to be told; the next transfer of the name clears it away.
            let _ = self.remove();
        }
    }
}

impl Place {
    fn new(folder: &Path, name: &SafeName, existing: Existing) -> Self {
        Self { folder: folder.to_owned(), name: name.clone(), existing }
    }

    fn partial(&self) -> PathBuf {
        self.folder.join(self.name.partial())
    }

    fn published(&self) -> PathBuf {
        self.folder.join(self.name.as_str())
    }

    fn check_published(&self) -> Result<(), FileError> {
        match (fs::symlink_metadata(self.published()), self.existing) {
            (Err(e), _) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            (Err(e), _) => Err(FileError::failed_to("look at the file")(e)),
            (Ok(_), Existing::Refuse) => Err(FileError::Exists),
            (Ok(found), Existing::Replace) if found.is_file() => Ok(()),
            (Ok(_), Existing::Replace) => Err(FileError::NotRegular),
        }
    }

    /// Which mode a new file gets depends on the process and on the folder; what is safe to ask is a new file.
    #[cfg(unix)]
    fn give_usual_mode(&self, file: &File) -> io::Result<()> {
        let path = self.folder.join(self.name.probe());
        // One may be left of a crash; anything else in this place is in nobody's right.
        let _ = fs::remove_file(&path);
        let probe = File::create_new(&path)?;
        let usual = probe.metadata().map(|found| found.permissions());
        remove_own(&probe, &path)?;
        file.set_permissions(usual?)
    }

    #[cfg(not(unix))]
    fn give_usual_mode(&self, _: &File) -> io::Result<()> {
        Ok(())
    }
}

/// Creating exclusively follows no link.
fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Removes a partial file that no transfer holds. Nothing is written to it, so it does not matter whose it is.
fn remove_stale(partial: &Path) -> Result<(), FileError> {
    match open_regular(OpenOptions::new().read(true), partial, Links::Refuse)? {
        Some(file) => {
            lock(&file, partial)?;
            fs::remove_file(partial).map_err(FileError::failed_to("remove the partial file"))
        }
        None => Ok(()),
    }
}

/// Takes the lock that stands for the right to write and to remove the partial file.
///
/// A file that lost its name before it was locked is a rival's leavings: the name is his.
fn lock(file: &File, partial: &Path) -> Result<(), FileError> {
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(FileError::Busy),
        Err(TryLockError::Error(e)) => {
            return Err(FileError::failed_to("lock the partial file")(e));
        }
    }
    match is_at(file, partial).map_err(FileError::failed_to("look at the partial file"))? {
        true => Ok(()),
        false => Err(FileError::Busy),
    }
}

/// Names the file without ever replacing another.
fn publish_new(
    file: &File,
    partial: &Path,
    published: &Path,
    link: impl FnOnce(&Path, &Path) -> io::Result<()>,
) -> Result<(), FileError> {
    let exists_or = |e: io::Error, doing| match e.kind() {
        io::ErrorKind::AlreadyExists => FileError::Exists,
        _ => FileError::failed_to(doing)(e),
    };
    match link(partial, published) {
        Ok(()) => {
            // The file has its name; a second one that stays is cleared away by the next transfer.
            let _ = remove_own(file, partial);
            Ok(())
        }
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Err(FileError::Exists),
        // Many file systems have no second names, each with its own way to say so. An empty file reserves the name, and is all
        // that is replaced.
        Err(_) => {
            let reserved = File::create_new(published).map_err(|e| exists_or(e, "create the file"))?;
            fs::rename(partial, published).map_err(|e| {
                let _ = remove_own(&reserved, published);
                FileError::failed_to("rename the partial file")(e)
            })
        }
    }
}

/// Never replaces what is there, and follows no link.
fn second_name(path: &Path, second: &Path) -> io::Result<()> {
    fs::hard_link(path, second)
}

/// Removes the file from its path, unless another has taken its place there.
fn remove_own(file: &File, path: &Path) -> io::Result<()> {
    match is_at(file, path)? {
        true => fs::remove_file(path),
        false => Ok(()),
    }
}

/// Whether the path leads to this very file, not through a link.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let open = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(found) => Ok((found.dev(), found.ino()) == (open.dev(), open.ino())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// Files have no identity to compare here: as good as can be told.
#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(found.is_file()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// Whether nobody else can have put the file there or reach it by another name.
#[cfg(unix)]
fn is_ours_alone(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    // A new pipe belongs to whom a new file would: the one way to ask who that is without unsafe code.
    let (pipe, _) = io::pipe()?;
    let us = File::from(std::os::fd::OwnedFd::from(pipe)).metadata()?.uid();
    let found = file.metadata()?;
    Ok(found.nlink() == 1 && found.uid() == us)
}

#[cfg(not(unix))]
fn is_ours_alone(_: &File) -> io::Result<bool> {
    Ok(true)
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // Some file systems can't sync a folder, and a drop box may not be read.
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied
            ) =>
        {
            Ok(())
        }
        result => result,
    }
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod hostile_tests;
#[cfg(test)]
mod tests;
