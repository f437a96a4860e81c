//! Between the handshake and the first record: from where on one end has keys nothing passes in the clear, either way.

use ropeway_core::seal::{Anyone, ChaCha20Poly1305, Identity, Pattern, Psk, Sealer, SecretKey};
use ropeway_core::{
    Action, CloseCode, Config, Connection, Event, Flow, Instant, Kind, Lane, Memory, PeerError, Reason, Send, Storage,
};

const PATTERNS: [Pattern; 3] = [Pattern::Nn, Pattern::Nx, Pattern::Xx];
const SECRET: &[u8] = b"nobody else shall read this";

type Arrays = Memory<[Lane; 4], [Flow; 4], [u8; 1024]>;

fn sealer(pattern: Pattern, is_client: bool, psk: bool) -> Sealer<ChaCha20Poly1305, Anyone> {
    let key = Some(SecretKey::new([if is_client { 3 } else { 4 }; 32]));
    let identity = Identity { pattern, key, psk: psk.then(|| Psk::new([5; 32])), trust: Anyone };
    let sealer = if is_client { Sealer::client } else { Sealer::server };
    sealer(ChaCha20Poly1305, identity).expect("it has a key")
}

fn ends(pattern: Pattern, psk: bool) -> [Connection<impl Storage>; 2] {
    let [client, server] = [true, false].map(|is_client| Arrays::EMPTY.sealed_by(sealer(pattern, is_client, psk)));
    [
        Connection::client(Instant::ZERO, Config::SMALL, [1; 32], client),
        Connection::server(Instant::ZERO, Config::SMALL, [2; 32], server),
    ]
}

fn said<S: Storage>(end: &mut Connection<S>) -> Vec<u8> {
    let mut out = vec![0; 4096];
    let len = end.poll_transmit(Instant::ZERO, &mut out);
    out.truncate(len);
    out
}

/// What came of it, up to where it went wrong.
fn hear<S: Storage>(end: &mut Connection<S>, octets: &[u8]) -> (Vec<Event<Vec<u8>>>, Option<PeerError>) {
    let (mut input, mut at, mut events) = (octets.to_vec(), 0, Vec::new());
    while at < input.len() {
        match end.handle_input(Instant::ZERO, &mut input[at..]) {
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

fn notice() -> Send<'static> {
    Send::new(Action::Number(1), Kind::Bytes, SECRET)
}

/// A plain notice, as it is on a line that is not sealed.
fn plain_notice() -> Vec<u8> {
    let mut client = Connection::client(Instant::ZERO, Config::SMALL, [1; 32], Arrays::EMPTY);
    let mut server = Connection::server(Instant::ZERO, Config::SMALL, [2; 32], Arrays::EMPTY);
    hear(&mut server, &said(&mut client));
    hear(&mut client, &said(&mut server));
    client.notify(Instant::ZERO, &notice()).expect("it is open");
    said(&mut client)
}

/// Plays the handshake until one end is open: that one.
fn first_open(pattern: Pattern, psk: bool) -> Connection<impl Storage> {
    let [mut client, mut server] = ends(pattern, psk);
    loop {
        hear(&mut server, &said(&mut client));
        if server.is_ready() {
            return server;
        }
        hear(&mut client, &said(&mut server));
        if client.is_ready() {
            return client;
        }
    }
}

#[test]
fn nothing_plain_is_heard_behind_the_handshake() {
    let plain = plain_notice();
    for pattern in PATTERNS {
        for psk in [false, true] {
            let (events, error) = hear(&mut first_open(pattern, psk), &plain);
            assert_eq!((events, error), (vec![], Some(PeerError::NotSealed)), "{pattern:?}");
        }
    }
}

#[test]
fn what_is_said_with_the_goodbye_at_once_goes_behind_the_handshake_and_sealed() {
    for pattern in PATTERNS {
        for psk in [false, true] {
            let [mut client, mut server] = ends(pattern, psk);
            let mut passed = Vec::new();
            let mut spoken = [false; 2];
            let mut heard = Vec::new();
            for _ in 0..4 {
                let octets = said(&mut client);
                passed.extend_from_slice(&octets);
                heard.extend(hear(&mut server, &octets).0);
                speak(&mut server, &mut spoken[1]);
                let octets = said(&mut server);
                passed.extend_from_slice(&octets);
                heard.extend(hear(&mut client, &octets).0);
                speak(&mut client, &mut spoken[0]);
            }
            assert!(spoken.contains(&true), "{pattern:?}");
            assert!(!passed.windows(SECRET.len()).any(|some| some == SECRET), "{pattern:?}: in the clear");
            let first = heard.iter().find_map(|event| match event {
                Event::Message(message) => Some(message.body.bytes.clone()),
                _ => None,
            });
            assert_eq!(first.as_deref(), Some(SECRET), "{pattern:?}: {heard:?}");
            assert!(
                heard
                    .iter()
                    .any(|event| matches!(event, Event::Closed { reason: Reason::ByPeer(CloseCode::DONE), .. }))
            );
        }
    }
}

/// Says what it has to say, and goodbye, as soon as the line is open.
fn speak<S: Storage>(end: &mut Connection<S>, spoken: &mut bool) {
    if end.is_ready() && !*spoken {
        *spoken = true;
        end.notify(Instant::ZERO, &notice()).expect("it is open");
        end.close(CloseCode::DONE, "");
    }
}
