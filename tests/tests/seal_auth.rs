//! A client says who it is before its line opens, and the server decides.

use std::time::Duration;

use ropeway_core::seal::{Anyone, ChaCha20Poly1305, Identity, Pattern, Sealer, SecretKey};
use ropeway_core::{
    Action, AuthRules, CloseCode, Code, Config, Connection, Credential, Event, Instant, PeerError, Reason, Refused,
    Send, Storage,
};
use ropeway_tests::storage::arrays;

const TOKEN: Credential<'_> = Credential::Token { name: "kiosk-7", secret: b"thirty-two octets nobody guesses" };
const WRONG: Credential<'_> = Credential::Token { name: "kiosk-7", secret: b"thirty-two octets somebody gues" };

type Heard = Event<Vec<u8>>;

/// Two ends that agree on keys, and a wire between.
struct Pair<A: Storage, B: Storage> {
    now: Instant,
    client: Connection<A>,
    server: Connection<B>,
    at_client: Vec<Heard>,
    at_server: Vec<Heard>,
}

fn sealer(pattern: Pattern, key: u8) -> Sealer<ChaCha20Poly1305, Anyone> {
    let identity = Identity { pattern, key: Some(SecretKey::new([key; 32])), psk: None, trust: Anyone };
    Sealer::server(ChaCha20Poly1305, identity).unwrap()
}

fn pair(pattern: Pattern, rules: AuthRules) -> Pair<impl Storage, impl Storage> {
    pair_by(pattern, [AuthRules::DEFAULT, rules])
}

/// By the rules of the client, and of the server.
fn pair_by(pattern: Pattern, [of_client, rules]: [AuthRules; 2]) -> Pair<impl Storage, impl Storage> {
    let now = Instant::from_millis(1000);
    let config = Config { heartbeat: Duration::ZERO, ..Config::SMALL };
    let client = sealer(pattern, 3).authenticate(of_client);
    let client = Connection::client(now, config, [1; 32], arrays().sealed_by(client));
    let server = sealer(pattern, 4).authenticate(rules);
    let server = Connection::server(now, config, [2; 32], arrays().sealed_by(server));
    let mut pair = Pair { now, client, server, at_client: Vec::new(), at_server: Vec::new() };
    pair.pass();
    pair
}

/// Moves what one end has to say to the other. Whether there was anything.
fn carry<A: Storage, B: Storage>(
    now: Instant,
    from: &mut Connection<A>,
    to: &mut Connection<B>,
    heard: &mut Vec<Heard>,
) -> bool {
    let mut wire = [0; 4096];
    let len = from.poll_transmit(now, &mut wire);
    let mut at = 0;
    while at < len {
        let step = to.handle_input(now, &mut wire[at..len]).expect("it is right");
        at += step.consumed;
        heard.extend(step.event.map(|event| event.map(<[u8]>::to_vec)));
        assert!(step.consumed > 0, "it is whole");
    }
    len > 0
}

impl<A: Storage, B: Storage> Pair<A, B> {
    fn pass(&mut self) {
        while carry(self.now, &mut self.client, &mut self.server, &mut self.at_server)
            | carry(self.now, &mut self.server, &mut self.client, &mut self.at_client)
        {}
    }

    fn wait(&mut self, time: Duration) {
        self.now = self.now.after(time);
        while let Some(event) = self.client.handle_timeout(self.now) {
            self.at_client.push(event.map(<[u8]>::to_vec));
        }
        while let Some(event) = self.server.handle_timeout(self.now) {
            self.at_server.push(event.map(<[u8]>::to_vec));
        }
        self.pass();
    }

    /// The client proves who it is; what the server hears of it.
    fn claims(&mut self, credential: &Credential<'_>) -> (String, Option<[u8; 32]>) {
        self.client.prove(credential).expect("it may");
        self.pass();
        match self.at_server.pop() {
            Some(Event::Claim { name, proof }) => (String::from_utf8(name).unwrap(), proof),
            other => panic!("{other:?}"),
        }
    }
}

/// The server's patience is of no use if the client has less.
#[test]
fn a_client_waits_as_long_as_it_is_told_to() {
    let patient = AuthRules { timeout: Duration::from_secs(3600), ..AuthRules::DEFAULT };
    for (of_client, lasts) in [(AuthRules::DEFAULT, 10), (patient, 3600)] {
        let mut pair = pair_by(Pattern::Nx, [of_client, AuthRules { timeout: Duration::ZERO, ..patient }]);
        pair.claims(&TOKEN);
        pair.wait(Duration::from_secs(lasts) - Duration::from_millis(1));
        assert_eq!((pair.client.ending(), pair.server.ending()), (None, None));
        pair.wait(Duration::from_millis(1));
        assert_eq!(pair.client.ending(), Some(Reason::HelloTimeout));
    }
}

