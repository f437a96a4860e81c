//! Files and folders of this system: looked at before a line is opened, and worked on off the threads that run tasks.

use std::fs;
use std::io;
use std::path::Path;

use ropeway_tokio::{Source, printable};
use tokio::task::spawn_blocking;

use crate::exit::{Exit, Failed};

/// Work that blocks.
pub(crate) async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, Failed>
where
    T: Send + 'static,
    E: Send + 'static,
    Failed: From<E>,
{
    Ok(spawn_blocking(work).await??)
}

/// Opens a file to be sent. Blocking.
pub(crate) fn open(path: &Path) -> Result<Source, Failed> {
    // Asked first for what the system says of a file that is not there.
    let found = fs::metadata(path).map_err(Failed::file("can't open the file"));
    found.and_then(|_| Ok(Source::open(path)?)).map_err(|failed| failed.about(shown(path)))
}

/// Whether there is a folder. Blocking.
pub(crate) fn check_folder(path: &Path) -> Result<(), Failed> {
    let checked = match fs::metadata(path) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(Failed::new(Exit::File, "not a folder")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Failed::new(Exit::File, "no such folder")),
        Err(error) => Err(Failed::file("can't look at the folder")(error)),
    };
    checked.map_err(|failed| failed.about(shown(path)))
}

/// A path for people.
pub(crate) fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy()).to_string()
}
