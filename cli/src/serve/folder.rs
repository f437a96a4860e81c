//! The folder of a server: files are dropped into it and fetched from it, by safe names only.
//!
//! Hidden files are neither taken nor offered, nor is anything but regular files: a link could lead out of the folder.

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use indicatif::HumanBytes;
use ropeway_tokio::{Code, Failure, Message, Offered, ProgressStream, SafeName, Upload, printable};
use serde::Serialize;
use tokio::task::{JoinSet, spawn_blocking};

use super::{peer, shrug};
use crate::exit::{Exit, Failed};
use crate::output::Output;

pub(super) struct Folder {
    path: PathBuf,
    out: Output,
}

impl Folder {
    pub(super) fn new(path: PathBuf, out: Output) -> Folder {
        Folder { path, out }
    }

    /// Takes the files that a message brings, all at once.
    pub(super) async fn take(self: Arc<Self>, mut message: Message) -> Result<(), Failure> {
        let from = peer(message.line());
        let mut under_way = JoinSet::new();
        while let Some(offered) = message.file().await? {
            under_way.spawn(self.clone().receive(offered, from.clone()));
        }
        // What became of each file its sender hears with the file.
        let all = under_way.join_all().await.into_iter().all(|received| received);
        message.code(if all { Code::OK } else { Code::REJECTED });
        Ok(())
    }

    /// Whether one file was taken.
    async fn receive(self: Arc<Self>, offered: Offered, from: String) -> bool {
        let name = printable(offered.name()).to_string();
        let saved = self.save(offered).await;
        let taken = saved.is_ok();
        self.tell(["received", "refused"], from, name, saved);
        taken
    }

    /// How many octets it has.
    async fn save(&self, offered: Offered) -> Result<u64, Failed> {
        if offered.name().starts_with('.') {
            offered.decline(Code::BAD_NAME);
            return Err(Failed::new(Exit::Refused, "hidden files are not taken"));
        }
        let download = offered.save_in(&self.path).await?;
        download.finished().await?;
        Ok(done(download.progress()).await)
    }

    /// Shows what became of a file: its octets, or why it is not where it should be.
    fn tell(&self, [well, badly]: [&'static str; 2], from: String, name: String, became: Result<u64, Failed>) {
        shrug(match became {
            Ok(octets) => self.out.note(well, &Moved { what: well, from, name, octets }),
            Err(Failed { text: reason, .. }) => self.out.note(badly, &Stayed { what: badly, from, name, reason }),
        });
    }

    /// The files there are, one a line: size and name.
    pub(super) async fn list(self: Arc<Self>) -> Result<String, Failure> {
        let listed = spawn_blocking(move || self.names()).await.map_err(io::Error::other)?;
        let mut listed = listed?;
        listed.sort();
        Ok(listed.into_iter().map(|(name, octets)| format!("{octets:>14} {name}\n")).collect())
    }

    fn names(&self) -> io::Result<Vec<(String, u64)>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            // Of the entry itself, not of what a link leads to. It may be gone by now.
            let Ok(found) = entry.metadata() else { continue };
            if let Some(name) = entry.file_name().to_str().and_then(offerable)
                && found.is_file()
            {
                names.push((name.to_string(), found.len()));
            }
        }
        Ok(names)
    }

    /// Answers with a file.
    pub(super) async fn offer(self: Arc<Self>, mut message: Message) -> Result<(), Failure> {
        let path = self.find(message.decode().await?).await?;
        let from = peer(message.line());
        for upload in message.respond(&()).file(path).await? {
            // The peer may say goodbye with its last word on the file, which ends this handler.
            tokio::spawn(self.clone().follow(upload, from.clone()));
        }
        Ok(())
    }

    async fn follow(self: Arc<Self>, upload: Upload, from: String) {
        let sent = upload.finished().await.map_err(Failed::from);
        let octets = done(upload.progress()).await;
        self.tell(["sent", "unsent"], from, upload.name().to_owned(), sent.map(|()| octets));
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
    from: String,
    name: String,
    octets: u64,
}

#[derive(Serialize)]
struct Stayed {
    #[serde(skip)]
    what: &'static str,
    from: String,
    name: String,
    reason: String,
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}, {}", self.from, self.what, self.name, HumanBytes(self.octets))
    }
}

impl fmt::Display for Stayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}, {}", self.from, self.what, self.name, self.reason)
    }
}
