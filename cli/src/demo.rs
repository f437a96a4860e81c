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
use std::time::Instant;

use ropeway_tokio::CloseCode;

use self::material::Material;
use self::stage::Stage;
use self::table::Total;
use crate::exit::{Exit, Failed};
use crate::output::Output;
use crate::signal::interrupted;

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
    let spinner = out.spinner("reading files");
    let material = Material::new(args.files).await?;
    spinner.finish_and_clear();
    let stage = Stage::build(&material).await?;
    let outcome = tokio::select! {
        outcome = all(&stage, material, out) => outcome,
        () = interrupted() => Err(Failed::interrupted()),
    };
    // Whatever became of it, nothing is left behind.
    stage.strike().await?;
    outcome
}

async fn all(stage: &Stage, material: Material, out: &Output) -> Result<(), Failed> {
    let began = Instant::now();
    let mut rows = messages::all(stage, out).await?;
    rows.push(streams::both_ways(stage, &material, out).await?);
    rows.push(files::in_answer(stage, &material).await?);
    rows.extend(files::at_once(stage, material, out).await?);
    let time = began.elapsed();
    let ended = stage.line().close(CloseCode::DONE, "").await;

    table::show(&rows, out)?;
    let total = Total::new(&rows, stage.line().stats(), time, ended.to_string());
    out.result("demo", &total)?;
    let wrong: Vec<_> = rows.iter().filter(|row| !row.verified).map(|row| row.what.as_str()).collect();
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(Failed::new(Exit::Verify, format!("not as it should be: {}", wrong.join("; ")))),
    }
}
