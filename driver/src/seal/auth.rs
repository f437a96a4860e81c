//! Who a client is: what it says to prove it, and what a server makes of that.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use ropeway_core::seal::PublicKey;
use ropeway_core::{Code, Refused};
use zeroize::Zeroizing;

use super::SealError;
use crate::error::Error;
use crate::line::{Line, WeakLine};
use crate::runtime::{Clock, Endpoints};
use crate::state::{Shared, State, Turn};
use crate::unwind;

/// What a client says to prove who it is.
#[derive(Clone)]
pub struct Credential(Kind);

#[derive(Clone)]
enum Kind {
    Key,
    Token { name: Arc<str>, secret: Arc<Zeroizing<Vec<u8>>> },
}

impl Credential {
    /// Its key: that of [`Seal::with_key`](super::Seal::with_key), which the server sees if it takes clients by their keys.
    pub fn key() -> Credential {
        Credential(Kind::Key)
    }

    /// A secret that the server knows, or can find by its name. It does not leave this end: what is sent is of use on one line
    /// alone. What can be guessed, as passwords can, is none.
    pub fn token(name: impl Into<Arc<str>>, secret: impl Into<Vec<u8>>) -> Credential {
        Credential(Kind::Token { name: name.into(), secret: Arc::new(Zeroizing::new(secret.into())) })
    }

    fn as_core(&self) -> ropeway_core::Credential<'_> {
        match &self.0 {
            Kind::Key => ropeway_core::Credential::Key,
            Kind::Token { name, secret } => ropeway_core::Credential::Token { name, secret },
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Key => f.write_str("Credential::Key"),
            Kind::Token { name, .. } => f.debug_struct("Credential::Token").field("name", name).finish_non_exhaustive(),
        }
    }
}

/// What a client claims, for the application to decide.
pub struct Claim {
    line: Line,
    name: Box<str>,
    proof: Option<[u8; 32]>,
}

impl Claim {
    /// By what its secret is found; empty if it is by its key.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its key, if it showed one: then it has it.
    pub fn key(&self) -> Option<PublicKey> {
        self.line.lock().machine.sealer().as_deref()?.peer_key().copied()
    }

    /// Whether it claims no more than to be who its key says.
    pub fn is_by_key(&self) -> bool {
        self.proof.is_none()
    }

    /// Whether it has this secret. Compared in constant time. One that claims to be who its key says has none.
    pub fn has(&self, secret: &[u8]) -> bool {
        self.proof.is_some_and(|proof| self.line.lock().machine.verify(&self.name, &proof, secret))
    }

    /// Where it is.
    pub fn endpoints(&self) -> &Endpoints {
        self.line.endpoints()
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").field("name", &self.name).field("key", &self.key()).finish_non_exhaustive()
    }
}

/// What a client is taken for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Grant {
    identity: Identity,
    lifetime: Option<Duration>,
}

/// Who a client is, as its server has decided.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// Its name, which it is told.
    pub name: String,
    /// What it belongs to.
    pub groups: Vec<String>,
    /// How many handlers of its messages run at once, if not as many as of others.
    pub handlers: Option<usize>,
}

impl Grant {
    /// For ever, under this name.
    pub fn to(name: impl Into<String>) -> Grant {
        let identity = Identity { name: name.into(), groups: Vec::new(), handlers: None };
        Grant { identity, lifetime: None }
    }

    /// It belongs to this.
    pub fn group(mut self, group: impl Into<String>) -> Grant {
        self.identity.groups.push(group.into());
        self
    }

    /// No more handlers of its messages run at once.
    pub fn handlers(mut self, most: usize) -> Grant {
        self.identity.handlers = Some(most);
        self
    }

    /// It is to be proved anew before this is over, in whole seconds, rounded up; otherwise the line is closed with
    /// [`CloseCode::EXPIRED`](crate::CloseCode::EXPIRED).
    pub fn lifetime(mut self, lifetime: Duration) -> Grant {
        self.lifetime = Some(lifetime);
        self
    }
}

/// What a server makes of claims.
pub(crate) type Decide = Arc<dyn Fn(Claim) -> Pin<Box<dyn Future<Output = Result<Grant, Code>> + Send>> + Send + Sync>;
/// Where a client has its credentials from.
pub(crate) type Credentials = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Credential> + Send>> + Send + Sync>;

/// What has come of it, between driver and tasks.
#[derive(Default)]
pub(crate) struct AuthState {
    /// The server asks for a credential.
    pub(crate) asked: bool,
    /// What the client claims, until the application looks.
    pub(crate) claim: Option<(Box<str>, Option<[u8; 32]>)>,
    /// The server's latest answer, until the client looks.
    pub(crate) answer: Option<Result<Option<Duration>, Code>>,
    pub(crate) identity: Option<Arc<Identity>>,
}

impl AuthState {
    /// The server has taken who this end is.
    pub(crate) fn granted(&mut self, name: &str, lifetime: Option<Duration>) {
        self.answer = Some(Ok(lifetime));
        self.identity = Some(Arc::new(Identity { name: name.into(), groups: Vec::new(), handlers: None }));
    }
}

