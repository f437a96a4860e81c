//! Files: in an answer, and several at once on one message, one of which is paused and resumed.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use ropeway_tokio::{ProgressStream, Upload};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::material::{Content, Material};
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

/// All files on one message. The largest is paused, half way where it can be, until the others are there.
pub(super) async fn at_once(stage: &Stage, material: Material, table: &mut Table<'_>) -> Result<(), Failed> {
    let largest = material.files.iter().map(|file| file.octets).enumerate().max_by_key(|(_, octets)| *octets);
    let mut message = stage.line().open("file", &());
    let mut files = Vec::new();
    for Content { name, octets, digest, source, gate } in material.files {
        message = message.file(source);
        files.push((Expected { path: stage.folder().join(name.as_str()), octets, digest }, gate));
    }

    let (mut others, mut paused) = (JoinSet::new(), JoinSet::new());
    let (go_on, wait) = oneshot::channel();
    let mut wait = Some(wait);
    for (at, (upload, (expected, gate))) in message.notify().await?.into_iter().zip(files).enumerate() {
        match wait.take_if(|_| largest.is_some_and(|(largest, _)| largest == at)) {
            Some(wait) => paused.spawn(send(upload, expected, Some(Pause { gate, wait }), table.out.clone())),
            None => others.spawn(send(upload, expected, None, table.out.clone())),
        };
    }
    all_of(others, table).await?;
    // If it failed, nobody waits any more.
    let _ = go_on.send(());
    all_of(paused, table).await
}

async fn all_of(mut sending: JoinSet<Result<Row, Failed>>, table: &mut Table<'_>) -> Result<(), Failed> {
    while let Some(row) = sending.join_next().await {
        table.push(row??)?;
    }
    Ok(())
}

/// Follows a file until it is there, and looks at what is there.
async fn send(upload: Upload, expected: Expected, pause: Option<Pause>, out: Output) -> Result<Row, Failed> {
    let measure = Measure::start(format!("file {}", upload.name()));
    let pausing = async {
        match pause {
            Some(pause) => pause.of(&upload, expected.octets).await,
            None => None,
        }
    };
    let (_, stood) = tokio::join!(out.follow(upload.name(), upload.progress()), pausing);
    upload.finished().await?;
    let row = measure.bulk(1, expected.octets, false);
    let verified = expected.arrived().await? && stood != Some(false);
    let what = if stood.is_some() { format!("{}, paused and resumed", row.what) } else { row.what };
    Ok(Row { what, verified, ..row })
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
