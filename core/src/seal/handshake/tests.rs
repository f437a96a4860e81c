mod interop;
mod vectors;

use std::format;
use std::string::String;
use std::vec::Vec;

use noise_protocol::{DH, HandshakeState};

use super::{Garbled, Handshake, Pattern};
use crate::seal::keys::tests::worthless;
use crate::seal::keys::{Psk, SecretKey};
use crate::seal::primitives::{ChaChaPoly, Secret, Sha256, X25519};

/// Every pattern, without and with a pre-shared key.
const ALL: [(Pattern, bool); 6] = [
    (Pattern::Nn, false),
    (Pattern::Nn, true),
    (Pattern::Nx, false),
    (Pattern::Nx, true),
    (Pattern::Xx, false),
    (Pattern::Xx, true),
];

/// Octets of the longest message without a payload.
const MAX_LEN: usize = 96;

const PAYLOADS: [&[u8]; 3] = [b"one", b"two, which is longer", b""];

/// What two ends begin with.
#[derive(Clone, Copy, Debug)]
struct Pair<'a> {
    pattern: Pattern,
    with_psk: bool,
    prologue: &'a [u8],
}

impl Pair<'_> {
    fn new(pattern: Pattern, with_psk: bool) -> Pair<'static> {
        Pair { pattern, with_psk, prologue: b"both hellos" }
    }

    fn own(&self, is_client: bool) -> SecretKey {
        key(if is_client { [0xc1; 32] } else { [0x5e; 32] })
    }

    fn end(&self, is_client: bool) -> Handshake {
        let ephemeral = if is_client { [0xec; 32] } else { [0xe5; 32] };
        let (own, psk) = (self.own(is_client), psk());
        let psk = self.with_psk.then_some(&psk);
        Handshake::new(self.pattern, is_client, self.prologue, &ephemeral, Some(&own), psk).unwrap()
    }

    /// Whether the message of that number is sealed under something that not everyone knows.
    fn is_sealed(&self, turn: usize) -> bool {
        turn > 0 || self.with_psk
    }
}

impl Handshake {
    fn copy(&self) -> Handshake {
        Handshake { state: self.state.clone(), turn: self.turn, spent: self.spent }
    }

    fn said(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut out = [0; MAX_LEN + 64];
        let len = self.write(payload, &mut out).unwrap();
        out[..len].to_vec()
    }

    fn heard(&mut self, message: &[u8]) -> Result<Vec<u8>, Garbled> {
        let mut payload = [0xaa; 256];
        let len = self.read(message, &mut payload)?;
        Ok(payload[..len].to_vec())
    }
}

#[test]
fn both_ends_agree_and_learn_whom_they_may() {
    for (pattern, with_psk) in ALL {
        let pair = Pair::new(pattern, with_psk);
        let (mut client, mut server) = (pair.end(true), pair.end(false));
        for (turn, payload) in PAYLOADS.iter().enumerate().take(count(pattern)) {
            let (speaker, listener) = sides(turn, &mut client, &mut server);
            assert!(speaker.is_my_turn() && !listener.is_my_turn());
            assert!(!speaker.is_done() && speaker.keys().is_none() && !listener.is_done() && listener.keys().is_none());
            assert!(listener.hears_more());
            assert_eq!(speaker.hears_more(), turn + 1 < count(pattern));
            assert_eq!(speaker.next_len(), listener.next_len());
            assert!(speaker.next_len() <= MAX_LEN);
            let message = speaker.said(payload);
            assert_eq!(listener.heard(&message), Ok(payload.to_vec()), "{pair:?}");
        }
        assert!(client.is_done() && server.is_done() && !client.is_my_turn() && !server.is_my_turn());
        assert_eq!((client.next_len(), server.next_len()), (0, 0));
        assert!(!client.hears_more() && !server.hears_more());
        let (ours, theirs) = (client.keys().unwrap(), server.keys().unwrap());
        assert_eq!((&ours.to_client, &ours.to_server, ours.hash), (&theirs.to_client, &theirs.to_server, theirs.hash));
        assert!(ours.to_client != ours.to_server);
        assert_eq!(client.peer_key(), (pattern != Pattern::Nn).then(|| pair.own(false).public()));
        assert_eq!(server.peer_key(), (pattern == Pattern::Xx).then(|| pair.own(true).public()));
    }
}

