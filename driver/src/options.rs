//! What a line is to be, besides its transport.

use crate::config::Config;
use crate::trace::Recording;

/// How a line is made.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct LineOptions {
    /// Sizes and timeouts.
    pub config: Config,
    /// Where it is recorded, if it is. Of the entropy the trace has what the peer learns of it.
    pub recording: Option<Recording>,
}

impl LineOptions {
    /// Records it there.
    #[must_use]
    pub fn recording(mut self, recording: Option<Recording>) -> LineOptions {
        self.recording = recording;
        self
    }
}

impl From<Config> for LineOptions {
    fn from(config: Config) -> LineOptions {
        LineOptions { config, ..LineOptions::default() }
    }
}
