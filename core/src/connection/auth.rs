//! Before a sealed line opens, and as long as it is open, a client may have to say who it is.

use core::time::Duration;

use super::{Connection, State};
use crate::auth::{Credential, Step};
use crate::config::from_millis;
use crate::error::{CloseCode, PeerError, Refused};
use crate::event::{Event, Ready};
use crate::id::Code;
use crate::liveness::Timer;
use crate::memory::Storage;
use crate::sealing::Inner;
use crate::time::Instant;
use crate::wire::{Auth, Frame, kind};

impl<S: Storage> Connection<S> {
    // ---- the application tells the machine

    /// A client says who it is: when [`Event::Prove`] asks for it, or anew on an open line, before what it was granted ends. The
    /// answer is [`Event::Granted`] or [`Event::Denied`]; until then there is no other.
    pub fn prove(&mut self, credential: &Credential<'_>) -> Result<(), Refused> {
        self.may_prove(false)?;
        match self.sealer.auth().map(|auth| auth.step) {
            Some(Step::Open) => {}
            Some(_) => return Err(Refused::WrongState),
            None => return Err(Refused::NoKeys),
        }
        match *credential {
            Credential::Key => self.push_enveloped(&Frame::Auth(Auth::Key))?,
            Credential::Token { name, secret } => {
                super::messages::within(crate::Field::Name, name.len() as u64, u64::from(self.theirs.name))?;
                let proof = self.sealer.proof(name, secret);
                self.push_enveloped(&Frame::Auth(Auth::Token { name, proof }))?;
            }
        }
        self.set_step(Step::Claimed);
        Ok(())
    }

    /// Whether who made a claim has this secret. Compared in constant time.
    pub fn verify(&self, name: &str, proof: &[u8; 32], secret: &[u8]) -> bool {
        self.sealer.verify(name, proof, secret)
    }

    /// A server takes what the client has claimed, under a name, and for a time if it is to be proved anew: whole seconds, rounded
    /// up. If the line was not open it is now, as the answer tells.
    pub fn grant(&mut self, now: Instant, name: &str, lifetime: Option<Duration>) -> Result<Option<Ready>, Refused> {
        self.may_decide()?;
        super::messages::within(crate::Field::Name, name.len() as u64, u64::from(self.theirs.name))?;
        let seconds = lifetime.map_or(0, seconds);
        self.push_enveloped(&Frame::Auth(Auth::Granted { name, seconds }))?;
        let until = if seconds == 0 { Instant::NEVER } else { now.after(Duration::from_secs(u64::from(seconds))) };
        if let Some(auth) = self.sealer.auth() {
            auth.grant(until);
        }
        let State::Proving { unsaid } = self.state else { return Ok(None) };
        match self.ready(now, unsaid) {
            Event::Ready(ready) => Ok(Some(ready)),
            _ => Ok(None),
        }
    }

    /// A server does not. The client is told after a while, and may try again, or the line is closed; see
    /// [`AuthRules`](crate::AuthRules).
    pub fn deny(&mut self, now: Instant, code: Code) -> Result<(), Refused> {
        self.may_decide()?;
        if let Some(auth) = self.sealer.auth() {
            auth.refuse(now, code);
        }
        Ok(())
    }

    // ---- inside

    fn may_prove(&self, is_server: bool) -> Result<(), Refused> {
        match self.state {
            State::Proving { .. } | State::Open { .. } if self.is_server == is_server => Ok(()),
            State::Proving { .. } | State::Open { .. } => Err(Refused::WrongState),
            _ => self.may_speak(),
        }
    }

    fn may_decide(&mut self) -> Result<(), Refused> {
        self.may_prove(true)?;
        match self.sealer.auth().map(|auth| auth.step) {
            Some(Step::Claimed) => Ok(()),
            _ => Err(Refused::WrongState),
        }
    }

    fn set_step(&mut self, step: Step) {
        if let Some(auth) = self.sealer.auth() {
            auth.step = step;
        }
    }

    /// There are keys. What comes next: the line opens, or the client is to say who it is.
    pub(super) fn agreed(&mut self, now: Instant, unsaid: bool) -> Option<Event<&'static [u8]>> {
        let Some(rules) = self.sealer.auth().map(|auth| auth.rules) else { return Some(self.ready(now, unsaid)) };
        self.state = State::Proving { unsaid };
        let until = if rules.timeout.is_zero() { Instant::NEVER } else { now.after(rules.timeout) };
        self.timers.set(Timer::Hello, until);
        (!self.is_server).then_some(Event::Prove)
    }

    pub(super) fn on_auth<'b>(&mut self, now: Instant, frame: Auth<'b>) -> Result<Option<Event<&'b [u8]>>, PeerError> {
        let unexpected = Err(PeerError::Unexpected(kind::AUTH));
        let Some(step) = self.sealer.auth().map(|auth| auth.step) else { return unexpected };
        let claims = matches!(frame, Auth::Key | Auth::Token { .. });
        // One claim at a time, by the client; one answer to it, by the server.
        if claims != self.is_server || (step == Step::Open) != claims {
            return unexpected;
        }
        match frame {
            Auth::Key => {
                if self.sealer.shown_key().is_none() {
                    return unexpected;
                }
                self.set_step(Step::Claimed);
                Ok(Some(Event::Claim { name: &[], proof: None }))
            }
            Auth::Token { name, proof } => {
                self.check_name(name)?;
                self.set_step(Step::Claimed);
                Ok(Some(Event::Claim { name: name.as_bytes(), proof: Some(proof) }))
            }
            Auth::Granted { name, seconds } => {
                self.check_name(name)?;
                self.set_step(Step::Open);
                if let State::Proving { unsaid } = self.state {
                    self.ready(now, unsaid);
                }
                let lifetime = (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)));
                Ok(Some(Event::Granted { name: name.as_bytes(), lifetime }))
            }
            Auth::Denied { code } => {
                self.set_step(Step::Open);
                Ok(Some(Event::Denied { code }))
            }
        }
    }

    /// Time has passed, in which a refusal or an end may be due.
    pub(super) fn decide_in_time(&mut self, now: Instant) {
        let Some(auth) = self.sealer.auth() else { return };
        let (denies, expires) = (auth.deny_at <= now, auth.expires <= now);
        if denies {
            auth.deny_at = Instant::NEVER;
            self.deny_now(now);
        }
        if expires {
            self.close(CloseCode::EXPIRED, "");
        }
    }

    /// It is time to tell the client that it was refused.
    fn deny_now(&mut self, now: Instant) {
        let Some(auth) = self.sealer.auth() else { return };
        let Step::Refusing(code) = auth.step else { return };
        let is_last = auth.is_exhausted();
        if self.push_enveloped(&Frame::Auth(Auth::Denied { code })).is_err() {
            // The client does not read: it waits a little longer.
            if let Some(auth) = self.sealer.auth() {
                auth.deny_at = now.after(from_millis(100));
            }
            return;
        }
        self.set_step(Step::Open);
        if is_last {
            self.close(CloseCode::DENIED, "");
        }
    }
}

/// Whole seconds, rounded up.
fn seconds(time: Duration) -> u32 {
    let whole = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
    whole.saturating_add(u32::from(time.subsec_nanos() > 0)).max(1)
}
