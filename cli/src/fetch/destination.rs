//! Where a fetched file goes: standard output, or a name in a folder.

use std::fs;
use std::path::{Path, PathBuf};

use ropeway_tokio::{Error, SafeName, Save, printable};

use super::Args;
use crate::disk::{check_folder, shown};
use crate::exit::{Exit, Failed};

/// Where the file goes.
pub(super) enum Destination {
    StandardOutput,
    File(Place),
}

/// A name in a folder.
#[derive(Clone)]
pub(super) struct Place {
    folder: PathBuf,
    name: SafeName,
    replace: bool,
}

impl Destination {
    /// What the command line says, if it is possible. Blocking.
    pub(super) fn new(args: &Args) -> Result<Destination, Failed> {
        let (folder, name) = match args.output.as_deref() {
            Some(output) if output.as_os_str() == "-" => return Ok(Destination::StandardOutput),
            Some(output) => split(output)?,
            None => {
                let name = args.range.as_ref().map_or_else(|| args.name.clone(), |range| range.name_of(&args.name));
                (args.to.clone(), name)
            }
        };
        let name = SafeName::new(&name).map_err(|error| Failed::from(Error::from(error)).about(printable(&name)))?;
        let place = Place { folder, name, replace: args.force };
        place.check().map(|()| Destination::File(place))
    }
}

impl Place {
    /// How the library is to save it.
    pub(super) fn save(&self) -> Save {
        let save = Save::in_folder(&self.folder).name(self.name.as_str());
        if self.replace { save.replace() } else { save }
    }

    /// Tells what is in the way before anything is asked for.
    fn check(&self) -> Result<(), Failed> {
        check_folder(&self.folder)?;
        let path = self.folder.join(self.name.as_str());
        match !self.replace && fs::symlink_metadata(&path).is_ok() {
            true => Err(Failed::new(Exit::File, "the file exists; --force replaces it").about(shown(&path))),
            false => Ok(()),
        }
    }
}

/// The folder and the name of a file.
fn split(output: &Path) -> Result<(PathBuf, String), Failed> {
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match output.file_name().and_then(|name| name.to_str()) {
        Some(name) if !output.is_dir() => Ok((folder.to_owned(), name.to_owned())),
        _ => Err(Failed::new(Exit::Usage, "--output is for the name of a file; a folder goes with --to")),
    }
}
