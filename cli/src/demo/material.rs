//! What the demo sends: files given, or this program and two files made of it.

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

/// Files to send, and real octets to make more of.
pub(super) struct Material {
    pub(super) files: Vec<Content>,
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
        blocking(|| if files.is_empty() { Material::own() } else { Material::given(files) }).await
    }

    fn given(files: Vec<PathBuf>) -> Result<Material, Failed> {
        let mut names = HashSet::new();
        let mut material = Material { files: Vec::new(), base: Bytes::new() };
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

    /// From a path, from octets, and from a reader that does not say how much it will give.
    fn own() -> Result<Material, Failed> {
        let path = env::current_exe().map_err(Failed::file("can't find this program's own file"))?;
        let program = Content::of_path(&path)?;
        let all = read(&path, u64::MAX)?;
        let mut reversed = all.to_vec();
        reversed.reverse();
        let base = all.slice(..all.len().min(BASE as usize));
        let files = vec![program, Content::of_bytes("reversed.bin", reversed.into())?, Content::woven(base.clone())?];
        Ok(Material { files, base })
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

    fn woven(base: Bytes) -> Result<Content, Failed> {
        let name = "woven.bin";
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