#[test]
fn a_line_opens_once_the_server_has_taken_who_the_client_is() {
    let mut pair = pair(Pattern::Nx, AuthRules::DEFAULT);
    assert_eq!((&pair.at_client[..], &pair.at_server[..]), (&[Event::Prove][..], &[][..]));
    assert!(!pair.client.is_ready() && !pair.server.is_ready());
    let message = Send::text(Action::Number(1), "let me in");
    assert_eq!(pair.client.notify(pair.now, &message), Err(Refused::NotReady));
    let (name, proof) = pair.claims(&TOKEN);
    let Credential::Token { secret, .. } = TOKEN else { unreachable!() };
    assert_eq!(name, "kiosk-7");
    assert!(pair.server.verify(&name, &proof.unwrap(), secret));
    assert!(!pair.server.verify("kiosk-8", &proof.unwrap(), secret), "of another name");
    assert!(!pair.server.verify(&name, &proof.unwrap(), b"another"), "of another secret");
    assert!(!pair.client.is_ready() && !pair.server.is_ready(), "nobody has decided");
    pair.server.grant(pair.now, "kiosk 7, hall B", None).expect("it may").expect("it opens");
    pair.pass();
    let granted = Event::Granted { name: b"kiosk 7, hall B".to_vec(), lifetime: None };
    assert_eq!(pair.at_client.pop(), Some(granted));
    assert!(pair.client.is_ready() && pair.server.is_ready());
    pair.client.notify(pair.now, &message).expect("it is open");
    pair.pass();
    assert!(matches!(pair.at_server.pop(), Some(Event::Message(_))));
}

/// D14.
#[test]
fn a_proof_is_of_no_use_on_another_line() {
    let mut one = pair(Pattern::Nn, AuthRules::DEFAULT);
    let mut other = pair(Pattern::Nx, AuthRules::DEFAULT);
    let ((name, proof), Credential::Token { secret, .. }) = (one.claims(&TOKEN), TOKEN) else { unreachable!() };
    let _ = other.claims(&TOKEN);
    assert!(one.server.verify(&name, &proof.unwrap(), secret));
    assert!(!other.server.verify(&name, &proof.unwrap(), secret));
}

/// D15.
#[test]
fn who_is_refused_is_told_later_each_time_and_then_put_out() {
    let mut pair = pair(Pattern::Nx, AuthRules { timeout: Duration::ZERO, ..AuthRules::DEFAULT });
    for (attempt, wait) in [1, 2, 4].into_iter().enumerate() {
        pair.at_client.clear();
        let _ = pair.claims(&WRONG);
        pair.server.deny(pair.now, Code::UNAUTHORISED).expect("it may");
        assert_eq!(pair.client.prove(&TOKEN), Err(Refused::WrongState), "one at a time");
        pair.wait(Duration::from_millis(wait * 1000 - 1));
        assert_eq!(pair.at_client, []);
        pair.wait(Duration::from_millis(1));
        assert_eq!(pair.at_client[0], Event::Denied { code: Code::UNAUTHORISED });
        assert_eq!(pair.at_client.len(), if attempt == 2 { 2 } else { 1 });
    }
    let reason = Reason::ByPeer(CloseCode::DENIED);
    assert_eq!(pair.at_client[1], Event::Closed { reason, text: Vec::new() });
    assert_eq!(pair.server.closed(), Some(Reason::ByUs(CloseCode::DENIED)));
}

#[test]
fn a_decision_that_never_comes_ends_the_line() {
    for claims in [false, true] {
        let mut pair = pair(Pattern::Nx, AuthRules::DEFAULT);
        if claims {
            let _ = pair.claims(&TOKEN);
        }
        pair.wait(AuthRules::DEFAULT.timeout);
        assert_eq!(pair.server.closed(), Some(Reason::ByUs(CloseCode::DENIED)), "{claims}");
        let over = pair.client.closed().expect("it is told, or has waited long enough itself");
        assert!(matches!(over, Reason::ByPeer(CloseCode::DENIED) | Reason::HelloTimeout), "{over}");
    }
}

/// D15.
#[test]
fn what_was_granted_ends_unless_it_is_proved_anew() {
    let lifetime = Duration::from_secs(60);
    let mut pair = pair(Pattern::Nx, AuthRules::DEFAULT);
    let _ = pair.claims(&TOKEN);
    pair.server.grant(pair.now, "kiosk", Some(lifetime)).unwrap();
    pair.pass();
    assert_eq!(pair.at_client.pop(), Some(Event::Granted { name: b"kiosk".to_vec(), lifetime: Some(lifetime) }));
    pair.wait(lifetime / 2);
    let _ = pair.claims(&TOKEN);
    assert_eq!(pair.server.grant(pair.now, "kiosk", Some(lifetime)), Ok(None), "it was open");
    pair.pass();
    pair.wait(lifetime - Duration::from_millis(1));
    assert!(pair.client.is_ready() && pair.server.is_ready());
    pair.wait(Duration::from_millis(1));
    assert_eq!(pair.server.closed(), Some(Reason::ByUs(CloseCode::EXPIRED)));
    assert_eq!(pair.client.closed(), Some(Reason::ByPeer(CloseCode::EXPIRED)));
}

#[test]
fn a_key_that_was_proved_is_a_credential() {
    let mut pair = pair(Pattern::Xx, AuthRules::DEFAULT);
    let (name, proof) = pair.claims(&Credential::Key);
    assert_eq!((&name[..], proof), ("", None));
    pair.server.grant(pair.now, "by its key", None).unwrap().expect("it opens");
}

/// C5. All that such a client may say, whenever it says it, is in the walk of core.
#[test]
fn of_a_client_that_is_unknown_nothing_else_is_heard() {
    // A key that was not shown is none.
    let mut pair = pair(Pattern::Nx, AuthRules::DEFAULT);
    pair.client.prove(&Credential::Key).unwrap();
    let mut wire = [0; 256];
    let len = pair.client.poll_transmit(pair.now, &mut wire);
    let heard = pair.server.handle_input(pair.now, &mut wire[..len]);
    assert_eq!(heard, Err(PeerError::Unexpected(0)));
    assert!(!pair.server.is_ready());
}
