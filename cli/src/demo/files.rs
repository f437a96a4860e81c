//! Files: in an answer, and several at once on one message, one of which is paused and resumed.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use ropeway_tokio::{ProgressStream, Upload};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::material::{AT_ONCE, Content, Material};
use super::stage::Stage;
use super::table::{Measure, Row, Table};
use crate::disk::blocking;
use crate::exit::{Exit, Failed};
use crate::output::Output;

/// How long a paused file is watched for octets that should not come.
const WATCH: Duration = Duration::from_millis(50);

/// What is to be checked once a file has come.
struct Expected {
    path: PathBuf,
    octets: u64,
    digest: blake3::Hash,
}

/// A file that comes with a response.
pub(super) async fn in_answer(stage: &Stage, material: &Material) -> Result<Row, Failed> {
    let measure = Measure::start("a file in a response");
    let name = "answer.bin";
    let mut exchange = stage.line().open("file of", name).send().await?;
    let text: String = exchange.answer().await?;
    let offered = exchange.file().await?;
    let offered = offered.ok_or_else(|| Failed::new(Exit::Verify, "the response has no file"))?;
    let download = offered.save_in(stage.folder()).await?;
    let path = download.finished().await?;
    let octets = material.base.len() as u64;
    let row = measure.bulk(1, octets, text == "here it is");
    let expected = Expected { path, octets, digest: blake3::hash(&material.base) };
    Ok(Row { verified: row.verified && expected.arrived().await?, ..row })
}

/// All files on one message. One is paused, half way where it can be, until the others are there.
pub(super) async fn at_once(stage: &Stage, material: Material, table: &mut Table<'_>) -> Result<(), Failed> {
    let to_pause = material.to_pause();
    let mut message = stage.line().open("file", &());
    let mut files = Vec::new();
    for Content { name, octets, digest, source, gate } in material.files {
        message = message.file(source);
        files.push((Expected { path: stage.folder().join(name.as_str()), octets, digest }, gate));
    }
    let count = files.len();
    let measure = Measure::start(format!("{count} files at once"));

    let (mut others, mut paused) = (JoinSet::new(), JoinSet::new());
    let (go_on, wait) = oneshot::channel();
    let mut wait = Some(wait);
    for (at, (upload, (expected, gate))) in message.notify().await?.into_iter().zip(files).enumerate() {
        match wait.take_if(|_| to_pause == Some(at)) {
            Some(wait) => paused.spawn(send_paused(upload, expected, Pause { gate, wait }, table.out.clone())),
            None => {
                let out = table.out.clone();
                others.spawn(async move { send(&upload, expected, out).await })
            }
        };
    }
    let mut all = Arrived::default();
    all.add(others, table).await?;
    // If it failed, nobody waits any more.
    let _ = go_on.send(());
    all.add(paused, table).await?;
    table.push(measure.bulk(count as u64, all.octets, all.verified == count && count >= AT_ONCE))
}

/// What came of several files.
#[derive(Default)]
struct Arrived {
    octets: u64,
    verified: usize,
}

impl Arrived {
    async fn add(&mut self, mut sending: JoinSet<Result<Row, Failed>>, table: &mut Table<'_>) -> Result<(), Failed> {
        while let Some(row) = sending.join_next().await {
            let row = row??;
            self.octets += row.octets;
            self.verified += usize::from(row.verified);
            table.push(row)?;
        }
        Ok(())
    }
}

/// Follows a file until it is there, and looks at what is there.
async fn send(upload: &Upload, expected: Expected, out: Output) -> Result<Row, Failed> {
    let measure = Measure::start(format!("file {}", upload.name()));
    out.follow(upload.name(), upload.progress()).await;
    upload.finished().await?;
    let row = measure.bulk(1, expected.octets, false);
    Ok(Row { verified: expected.arrived().await?, ..row })
}

/// The same for one that is paused meanwhile.
async fn send_paused(upload: Upload, expected: Expected, pause: Pause, out: Output) -> Result<Row, Failed> {
    let octets = expected.octets;
    let (row, stood) = tokio::join!(send(&upload, expected, out), pause.of(&upload, octets));
    Ok(judged(row?, stood))
}

/// A pause that was not seen is not verified, however well the file arrived.
fn judged(row: Row, stood: Option<bool>) -> Row {
    let outcome = match stood {
        Some(true) => "paused and resumed",
        Some(false) => "paused, but it went on",
        None => "over before it was paused",
    };
    Row { what: format!("{}, {outcome}", row.what), verified: row.verified && stood == Some(true), ..row }
}

/// How a file is paused: until nobody is to be waited for any more.
struct Pause {
    gate: Option<oneshot::Sender<()>>,
    wait: oneshot::Receiver<()>,
}

impl Pause {
    /// Whether the file stood still while it was paused; `None` if it was over too soon to say.
    async fn of(self, upload: &Upload, octets: u64) -> Option<bool> {
        let Pause { gate, wait } = self;
        if gate.is_some() {
            // The gate holds up the second half until it is paused here.
            let mut progress = upload.progress();
            while progress.next().await?.done < octets / 4 {}
        }
        upload.pause().ok()?;
        if let Some(gate) = gate {
            let _ = gate.send(());
        }
        let _ = wait.await;
        let stood = stands_still(upload.progress(), octets).await;
        upload.resume().ok()?;
        stood
    }
}

/// Whether nothing moves before the end; `None` if the end has come.
async fn stands_still(mut progress: ProgressStream, octets: u64) -> Option<bool> {
    let mut at = progress.next().await?;
    // What was on its way when it was paused may still be counted once or twice.
    for _ in 0..3 {
        match timeout(WATCH, progress.next()).await {
            Err(_) => return Some(at.done < octets),
            Ok(next) => at = next?,
        }
    }
    Some(false)
}

impl Expected {
    /// Whether the file is there, and is what was sent: by its octets on the disk.
    async fn arrived(self) -> Result<bool, Failed> {
        let Expected { path, octets, digest } = self;
        let hash = move || {
            let mut hasher = blake3::Hasher::new();
            hasher.update_reader(File::open(path)?).map(|hasher| (hasher.count(), hasher.finalize()))
        };
        let hashed = blocking(move || hash().map_err(Failed::file("can't read what was received"))).await?;
        Ok(hashed == (octets, digest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_that_was_not_seen_is_not_verified() {
        for (stood, arrived, what, verified) in [
            (Some(true), true, "file a, paused and resumed", true),
            (Some(true), false, "file a, paused and resumed", false),
            (Some(false), true, "file a, paused, but it went on", false),
            (None, true, "file a, over before it was paused", false),
        ] {
            let row = judged(Measure::start("file a").bulk(1, 9, arrived), stood);
            assert_eq!((row.what.as_str(), row.verified), (what, verified));
        }
    }
}