#[test]
fn any_altered_bit_is_refused() {
    check_altered(|message| {
        (0..message.len() * 8)
            .map(|bit| {
                let mut altered = message.to_vec();
                altered[bit / 8] ^= 1 << (bit % 8);
                altered
            })
            .collect()
    });
}

#[test]
fn any_other_length_is_refused() {
    check_altered(|message| {
        let shorter = (0..message.len()).map(|len| message[..len].to_vec());
        let longer = [&[0][..], &[0; 16], &[0; 100]].map(|more| [message, more].concat());
        shorter.chain(longer).collect()
    });
}

#[test]
fn what_is_reflected_or_repeated_is_refused() {
    for (pattern, with_psk) in ALL {
        let pair = Pair::new(pattern, with_psk);
        let (mut client, mut server) = (pair.end(true), pair.end(false));
        let mut before = Vec::<Vec<u8>>::new();
        for (turn, payload) in PAYLOADS.iter().enumerate().take(count(pattern)) {
            let (speaker, listener) = sides(turn, &mut client, &mut server);
            for message in &before {
                refuses(&mut listener.copy(), message);
            }
            let message = speaker.said(payload);
            refuses(&mut speaker.copy(), &message);
            listener.heard(&message).unwrap();
            refuses(&mut listener.copy(), &message);
            before.push(message);
        }
    }
}

#[test]
fn ends_that_differ_do_not_agree() {
    for (pattern, with_psk) in ALL {
        let pair = Pair::new(pattern, with_psk);
        check_differ(pair.end(true), Pair { prologue: b"both hellO", ..pair }.end(false));
        check_differ(pair.end(true), Pair { with_psk: !with_psk, ..pair }.end(false));
        for (other, with_psk) in ALL.iter().filter(|(other, _)| *other != pattern) {
            check_differ(pair.end(true), Pair::new(*other, *with_psk).end(false));
        }
    }
    for pattern in [Pattern::Nn, Pattern::Nx, Pattern::Xx] {
        let pair = Pair::new(pattern, true);
        for is_client in [true, false] {
            let (ephemeral, own) = ([7; 32], pair.own(is_client));
            let psk = Psk::new([0x5b; 32]);
            let other = Handshake::new(pattern, is_client, pair.prologue, &ephemeral, Some(&own), Some(&psk)).unwrap();
            let right = pair.end(!is_client);
            if is_client { check_differ(other, right) } else { check_differ(right, other) }
        }
    }
}

/// So a server shows nothing, and is not done, for who has it not; and a client trusts no key before it knows that the server has it.
#[test]
fn who_has_not_the_secret_is_found_out_by_its_first_message() {
    for pattern in [Pattern::Nn, Pattern::Nx, Pattern::Xx] {
        let pair = Pair::new(pattern, true);
        let other = |is_client| {
            let (own, psk) = (pair.own(is_client), Psk::new([0x5b; 32]));
            Handshake::new(pattern, is_client, pair.prologue, &[7; 32], Some(&own), Some(&psk)).unwrap()
        };
        refuses(&mut pair.end(false), &other(true).said(b""));
        let (mut client, mut liar) = (pair.end(true), other(false));
        let first = client.said(b"");
        refuses(&mut liar, &first);
        // One that answers all the same.
        liar = other(false);
        liar.heard(&other(true).said(b"")).unwrap();
        refuses(&mut client, &liar.said(b""));
    }
}

/// X25519 of an end that shows as its own a public key of which it has not the secret half. It takes for granted that
/// whatever is agreed by that one is zero.
enum Liar {}

