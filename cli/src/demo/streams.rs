//! A stream each way at once, on one message.

use std::sync::Arc;

use bytes::Bytes;
use indicatif::ProgressBar;
use ropeway_tokio::{Error, Failure, Message, StreamReader, StreamWriter};
use tokio::sync::Mutex;

use super::material::Material;
use super::stage::Stage;
use super::table::{Measure, Row};
use crate::exit::Failed;
use crate::output::Output;

/// Octets each way.
const LENGTH: u64 = 64 * 1024 * 1024;
/// What is written at once.
const PIECE: usize = 64 * 1024;

/// Octets without end, from a base over and over.
#[derive(Clone)]
pub(super) struct Endless {
    base: Bytes,
    at: usize,
}

impl Endless {
    pub(super) fn new(base: Bytes) -> Endless {
        Endless { base, at: 0 }
    }

    /// Half way into the base: what the server sends differs from what it gets.
    fn turned(self) -> Endless {
        Endless { at: self.base.len() / 2, ..self }
    }

    /// The next octets, at most so many.
    fn next(&mut self, most: u64) -> Bytes {
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(PIECE);
        let end = self.base.len().min(self.at + most);
        let piece = self.base.slice(self.at..end);
        self.at = if end == self.base.len() { 0 } else { end };
        piece
    }

    /// What it sends in all.
    fn digest(mut self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        while hasher.count() < LENGTH {
            hasher.update(&self.next(LENGTH - hasher.count()));
        }
        hasher.finalize()
    }
}

/// Both sides write and read at the same time, and neither waits for the other's end.
pub(super) async fn both_ways(stage: &Stage, material: &Material, out: &Output) -> Result<Row, Failed> {
    let endless = Endless::new(material.base.clone());
    let (to_server, to_client) = (endless.clone().digest(), endless.clone().turned().digest());

    let measure = Measure::start("a stream each way at once");
    let bar = out.bar("a stream each way", Some(2 * LENGTH));
    let (writer, reader) = stage.line().open("pipe", &()).into_stream().await?;
    let (write, read) = (write(writer, endless, bar.clone()), read(reader, bar.clone()));
    let ((), received) = tokio::try_join!(write, read)?;
    let piped: String = stage.line().request("piped", &()).await?;
    bar.finish_and_clear();
    let verified = received == to_client && piped == to_server.to_hex().as_str();
    Ok(measure.bulk(2, 2 * LENGTH, verified))
}

/// The server's side; what it read it tells when it is asked, which waits for the lock.
pub(super) async fn serve(mut message: Message, endless: Endless, piped: Arc<Mutex<String>>) -> Result<(), Failure> {
    let mut piped = piped.lock().await;
    let reader = message.stream().await?;
    let writer = message.respond(&()).stream().await?;
    let bar = ProgressBar::hidden();
    let (digest, ()) = tokio::try_join!(read(reader, bar.clone()), write(writer, endless.turned(), bar))?;
    *piped = digest.to_hex().to_string();
    Ok(())
}

async fn write(mut writer: StreamWriter, mut endless: Endless, bar: ProgressBar) -> Result<(), Error> {
    let mut left = LENGTH;
    while left > 0 {
        let piece = endless.next(left);
        writer.send(&piece).await?;
        bar.inc(piece.len() as u64);
        left -= piece.len() as u64;
    }
    writer.finish().await
}

async fn read(mut reader: StreamReader, bar: ProgressBar) -> Result<blake3::Hash, Error> {
    let mut hasher = blake3::Hasher::new();
    while let Some(chunk) = reader.chunk().await? {
        hasher.update(&chunk);
        bar.inc(chunk.len() as u64);
    }
    Ok(hasher.finalize())
}
