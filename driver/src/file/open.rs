//! Opening what must turn out to be a regular file.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use super::FileError;

/// Whether the last part of a path may be a symbolic link.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Links {
    Follow,
    Refuse,
}

/// Opens an existing regular file, or refuses what is none without waiting for it; `None` if there is nothing.
pub(super) fn open_regular(options: &mut OpenOptions, path: &Path, links: Links) -> Result<Option<File>, FileError> {
    flag(options, links);
    match options.open(path) {
        // What was opened counts, not what the path led to a moment before.
        Ok(file) => match file.metadata().map_err(FileError::failed_to("look at the file"))? {
            found if found.is_file() => Ok(Some(file)),
            _ => Err(FileError::NotRegular),
        },
        Err(refused) if refused.kind() == io::ErrorKind::NotFound => Ok(None),
        // Systems differ in how they refuse a link, a folder or a socket.
        Err(refused) => match look(path, links) {
            Ok(found) if !found.is_file() => Err(FileError::NotRegular),
            _ => Err(FileError::failed_to("open the file")(refused)),
        },
    }
}

fn look(path: &Path, links: Links) -> io::Result<fs::Metadata> {
    match links {
        Links::Follow => fs::metadata(path),
        Links::Refuse => fs::symlink_metadata(path),
    }
}

/// Opening a pipe would wait for its other end, and opening a terminal could make it ours.
#[cfg(unix)]
fn flag(options: &mut OpenOptions, links: Links) {
    use std::os::unix::fs::OpenOptionsExt;
    let link = if links == Links::Refuse { libc::O_NOFOLLOW } else { 0 };
    options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | link);
}

#[cfg(windows)]
fn flag(options: &mut OpenOptions, links: Links) {
    use std::os::windows::fs::OpenOptionsExt;
    const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000; // winbase.h
    if links == Links::Refuse {
        options.custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
    }
}

#[cfg(not(any(unix, windows)))]
fn flag(_: &mut OpenOptions, _: Links) {}
