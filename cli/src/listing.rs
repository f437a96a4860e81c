//! What is in a server's folder: a value to programs, lines of text to people.

use std::fmt;

use ropeway_tokio::printable;
use serde::{Deserialize, Serialize};

/// The answer to `files.list`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listing {
    files: Vec<Listed>,
}

/// A file, in the order of names.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) octets: u64,
}

impl Listing {
    pub(crate) fn new(mut files: Vec<Listed>) -> Listing {
        files.sort();
        Listing { files }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

impl fmt::Display for Listing {
    /// A line for each file: its size and its name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Listed { name, octets }) in self.files.iter().enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            write!(f, "{end}{octets:>14} {}", printable(name))?;
        }
        Ok(())
    }
}
