//! What a line is to be, besides its transport.

use crate::config::Config;
use crate::error::Error;
use crate::line::Role;
use crate::memory::LineSealer;
#[cfg(feature = "seal")]
use crate::seal::{Seal, SealError};
use crate::trace::Recording;

/// How a line is made.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct LineOptions {
    /// Sizes and timeouts.
    pub config: Config,
    /// Where it is recorded, if it is. Of the entropy the trace has what the peer learns of it.
    pub recording: Option<Recording>,
    /// How it is sealed, if it is.
    #[cfg(feature = "seal")]
    pub seal: Option<Seal>,
    /// Of a server: how patient it is with clients that are to say who they are, if they are.
    #[cfg(feature = "seal")]
    pub auth: Option<ropeway_core::AuthRules>,
}

impl From<Config> for LineOptions {
    fn from(config: Config) -> LineOptions {
        LineOptions { config, ..LineOptions::default() }
    }
}

impl LineOptions {
    /// What seals the line.
    #[cfg(feature = "seal")]
    pub(crate) fn sealer(&self, role: Role) -> Result<LineSealer, Error> {
        let Some(seal) = &self.seal else {
            return if self.auth.is_none() { Ok(None) } else { Err(SealError::Unsealed.into()) };
        };
        if self.recording.is_some() {
            return Err(SealError::Recorded.into());
        }
        Ok(Some(Box::new(seal.sealer(role, self.auth)?)))
    }

    /// Nothing does.
    #[cfg(not(feature = "seal"))]
    pub(crate) fn sealer(&self, _: Role) -> Result<LineSealer, Error> {
        Ok(())
    }
}
