//! `ropeway demo`: everything a line carries, on real data over a real socket, and every octet of it verified.
//!
//! Server and client are in one process. What is verified is so by the demo's own digests and comparisons, besides what
//! the library does.

mod files;
mod material;
mod messages;
mod server;
mod stage;
mod streams;
mod table;

use std::path::PathBuf;

use ropeway_tokio::CloseCode;

use self::material::Material;
use self::stage::Stage;
use self::table::Table;
use crate::exit::Failed;
use crate::output::Output;
use crate::signal::Interrupts;

/// Show all of it on real data, and verify it: server and client in one process
///
/// Notices, requests with every kind of reply, a stream each way, and files at once, over a loopback socket. Exits with 0
/// only if all of it was verified.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct Args {
    /// Files to exchange; this program, and two made of it, if none are given
    files: Vec<PathBuf>,
}

pub(crate) async fn run(args: Args, out: &Output) -> Result<(), Failed> {
    let mut interrupts = Interrupts::listen()?;
    let spinner = out.spinner("reading files");
    let material = tokio::select! {
        material = Material::new(args.files) => material?,
        () = interrupts.next() => return Err(Failed::interrupted()),
    };
    spinner.finish_and_clear();
    let stage = Stage::build(&material).await?;
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
    table.push(streams::both_ways(stage, &material, out).await?)?;
    table.push(files::in_answer(stage, &material).await?)?;
    files::at_once(stage, material, &mut table).await?;
    let ended = stage.line().close(CloseCode::DONE, "").await;
    table.close(stage.line().stats(), &ended)
}
