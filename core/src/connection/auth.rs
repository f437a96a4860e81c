//! Before a sealed line opens, and as long as it is open, a client may have to say who it is.

use core::time::Duration;

use super::messages::within;
use super::{Connection, State};
use crate::auth::{Credential, Step};
use crate::config::from_millis;
use crate::error::{CloseCode, PeerError, Reason, Refused};
use crate::event::{Event, Ready};
use crate::id::Code;
use crate::liveness::Timer;
use crate::memory::Storage;
use crate::sealing::Inner;
use crate::time::Instant;
use crate::wire::hello::Field;
use crate::wire::{Auth, Frame, kind};

/// Octets of a claim, and of its grant, besides the name, at most: head, length, proof; head, length, seconds.
const CLAIM: u64 = 1 + 2 + 32;
const GRANT: u64 = 1 + 2 + 5;

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
                self.fits_name(name, CLAIM)?;
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
        self.fits_name(name, GRANT)?;
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

    /// Whether the peer takes the name, and a frame with it and so much more.
    fn fits_name(&self, name: &str, besides: u64) -> Result<(), Refused> {
        let len = name.len() as u64;
        within(Field::Name, len, u64::from(self.theirs.name))?;
        within(Field::Frame, len.saturating_add(besides), self.largest() as u64)
    }

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

    /// Whether this end is a server that has put the client out, or that says goodbye to one of which the time is over by now:
    /// nothing is heard of that any more, however long it takes the goodbye.
    pub(super) fn is_shown_out(&mut self, now: Instant) -> bool {
        let State::Closing { reason, .. } = self.state else { return false };
        let is_put_out = matches!(reason, Reason::ByUs(CloseCode::DENIED | CloseCode::EXPIRED));
        S::Sealer::SEALS && self.is_server && self.sealer.auth().is_some_and(|auth| is_put_out || auth.expires <= now)
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
                self.claimed(now);
                Ok(Some(Event::Claim { name: &[], proof: None }))
            }
            Auth::Token { name, proof } => {
                self.check_name(name)?;
                self.claimed(now);
                Ok(Some(Event::Claim { name: name.as_bytes(), proof: Some(proof) }))
            }
            Auth::Granted { name, seconds } => {
                self.check_name(name)?;
                self.set_step(Step::Open);
                // The server may speak from here on, also if this end is closing by now.
                self.was_open = true;
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

    /// The application is to decide. Before the line opens all of that has one deadline.
    fn claimed(&mut self, now: Instant) {
        let is_open = matches!(self.state, State::Open { .. });
        let Some(auth) = self.sealer.auth() else { return };
        auth.step = Step::Claimed;
        if is_open && !auth.rules.timeout.is_zero() {
            auth.deny_at = now.after(auth.rules.timeout);
        }
    }

    /// Time has passed, in which a refusal or an end may be due.
    pub(super) fn decide_in_time(&mut self, now: Instant) -> Option<Event<&'static [u8]>> {
        let auth = self.sealer.auth()?;
        let expires = auth.expires <= now;
        let mut event = None;
        if auth.deny_at <= now {
            auth.deny_at = Instant::NEVER;
            if auth.step == Step::Claimed {
                auth.step = Step::Refusing(Code::TIMEOUT);
                event = Some(Event::Denied { code: Code::TIMEOUT });
            }
            self.deny_now(now);
        }
        if expires {
            self.close(CloseCode::EXPIRED, "");
        }
        event
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

#[cfg(all(test, feature = "chacha20-poly1305"))]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::memory::Sealed;
    use crate::seal::{Anyone, ChaCha20Poly1305, Identity, Pattern, Policy, Rule, Sealer};
    use crate::wire::seal::{PREFIX, RECORD};
    use crate::{Action, AuthRules, Config, Flow, Lane, Memory, Send};

    type Line = Connection<Sealed<Memory<[Lane; 2], [Flow; 1], [u8; 1024]>, Sealer<ChaCha20Poly1305, Anyone>>>;

    const NOW: Instant = Instant::from_millis(5);
    const TOKEN: Credential<'_> = Credential::Token { name: "a name of thirty-two octets, 123", secret: b"secret" };

    fn said(line: &mut Line) -> Vec<u8> {
        let mut out = [0; 2048];
        let len = line.poll_transmit(NOW, &mut out);
        out[..len].to_vec()
    }

    fn hear(line: &mut Line, mut octets: Vec<u8>) -> (Vec<Event<Vec<u8>>>, Option<PeerError>) {
        let (mut events, mut at) = (Vec::new(), 0);
        while at < octets.len() {
            match line.handle_input(NOW, &mut octets[at..]) {
                Ok(step) => {
                    at += step.consumed;
                    events.extend(step.event.map(|event| event.map(<[u8]>::to_vec)));
                    if step.consumed == 0 {
                        break;
                    }
                }
                Err(error) => return (events, Some(error)),
            }
        }
        (events, None)
    }

    /// A client, of which what it says is sealed by this rule, and a server that wants to know who it is.
    fn ends_before_keys(config: Config, rule: Rule) -> [Line; 2] {
        let of_client = Policy { sending: rule, receiving: Rule::Required };
        let of_server = Policy { sending: Rule::Required, receiving: rule };
        [false, true].map(|is_server| {
            let identity = Identity { pattern: Pattern::Nn, key: None, psk: None, trust: Anyone };
            let sealer = Sealer::server(ChaCha20Poly1305, identity).unwrap();
            let sealer = if is_server {
                sealer.policy(of_server).authenticate(AuthRules::DEFAULT)
            } else {
                sealer.policy(of_client)
            };
            let begin = if is_server { Line::server } else { Line::client };
            begin(NOW, config, [u8::from(is_server); 32], Memory::EMPTY.sealed_by(sealer))
        })
    }

    /// The same, behind the handshake.
    fn ends(config: Config, rule: Rule) -> [Line; 2] {
        let [mut client, mut server] = ends_before_keys(config, rule);
        for _ in 0..2 {
            assert_eq!(hear(&mut server, said(&mut client)).1, None);
            assert_eq!(hear(&mut client, said(&mut server)).1, None);
        }
        assert!(matches!((client.state, server.state), (State::Proving { .. }, State::Proving { .. })));
        [client, server]
    }

    /// The same, and the client was taken, for so long.
    fn open(lifetime: Option<Duration>) -> [Line; 2] {
        let [mut client, mut server] = ends(Config::SMALL, Rule::Required);
        client.prove(&TOKEN).unwrap();
        hear(&mut server, said(&mut client));
        server.grant(NOW, "name", lifetime).unwrap();
        hear(&mut client, said(&mut server));
        [client, server]
    }

    #[test]
    fn a_goodbye_that_waits_is_said_though_the_time_to_prove_is_over() {
        let [mut client, mut server] = ends(Config::SMALL, Rule::Required);
        server.close(CloseCode::AWAY, "");
        let late = NOW.after(AuthRules::DEFAULT.timeout);
        assert_eq!(server.handle_timeout(late), None);
        hear(&mut client, said(&mut server));
        assert_eq!(client.closed(), Some(Reason::ByPeer(CloseCode::AWAY)));
    }

    /// C5: that a client is shown out does not let it say what it could not say before.
    #[test]
    fn of_a_client_that_is_unknown_nothing_is_heard_while_it_is_shown_out() {
        type ShowOut = fn(&mut Line);
        let ways: [ShowOut; 2] = [
            |server| assert_eq!(server.handle_timeout(NOW.after(AuthRules::DEFAULT.timeout)), None),
            |server| server.close(CloseCode::AWAY, ""),
        ];
        for show_out in ways {
            for rule in [Rule::Required, Rule::Plain] {
                let [mut client, mut server] = ends(Config::SMALL, rule);
                show_out(&mut server);
                assert!(server.ending().is_some() && server.closed().is_none());
                // One without manners, that says it is open.
                client.state = State::Open { unsaid: false };
                client.notify(NOW, &Send::text(Action::Number(1), "let me in")).unwrap();
                let (events, error) = hear(&mut server, said(&mut client));
                assert_eq!(events, [], "{rule}");
                assert_ne!(error, Some(PeerError::NotSealed), "{rule}");
            }
        }
    }

    /// On a line that is open already, too: what was granted before holds, and another claim has all the time again.
    #[test]
    fn a_claim_on_which_nobody_decides_is_refused() {
        let [mut client, mut server] = open(None);
        assert_eq!(server.sealer.deadline(), None);
        let late = NOW.after(AuthRules::DEFAULT.timeout);
        // It is not the client's fault, however often.
        for _ in 0..2 * AuthRules::DEFAULT.attempts {
            client.prove(&TOKEN).unwrap();
            hear(&mut server, said(&mut client));
            assert_eq!(server.sealer.deadline(), Some(late));
            assert_eq!(server.handle_timeout(late), Some(Event::Denied { code: Code::TIMEOUT }));
            assert_eq!(server.sealer.deadline(), None);
            assert_eq!(server.grant(NOW, "name", None), Err(Refused::WrongState));
            let (events, error) = hear(&mut client, said(&mut server));
            assert!(matches!((&events[..], error), ([Event::Denied { code: Code::TIMEOUT }], None)), "{events:?}");
        }
        client.prove(&TOKEN).unwrap();
        hear(&mut server, said(&mut client));
        server.grant(NOW, "name", None).unwrap();
        assert_eq!(server.sealer.deadline(), None, "it was decided");
        assert!(matches!(hear(&mut client, said(&mut server)).0[..], [Event::Granted { .. }]));
    }

    /// Nobody is to decide on it any more, and it is not told so behind the goodbye.
    #[test]
    fn a_claim_of_a_line_that_closes_is_not_refused() {
        let [mut client, mut server] = open(None);
        client.prove(&TOKEN).unwrap();
        hear(&mut server, said(&mut client));
        server.close(CloseCode::AWAY, "");
        let sent = server.stats.sent.frames;
        assert_eq!(server.handle_timeout(NOW.after(AuthRules::DEFAULT.timeout)), None);
        assert_eq!(server.stats.sent.frames, sent);
    }

    /// D15: nor is anything heard of one of which the time is over, though it does not read the goodbye.
    #[test]
    fn of_a_client_of_which_the_time_is_over_nothing_is_heard() {
        let lifetime = Duration::from_secs(1);
        let [mut client, mut server] = open(Some(lifetime));
        assert_eq!(server.handle_timeout(NOW.after(lifetime)), None);
        assert_eq!(server.ending(), Some(Reason::ByUs(CloseCode::EXPIRED)));
        client.notify(NOW, &Send::text(Action::Number(1), "too late")).unwrap();
        assert_eq!(hear(&mut server, said(&mut client)), (Vec::new(), None));
        let (events, _) = hear(&mut client, said(&mut server));
        assert!(
            matches!(&events[..], [Event::Closed { reason: Reason::ByPeer(CloseCode::EXPIRED), .. }]),
            "{events:?}"
        );
    }

    /// C1: what a client that is unknown may make the server keep is little, however large frames may be.
    #[test]
    fn a_client_that_is_unknown_fills_no_memory() {
        let config = Config { max_frame: crate::Limits::MAX_FRAME, ..Config::DEFAULT };
        let [_, mut server] = ends(config, Rule::Required);
        let len = 1024u16.to_le_bytes();
        let (events, error) = hear(&mut server, [&[RECORD][..], &len].concat());
        assert!(matches!((&events[..], error), ([], Some(PeerError::FrameTooLarge { .. }))), "{error:?}");
        // Nor does a goodbye in the clear, during the handshake or behind it.
        let goodbye = [kind::CLOSE << 3, 0, 0xe8, 0x07];
        let ([mut client, mut agreeing], [_, proving]) =
            (ends_before_keys(config, Rule::Plain), ends(config, Rule::Plain));
        assert_eq!(hear(&mut agreeing, said(&mut client)).1, None);
        for mut server in [agreeing, proving] {
            let (events, error) = hear(&mut server, goodbye.to_vec());
            assert!(matches!((&events[..], error), ([], Some(PeerError::FrameTooLarge { .. }))), "{error:?}");
        }
        // What it may say has room.
        let [mut client, mut server] = ends(config, Rule::Required);
        client.prove(&Credential::Token { name: &"n".repeat(255), secret: b"secret" }).unwrap();
        let record = said(&mut client);
        assert!(record.len() > PREFIX + 255);
        assert!(matches!(&hear(&mut server, record).0[..], [Event::Claim { .. }]));
    }

    /// Also if the line never opened.
    #[test]
    fn what_is_secret_of_a_line_that_is_over_is_wiped() {
        type End = fn(&mut Line);
        let ways: [End; 3] = [
            |server| _ = hear(server, b"GET / HTTP/1.1\r\n\r\n".to_vec()),
            |server| _ = server.handle_eof(),
            |server| {
                let wrong = [crate::wire::seal::HANDSHAKE, 1, 0, 0].to_vec();
                assert!(hear(server, wrong).1.is_some());
                assert!(!said(server).is_empty());
            },
        ];
        for (way, end) in ways.into_iter().enumerate() {
            let [mut client, mut server] = ends_before_keys(Config::SMALL, Rule::Required);
            if way > 0 {
                assert_eq!(hear(&mut server, said(&mut client)).1, None);
                said(&mut server);
            }
            end(&mut server);
            assert!(server.closed().is_some(), "{way}");
            assert!(server.sealer.is_forgotten(), "{way}");
        }
    }

    /// A name that the peer takes, in a frame that it does not take, would wait in the outbox for ever.
    #[test]
    fn a_name_that_no_frame_holds_is_refused() {
        let config = Config { max_frame: 64, max_name: 255, ..Config::SMALL };
        let [mut client, mut server] = ends(config, Rule::Required);
        assert!(matches!(client.prove(&TOKEN), Err(Refused::TooLarge(_))));
        assert!(!client.wants_transmit());
        client.prove(&Credential::Token { name: "short", secret: b"secret" }).unwrap();
        hear(&mut server, said(&mut client));
        assert!(matches!(server.grant(NOW, &"n".repeat(60), None), Err(Refused::TooLarge(_))));
        assert!(!server.wants_transmit() && !server.is_ready());
        server.grant(NOW, &"n".repeat(56), None).unwrap();
        assert!(!said(&mut server).is_empty() && !server.wants_transmit());
    }
}
