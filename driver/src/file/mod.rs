//! Files: what is sent is read here, what is received is placed here.
//!
//! ```text
//!   Uploading ──> Upload, and a task: Feed ──> flow          blocking: Source, Target, SafeName
//!   flow ──> Offered ──> Download, and a task: ──> Target    async:    the rest
//!                   └──> FileReader
//! ```

mod control;
mod download;
mod error;
mod feed;
mod name;
mod offered;
mod open;
mod part;
mod reader;
mod source;
mod target;
mod upload;

pub use self::control::{Progress, ProgressStream};
pub use self::download::Download;
pub use self::error::FileError;
pub use self::name::{NameError, SafeName, printable};
pub use self::offered::{Offered, Save};
pub use self::reader::FileReader;
pub use self::source::Source;
pub use self::target::{Existing, Target};
pub(crate) use self::upload::Uploads;
pub use self::upload::{Upload, Uploading};
