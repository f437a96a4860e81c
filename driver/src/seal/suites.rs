//! Lists of suites that are known when the program runs.

use std::fmt;
use std::sync::Arc;

use ropeway_core::seal::{Aes256CbcHmacSha512, Cipher, KEYS, Suite};

use super::providers::preferred::{Aes256Gcm, ChaCha20Poly1305};

/// Suites in order of preference.
#[derive(Clone)]
pub struct Suites(Arc<[Arc<dyn AnySuite>]>);

/// A suite of any type. Every [`Suite`] is one.
pub trait AnySuite: Send + Sync {
    /// As it is called in hellos.
    fn name(&self) -> &str;

    /// What seals, or opens, with these keys.
    fn cipher(&self, keys: &[[u8; 32]; KEYS]) -> Box<dyn Cipher + Send>;
}

impl<S> AnySuite for S
where
    S: Suite<Cipher: Send + 'static> + Send + Sync,
{
    fn name(&self) -> &str {
        Suite::name(self)
    }

    fn cipher(&self, keys: &[[u8; 32]; KEYS]) -> Box<dyn Cipher + Send> {
        Box::new(Suite::cipher(self, keys))
    }
}

impl Suites {
    /// None: add some.
    pub fn none() -> Suites {
        Suites(Arc::new([]))
    }

    /// With this one behind the others.
    #[must_use]
    pub fn and(self, suite: impl AnySuite + 'static) -> Suites {
        let one: Arc<dyn AnySuite> = Arc::new(suite);
        Suites(self.0.iter().cloned().chain([one]).collect())
    }

    /// Those of this list that are called so, in this order; `None` if one of them is not there.
    pub fn named<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Option<Suites> {
        let find = |name| self.0.iter().find(|suite| suite.name() == name).cloned();
        names.into_iter().map(find).collect::<Option<_>>().map(Suites)
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|suite| suite.name())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// AES-256-GCM, the fastest where the processor knows AES; ChaCha20-Poly1305, the fastest elsewhere; A256CBC-HS512.
///
/// The first two are computed by AWS-LC with the feature `seal-aws-lc-rs`, otherwise by ring with `seal-ring`, otherwise, as is the
/// third always, by RustCrypto.
// Ring has no CBC. That of AWS-LC, with its HMAC, was 7 % faster with large records, on a processor for which it has no faster
// SHA-512, and 13 % slower with those of 64 octets: not worth another piece of code.
impl Default for Suites {
    fn default() -> Suites {
        Suites::none().and(Aes256Gcm).and(ChaCha20Poly1305).and(Aes256CbcHmacSha512)
    }
}

impl fmt::Debug for Suites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl ropeway_core::seal::Suites for Suites {
    type Cipher = Boxed;

    fn count(&self) -> usize {
        self.0.len()
    }

    fn name(&self, index: usize) -> Option<&str> {
        self.0.get(index).map(|suite| suite.name())
    }

    fn cipher(&self, index: usize, keys: &[[u8; 32]; KEYS]) -> Option<Boxed> {
        self.0.get(index).map(|suite| Boxed(suite.cipher(keys)))
    }
}

/// A cipher of any suite.
pub struct Boxed(Box<dyn Cipher + Send>);

impl Cipher for Boxed {
    fn overhead(&self) -> usize {
        self.0.overhead()
    }

    fn seal(&mut self, number: u64, head: &[u8], record: &mut [u8], len: usize) -> Option<usize> {
        self.0.seal(number, head, record, len)
    }

    fn open(&mut self, number: u64, head: &[u8], record: &mut [u8]) -> Option<usize> {
        self.0.open(number, head, record)
    }
}
