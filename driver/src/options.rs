//! What a line is to be, besides its transport.

use crate::config::Config;
use crate::error::Error;
use crate::line::Role;
use crate::memory::LineSealer;
#[cfg(feature = "seal")]
use crate::seal::{Claim, Deciding, Grant, Seal, SealError};
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
    #[cfg(feature = "seal")]
    pub(crate) auth: Option<Deciding>,
}

impl From<Config> for LineOptions {
    fn from(config: Config) -> LineOptions {
        LineOptions { config, ..LineOptions::default() }
    }
}

#[cfg(feature = "seal")]
impl LineOptions {
    /// Of a server: has the client say who it is before the line opens, and this decide, as
    /// [`ServerBuilder::authenticate`](crate::ServerBuilder::authenticate). The line must be sealed. A client does by
    /// [`Line::authenticate`](crate::Line::authenticate).
    pub fn authenticate<F, Fut>(mut self, rules: ropeway_core::AuthRules, decide: F) -> LineOptions
    where
        F: Fn(Claim) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Grant, ropeway_core::Code>> + Send + 'static,
    {
        self.auth = Some(Deciding::new(rules, decide));
        self
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
        let rules = self.auth.as_ref().map(|auth| auth.rules);
        Ok(Some(Box::new(seal.sealer(role, rules)?)))
    }

    /// Nothing does.
    #[cfg(not(feature = "seal"))]
    pub(crate) fn sealer(&self, _: Role) -> Result<LineSealer, Error> {
        Ok(())
    }
}
