//! What a file that is sent is read from: a file or bytes. Blocking.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::time::SystemTime;

use bytes::Bytes;

use super::FileError;
use super::open::{Links, open_regular};

/// Content of a known length that can be read anywhere, more than once.
#[derive(Debug)]
pub struct Source {
    content: Content,
    length: u64,
}

#[derive(Debug)]
enum Content {
    File { file: File, modified: Option<SystemTime> },
    Bytes(Bytes),
}

/// As much as BLAKE3 needs at once for its widest vectors, several times over, and little enough to stay in a core's cache.
const HASH_BLOCK: usize = 64 * 1024;

impl Source {
    /// Opens a regular file; a link to one is followed, anything else is [`FileError::NotRegular`].
    ///
    /// The length is what it is now: what is appended later is not sent.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        // In the system's own words.
        let missing = || {
            let source = path.metadata().err().unwrap_or_else(|| io::ErrorKind::NotFound.into());
            FileError::Io { doing: "open the file", source }
        };
        let file = open_regular(OpenOptions::new().read(true), path, Links::Follow)?.ok_or_else(missing)?;
        let found = file.metadata().map_err(FileError::failed_to("look at the file"))?;
        let content = Content::File { file, modified: found.modified().ok() };
        Ok(Self { content, length: found.len() })
    }

    /// How many bytes there are.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Reads into `buffer` from `offset` on and says how much; 0 at the end, or where a file was cut short meanwhile.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let room = left.min(buffer.len());
        let buffer = &mut buffer[..room];
        if buffer.is_empty() {
            // Systems refuse offsets that no file can have.
            return Ok(0);
        }
        match &self.content {
            Content::File { file, .. } => read_file_at(file, offset, buffer),
            Content::Bytes(bytes) => {
                let from = usize::try_from(offset).expect("it is within the bytes: there is room");
                buffer.copy_from_slice(&bytes[from..][..room]);
                Ok(room)
            }
        }
    }

    /// The BLAKE3 digest of a part: what a receiver's partial file must have to be continued.
    ///
    /// A range that is inverted or reaches past the end is [`FileError::Range`], a file that was cut short [`FileError::Changed`].
    pub fn digest_of(&self, range: Range<u64>) -> Result<[u8; 32], FileError> {
        if range.start > range.end || range.end > self.length {
            return Err(FileError::Range);
        }
        let mut hasher = blake3::Hasher::new();
        let mut block = vec![0; HASH_BLOCK];
        let mut offset = range.start;
        while offset < range.end {
            let len = usize::try_from(range.end - offset).unwrap_or(usize::MAX).min(block.len());
            self.fill_at(offset, &mut block[..len])?;
            hasher.update(&block[..len]);
            offset += len as u64;
        }
        Ok(*hasher.finalize().as_bytes())
    }

    /// Fills all of `buffer`, or the file was cut short meanwhile: [`FileError::Changed`].
    pub(super) fn fill_at(&self, mut offset: u64, mut buffer: &mut [u8]) -> Result<(), FileError> {
        while !buffer.is_empty() {
            match self.read_at(offset, buffer) {
                Ok(0) => return Err(FileError::Changed),
                Ok(read) => {
                    buffer = &mut buffer[read..];
                    offset += read as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(FileError::failed_to("read the file")(e)),
            }
        }
        Ok(())
    }

    /// To be asked when all was read: [`FileError::Changed`] if the file has another size or was written to since it was opened,
    /// so that what was read may never have been its content.
    pub fn check_unchanged(&self) -> Result<(), FileError> {
        let Content::File { file, modified } = &self.content else {
            return Ok(());
        };
        let found = file.metadata().map_err(FileError::failed_to("look at the file"))?;
        match found.len() == self.length && found.modified().ok() == *modified {
            true => Ok(()),
            false => Err(FileError::Changed),
        }
    }
}

impl From<Bytes> for Source {
    fn from(bytes: Bytes) -> Self {
        Self { length: bytes.len() as u64, content: Content::Bytes(bytes) }
    }
}

