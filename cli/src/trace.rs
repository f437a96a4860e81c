//! `ropeway trace`: records lines, shows recordings, and replays them.

mod replay;
mod show;

use std::fs;
use std::path::{Path, PathBuf};

use ropeway_tokio::trace::{Folder, Recording};

use crate::disk::{blocking, check_folder, shown};
use crate::exit::{Exit, Failed};
use crate::output::Output;
use crate::talk::Talk;

/// Record lines, show recordings, and replay them
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// Run a command, and record its line
    ///
    /// What is sent and received is in the file as it is: who may not see it should not see the file, which its owner alone can
    /// read.
    Record {
        /// Put zeros in the place of bodies, contents and names of files, digests, and texts for people
        #[arg(long)]
        without_bodies: bool,
        /// The file to record into, which must not be there yet; of serve, the folder for a file a line
        file: PathBuf,
        #[command(subcommand)]
        command: Box<Talk>,
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

/// Where a line is recorded.
#[derive(Clone, Debug)]
pub(crate) struct Tape {
    file: PathBuf,
    without_bodies: bool,
}

impl Tape {
    /// Of one line, into the file, which is created when there is a line.
    pub(crate) fn recording(&self) -> Recording {
        self.settle(Recording::to_new_file(&self.file))
    }

    /// Of each line of a server. Blocking.
    pub(crate) fn recordings(self) -> Result<impl Fn(u64) -> Recording + Send + Sync + 'static, Failed> {
        let folder = Folder::open(&self.file);
        let folder = folder.map_err(Failed::file("can't record")).map_err(|failed| failed.about(shown(&self.file)))?;
        Ok(move |_| self.settle(folder.recording()))
    }

    fn settle(&self, recording: Recording) -> Recording {
        if self.without_bodies { recording.without_bodies() } else { recording }
    }
}

pub(crate) async fn run(command: Command, out: &Output) -> Result<(), Failed> {
    match command {
        Command::Record { file, without_bodies, command } => record(Tape { file, without_bodies }, *command, out).await,
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

async fn record(tape: Tape, mut command: Talk, out: &Output) -> Result<(), Failed> {
    let (file, serves) = (tape.file.clone(), matches!(command, Talk::Serve(_)));
    blocking(move || if serves { check_folder(&file) } else { check_vacant(&file) }).await?;
    *command.trace() = Some(tape);
    command.run(out).await
}

/// What can't be recorded into is told before anything is done. A file that is there stays: it may be what the command is to
/// send. Blocking.
fn check_vacant(file: &Path) -> Result<(), Failed> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let checked = match fs::symlink_metadata(file) {
        Ok(_) => Err(Failed::new(Exit::File, "can't record: it exists, and is not replaced")),
        Err(_) => fs::metadata(folder).map(drop).map_err(Failed::file("can't record")),
    };
    checked.map_err(|failed| failed.about(shown(file)))
}
