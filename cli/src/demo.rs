//! placeholder
use crate::exit::Failed;
use crate::output::Output;
use std::path::PathBuf;
/// Show all of it on real data, and verify it: server and client in one process
#[derive(clap::Args, Debug, Default)]
pub(crate) struct Args {
    /// Three files or so to exchange; this program itself if none are given
    files: Vec<PathBuf>,
}
pub(crate) async fn run(_: Args, _: &Output) -> Result<(), Failed> {
    Ok(())
}
