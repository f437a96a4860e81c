//! `ropeway demo`: everything a line carries, on real data over a real socket, and every octet of it verified.
//!
//! Server and client are in one process. What is verified is so by the demo's own digests and comparisons, besides what
//! the library does.

mod files;
mod material;
mod messages;
#[cfg(feature = "seal")]
mod sealed;
mod server;
mod stage;
mod streams;
mod table;

use std::fmt;
use std::path::PathBuf;

use ropeway_tokio::CloseCode;
use serde::Serialize;

use self::material::Material;
use self::stage::Stage;
use self::table::Table;
use crate::exit::Failed;
use crate::output::Output;
use crate::signal::Interrupts;

/// Show all of it on real data, and verify it: server and client in one process
///
/// Notices, requests with every kind of reply, a stream each way, and files at once, over a loopback socket; and a sealed line
/// beside. Given how to seal, all of it is sealed: --key is the server's, whom the client trusts, so there is no --peer-key; both
/// ends have --psk and --token. Exits with 0 only if all of it was verified.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct Args {
    /// Files to exchange, this program if none are given. Files made of the first go along until there are three, one of
    /// them large enough to be paused
    files: Vec<PathBuf>,
    #[cfg(feature = "seal")]
    #[command(flatten)]
    seal: crate::seal::OfClient,
}

pub(crate) async fn run(args: Args, out: &Output) -> Result<(), Failed> {
    #[cfg(feature = "seal")]
    if args.seal.trusts() {
        let why = "--peer-key is not for the demo: both ends are here, and the client trusts the server's --key";
        return Err(Failed::new(crate::exit::Exit::Usage, why));
    }
    let mut interrupts = Interrupts::listen()?;
    let own = args.files.is_empty();
    let spinner = out.spinner("reading files");
    let material = tokio::select! {
        material = Material::new(args.files) => material?,
        () = interrupts.next() => return Err(Failed::interrupted()),
    };
    spinner.finish_and_clear();
    if !own && material.made > 0 {
        out.note("made", &Made::of(&material))?;
    }
    #[cfg(feature = "seal")]
    let sealed = sealed::Sealed::new(&args.seal).await?;
    let stage = Stage::build(
        &material,
        #[cfg(feature = "seal")]
        sealed,
    );
    let stage = stage.await?;
    let outcome = tokio::select! {
        outcome = all(&stage, material, out) => outcome,
        () = interrupts.next() => Err(Failed::interrupted()),
    };
    // Whatever became of it, nothing is left behind.
    stage.strike().await?;
    outcome
}

async fn all(stage: &Stage, material: Material, out: &Output) -> Result<(), Failed> {
    let mut table = Table::new(out);
    messages::all(stage, &mut table).await?;
    #[cfg(feature = "seal")]
    stage.show_sealed(&mut table).await?;
    table.push(streams::both_ways(stage, &material, out).await?)?;
    table.push(files::in_answer(stage, &material).await?)?;
    files::at_once(stage, material, &mut table).await?;
    let ended = stage.line().close(CloseCode::DONE, "").await;
    table.close(stage.line().stats(), &ended)
}

/// Files that go along with those given.
#[derive(Serialize)]
struct Made {
    files: Vec<String>,
}

impl Made {
    fn of(material: &Material) -> Made {
        let made = material.files.iter().rev().take(material.made);
        Made { files: made.map(|file| file.name.to_string()).collect() }
    }
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = self.files.join(" and ");
        write!(f, "made {files} to go along: three files go at once, and one must be large enough to be paused")
    }
}