#[cfg(unix)]
fn read_file_at(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_file_at(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write;

    const TEXT: &[u8] = b"0123456789";

    /// Does the same with the same content from a file and from bytes.
    fn check(promise: impl Fn(Source)) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("source");
        fs::write(&path, TEXT).expect("written");
        promise(Source::open(&path).expect("opened"));
        promise(Bytes::from_static(TEXT).into());
    }

    #[test]
    fn reads_anywhere_within_its_length() {
        check(|source| {
            assert_eq!((source.len(), source.is_empty()), (10, false));
            for (offset, room, expected) in [
                (0, 4, "0123"),
                (3, 4, "3456"),
                (8, 4, "89"),
                (0, 20, "0123456789"),
                (10, 4, ""),
                (u64::MAX, 4, ""),
                (5, 0, ""),
            ] {
                let mut buffer = vec![0; room];
                let read = source.read_at(offset, &mut buffer).expect("read");
                assert_eq!(&buffer[..read], expected.as_bytes(), "{offset} {room}");
            }
        });
    }

    #[test]
    fn digests_any_part() {
        check(|source| {
            for (start, end) in [(0, 10), (0, 0), (3, 7), (10, 10)] {
                let expected = blake3::hash(&TEXT[start..end]);
                assert_eq!(source.digest_of(start as u64..end as u64).expect("digest"), *expected.as_bytes());
            }
        });
        let large = Bytes::from(vec![7; 3 * HASH_BLOCK + 1]);
        let digest = Source::from(large.clone()).digest_of(1..large.len() as u64).expect("digest");
        assert_eq!(digest, *blake3::hash(&large[1..]).as_bytes());
    }

    #[test]
    fn refuses_ranges_it_has_not() {
        #[expect(clippy::reversed_empty_ranges)]
        check(|source| {
            for range in [7..3, 0..11, 11..11, 0..u64::MAX, u64::MAX..0, u64::MAX..u64::MAX] {
                assert!(matches!(source.digest_of(range.clone()), Err(FileError::Range)), "{range:?}");
            }
        });
    }

    #[test]
    fn tells_when_the_file_changed() {
        type Change = fn(&mut File, SystemTime) -> io::Result<()>;
        let cases: [(&str, Change, bool); 4] = [
            ("untouched", |_, _| Ok(()), true),
            ("written", |file, _| file.set_modified(SystemTime::UNIX_EPOCH), false),
            ("longer", |file, then| file.write_all(b"more").and_then(|()| file.set_modified(then)), false),
            ("shorter", |file, then| file.set_len(4).and_then(|()| file.set_modified(then)), false),
        ];
        for (what, change, unchanged) in cases {
            let mut file = tempfile::NamedTempFile::new().expect("a file");
            file.write_all(TEXT).expect("written");
            let then = file.as_file().metadata().and_then(|found| found.modified()).expect("a time");
            let source = Source::open(file.path()).expect("opened");
            change(file.as_file_mut(), then).expect("changed");
            let left = if what == "shorter" { 4 } else { TEXT.len() };
            assert_eq!(source.check_unchanged().is_ok(), unchanged, "{what}");
            assert_eq!(source.read_at(0, &mut [0; 100]).expect("read"), left, "{what}");
            assert_eq!(matches!(source.digest_of(0..10), Err(FileError::Changed)), left < 10, "{what}");
        }
    }

    #[test]
    fn opens_regular_files_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(matches!(Source::open(folder.path()), Err(FileError::NotRegular)));
        let missing = Source::open(&folder.path().join("missing"));
        assert!(matches!(missing, Err(FileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound));
    }

    #[cfg(unix)]
    #[test]
    fn follows_links_and_never_waits_for_a_pipe() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().expect("a folder");
        let [file, link, pipe] = ["file", "link", "pipe"].map(|name| folder.path().join(name));
        fs::write(&file, TEXT).expect("written");
        symlink(&file, &link).expect("linked");
        assert_eq!(Source::open(&link).expect("opened").len(), 10);
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
        assert!(made.success());
        assert!(matches!(Source::open(&pipe), Err(FileError::NotRegular)));
        assert!(matches!(Source::open("/dev/zero".as_ref()), Err(FileError::NotRegular)));
    }
}
