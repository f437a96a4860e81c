//! Files: what is sent is read here, what is received is placed here.

mod error;
mod name;
mod open;
mod source;
mod target;

pub use self::error::FileError;
pub use self::name::{NameError, SafeName, printable};
pub use self::source::Source;
pub use self::target::{Existing, Target};
mod download;
mod upload;
pub use self::download::Offered;
pub use self::upload::{IntoSource, Upload, Uploading};
