//! What the demo sends: files given, or this program; and files made of them, until all can be shown that is to be.

use std::collections::HashSet;
use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use ropeway_tokio::futures_io::AsyncRead;
use ropeway_tokio::{Error, SafeName, Uploading};
use tokio::sync::oneshot;

use crate::disk::{self, blocking};
use crate::exit::{Exit, Failed};

/// How much of the first file streams are made of.
const BASE: u64 = 16 * 1024 * 1024;
/// How much that is at least, the file over and over: a stream is sent in pieces of it.
const LEAST_BASE: usize = 1024 * 1024;
/// How much the file has that is made as it is sent.
const WOVEN: u64 = 64 * 1024 * 1024;
/// Files that go at once, at least.
pub(super) const AT_ONCE: usize = 3;
/// A file that is still under way when it is paused though nothing holds it up: at 1 GiB/s it takes a quarter of a second.
const LARGE: u64 = 256 * 1024 * 1024;

/// Files to send, and real octets to make more of.
pub(super) struct Material {
    pub(super) files: Vec<Content>,
    /// How many of the files, from the last, were made for this.
    pub(super) made: usize,
    pub(super) base: Bytes,
}

/// One file, and what it must be when it arrives.
pub(super) struct Content {
    pub(super) name: SafeName,
    pub(super) octets: u64,
    pub(super) digest: blake3::Hash,
    pub(super) source: Uploading,
    /// Lets the second half go.
    pub(super) gate: Option<oneshot::Sender<()>>,
}

impl Material {
    pub(super) async fn new(files: Vec<PathBuf>) -> Result<Material, Failed> {
        blocking(move || match files.is_empty() {
            true => Material::of(vec![own()?])?.completed(),
            false => Material::of(files)?.completed(),
        })
        .await
    }

    fn of(files: Vec<PathBuf>) -> Result<Material, Failed> {
        let mut names = HashSet::new();
        let mut material = Material { files: Vec::new(), made: 0, base: Bytes::new() };
        for path in files {
            let content = Content::of_path(&path)?;
            let about = |failed: Failed| failed.about(disk::shown(&path));
            if !names.insert(content.name.clone()) {
                return Err(about(Failed::new(Exit::Usage, "another file has the same name")));
            }
            if material.base.is_empty() {
                material.base = read(&path, BASE).map_err(about)?;
            }
            material.files.push(content);
        }
        if material.base.is_empty() {
            material.base = Bytes::from_static(b"nothing but empty files");
        }
        if material.base.len() < LEAST_BASE {
            material.base = material.base.repeat(LEAST_BASE / material.base.len() + 1).into();
        }
        Ok(material)
    }

    /// With files made of the first, as many as are missing: from a reader that does not say how much it will give and
    /// can be held up, and from octets.
    fn completed(mut self) -> Result<Material, Failed> {
        let given = self.files.len();
        if given < AT_ONCE || self.files.iter().all(|file| file.octets < LARGE) {
            self.files.push(Content::woven(&self.unused("woven.bin"), self.base.clone())?);
        }
        if self.files.len() < AT_ONCE {
            let reversed: Vec<u8> = self.base.iter().rev().copied().collect();
            self.files.push(Content::of_bytes(&self.unused("reversed.bin"), reversed.into())?);
        }
        self.made = self.files.len() - given;
        Ok(self)
    }

    /// A name like this that no file has, on no system.
    fn unused(&self, name: &str) -> String {
        let taken = |name: &str| self.files.iter().any(|file| file.name.as_str().to_lowercase() == name);
        let mut name = name.to_owned();
        while taken(&name) {
            name.insert_str(0, "another-");
        }
        name
    }

    /// Which file is to be paused: one that can be held up, or else takes longest.
    pub(super) fn to_pause(&self) -> Option<usize> {
        let files = self.files.iter().enumerate();
        files.max_by_key(|(_, file)| (file.gate.is_some(), file.octets)).map(|(at, _)| at)
    }
}

