//! A client that is to say who it is, or does so anew; a server that decides in its own time; and one without manners.

use core::time::Duration;
use std::hash::{Hash, Hasher};

use super::{CLIENT, End, Move, SERVER, World, policies, walk};
use crate::auth::{AuthRules, Credential};
use crate::connection::{Send, State, Step};
use crate::error::{CloseCode, PeerError, Reason};
use crate::event::Event;
use crate::id::{Action, Code};
use crate::liveness::Timer;
use crate::sealing::Inner;
use crate::stats::Traffic;
use crate::time::Instant;

/// A client waits for two of them, by [`AuthRules::DEFAULT`].
const TICK: Duration = Duration::from_secs(5);
const RULES: AuthRules = AuthRules { timeout: Duration::from_secs(10), attempts: 2, delay: TICK };

const NAME: &str = "n";
const SECRET: &[u8] = b"s";

/// What was agreed, as its application knows it.
#[derive(Clone)]
pub(super) struct Terms {
    /// Of a server that asks who the client is.
    rules: Option<AuthRules>,
    /// Since when it is to be decided.
    since: Option<Instant>,
    /// Since when a claim on the open line waits for a decision.
    claimed: Option<Instant>,
    /// Until when the client was taken.
    until: Option<Instant>,
    /// Claims refused, one after the other.
    refused: u8,
    pub(super) was_open: bool,
    /// It says more than it may.
    pub(super) is_rude: bool,
}

/// What a server has heard so far.
pub(super) struct Heard {
    messages: u64,
    traffic: Traffic,
    lanes: (u16, u16),
    is_deaf: bool,
    has_keys: bool,
}

impl Terms {
    pub(super) fn of(rules: Option<AuthRules>) -> Terms {
        Terms { rules, since: None, claimed: None, until: None, refused: 0, was_open: false, is_rude: false }
    }

    pub(super) fn asks(&self) -> bool {
        self.rules.is_some()
    }

    /// Whether what waits since then has waited for all the time there is.
    fn is_too_late(&self, since: Instant, now: Instant) -> bool {
        since.after(self.rules.unwrap_or(AuthRules::DEFAULT).timeout) <= now
    }
}

impl End {
    /// Whether it could happen.
    pub(super) fn authenticate(&mut self, what: Move) -> bool {
        match what {
            Move::Prove => self.line.prove(&Credential::Token { name: NAME, secret: SECRET }).is_ok(),
            Move::Grant(ticks) => {
                let lifetime = TICK * ticks;
                let Ok(ready) = self.line.grant(self.now, NAME, Some(lifetime)) else { return false };
                assert_eq!(ready.is_none(), self.terms.was_open, "it opens once");
                if ready.is_some() {
                    self.opens();
                }
                (self.terms.until, self.terms.claimed, self.terms.refused) = (Some(self.now.after(lifetime)), None, 0);
                true
            }
            Move::Deny => {
                let is_denied = self.line.deny(self.now, Code::OK).is_ok();
                if is_denied {
                    self.terms.refused += 1;
                    self.terms.claimed = None;
                }
                is_denied
            }
            Move::Barge => self.barges(),
            Move::Wait => {
                self.now = self.now.after(TICK);
                self.wakes();
                true
            }
            _ => false,
        }
    }

    /// It says a notice, and opens an exchange, although it is not open.
    fn barges(&mut self) -> bool {
        if self.line.is_server || !matches!(self.line.state, State::Proving { .. }) {
            return false;
        }
        self.terms.is_rude = true;
        self.line.ready(self.now, false);
        self.opens();
        self.say();
        let request = Send { timeout: Some(Duration::ZERO), ..Send::bytes(Action::Number(1), &[]) };
        let opened = self.line.request(self.now, &request);
        self.said += u64::from(opened.is_ok());
        true
    }

    /// No earlier than it asked for, and no later than the tick behind that.
    fn wakes(&mut self) {
        for round in 0.. {
            if self.line.poll_timeout().is_none_or(|at| at > self.now) {
                break;
            }
            assert!(round < 8, "it is never done");
            match self.line.handle_timeout(self.now) {
                Some(Event::Closed { .. }) => self.is_over = true,
                Some(Event::Denied { code: Code::TIMEOUT }) => {
                    let claimed = self.terms.claimed.take();
                    assert!(claimed.is_some_and(|at| self.terms.is_too_late(at, self.now)), "it is decided too early");
                }
                event => assert_eq!(event, None),
            }
        }
    }

    /// It waits for a claim, or an answer, from now on.
    pub(super) fn begins_to_wait(&mut self) {
        if matches!(self.line.state, State::Proving { .. }) {
            self.terms.since.get_or_insert(self.now);
        }
    }

    /// Whether whatever comes is ignored.
    pub(super) fn is_deaf(&self) -> bool {
        let is_over = self.terms.until.is_some_and(|until| until <= self.now);
        match self.line.ending() {
            _ if self.line.closed().is_some() => true,
            Some(Reason::PeerError(_) | Reason::ByUs(CloseCode::DENIED | CloseCode::EXPIRED)) => true,
            why => why.is_some() && is_over,
        }
    }

    pub(super) fn heard_so_far(&self) -> Heard {
        Heard {
            messages: self.line.heard,
            // A frame that is refused is counted as one, as everywhere.
            traffic: Traffic { octets: 0, frames: 0, ..self.line.stats.received },
            lanes: self.line.lanes(),
            is_deaf: self.is_deaf(),
            has_keys: self.line.sealer.has_keys(),
        }
    }

