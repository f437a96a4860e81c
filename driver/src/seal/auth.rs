//! Who a client is: what it says to prove it, and what a server makes of that.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use ropeway_core::seal::PublicKey;
use ropeway_core::{AuthRules, Code, Instant, Refused};
use zeroize::Zeroizing;

use super::SealError;
use crate::error::Error;
use crate::line::{Line, WeakLine};
use crate::runtime::{Clock, Endpoints};
use crate::state::{Shared, State, Turn, micros};
use crate::unwind;

/// What passes at least between two attempts to prove anew who this end is: the server may refuse in no time.
const BREATH: Duration = Duration::from_secs(1);

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
    /// How many handlers of its messages run at once, if not as many as of others. The first grant of a line says so.
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

    /// No more handlers of its messages run at once. That of the first grant of a line counts: another changes nothing of it.
    pub fn handlers(mut self, most: usize) -> Grant {
        self.identity.handlers = Some(most);
        self
    }

    /// It is to be proved anew before this is over, in whole seconds, rounded up; otherwise the line is closed with
    /// [`CloseCode::EXPIRED`](crate::CloseCode::EXPIRED).
    pub fn lifetime(mut self, lifetime: Duration) -> Grant {
        let whole = lifetime.as_secs().saturating_add(u64::from(lifetime.subsec_nanos() > 0));
        self.lifetime = Some(Duration::from_secs(whole.max(1)));
        self
    }
}

/// What a server makes of claims.
type Decide = Arc<dyn Fn(Claim) -> Pin<Box<dyn Future<Output = Result<Grant, Code>> + Send>> + Send + Sync>;
/// Where a client has its credentials from.
pub(crate) type Credentials = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Option<Credential>> + Send>> + Send + Sync>;

/// How a server learns who its clients are.
#[derive(Clone)]
pub(crate) struct Deciding {
    pub(crate) rules: AuthRules,
    decide: Decide,
}

impl Deciding {
    pub(crate) fn new<F, Fut>(rules: AuthRules, decide: F) -> Deciding
    where
        F: Fn(Claim) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Grant, Code>> + Send + 'static,
    {
        Deciding { rules, decide: Arc::new(move |claim| Box::pin(decide(claim))) }
    }

    /// Decides on every claim of a line, as long as that lives.
    pub(crate) fn begin(&self, line: &Line) {
        let deciding = decide(line.downgrade(), self.decide.clone());
        line.spawn().spawn(Box::pin(async move { drop(deciding.await) }));
    }
}

impl fmt::Debug for Deciding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deciding").field("rules", &self.rules).finish_non_exhaustive()
    }
}

/// What has come of it, between driver and tasks.
#[derive(Default)]
pub(crate) struct AuthState {
    /// The server asks for a credential.
    pub(crate) asked: bool,
    /// What the client claims, until the application looks.
    pub(crate) claim: Option<(Box<str>, Option<[u8; 32]>)>,
    /// The client's latest claim has no answer.
    undecided: bool,
    /// A task claims who this end is: others wait.
    claiming: bool,
    /// The server has not answered the latest claim, of which the task may be gone.
    unanswered: bool,
    /// The server's latest answer, until the client looks.
    answer: Option<Result<Option<Duration>, Code>>,
    identity: Option<Arc<Identity>>,
    /// For how long that is so, if not for ever.
    term: Option<Term>,
}

/// For how long a grant is good.
#[derive(Clone, Copy)]
struct Term {
    end: Instant,
    /// When it is to be proved anew.
    renewal: Instant,
}

impl AuthState {
    /// The client says who it is.
    pub(crate) fn claimed(&mut self, name: &str, proof: Option<[u8; 32]>) {
        (self.claim, self.undecided) = (Some((name.into(), proof)), true);
    }

    /// Whether a decision on the claim that was looked at last comes too late. It may be another that has no answer.
    fn is_decided(&self) -> bool {
        self.claim.is_some() || !self.undecided
    }

    /// The server has taken who this end is.
    pub(crate) fn granted(&mut self, now: Instant, name: &str, lifetime: Option<Duration>) {
        self.answered(Ok(lifetime));
        self.take(now, Arc::new(Identity { name: name.into(), groups: Vec::new(), handlers: None }), lifetime);
    }

    /// The server has not. At a server: nobody has decided in time, nor is to look any more.
    pub(crate) fn denied(&mut self, code: Code) {
        (self.claim, self.undecided) = (None, false);
        self.answered(Err(code));
    }

    fn answered(&mut self, answer: Result<Option<Duration>, Code>) {
        self.unanswered = false;
        self.answer = Some(answer);
    }