const EPHEMERAL: [u8; 32] = [0xe; 32];

impl DH for Liar {
    type Key = Secret;
    type Pubkey = [u8; 32];
    type Output = Secret;

    fn name() -> &'static str {
        X25519::name()
    }

    fn genkey() -> Secret {
        X25519::genkey()
    }

    fn pubkey(key: &Secret) -> [u8; 32] {
        if key.0 == EPHEMERAL { X25519::pubkey(key) } else { key.0 }
    }

    fn dh(key: &Secret, peer: &[u8; 32]) -> Result<Secret, ()> {
        if key.0 == EPHEMERAL { X25519::dh(key, peer) } else { Ok(Secret([0; 32])) }
    }
}

#[test]
fn nobody_can_show_a_key_that_he_has_not() {
    for shown in worthless().chain([key([0x77; 32]).public().0]) {
        for with_psk in [false, true] {
            for (pattern, is_client) in [(Pattern::Nx, false), (Pattern::Xx, false), (Pattern::Xx, true)] {
                check_liar(&Pair::new(pattern, with_psk), is_client, shown);
            }
        }
    }
}

fn check_liar(pair: &Pair<'_>, is_client: bool, shown: [u8; 32]) {
    let noise = pair.pattern.of_noise(pair.with_psk);
    let (ephemeral, shown) = (Some(Secret(EPHEMERAL)), Some(Secret(shown)));
    let mut liar =
        HandshakeState::<Liar, ChaChaPoly, Sha256>::new(noise, is_client, pair.prologue, shown, ephemeral, None, None);
    if pair.with_psk {
        liar.push_psk(psk().octets());
    }
    let mut honest = pair.end(!is_client);
    for turn in 0.. {
        if honest.is_my_turn() {
            let message = honest.said(b"");
            liar.read_message(&message, &mut []).unwrap();
            continue;
        }
        let mut message = std::vec![0; liar.get_next_message_overhead()];
        liar.write_message(b"", &mut message).unwrap();
        // The first message of the client, which shows no key.
        if is_client && turn == 0 {
            honest.heard(&message).unwrap();
            continue;
        }
        return refuses(&mut honest, &message);
    }
}

#[test]
fn ephemeral_keys_that_are_worthless_are_refused_at_once() {
    for (pattern, with_psk) in ALL {
        let pair = Pair::new(pattern, with_psk);
        for worthless in worthless() {
            let (mut client, mut server) = (pair.end(true), pair.end(false));
            let mut message = client.said(b"");
            message[..32].copy_from_slice(&worthless);
            refuses(&mut server.copy(), &message);
            server.heard(&pair.end(true).said(b"")).unwrap();
            let mut message = server.said(b"");
            message[..32].copy_from_slice(&worthless);
            refuses(&mut client, &message);
        }
    }
}

#[test]
fn writes_only_what_fits_and_only_in_its_turn() {
    for (pattern, with_psk) in ALL {
        let pair = Pair::new(pattern, with_psk);
        let (mut client, mut server) = (pair.end(true), pair.end(false));
        let mut out = [0; 256];
        let len = client.next_len() + 3;
        assert_eq!(server.write(b"", &mut out), None);
        assert_eq!(client.write(b"abc", &mut out[..len - 1]), None);
        assert_eq!(out, [0; 256]);
        assert_eq!(client.write(b"abc", &mut out[..len]), Some(len));
        assert_eq!(client.write(b"", &mut [0; 256]), None);
        assert_eq!(server.copy().read(&out[..len], &mut [0; 2]), Err(Garbled));
        assert_eq!(server.read(&out[..len], &mut [0; 3]), Ok(3));
    }
}

