//! Unix sockets, and the paths that they leave in the file system.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

/// The path that a listener was bound to. Dropping it removes the path, unless it has become another's.
///
/// To be dropped before the listener: while that is open, no other socket is the same to the file system.
#[derive(Debug)]
pub struct Bound {
    path: PathBuf,
    file: FileId,
}

/// Which file a path leads to: its device and its number there.
type FileId = (u64, u64);

impl Bound {
    fn new(path: &Path) -> io::Result<Bound> {
        Ok(Bound { path: path.to_owned(), file: file_id(path)? })
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        if file_id(&self.path).is_ok_and(|file| file == self.file) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Connects. It does not wait: a listener that has more connections to accept than it may is an error.
pub fn connect_unix(path: &Path) -> io::Result<UnixStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)?;
    Ok(socket.into())
}

/// Listens on a path that is free, or was left behind by a process that was killed.
pub fn listen_unix(path: &Path) -> io::Result<(Bound, UnixListener)> {
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_left_over(path) => {
            fs::remove_file(path)?;
            UnixListener::bind(path)?
        }
        bound => bound?,
    };
    let bound = Bound::new(path)?;
    listener.set_nonblocking(true)?;
    Ok((bound, listener))
}

/// Whether it is a socket that nobody listens on.
fn is_left_over(path: &Path) -> bool {
    let refused = connect_unix(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    refused && fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

fn file_id(path: &Path) -> io::Result<FileId> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Listens, lets somebody `meddle` with the path, stops listening, and looks what is there.
    #[track_caller]
    fn check(meddle: fn(&Path), left: bool) {
        let folder = tempfile::tempdir().expect("there is room");
        let path = folder.path().join("socket");
        let listening = listen_unix(&path).expect("the path is free");
        meddle(&path);
        drop(listening);
        assert_eq!(fs::symlink_metadata(&path).is_ok(), left);
    }

    #[test]
    fn what_was_bound_is_removed() {
        check(|_| (), false);
    }

    #[test]
    fn what_became_anothers_stays() {
        let again = |path: &Path| {
            fs::remove_file(path).expect("it is there");
            drop(UnixListener::bind(path).expect("the path is free"));
        };
        check(again, true);
        let replaced = |path: &Path| {
            let other = path.with_extension("new");
            drop(UnixListener::bind(&other).expect("the path is free"));
            fs::rename(other, path).expect("it is there");
        };
        check(replaced, true);
        let moved = |path: &Path| fs::rename(path, path.with_extension("old")).expect("it is there");
        check(moved, false);
    }

    #[test]
    fn only_what_nobody_listens_on_is_left_over() {
        let folder = tempfile::tempdir().expect("there is room");
        let path = folder.path().join("socket");
        assert!(!is_left_over(&path), "there is nothing");
        let listener = UnixListener::bind(&path).expect("the path is free");
        assert!(!is_left_over(&path), "somebody listens");
        drop(listener);
        assert!(is_left_over(&path));
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).expect("there is room");
        assert!(!is_left_over(&link), "a link is somebody's");
        let file = folder.path().join("file");
        fs::write(&file, "precious").expect("there is room");
        assert!(!is_left_over(&file), "a file is somebody's");
    }
}