    fn take(&mut self, now: Instant, identity: Arc<Identity>, lifetime: Option<Duration>) {
        self.identity = Some(identity);
        // A fifth of the time is left to try it in.
        self.term = lifetime.map(|all| Term { end: now.after(all), renewal: now.after(all / 5 * 4) });
    }

    /// Whether nobody claims anything, and nothing is unanswered.
    fn is_free(&self) -> bool {
        !self.claiming && !self.unanswered
    }

    /// Whether it is time to prove it anew.
    fn is_due(&self, now: Instant) -> bool {
        self.term.is_some_and(|term| term.renewal <= now)
    }

    /// It was not taken anew: half of the time that is left passes before it is tried again. A server may have a bad moment, and
    /// lets nobody try often.
    fn postpone(&mut self, now: Instant) {
        if let Some(term) = &mut self.term {
            let wait = (term.end.since(now) / 2).max(BREATH);
            term.renewal = term.renewal.max(now.after(wait));
        }
    }
}

impl Line {
    /// At a server, who the client is; at a client, what it is called there. `None` where nobody had to say.
    pub fn identity(&self) -> Option<Arc<Identity>> {
        self.lock().auth.identity.clone()
    }

    /// How long that holds still: then the line is closed, unless it is proved anew. `None` if it holds for ever, or nobody had to
    /// say. A client counts from when it heard of it, which is a moment later than the server does.
    pub fn expires_in(&self) -> Option<Duration> {
        let now = self.now();
        self.lock().auth.term.map(|term| term.end.since(now))
    }

    /// Proves who this end, a client, is: anew, or for the first time on a line by [`Line::new`]. How long that is good for, if not
    /// for ever; until it is taken, what was granted before holds.
    ///
    /// A server hears one claim at a time: of several tasks each waits for those before it, and for the automatic renewal of
    /// [`credentials`](crate::ClientBuilder::credentials), which counts from the latest grant.
    ///
    /// # Errors
    /// [`Error::Denied`] if the server does not take it, which it takes its time to say; it lets a client try only so often, and
    /// closes the line then. With [`Code::TIMEOUT`] it could not decide in time, which does not count. [`Error::Seal`] if it does not
    /// ask; [`Error::TooLarge`] for a name that it does not take; [`Error::Misuse`] at a server; [`Error::Closed`] when the line is
    /// over.
    ///
    /// # Cancel safety
    /// Dropped early, it may have been said: what is granted then holds, and who comes next waits until it is answered.
    pub async fn authenticate(&self, credential: Credential) -> Result<Option<Duration>, Error> {
        let mut waiting = Waiting::on(self);
        let _claiming = waiting.claiming().await?;
        waiting.claim(&credential).await
    }
}

/// The right to claim, of one task at a time.
struct Claiming(Arc<Shared>);

impl Drop for Claiming {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.auth.claiming = false;
        state.phase_changed();
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

    fn now(&self) -> Instant {
        micros(self.shared.spawn.now())
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
        self.unless(|_| false, work).await.map(|output| output.expect("nothing else ends it"))
    }

