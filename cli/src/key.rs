//! `ropeway key`: makes keys, and shows whose they are.

use std::fmt;
use std::path::{Path, PathBuf};

use ropeway_tokio::seal::{PublicKey, SecretKey, new_key, read_key, write_new_key};
use serde::Serialize;

use crate::disk::{blocking, shown};
use crate::exit::Failed;
use crate::output::Output;

/// Make keys, and show their public halves
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// Make a key, and show its public half
    ///
    /// The file is for its owner alone, and none is replaced. It is for --key; what is shown is for the --peer-key of others. The
    /// secrets of --psk and --token are made by it, too, each in a file of its own.
    New {
        /// The file to write, which must not be there yet
        file: PathBuf,
    },
    /// Show the public half of a key
    Show {
        /// The file of the key
        file: PathBuf,
    },
}

/// A key, by what others know it by.
#[derive(Serialize)]
struct Known {
    file: String,
    public: String,
}

pub(crate) async fn run(command: Command, out: &Output) -> Result<(), Failed> {
    let known = blocking(move || match command {
        Command::New { file } => make(&file).map(|key| Known::new(&file, &key)),
        Command::Show { file } => Ok(Known::new(&file, &read_key(&file)?)),
    });
    out.result("key", &known.await?)
}

/// Blocking.
fn make(file: &Path) -> Result<SecretKey, Failed> {
    let key = new_key().map_err(|error| Failed::internal(error).about("no randomness for a key"))?;
    write_new_key(file, &key)?;
    Ok(key)
}

impl Known {
    fn new(file: &Path, key: &SecretKey) -> Known {
        let public: PublicKey = key.public();
        Known { file: shown(file), public: public.to_string() }
    }
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.public)
    }
}
