//! Where the lines of a client or a server are recorded.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::folder::Folder;
use super::recording::Recording;

/// Where lines are recorded, if they are.
#[derive(Clone, Default)]
pub(crate) enum Traces {
    #[default]
    Nowhere,
    /// A client's file, or a server's folder.
    At(PathBuf),
    /// As somebody else says, by the number of the line.
    With(Arc<dyn Fn(u64) -> Recording + Send + Sync>),
}

impl Traces {
    /// For a client's line, whose file is created now. Blocking.
    pub(crate) fn of_client(self) -> io::Result<Option<Recording>> {
        match self {
            Traces::Nowhere => Ok(None),
            Traces::At(file) => {
                let created = Recording::to_file(&file).create();
                created.map(Some).map_err(|error| about(&file, &error))
            }
            Traces::With(make) => make(1).create().map(Some),
        }
    }

    /// For a server, whose folder is looked at now: lines are numbered on from the traces that are there. Blocking.
    pub(crate) fn of_server(self) -> io::Result<Traces> {
        let Traces::At(path) = self else { return Ok(self) };
        let folder = Folder::open(&path).map_err(|error| about(&path, &error))?;
        Ok(Traces::With(Arc::new(move |_| folder.recording())))
    }

    /// For a server's line of this number, from 1.
    pub(crate) fn of_line(&self, number: u64) -> Option<Recording> {
        match self {
            Traces::With(make) => Some(make(number)),
            Traces::Nowhere | Traces::At(_) => None,
        }
    }

    pub(crate) fn is_nowhere(&self) -> bool {
        matches!(self, Traces::Nowhere)
    }
}

fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("can't record into {}: {error}", path.display()))
}
