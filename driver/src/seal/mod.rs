//! Sealed lines: who an end is, whom it trusts, and how what it says is encrypted and authenticated.
//!
//! What is promised, against whom, and what is not, is in `docs/SECURITY.md`.

mod auth;
mod file;
mod line;
mod providers;
mod suites;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use ropeway_core::seal::{self as core, Pattern, Sealer};
pub use ropeway_core::seal::{BadKey, Cipher, KEYS, Policy, Psk, PublicKey, RekeyAfter, Rule, SecretKey, Suite};
use ropeway_core::{AuthRules, PeerError};

pub(crate) use self::auth::{AuthState, Credentials, Deciding, prove, renew};
pub use self::auth::{Claim, Credential, Grant, Identity};
pub use self::file::{KeyFileError, read_key, read_psk, read_public_key, write_new_key};
pub use self::line::Sealing;
#[cfg(feature = "seal-aws-lc-rs")]
pub use self::providers::aws_lc_rs;
#[cfg(feature = "seal-ring")]
pub use self::providers::ring;
pub use self::providers::rust_crypto;
pub use self::suites::{AnySuite, Suites};
use crate::line::Role;

/// What a line of the driver is sealed by, if it is.
pub(crate) type LineSealer = Option<Box<Sealer<Suites, Trusted>>>;

/// How lines are sealed: the keys of this end, and whom it trusts. Give it to a client or a server by `seal`.
///
/// Unless its [`policy`](Seal::policy) says otherwise everything is sealed, both ways, and a peer that does not seal is refused.
///
/// | end | made by | proves who it is | knows who the peer is |
/// | --- | --- | --- | --- |
/// | server | [`with_key`](Seal::with_key) | yes | if clients have keys |
/// | server | `with_key` and a `trust…` | yes | yes, and takes only those it trusts |
/// | client | [`trusting`](Seal::trusting) | no | yes |
/// | client | `with_key` and a `trust…` | yes | yes |
/// | either | [`anonymous`](Seal::anonymous) | no | no: who listens hears nothing, who interferes is not found out |
///
/// Any of them may have a shared secret besides, by [`psk`](Seal::psk); then both ends must have it. One that is anonymous but
/// for that knows that the peer is somebody who has it.
#[derive(Clone)]
#[must_use]
pub struct Seal {
    key: Option<SecretKey>,
    psk: Option<Psk>,
    trust: Option<Trusted>,
    suites: Suites,
    policy: Policy,
    rekey_after: RekeyAfter,
    auth_timeout: Duration,
}

/// Keys of peers that are good.
#[derive(Clone)]
pub(crate) struct Trusted(Arc<dyn Fn(&PublicKey) -> bool + Send + Sync>);

impl ropeway_core::seal::Trust for Trusted {
    fn trusts(&mut self, key: &PublicKey) -> bool {
        self.0(key)
    }
}

/// An end can't be sealed like that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SealError {
    /// A server that is to trust its clients by their keys needs one, too.
    NoKey,
    /// A client with a key tells it whom it trusts alone: it needs to be told who that is.
    NoTrust,
    /// There is not one suite.
    NoSuites,
    /// The line has no keys: one of its ends was given none, or the policies have no use for them.
    NoKeys,
    /// The policies of both ends fix whether what one of them says is sealed.
    Fixed {
        /// What this end says; otherwise what the peer does.
        ours: bool,
    },
    /// The server wants to know who this end is, and there is nothing to say to that.
    NoCredential,
    /// The server does not want to know who this end is.
    NotAsked,
    /// Clients are to say who they are, and lines have no keys to do that by.
    Unsealed,
    /// A line that is sealed is not recorded, for its trace would tell what it hides.
    Recorded,
    /// A shared secret of nothing but zeros, which anybody guesses.
    ZeroPsk,
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SealError::NoKey => "a server that trusts clients by their keys needs a key of its own",
            SealError::NoTrust => "a client with a key needs to know whose key the server has",
            SealError::NoSuites => "there is no suite to seal with",
            SealError::NoKeys => "the line has no keys to seal with",
            SealError::Fixed { ours: true } => "the policies fix whether what this end says is sealed",
            SealError::Fixed { ours: false } => "the policies fix whether what the peer says is sealed",
            SealError::NoCredential => "the server wants to know who this end is: it needs a credential",
            SealError::NotAsked => "the server does not ask who this end is",
            SealError::Unsealed => "who authenticates clients must seal its lines",
            SealError::Recorded => "a sealed line can't be recorded",
            SealError::ZeroPsk => "a shared secret of zeros is none",
        })
    }
}

impl std::error::Error for SealError {}

impl Seal {
    /// Without keys. What only listens hears nothing; what interferes may be taken for the peer, unless there is a
    /// [`psk`](Seal::psk).
    pub fn anonymous() -> Seal {
        Seal {
            key: None,
            psk: None,
            trust: None,
            suites: Suites::default(),
            policy: Policy::default(),
            rekey_after: RekeyAfter::DEFAULT,
            auth_timeout: AuthRules::DEFAULT.timeout,
        }
    }