    /// It hears who the client says it is.
    pub(super) fn hears_claim(&mut self, name: &[u8], proof: &[u8; 32]) {
        if self.line.is_ready() {
            self.terms.claimed = Some(self.now);
        }
        assert!(name == NAME.as_bytes() && self.line.verify(NAME, proof, SECRET), "the claim is another");
    }

    /// Of a client that a server has granted nothing, or no longer, it hears claims and a goodbye, and nothing when it has shown it
    /// out.
    pub(super) fn hears_only_whom_it_knows(&self, step: &Result<Step<'_>, PeerError>, before: &Heard) {
        if !self.terms.asks() || self.terms.until.is_some_and(|until| self.now < until) && !before.is_deaf {
            return;
        }
        let is_fine = match step {
            Ok(Step { event: None, .. }) => before.is_deaf || !before.has_keys,
            Ok(Step { event: Some(Event::Claim { .. } | Event::Closed { .. }), .. }) | Err(_) => !before.is_deaf,
            Ok(_) => false,
        };
        assert!(is_fine, "it hears whom it does not know: {step:?}");
        let after = self.heard_so_far();
        assert_eq!(
            (after.messages, after.traffic, after.lanes),
            (before.messages, before.traffic, before.lanes),
            "it counts what it must not hear"
        );
    }

    /// It is open as long as was agreed, and no end waits longer than its rules say.
    pub(super) fn keeps_terms(&self) {
        let Terms { rules, since, claimed, until, refused, was_open, .. } = self.terms;
        let is_late = since.is_some_and(|since| self.terms.is_too_late(since, self.now));
        let is_undecided = claimed.is_some_and(|since| self.terms.is_too_late(since, self.now));
        let is_taken = until.is_some_and(|until| self.now < until);
        if matches!(self.line.state, State::Proving { .. }) {
            assert!(!is_late, "it waits too long");
        }
        assert!(!is_undecided || !self.line.is_ready(), "it decides too late");
        if self.line.is_ready() && rules.is_some() {
            assert!(is_taken, "it is open for longer than was granted");
        }
        let may_end = match self.line.ending() {
            Some(Reason::HelloTimeout) => since.is_none() || rules.is_none() && is_late && !was_open,
            Some(Reason::ByUs(CloseCode::DENIED)) => refused >= RULES.attempts || is_late && !was_open,
            Some(Reason::ByUs(CloseCode::EXPIRED)) => was_open && !is_taken,
            _ => true,
        };
        assert!(may_end, "it ends too early: {:?}", self.line.ending());
    }

    /// How far it is decided, and what is due when: seen from now, and as far as it still counts.
    pub(super) fn hash_terms(&self, hasher: &mut impl Hasher) {
        let ahead = |at: Instant| (at != Instant::NEVER).then(|| at.since(self.now));
        let Terms { since, until, refused, was_open, is_rude, .. } = self.terms;
        let auth = self.line.sealer.auth_standing();
        auth.map(|auth| std::mem::discriminant(&auth.step)).hash(hasher);
        auth.map(|auth| [auth.deny_at, auth.expires].map(ahead)).hash(hasher);
        ahead(self.line.timers.get(Timer::Hello)).hash(hasher);
        since.filter(|_| !was_open).map(|since| self.now.since(since).min(RULES.timeout)).hash(hasher);
        until.map(ahead).hash(hasher);
        (refused, was_open, is_rude, self.line.was_open, self.line.wants_transmit()).hash(hasher);
    }
}

/// What ends do until it is decided, and after that.
const MOVES: &[Move] = &[
    Move::Prove,
    Move::Grant(1),
    Move::Grant(2),
    Move::Deny,
    Move::Barge,
    Move::Wait,
    Move::Say,
    Move::Close,
    Move::Rekey,
];

/// Behind the handshake: a claim that is refused, and one that is taken.
const REFUSED: &[(usize, Move)] =
    &[(CLIENT, Move::Prove), (CLIENT, Move::Transmit), (SERVER, Move::Deny), (SERVER, Move::Wait)];
const TAKEN: &[(usize, Move)] = &[(CLIENT, Move::Prove), (CLIENT, Move::Transmit), (SERVER, Move::Grant(4))];

/// From where the ends have keys and this has happened, under each policy.
fn check(before: &[&[(usize, Move)]], depth: usize) {
    for (client, server) in policies() {
        let mut world = World::asking(Some(RULES), client, server);
        world.settle();
        for script in before {
            for &(who, what) in *script {
                assert!(world.apply(who, what), "{what:?} by {who}");
            }
            world.settle();
        }
        let [states, ends] = walk(world, MOVES, depth);
        std::println!("{client:?}: {states} states, {ends} of ends");
    }
}

#[test]
fn of_a_client_that_was_granted_nothing_nothing_is_heard_before_there_are_keys() {
    for (client, server) in policies() {
        let [states, ends] = walk(World::asking(Some(RULES), client, server), MOVES, 17);
        std::println!("{client:?}: {states} states, {ends} of ends");
    }
}

#[test]
fn of_a_client_that_was_granted_nothing_nothing_is_heard_whatever_happens() {
    check(&[], 11);
}

#[test]
fn of_a_client_that_was_refused_nothing_is_heard_whatever_happens() {
    check(&[REFUSED], 11);
}

#[test]
fn a_line_is_open_for_as_long_as_was_granted_last_whatever_happens() {
    check(&[TAKEN], 9);
}