    /// What `work` gives; `None` if it is of no use before that.
    async fn unless<T>(
        &mut self,
        is_useless: impl Fn(&AuthState) -> bool,
        work: impl Future<Output = T>,
    ) -> Result<Option<T>, Error> {
        let Waiting { shared, turn } = self;
        let mut work = pin!(work);
        poll_fn(|cx| {
            if let Poll::Ready(output) = work.as_mut().poll(cx) {
                return Poll::Ready(Ok(Some(output)));
            }
            let mut state = shared.lock();
            if let Some(error) = state.over() {
                return Poll::Ready(Err(error));
            }
            if is_useless(&state.auth) {
                return Poll::Ready(Ok(None));
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

    /// Answers the claim that was looked at last, unless that has an answer by now.
    async fn answer(&mut self, mut verb: impl FnMut(&mut State) -> Result<(), Refused>) -> Result<(), Error> {
        let answer = self.verb(|state| {
            if !state.auth.is_decided() {
                verb(state)?;
                state.auth.undecided = false;
            }
            Ok(())
        });
        answer.await
    }

    /// Waits until no other task claims anything, and every claim is answered.
    async fn claiming(&mut self) -> Result<Claiming, Error> {
        self.until(|state| state.auth.is_free().then(|| state.auth.claiming = true)).await?;
        Ok(Claiming(self.shared.clone()))
    }

    /// Claims it, and waits for what the server makes of that.
    async fn claim(&mut self, credential: &Credential) -> Result<Option<Duration>, Error> {
        let claimed = self.verb(|state| {
            state.machine.prove(&credential.as_core())?;
            (state.auth.unanswered, state.auth.answer) = (true, None);
            Ok(())
        });
        match claimed.await {
            Err(Error::Seal(SealError::NoKeys)) => return Err(SealError::NotAsked.into()),
            claimed => claimed?,
        }
        self.until(|state| state.auth.answer.take()).await?.map_err(Error::Denied)
    }

    /// Waits until what was granted is to be proved anew, and nobody is at it.
    async fn until_due(&mut self, clock: &mut impl Clock) -> Result<(), Error> {
        let Waiting { shared, turn } = self;
        poll_fn(|cx| {
            let (at, is_free) = {
                let mut state = shared.lock();
                if let Some(error) = state.over() {
                    return Poll::Ready(Err(error));
                }
                state.wait_for_phase(turn, cx);
                // What is granted later may have an end.
                let Some(term) = state.auth.term else { return Poll::Pending };
                (term.renewal, state.auth.is_free())
            };
            match clock.poll_until(cx, Duration::from_micros(at.as_micros())) {
                Poll::Ready(()) if is_free => Poll::Ready(Ok(())),
                _ => Poll::Pending,
            }
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

async fn decide(line: WeakLine, decide: Decide) -> Result<(), Error> {
    let Some(mut waiting) = line.line().map(|line| Waiting::on(&line)) else { return Ok(()) };
    loop {
        let (name, proof) = waiting.until(|state| state.auth.claim.take()).await?;
        let Some(line) = line.line() else { return Ok(()) };
        let now = || line.now();
        // It may take its time, which the machine limits. What comes before its first await may panic, too.
        let claim = Claim { line: line.clone(), name, proof };
        let decided = unwind::output(async { decide(claim).await });
        let Some(decided) = waiting.unless(AuthState::is_decided, decided).await? else { continue };
        let code = match decided {
            Some(Ok(Grant { identity, lifetime })) => {
                let identity = Arc::new(identity);
                let granted = waiting.answer(|state| {
                    state.machine.grant(now(), &identity.name, lifetime)?;
                    state.auth.take(now(), identity.clone(), lifetime);
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
        let denied = waiting.answer(|state| {
            state.machine.deny(now(), code)?;
            // It has another deadline now.
            state.wake_driver();
            Ok(())
        });
        denied.await?;
    }
}

/// Says who this end is if the server asks: whether it did, once the line is open.
pub(crate) async fn prove(line: &Line, credentials: Option<&Credentials>) -> Result<bool, Error> {
    let mut waiting = Waiting::on(line);
    let asked = |state: &mut State| match state.auth.asked {
        true => Some(true),
        false => state.machine.peer().map(|_| false),
    };
    if !waiting.until(asked).await? {
        return Ok(false);
    }
    // The server does not wait for ever, nor does who connects.
    let credentials = credentials.ok_or(SealError::NoCredential)?;
    let credential = waiting.unless_over(async { credentials().await }).await?.ok_or(SealError::NoCredential)?;
    let _claiming = waiting.claiming().await?;
    waiting.claim(&credential).await?;
    Ok(true)
}

/// Proves anew, in good time, as long as the line lives. What is refused is tried again.
pub(crate) async fn renew(line: WeakLine, credentials: Credentials, mut clock: impl Clock) {
    let Some(mut waiting) = line.line().map(|line| Waiting::on(&line)) else { return };
    drop(line);
    while waiting.until_due(&mut clock).await.is_ok() {
        match renew_once(&mut waiting, &credentials).await {
            Ok(()) => {}
            Err(Error::Closed(_)) => return,
            Err(error) => {
                tracing::warn!(%error, "not authenticated anew");
                let now = waiting.now();
                waiting.shared.lock().auth.postpone(now);
            }
        }
    }
}

async fn renew_once(waiting: &mut Waiting, credentials: &Credentials) -> Result<(), Error> {
    // A panic is no reason not to try again.
    let credential = waiting.unless_over(unwind::output(async { credentials().await })).await?;
    let credential = credential.flatten().ok_or(SealError::NoCredential)?;
    let _claiming = waiting.claiming().await?;
    // Somebody else may have done so meanwhile.
    let now = waiting.now();
    let is_due = waiting.shared.lock().auth.is_due(now);
    if is_due {
        waiting.claim(&credential).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ropeway_core::seal::{Psk, SecretKey};

    use super::*;
    use crate::seal::Seal;

    /// D17: what an application prints of its settings has no secret in it.
    #[test]
    fn settings_print_no_secret() {
        let secret = [0xc5; 32];
        let seal = Seal::with_key(SecretKey::new(secret)).psk(Psk::new(secret));
        let printed = format!("{seal:?} {:?} {:?}", Credential::key(), Credential::token("kiosk", secret));
        assert!(printed.contains("kiosk"));
        for text in ["c5c5", "C5C5", "197, 197", "c5, c5"] {
            assert!(!printed.contains(text), "{printed}");
        }
    }
}
