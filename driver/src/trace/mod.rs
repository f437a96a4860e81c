//! Recordings of a line's machine, which replay.
//!
//! A machine does the same whenever it is told the same. So a trace holds how it was made, and then all that it was told, by the
//! peer, by the application and by the clock, with what came of it each time. [`Trace::replay`] tells another machine the same,
//! and compares, to the octet; a test does that without a socket or a peer:
//!
//! ```no_run
//! use ropeway_driver::trace::Trace;
//!
//! Trace::open("line.trace")?.replay()?;
//! # Ok::<(), ropeway_driver::trace::TraceError>(())
//! ```
//!
//! Lines are recorded by [`ClientBuilder::trace`](crate::ClientBuilder::trace) and
//! [`ServerBuilder::trace`](crate::ServerBuilder::trace), or with settings of a [`Recording`] by their `trace_with`. The format is
//! described in `docs/TRACES.md`.

mod call;
mod check;
mod described;
mod difference;
mod error;
mod field;
mod folder;
mod frames;
mod header;
mod names;
mod outcome;
mod read;
mod record;
mod recording;
mod redact;
mod replay;
mod tap;
mod traces;

pub use call::{Call, Given, Said};
pub use described::{Described, Value};
pub use difference::{Difference, Differing};
pub use error::TraceError;
pub use folder::Folder;
pub use frames::Frames;
pub use header::Header;
pub use names::Names;
pub use outcome::Outcome;
pub use read::Trace;
pub use record::Record;
pub use recording::Recording;
pub use replay::Replayed;

pub(crate) use call::{MOST, MOST_OUTPUT};
pub(crate) use recording::Recorder;
pub(crate) use tap::Tap;
pub(crate) use traces::Traces;

#[cfg(test)]
mod tests;