    /// Proves to the peer who this end is.
    pub fn with_key(key: SecretKey) -> Seal {
        Seal { key: Some(key), ..Seal::anonymous() }
    }

    /// Talks to who has this key, and to nobody else.
    pub fn trusting(key: PublicKey) -> Seal {
        Seal::anonymous().trust(key)
    }

    /// Whoever has this key is good, too.
    pub fn trust(mut self, key: PublicKey) -> Seal {
        let others = self.trust.take();
        self.trust_by(move |shown| *shown == key || others.as_ref().is_some_and(|others| others.0(shown)))
    }

    /// Whoever this says is good, and no other: one that keeps the first key it sees trusts on first use. It is asked once
    /// a line, before this end has told anything, must not block, and must not use the line.
    pub fn trust_by(mut self, trust: impl Fn(&PublicKey) -> bool + Send + Sync + 'static) -> Seal {
        self.trust = Some(Trusted(Arc::new(trust)));
        self
    }

    /// A secret that both ends have.
    pub fn psk(mut self, psk: Psk) -> Seal {
        self.psk = Some(psk);
        self
    }

    /// The algorithms, in order of preference, of which the server's order counts; otherwise those of [`Suites::default`].
    pub fn suites(mut self, suites: Suites) -> Seal {
        self.suites = suites;
        self
    }

    /// What must be sealed, and what may; otherwise everything must.
    pub fn policy(mut self, policy: Policy) -> Seal {
        self.policy = policy;
        self
    }

    /// When a key is followed by the next; otherwise [`RekeyAfter::DEFAULT`].
    pub fn rekey_after(mut self, limits: RekeyAfter) -> Seal {
        self.rekey_after = limits;
        self
    }

    /// Of a client: how long it waits for the server to decide who it is; zero for ever; otherwise as long as a server by
    /// [`AuthRules::DEFAULT`].
    pub fn auth_timeout(mut self, timeout: Duration) -> Seal {
        self.auth_timeout = timeout;
        self
    }

    /// What this end proves, and wants proved.
    fn pattern(&self, role: Role) -> Result<Pattern, SealError> {
        match (role, &self.key, &self.trust) {
            (_, None, None) => Ok(Pattern::Nn),
            (Role::Client, None, Some(_)) | (Role::Server, Some(_), None) => Ok(Pattern::Nx),
            (_, Some(_), Some(_)) => Ok(Pattern::Xx),
            (Role::Client, Some(_), None) => Err(SealError::NoTrust),
            (Role::Server, None, Some(_)) => Err(SealError::NoKey),
        }
    }

    /// Whether lines can be sealed like that.
    pub(crate) fn check(&self, role: Role) -> Result<(), SealError> {
        if self.suites.is_empty() {
            return Err(SealError::NoSuites);
        }
        if self.psk.as_ref().is_some_and(|psk| *psk.octets() == [0; 32]) {
            return Err(SealError::ZeroPsk);
        }
        self.pattern(role).map(drop)
    }

    /// For one line.
    pub(crate) fn sealer(&self, role: Role, auth: Option<AuthRules>) -> Result<Sealer<Suites, Trusted>, SealError> {
        self.check(role)?;
        // Whose key nobody is to know is trusted whatever it is.
        let trust = self.trust.clone().unwrap_or_else(|| Trusted(Arc::new(|_| true)));
        let pattern = self.pattern(role)?;
        let identity = core::Identity { pattern, key: self.key.clone(), psk: self.psk.clone(), trust };
        let sealer = match role {
            Role::Client => Sealer::client(self.suites.clone(), identity),
            Role::Server => Sealer::server(self.suites.clone(), identity),
        };
        let sealer = sealer.map_err(|_| SealError::NoKey)?.policy(self.policy).rekey_after(self.rekey_after);
        let rules = match role {
            Role::Client => Some(AuthRules { timeout: self.auth_timeout, ..AuthRules::DEFAULT }),
            Role::Server => auth,
        };
        Ok(match rules {
            Some(rules) => sealer.authenticate(rules),
            None => sealer,
        })
    }
}

/// What a line that is so sealed has to say of an error of the peer's: both lists, if they have no suite in common.
pub(crate) fn about(error: PeerError, sealer: &LineSealer) -> String {
    match (error, sealer) {
        (PeerError::NoSuite, Some(sealer)) => {
            let [ours, theirs] = [sealer.suites().collect::<Vec<_>>(), sealer.peer_suites().collect()];
            format!("this end has {}; the peer has {}", ours.join(", "), theirs.join(", "))
        }
        _ => String::new(),
    }
}

/// A new key, of the system's randomness.
///
/// # Errors
/// If there is none to be had.
pub fn new_key() -> io::Result<SecretKey> {
    crate::entropy().map(SecretKey::new)
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal")
            .field("key", &self.key.as_ref().map(SecretKey::public))
            .field("psk", &self.psk)
            .field("suites", &self.suites)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
