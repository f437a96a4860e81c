//! Files that the peer offers, and what can be done with them.

use std::fmt;
use std::ops::RangeBounds;
use std::path::{Path, PathBuf};

use futures_io::AsyncWrite;
use ropeway_core::{Accept, Code};

use super::control::code_of;
use super::download::{self, Download};
use super::part::Part;
use super::reader::FileReader;
use super::{Existing, FileError, SafeName, Target, printable};
use crate::blocking::blocking;
use crate::error::Error;
use crate::flow::Incoming;

/// A file that the peer offers. Nothing of it comes before it is asked for.
///
/// Dropped without a word it is declined with [`Code::REJECTED`].
pub struct Offered {
    flow: Incoming,
    name: Box<str>,
    media: Box<str>,
    size: Option<u64>,
    part: Part,
}

impl Offered {
    pub(crate) fn new(mut flow: Incoming) -> Offered {
        let (name, media, size) = flow.offer();
        flow.set_last_word(Code::REJECTED);
        Offered { flow, name, media, size, part: Part::default() }
    }

    /// Its name, as the peer says. It is any text, not a path: [`SafeName`] tells whether it can be one, and [`printable`]
    /// shows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its media type, as the peer says; may be empty.
    pub fn media(&self) -> &str {
        &self.media
    }

    /// Its size in octets; `None` if the peer does not know it.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// Wants only some of it, which is what is then saved, written or read: `file.range(1000..2000).read()`.
    ///
    /// It must not be empty, nor reach past the size; otherwise that fails with [`FileError::Range`]. Where the size is not
    /// known, what there is comes.
    pub fn range(mut self, range: impl RangeBounds<u64>) -> Offered {
        self.part = Part::new(&range);
        self
    }

    /// Takes it without a digest as well, such as from a device that can't compute one: then nobody has checked what came. A
    /// digest that comes must be right all the same.
    pub fn unverified(mut self) -> Offered {
        self.flow.set_unverified();
        self
    }

    /// Declines it.
    pub fn decline(self, code: Code) {
        self.flow.done(code);
    }

    /// Asks for it, into a folder that exists, by its own name if that is a [`SafeName`].
    ///
    /// It grows under a hidden name and gets its own when all of it is there, checked and on the disk. What an earlier
    /// transfer of the name left is continued, if it is the beginning of this file. A [`range`](Offered::range) becomes a file
    /// of its own, continues nothing, and leaves nothing to be continued.
    ///
    /// # Errors
    /// [`Error::Name`]; [`Error::File`] if a file of the name exists ([`FileError::Exists`]) or none can be made. The peer is told
    /// the reason as a code. [`Error::Aborted`] if the peer gave it up; [`Error::Closed`].
    ///
    /// # Cancel safety
    /// Dropped early, the file is declined.
    pub async fn save_in(self, folder: impl AsRef<Path>) -> Result<Download<PathBuf>, Error> {
        self.save(Save::in_folder(folder)).await
    }

    /// As [`save_in`](Offered::save_in), with a say in how.
    ///
    /// # Errors
    /// As [`save_in`](Offered::save_in); [`FileError::TooLarge`].
    ///
    /// # Cancel safety
    /// Dropped early, the file is declined.
    pub async fn save(mut self, save: Save) -> Result<Download<PathBuf>, Error> {
        let most = save.most;
        match self.ask(save).await {
            Ok((target, accept)) => Ok(download::to_folder(self.flow, &accept, target, self.size, most)),
            Err(error) => {
                self.flow.done(code_of(&error));
                Err(error)
            }
        }
    }

    /// Asks for it, to be written to any writer, which the download gives back when all has come and is checked.
    ///
    /// What was written can't be taken back: if the content turns out wrong the download fails at its end.
    ///
    /// # Errors
    /// [`FileError::Range`]; [`Error::Aborted`] if the peer gave it up; [`Error::Closed`].
    ///
    /// # Cancel safety
    /// Dropped early, the file is declined.
    pub async fn write_to<W>(self, writer: W) -> Result<Download<W>, Error>
    where
        W: AsyncWrite + Unpin + Send + 'static,
    {
        let (flow, size, accept) = self.accept_part().await?;
        Ok(download::to_writer(flow, &accept, writer, size))
    }

    /// Asks for it, to be read. If only a [`range`](Offered::range) is wanted, the reader can ask for another after it.
    ///
    /// # Errors
    /// As [`write_to`](Offered::write_to).
    ///
    /// # Cancel safety
    /// Dropped early, the file is declined.
    pub async fn read(self) -> Result<FileReader, Error> {
        let (flow, size, accept) = self.accept_part().await?;
        Ok(FileReader::new(flow, size, accept.start, accept.end.is_some()))
    }

    /// Asks for what is wanted of it, or declines it.
    async fn accept_part(mut self) -> Result<(Incoming, Option<u64>, Accept), Error> {
        match self.part.within(self.size) {
            Ok(accept) => {
                self.accept(&accept).await?;
                Ok((self.flow, self.size, accept))
            }
            Err(error) => {
                self.flow.done(code_of(&error));
                Err(error)
            }
        }
    }

