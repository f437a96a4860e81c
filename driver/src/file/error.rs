//! What can go wrong with a file on this side of the line.

use std::error::Error;
use std::fmt;
use std::io;

use ropeway_core::Code;

/// Why a file can't be read, written or published.
///
/// It names no path: what the peer is told of it gives nothing of this system away.
#[derive(Debug)]
#[non_exhaustive]
pub enum FileError {
    /// A file of that name exists and was not to be replaced.
    Exists,
    /// Another transfer is writing the file of that name.
    Busy,
    /// Something that is not a regular file: a folder, a symbolic link, a pipe, a device.
    NotRegular,
    /// The partial file belongs to another user, has a second name, or was exchanged for another file meanwhile.
    NotOurs,
    /// No room: the disk is full, a quota is used up, or the file is larger than its file system allows.
    Space(io::Error),
    /// The content is not what its digest promised, or came without one.
    Digest,
    /// The file that is being sent changed since it was opened.
    Changed,
    /// A range that is inverted or reaches past the end.
    Range,
    /// It is, or would grow, larger than is wanted.
    TooLarge {
        /// The most that is wanted, in octets.
        most: u64,
    },
    /// The system refused.
    Io {
        /// What was being done, to read after "could not".
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl FileError {
    /// What the peer is told of it.
    pub fn code(&self) -> Code {
        match self {
            // Something that is no file has the name.
            Self::Exists | Self::NotRegular => Code::EXISTS,
            Self::Busy => Code::BUSY,
            Self::Space(_) => Code::NO_SPACE,
            Self::Digest => Code::DIGEST,
            Self::Changed => Code::CHANGED,
            Self::Range => Code::BAD_RANGE,
            Self::TooLarge { .. } => Code::TOO_LARGE,
            Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => Code::NOT_FOUND,
            Self::NotOurs | Self::Io { .. } => Code::IO,
        }
    }

    /// For `map_err`: what it means that the system refused to do this.
    pub(super) fn failed_to(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::Space(source)
            }
            _ => Self::Io { doing, source },
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists => f.write_str("the file exists"),
            Self::Busy => f.write_str("another transfer is writing the file"),
            Self::NotRegular => f.write_str("not a regular file"),
            Self::NotOurs => f.write_str("the partial file is not this user's alone"),
            Self::Space(_) => f.write_str("no room for the file"),
            Self::Digest => f.write_str("the content does not match its digest, or has none"),
            Self::Changed => f.write_str("the file changed while it was sent"),
            Self::Range => f.write_str("the range is inverted or reaches past the end of the file"),
            Self::TooLarge { most } => write!(f, "the file is larger than {most} octets"),
            Self::Io { doing, .. } => write!(f, "could not {doing}"),
        }
    }
}

impl Error for FileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Space(source) | Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