impl Line {
    /// At a server, who the client is; at a client, what it is called there. `None` where nobody had to say.
    pub fn identity(&self) -> Option<Arc<Identity>> {
        self.lock().auth.identity.clone()
    }
}

/// A wait for what changes with a line, which does not keep it open.
struct Waiting {
    shared: Arc<Shared>,
    turn: Turn,
}

impl Waiting {
    fn on(line: &Line) -> Waiting {
        Waiting { shared: line.shared().clone(), turn: Turn::default() }
    }

    /// What `take` finds, once it does.
    async fn until<T>(&mut self, mut take: impl FnMut(&mut State) -> Option<T>) -> Result<T, Error> {
        let Waiting { shared, turn } = self;
        poll_fn(|cx| {
            let mut state = shared.lock();
            if let Some(found) = take(&mut state) {
                return Poll::Ready(Ok(found));
            }
            if let Some(error) = state.over() {
                return Poll::Ready(Err(error));
            }
            state.wait_for_phase(turn, cx);
            Poll::Pending
        })
        .await
    }

    /// What `work` gives, unless the line is over first.
    async fn unless_over<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Error> {
        let Waiting { shared, turn } = self;
        let mut work = pin!(work);
        poll_fn(|cx| {
            if let Poll::Ready(output) = work.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            let mut state = shared.lock();
            if let Some(error) = state.over() {
                return Poll::Ready(Err(error));
            }
            state.wait_for_phase(turn, cx);
            Poll::Pending
        })
        .await
    }

    /// Does what the machine may refuse for a while.
    async fn verb<T>(&mut self, mut verb: impl FnMut(&mut State) -> Result<T, Refused>) -> Result<T, Error> {
        let Waiting { shared, turn } = self;
        poll_fn(|cx| {
            let mut state = shared.lock();
            let answer = verb(&mut state);
            state.outcome(answer, turn, cx)
        })
        .await
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.turn.is_waiting() {
            self.turn.leave(&mut self.shared.lock());
        }
    }
}

/// Decides on every claim of a line, as long as that lives.
pub(crate) async fn decide(line: WeakLine, decide: Decide) -> Result<(), Error> {
    let Some(mut waiting) = line.line().map(|line| Waiting::on(&line)) else { return Ok(()) };
    loop {
        let (name, proof) = waiting.until(|state| state.auth.claim.take()).await?;
        let Some(line) = line.line() else { return Ok(()) };
        let now = || line.now();
        // It may take its time: that of the line ends first. What comes before its first await may panic, too.
        let claim = Claim { line: line.clone(), name, proof };
        let decided = waiting.unless_over(unwind::output(async { decide(claim).await })).await?;
        let code = match decided {
            Some(Ok(Grant { identity, lifetime })) => {
                let identity = Arc::new(identity);
                let granted = waiting.verb(|state| {
                    state.machine.grant(now(), &identity.name, lifetime)?;
                    state.auth.identity = Some(identity.clone());
                    state.phase_changed();
                    Ok(())
                });
                match granted.await {
                    Err(error @ Error::TooLarge(_)) => {
                        tracing::error!(%error, "the client can't be told what it is called");
                        Code::INTERNAL
                    }
                    granted => {
                        granted?;
                        continue;
                    }
                }
            }
            Some(Err(code)) => code,
            None => Code::INTERNAL,
        };
        let denied = waiting.verb(|state| {
            state.machine.deny(now(), code)?;
            // It has another deadline now.
            state.wake_driver();
            Ok(())
        });
        denied.await?;
    }
}

/// Says who this end is if the server asks: how long that is good for, once the line is open.
pub(crate) async fn prove(line: &Line, credentials: Option<&Credentials>) -> Result<Option<Duration>, Error> {
    let mut waiting = Waiting::on(line);
    let asked = |state: &mut State| match state.auth.asked {
        true => Some(true),
        false => state.machine.peer().map(|_| false),
    };
    if !waiting.until(asked).await? {
        return Ok(None);
    }
    prove_once(&mut waiting, credentials.ok_or(SealError::NoCredential)?).await
}

async fn prove_once(waiting: &mut Waiting, credentials: &Credentials) -> Result<Option<Duration>, Error> {
    // The server does not wait for ever, nor does who connects.
    let credential = waiting.unless_over(async { credentials().await }).await?;
    waiting.verb(|state| state.machine.prove(&credential.as_core())).await?;
    waiting.until(|state| state.auth.answer.take()).await?.map_err(Error::Denied)
}

/// Proves anew, in good time, as long as the line lives and the server takes it.
pub(crate) async fn renew(line: WeakLine, credentials: Credentials, mut clock: impl Clock, mut lifetime: Duration) {
    let Some(mut waiting) = line.line().map(|line| Waiting::on(&line)) else { return };
    drop(line);
    loop {
        // A fifth of the time is left to try it in.
        let at = clock.now() + lifetime / 5 * 4;
        if waiting.unless_over(poll_fn(|cx| clock.poll_until(cx, at))).await.is_err() {
            return;
        }
        lifetime = match prove_once(&mut waiting, &credentials).await {
            Ok(Some(lifetime)) => lifetime,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%error, "not authenticated anew");
                return;
            }
        };
    }
}