#[test]
fn begins_only_with_the_keys_that_the_pattern_wants() {
    let psk = psk();
    let begins = |pattern, is_client| Handshake::new(pattern, is_client, b"", &[1; 32], None, Some(&psk)).is_some();
    assert!(begins(Pattern::Nn, true) && begins(Pattern::Nn, false) && begins(Pattern::Nx, true));
    assert!(!begins(Pattern::Nx, false) && !begins(Pattern::Xx, true) && !begins(Pattern::Xx, false));
}

#[test]
fn shows_no_secret() {
    let client = Pair::new(Pattern::Nn, false).end(true);
    assert_eq!(format!("{client:?}"), "Handshake { pattern: \"NN\", .. }");
}

#[test]
fn patterns_are_numbered_in_the_order_of_what_they_prove() {
    let patterns = [Pattern::Nn, Pattern::Nx, Pattern::Xx];
    assert!(patterns.is_sorted());
    assert_eq!([0, 1, 2].map(Pattern::of), patterns.map(Some));
    assert_eq!((3..=u8::MAX).find_map(Pattern::of), None);
}

/// Of each message of each pattern, whatever `alter` makes of it is refused by who hears it; by what it says next, if the message
/// was one that everyone can make.
fn check_altered(alter: impl Fn(&[u8]) -> Vec<Vec<u8>>) {
    for (pattern, with_psk) in ALL {
        let pair = Pair::new(pattern, with_psk);
        let (mut client, mut server) = (pair.end(true), pair.end(false));
        for (turn, payload) in PAYLOADS.iter().enumerate().take(count(pattern)) {
            let (speaker, listener) = sides(turn, &mut client, &mut server);
            let message = speaker.said(payload);
            for altered in alter(&message) {
                let mut listener = listener.copy();
                if pair.is_sealed(turn) || listener.copy().heard(&altered).is_err() {
                    refuses(&mut listener, &altered);
                } else {
                    listener.heard(&altered).unwrap();
                    refuses(&mut speaker.copy(), &listener.said(b""));
                }
            }
            assert_eq!(listener.heard(&message), Ok(payload.to_vec()), "{pair:?}");
        }
    }
}

/// Sooner or later one of them refuses, and before either is done with the other's agreement.
fn check_differ(mut client: Handshake, mut server: Handshake) {
    for turn in 0..3 {
        let (speaker, listener) = sides(turn, &mut client, &mut server);
        let message = speaker.said(b"");
        let known = listener.copy();
        if listener.heard(&message).is_err() {
            assert!(!known.is_done());
            return refuses(&mut known.copy(), &message);
        }
    }
    panic!("agreed");
}

/// That message is an error, leaves nothing of what it said, and ends it all.
fn refuses(listener: &mut Handshake, message: &[u8]) {
    let mut payload = [0xaa; 256];
    assert_eq!(listener.read(message, &mut payload), Err(Garbled));
    assert!(payload.iter().all(|octet| [0, 0xaa].contains(octet)));
    assert!(!listener.is_my_turn() && !listener.is_done() && !listener.hears_more() && listener.next_len() == 0);
    assert!(listener.keys().is_none() && listener.peer_key().is_none());
    assert_eq!(listener.read(message, &mut payload), Err(Garbled));
    assert_eq!(listener.write(b"", &mut payload), None);
}

fn sides<'a>(
    turn: usize,
    client: &'a mut Handshake,
    server: &'a mut Handshake,
) -> (&'a mut Handshake, &'a mut Handshake) {
    if turn.is_multiple_of(2) { (client, server) } else { (server, client) }
}

/// Messages of a pattern.
fn count(pattern: Pattern) -> usize {
    if pattern == Pattern::Xx { 3 } else { 2 }
}

fn name(pattern: Pattern, with_psk: bool) -> String {
    format!("Noise_{}_25519_ChaChaPoly_SHA256", pattern.of_noise(with_psk).get_name())
}

fn key(octets: [u8; 32]) -> SecretKey {
    SecretKey::new(octets)
}

fn psk() -> Psk {
    Psk::new([0x9f; 32])
}