    /// Asks for it. From here on it is no longer the application that has yet to decide.
    async fn accept(&mut self, accept: &Accept) -> Result<(), Error> {
        self.flow.accept(accept).await?;
        self.flow.set_last_word(Code::CANCELLED);
        Ok(())
    }

    /// Finds a place for it, and asks for what is not there yet.
    async fn ask(&mut self, save: Save) -> Result<(Target, Accept), Error> {
        let Save { folder, name, existing, anew, most } = save;
        let name = SafeName::new(name.as_deref().unwrap_or(&self.name))?;
        let mut accept = self.part.within(self.size)?;
        let size = accept.end.filter(|end| *end < u64::MAX).or(self.size).map(|end| end - accept.start);
        if size.is_some_and(|size| size > most) {
            return Err(FileError::TooLarge { most }.into());
        }
        let anew = anew || !self.part.is_all();
        let spawn = self.flow.line().spawn().clone();
        let place = move || open(&folder, &name, existing, anew, size.unwrap_or(most));
        let mut target = blocking(&*spawn, place).await??;
        if !self.part.is_all() {
            target = target.passing();
        }
        if target.length() > 0 {
            accept = Accept { start: target.length(), end: None, prefix: Some(target.digest()) };
        }
        self.accept(&accept).await?;
        Ok((target, accept))
    }
}

impl fmt::Debug for Offered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offered")
            .field("name", &self.name)
            .field("media", &self.media)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Offered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        printable(&self.name).fmt(f)
    }
}

/// How a file is saved. See [`Offered::save`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Save {
    folder: PathBuf,
    name: Option<String>,
    existing: Existing,
    anew: bool,
    most: u64,
}

impl Save {
    /// In a folder that exists: by its own name, refused if a file has that name, continued where an earlier transfer of
    /// the name ended.
    pub fn in_folder(folder: impl AsRef<Path>) -> Save {
        let folder = folder.as_ref().to_owned();
        Save { folder, name: None, existing: Existing::Refuse, anew: false, most: u64::MAX }
    }

    /// By another name than its own, which has to be a [`SafeName`] as well.
    pub fn name(mut self, name: impl Into<String>) -> Save {
        self.name = Some(name.into());
        self
    }

    /// In place of a file of the same name, in one step when all of it is there.
    pub fn replace(mut self) -> Save {
        self.existing = Existing::Replace;
        self
    }

    /// From its beginning; what an earlier transfer left is thrown away.
    pub fn anew(mut self) -> Save {
        self.anew = true;
        self
    }

    /// Only if it has no more octets. A file of unknown size is given up, and thrown away, when it grows larger.
    pub fn max_size(mut self, octets: u64) -> Save {
        self.most = octets;
        self
    }
}

/// A target with what can be continued of at most `most` octets. Blocking.
fn open(folder: &Path, name: &SafeName, existing: Existing, anew: bool, most: u64) -> Result<Target, FileError> {
    if !anew {
        match Target::resume(folder, name, existing) {
            Ok(Some(mut target)) => {
                if target.length() > most {
                    target.restart()?;
                }
                return Ok(target);
            }
            Ok(None) | Err(FileError::NotOurs) => {}
            Err(error) => return Err(error),
        }
    }
    Target::create(folder, name, existing)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTIAL: &str = ".ropeway-a.txt.part";

    /// What is taken up of a partial file of these octets.
    fn check(partial: Option<&[u8]>, anew: bool, most: u64, expected: u64) {
        let folder = tempfile::tempdir().expect("a folder");
        if let Some(partial) = partial {
            std::fs::write(folder.path().join(PARTIAL), partial).expect("written");
        }
        let name = SafeName::new("a.txt").expect("safe");
        let target = open(folder.path(), &name, Existing::Refuse, anew, most).expect("opened");
        assert_eq!(target.length(), expected);
    }

    #[test]
    fn continues_what_can_be_continued() {
        check(None, false, 9, 0);
        check(Some(b"0123"), false, 9, 4);
        check(Some(b"0123"), false, 4, 4);
        check(Some(b"0123"), false, 3, 0);
        check(Some(b"0123"), true, 9, 0);
        check(Some(b""), false, 9, 0);
    }

    #[cfg(unix)]
    #[test]
    fn begins_anew_where_the_partial_file_is_not_ours_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let [partial, second] = [PARTIAL, "second"].map(|name| folder.path().join(name));
        std::fs::write(&partial, "0123").expect("written");
        std::fs::hard_link(&partial, &second).expect("linked");
        let name = SafeName::new("a.txt").expect("safe");
        let target = open(folder.path(), &name, Existing::Refuse, false, 9).expect("opened");
        assert_eq!(target.length(), 0);
        assert_eq!(std::fs::read(second).expect("read"), b"0123");
    }
}
