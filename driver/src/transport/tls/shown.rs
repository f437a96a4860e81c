//! What a peer showed.

use std::sync::{Arc, OnceLock};

use futures_rustls::rustls::CommonState;
use futures_rustls::rustls::pki_types::CertificateDer;

/// The peer's certificates, once there are any. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown(Arc<OnceLock<Vec<CertificateDer<'static>>>>);

impl Shown {
    pub(crate) fn chain(&self) -> &[CertificateDer<'static>] {
        self.0.get().map_or(&[], Vec::as_slice)
    }

    /// Keeps what was shown in a handshake that is done.
    pub(super) fn note(&self, connection: &CommonState) {
        if let Some(chain) = connection.peer_certificates() {
            self.0.get_or_init(|| chain.to_vec());
        }
    }
}

impl PartialEq for Shown {
    fn eq(&self, other: &Shown) -> bool {
        self.chain() == other.chain()
    }
}

impl Eq for Shown {}
