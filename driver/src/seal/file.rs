//! Keys and shared secrets in files: 64 hex digits, what is secret for its owner alone.

use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ropeway_core::seal::{Psk, PublicKey, SecretKey};
use zeroize::Zeroizing;

use crate::file::printable;

/// What is longer is no file of a key.
const LONGEST: usize = 256;
/// Bits of a mode: others than the owner may do anything; anybody may change it.
const NOT_ALONE: u32 = 0o077;
const ANYBODY_WRITES: u32 = 0o002;

/// A key can't be read from a file, or written to one. The text names the file.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The system does not let it be read.
    Unreadable(PathBuf, io::Error),
    /// The system does not let it be written, or it is there already.
    Unwritable(PathBuf, io::Error),
    /// It is no regular file: reading it might take for ever.
    NoFile(PathBuf),
    /// Others than its owner may read it, or change it: its mode.
    Open(PathBuf, u32),
    /// Anybody may change whose key it is: its mode.
    Exposed(PathBuf, u32),
    /// It holds no key.
    NoKey(PathBuf),
}

impl KeyFileError {
    /// The file.
    pub fn path(&self) -> &Path {
        match self {
            KeyFileError::Unreadable(path, _) | KeyFileError::Unwritable(path, _) => path,
            KeyFileError::Open(path, _) | KeyFileError::Exposed(path, _) => path,
            KeyFileError::NoFile(path) | KeyFileError::NoKey(path) => path,
        }
    }
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", printable(&self.path().to_string_lossy()))?;
        match self {
            KeyFileError::Unreadable(_, error) => write!(f, "can't read the key: {error}"),
            KeyFileError::Unwritable(_, error) if error.kind() == io::ErrorKind::AlreadyExists => {
                f.write_str("can't write the key: it exists, and is not replaced")
            }
            KeyFileError::Unwritable(_, error) => write!(f, "can't write the key: {error}"),
            KeyFileError::NoFile(_) => f.write_str("it is no regular file"),
            KeyFileError::Open(_, mode) => write!(
                f,
                "others may read or change it (mode {mode:o}), and a secret is for its owner alone: chmod 600, if it is one"
            ),
            KeyFileError::Exposed(_, mode) => write!(f, "anybody may change it (mode {mode:o}): chmod o-w"),
            KeyFileError::NoKey(_) => f.write_str("it is no file of a key: 64 hex digits"),
        }
    }
}

impl std::error::Error for KeyFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            KeyFileError::Unreadable(_, error) | KeyFileError::Unwritable(_, error) => Some(error),
            _ => None,
        }
    }
}

/// The key in a file. Blocks.
///
/// # Errors
/// [`KeyFileError`]: also if the file is not for its owner alone, where the system knows of owners, or no regular one.
pub fn read_key(path: impl AsRef<Path>) -> Result<SecretKey, KeyFileError> {
    read(path.as_ref(), NOT_ALONE, KeyFileError::Open)
}

/// The shared secret in a file, which [`write_new_key`] makes as well as one for a key. Blocks.
///
/// # Errors
/// As [`read_key`].
pub fn read_psk(path: impl AsRef<Path>) -> Result<Psk, KeyFileError> {
    read(path.as_ref(), NOT_ALONE, KeyFileError::Open)
}

/// The public key in a file, which everybody may read. Blocks.
///
/// # Errors
/// [`KeyFileError`]: also if anybody may change the file, where the system knows of that.
pub fn read_public_key(path: impl AsRef<Path>) -> Result<PublicKey, KeyFileError> {
    read(path.as_ref(), ANYBODY_WRITES, KeyFileError::Exposed)
}

/// Writes a key to a new file, for its owner alone. Blocks.
///
/// # Errors
/// [`KeyFileError::Unwritable`]: also if there is such a file already, which is left as it is.
pub fn write_new_key(path: impl AsRef<Path>, key: &SecretKey) -> Result<(), KeyFileError> {
    let path = path.as_ref();
    write(path, key).map_err(|error| KeyFileError::Unwritable(path.into(), error))
}

fn write(path: &Path, key: &SecretKey) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let mut text = Zeroizing::new([b'\n'; 65]);
    for (digits, octet) in text.as_chunks_mut::<2>().0.iter_mut().zip(key.octets()) {
        *digits = [octet >> 4, octet & 15].map(|digit| if digit < 10 { b'0' + digit } else { b'a' + digit - 10 });
    }
    let written = file.write_all(&*text).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a key would stand in the way of a whole one.
        let _ = fs::remove_file(path);
    }
    written
}

/// What a file holds that has none of these bits in its mode.
fn read<K: FromStr>(
    path: &Path,
    unsafe_bits: u32,
    refusal: fn(PathBuf, u32) -> KeyFileError,
) -> Result<K, KeyFileError> {
    let unreadable = |error| KeyFileError::Unreadable(path.into(), error);
    let mut file = open(path).map_err(unreadable)?;
    let found = file.metadata().map_err(unreadable)?;
    if !found.is_file() {
        return Err(KeyFileError::NoFile(path.into()));
    }
    let mode = mode(&found);
    if mode & unsafe_bits != 0 {
        return Err(refusal(path.into(), mode));
    }
    let mut octets = Zeroizing::new([0; LONGEST + 1]);
    let mut len = 0;
    while let Some(room @ [_, ..]) = octets.get_mut(len..) {
        match file.read(room) {
            Ok(0) => break,
            Ok(read) => len += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
    let text = octets.get(..len).filter(|_| len <= LONGEST).and_then(|octets| str::from_utf8(octets).ok());
    text.and_then(|text| text.trim().parse().ok()).ok_or_else(|| KeyFileError::NoKey(path.into()))
}

/// Opens what is there to be read. A pipe is not waited for until somebody writes.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    options.open(path)
}

/// Who may do what with a file.
#[cfg(unix)]
fn mode(found: &Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::mode(found) & 0o777
}

/// Nothing is known of that.
#[cfg(not(unix))]
fn mode(_: &Metadata) -> u32 {
    0
}
