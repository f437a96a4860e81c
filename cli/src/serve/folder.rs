//! The folder of a server: files are dropped into it and fetched from it, by safe names only.
//!
//! Hidden files are neither taken nor offered, nor is anything but regular files: a link could lead out of the folder.

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use indicatif::HumanBytes;
use ropeway_tokio::{Code, Error, Failure, Message, Offered, ProgressStream, SafeName, Upload, printable};
use serde::Serialize;
use tokio::task::spawn_blocking;

use super::guest::Guest;
use crate::exit::{Exit, Failed};
use crate::listing::{Listed, Listing};

pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(super) fn new(path: PathBuf) -> Folder {
        Folder { path }
    }

    /// Takes the files that a message brings, all at once.
    pub(super) async fn take(self: Arc<Self>, mut message: Message, guest: Guest) -> Result<(), Failure> {
        let mut under_way = Vec::new();
        while let Some(offered) = message.file().await? {
            // What became of it is told even if the end of the line ends this handler.
            under_way.push(tokio::spawn(self.clone().receive(offered, guest.clone())));
        }
        let mut all = true;
        for receiving in under_way {
            all &= receiving.await.unwrap_or(false);
        }
        // What became of each file its sender hears with the file.
        message.code(if all { Code::OK } else { Code::REJECTED });
        Ok(())
    }

    /// Whether one file was taken.
    async fn receive(self: Arc<Self>, offered: Offered, guest: Guest) -> bool {
        let name = printable(offered.name()).to_string();
        let saved = self.save(offered).await;
        let taken = saved.is_ok();
        match saved {
            Ok(octets) => guest.note("received", &Moved { what: "received", name, octets }),
            Err(Untaken::Refused(Failed { text: reason, .. })) => {
                guest.note("refused", &Stayed { what: "refused", name, reason });
            }
            Err(Untaken::CutOff(octets, Failed { text: reason, .. })) => {
                guest.note("kept", &Kept { name, octets, reason });
            }
        }
        taken
    }

    /// How many octets it has.
    async fn save(&self, offered: Offered) -> Result<u64, Untaken> {
        if offered.name().starts_with('.') {
            offered.decline(Code::BAD_NAME);
            return Err(Untaken::Refused(Failed::new(Exit::Refused, "hidden files are not taken")));
        }
        let download = offered.save_in(&self.path).await.map_err(|error| Untaken::new(error, 0))?;
        let ended = download.finished().await;
        let octets = done(download.progress()).await;
        ended.map(|_| octets).map_err(|error| Untaken::new(error, octets))
    }

    /// The files there are.
    pub(super) async fn list(self: Arc<Self>, mut message: Message) -> Result<(), Failure> {
        let () = message.decode().await?;
        let listed = spawn_blocking(move || self.names()).await.map_err(io::Error::other)?;
        Ok(message.answer(&Listing::new(listed?)).await?)
    }

    fn names(&self) -> io::Result<Vec<Listed>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            // Of the entry itself, not of what a link leads to. It may be gone by now.
            let Ok(found) = entry.metadata() else { continue };
            if let Some(name) = entry.file_name().to_str().and_then(offerable)
                && found.is_file()
            {
                names.push(Listed { name: name.to_string(), octets: found.len() });
            }
        }
        Ok(names)
    }

    /// Answers with a file.
    pub(super) async fn offer(self: Arc<Self>, mut message: Message, guest: Guest) -> Result<(), Failure> {
        let path = self.find(message.decode().await?).await?;
        for upload in message.respond(&()).file(path).await? {
            // The peer may say goodbye with its last word on the file, which ends this handler.
            tokio::spawn(follow(upload, guest.clone()));
        }
        Ok(())
    }

    async fn find(&self, name: String) -> Result<PathBuf, Failure> {
        SafeName::new(&name).map_err(|error| Failure::new(Code::BAD_NAME, error.to_string()))?;
        let name = offerable(&name).ok_or(Code::NOT_FOUND)?;
        let path = self.path.join(name.as_str());
        let looked = path.clone();
        let found = spawn_blocking(move || fs::symlink_metadata(looked)).await.map_err(io::Error::other)??;
        if found.is_file() { Ok(path) } else { Err(Code::NOT_FOUND.into()) }
    }
}

/// Tells what became of a file that was offered.
async fn follow(upload: Upload, guest: Guest) {
    let sent = upload.finished().await.map_err(Failed::from);
    let (name, octets) = (upload.name().to_owned(), done(upload.progress()).await);
    match sent {
        Ok(()) => guest.note("sent", &Moved { what: "sent", name, octets }),
        Err(Failed { text: reason, .. }) => guest.note("unsent", &Stayed { what: "unsent", name, reason }),
    }
}

/// Why a file is not where it should be.
enum Untaken {
    Refused(Failed),
    /// It ended before its end; so many octets are kept for the next transfer of it.
    CutOff(u64, Failed),
}

impl Untaken {
    /// So many octets are on the disk.
    fn new(error: Error, octets: u64) -> Untaken {
        match error {
            Error::Closed(_) | Error::Aborted(_) => Untaken::CutOff(octets, error.into()),
            _ => Untaken::Refused(error.into()),
        }
    }
}

/// The name, if a file of that name may be offered.
fn offerable(name: &str) -> Option<SafeName> {
    SafeName::new(name).ok().filter(|name| !name.as_str().starts_with('.'))
}

/// How far a transfer came that is over.
async fn done(mut progress: ProgressStream) -> u64 {
    progress.next().await.map_or(0, |progress| progress.done)
}

#[derive(Serialize)]
struct Moved {
    #[serde(skip)]
    what: &'static str,
    name: String,
    octets: u64,
}

#[derive(Serialize)]
struct Stayed {
    #[serde(skip)]
    what: &'static str,
    name: String,
    reason: String,
}

#[derive(Serialize)]
struct Kept {
    name: String,
    octets: u64,
    reason: String,
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}, {}", self.what, self.name, HumanBytes(self.octets))
    }
}

impl fmt::Display for Stayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}, {}", self.what, self.name, self.reason)
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Kept { name, octets, reason } = self;
        match octets {
            0 => write!(f, "kept nothing of {name}, {reason}"),
            _ => write!(f, "kept {} of {name}, {reason}", HumanBytes(*octets)),
        }
    }
}
