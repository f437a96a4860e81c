//! Who the client is, and whether it may: how far that is decided.

use core::time::Duration;

use crate::id::Code;
use crate::time::Instant;

/// How patient a server is with clients that are to say who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthRules {
    /// How long it may take, from when there are keys, until the application has decided, and on an open line from when the client
    /// says anew who it is; zero for ever. Of a client: how long it waits for the line to open. A server does not tell it.
    pub timeout: Duration,
    /// How often a client may be refused before the line is closed; at least 1.
    pub attempts: u8,
    /// How long it takes to be told a refusal, the first time. Each time after it is twice as long.
    pub delay: Duration,
}

impl AuthRules {
    /// - 10 s: somebody may have to be asked.
    /// - 3 attempts, the first refused after 1 s: as the login of most systems has it. A new line has to agree on keys first.
    pub const DEFAULT: AuthRules =
        AuthRules { timeout: Duration::from_secs(10), attempts: 3, delay: Duration::from_secs(1) };
}

impl Default for AuthRules {
    fn default() -> AuthRules {
        AuthRules::DEFAULT
    }
}

/// What a client says to prove who it is.
#[derive(Clone, Copy)]
pub enum Credential<'a> {
    /// Its key, which it has proven already to be its own: [`Pattern::Xx`](crate::seal::Pattern::Xx).
    Key,
    /// A secret that the server knows, or can find by its name. It does not leave this end: what is sent is of use on this line
    /// alone. A password that can be guessed is none.
    Token {
        /// What the server finds it by.
        name: &'a str,
        /// The secret.
        secret: &'a [u8],
    },
}

/// How far it is decided.
#[derive(Clone, Copy, Debug)]
pub struct Auth {
    pub(crate) rules: AuthRules,
    pub(crate) step: Step,
    /// When the client is to be told that it is refused, or its claim is refused because nobody has decided; and when what it was
    /// granted ends.
    pub(crate) deny_at: Instant,
    pub(crate) expires: Instant,
    /// Refusals so far, of one claim after the other.
    refused: u8,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The client is to say who it is, or may say it anew.
    Open,
    /// It has, and waits.
    Claimed,
    /// It is refused, which it is told when the time is there.
    Refusing(Code),
}

impl Auth {
    #[cfg(feature = "seal")]
    pub(crate) fn new(rules: AuthRules) -> Auth {
        Auth { rules, step: Step::Open, deny_at: Instant::NEVER, expires: Instant::NEVER, refused: 0 }
    }

    /// The claim is refused, which is said after a while.
    pub(crate) fn refuse(&mut self, now: Instant, code: Code) {
        let wait = self.rules.delay.saturating_mul(1u32.checked_shl(u32::from(self.refused)).unwrap_or(u32::MAX));
        self.refused = self.refused.saturating_add(1);
        self.step = Step::Refusing(code);
        self.deny_at = now.after(wait);
    }

    /// Whether there has been the last attempt.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.refused >= self.rules.attempts.max(1)
    }

    /// The claim is taken until then.
    pub(crate) fn grant(&mut self, until: Instant) {
        (self.step, self.refused, self.deny_at, self.expires) = (Step::Open, 0, Instant::NEVER, until);
    }
}
