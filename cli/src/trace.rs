//! `ropeway trace`: records lines, shows recordings, and replays them.

mod replay;
mod show;

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::disk::{blocking, check_folder, shown};
use crate::exit::Failed;
use crate::output::Output;
use crate::{fetch, notify, ping, request, send, serve};

/// Record lines, show recordings, and replay them
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// Run a command, and record its line
    ///
    /// What is sent and received is in the file as it is: who may not see it should not see the file.
    Record {
        /// The file to record into, which is replaced; of serve, the folder for a file a line
        file: PathBuf,
        #[command(subcommand)]
        command: Box<Recorded>,
    },
    /// Show a trace as a timeline
    ///
    /// A line for each frame sent (>) or received (<), for what the application said (.), and for each event (*).
    Show {
        /// The trace
        file: PathBuf,
    },
    /// Tell a machine what was recorded, and compare what it does, to the octet
    Replay {
        /// The traces
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

/// What can be recorded.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Recorded {
    Serve(serve::Args),
    Send(send::Args),
    Fetch(fetch::Args),
    Request(request::Args),
    Notify(notify::Args),
    Ping(ping::Args),
}

pub(crate) async fn run(command: Command, out: &Output) -> Result<(), Failed> {
    match command {
        Command::Record { file, command } => record(file, *command, out).await,
        Command::Show { file } => {
            let out = out.clone();
            blocking(move || show::run(&file, &out)).await
        }
        Command::Replay { files } => {
            let out = out.clone();
            blocking(move || replay::run(&files, &out)).await
        }
    }
}

async fn record(file: PathBuf, command: Recorded, out: &Output) -> Result<(), Failed> {
    let (trace, serves) = (Some(file.clone()), matches!(command, Recorded::Serve(_)));
    blocking(move || if serves { check_folder(&file) } else { create(&file) }).await?;
    match command {
        Recorded::Serve(mut args) => {
            args.trace = trace;
            serve::run(args, out).await
        }
        Recorded::Send(mut args) => {
            args.peer.trace = trace;
            send::run(args, out).await
        }
        Recorded::Fetch(mut args) => {
            args.peer.trace = trace;
            fetch::run(args, out).await
        }
        Recorded::Request(mut args) => {
            args.told.peer.trace = trace;
            request::run(args, out).await
        }
        Recorded::Notify(mut args) => {
            args.told.peer.trace = trace;
            notify::run(args, out).await
        }
        Recorded::Ping(mut args) => {
            args.peer.trace = trace;
            ping::run(args, out).await
        }
    }
}

/// A file that can't be written is told before anything is done. Blocking.
fn create(file: &Path) -> Result<(), Failed> {
    let created = File::create(file).map(drop);
    created.map_err(Failed::file("can't record")).map_err(|failed| failed.about(shown(file)))
}