impl Content {
    fn of_path(path: &Path) -> Result<Content, Failed> {
        let about = |failed: Failed| failed.about(disk::shown(path));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let source = disk::open(path)?;
        let digest = source.digest_of(0..source.len()).map_err(|error| about(error.into()))?;
        let digest = (source.len(), blake3::Hash::from_bytes(digest));
        Content::new(&name, digest, Uploading::from_path(path)).map_err(about)
    }

    fn of_bytes(name: &str, bytes: Bytes) -> Result<Content, Failed> {
        let digest = (bytes.len() as u64, blake3::hash(&bytes));
        Content::new(name, digest, Uploading::from_bytes(name, bytes))
    }

    fn woven(name: &str, base: Bytes) -> Result<Content, Failed> {
        let mut hasher = blake3::Hasher::new();
        let mut woven = Woven { base, at: 0, gate: None };
        let mut block = vec![0; 64 * 1024];
        while let len @ 1.. = woven.fill(&mut block) {
            hasher.update(block.get(..len).unwrap_or_default());
        }
        let (gate, closed) = oneshot::channel();
        let reader = Woven { at: 0, gate: Some(closed), ..woven };
        let digest = (hasher.count(), hasher.finalize());
        let content = Content::new(name, digest, Uploading::from_reader(name, reader))?;
        Ok(Content { gate: Some(gate), ..content })
    }

    fn new(name: &str, (octets, digest): (u64, blake3::Hash), source: Uploading) -> Result<Content, Failed> {
        let name = SafeName::new(name).map_err(Error::from)?;
        Ok(Content { name, octets, digest, source, gate: None })
    }
}

/// This program.
fn own() -> Result<PathBuf, Failed> {
    env::current_exe().map_err(Failed::file("can't find this program's own file"))
}

/// The beginning of a file, at most so much of it.
fn read(path: &Path, most: u64) -> Result<Bytes, Failed> {
    let mut octets = Vec::new();
    let file = File::open(path).map_err(Failed::file("can't open the file"))?;
    file.take(most).read_to_end(&mut octets).map_err(Failed::file("can't read the file"))?;
    Ok(octets.into())
}

/// The base over and over, each time changed; stops half way until its gate opens.
struct Woven {
    base: Bytes,
    at: u64,
    gate: Option<oneshot::Receiver<()>>,
}

impl Woven {
    fn fill(&mut self, out: &mut [u8]) -> usize {
        let left = usize::try_from(WOVEN - self.at).unwrap_or(usize::MAX);
        let len = out.len().min(left);
        let around = self.base.len() as u64;
        let mut filled = 0;
        while filled < len {
            let (round, from) = (self.at / around, (self.at % around) as usize);
            let pairs = out[filled..len].iter_mut().zip(&self.base[from..]);
            let piece = pairs.map(|(octet, base)| *octet = base ^ round as u8).count();
            filled += piece;
            self.at += piece as u64;
        }
        len
    }
}

impl AsyncRead for Woven {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.at < WOVEN / 2 {
            return Poll::Ready(Ok(self.fill(out)));
        }
        if let Some(gate) = &mut self.gate {
            // A gate that is gone is as good as open.
            if Pin::new(gate).poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.gate = None;
        }
        Poll::Ready(Ok(self.fill(out)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_made_where_nothing_is_missing() {
        let content = |octets| {
            let content = Content::of_bytes(&format!("{octets}.bin"), Bytes::new()).expect("a name");
            Content { octets, ..content }
        };
        let files = [1, LARGE, 2].map(content).into();
        let material = Material { files, made: 0, base: Bytes::from_static(b"base") };
        let mut material = material.completed().expect("possible");
        assert_eq!((material.files.len(), material.made, material.to_pause()), (3, 0, Some(1)));
        material.files[2].gate = Some(oneshot::channel().0);
        assert_eq!(material.to_pause(), Some(2), "what can be held up is sure to be paused in time");
    }
}
