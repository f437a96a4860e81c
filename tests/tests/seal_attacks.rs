//! What somebody on the way, or a peer without manners, does to a sealed line: nothing comes of it but the line's end, with the right
//! code on both sides.

use std::cell::Cell;
use std::time::Duration;

use ropeway_core::seal::{
    Aes256CbcHmacSha512, Aes256Gcm, Anyone, ChaCha20Poly1305, Identity, Pattern, Policy, Psk, PublicKey, RekeyAfter,
    Rule, Sealer, SecretKey, Suite, Suites, Trust,
};
use ropeway_core::wire::{Close, Frame, Switch};
use ropeway_core::{
    Action, CloseCode, Config, Connection, Event, Field, Instant, Kind, PeerError, Reason, Refused, Sealing, Send,
    Side, Storage,
};
use ropeway_tests::dice::Dice;
use ropeway_tests::hand::{bytes, hear};
use ropeway_tests::say;
use ropeway_tests::storage::arrays;

const NOW: Instant = Instant::from_millis(1000);
const KEYS: [[u8; 32]; 2] = [[0x3c; 32], [0x5e; 32]];
const PSK: [u8; 32] = [0x77; 32];
const PATTERNS: [Pattern; 3] = [Pattern::Nn, Pattern::Nx, Pattern::Xx];
const ALL: ((Aes256Gcm, ChaCha20Poly1305), Aes256CbcHmacSha512) = ((Aes256Gcm, ChaCha20Poly1305), Aes256CbcHmacSha512);
const TEXT: &[u8] = b"a text that nobody else may read";
/// The head of a record, and that of a message of the handshake.
const RECORD: u8 = 27 << 3;
const HANDSHAKE: u8 = RECORD | 1;

fn identity(pattern: Pattern, is_client: bool) -> Identity<Anyone> {
    Identity { pattern, key: Some(SecretKey::new(KEYS[usize::from(is_client)])), psk: None, trust: Anyone }
}

fn sealer<C: Suites, T: Trust>(suites: C, identity: Identity<T>, is_client: bool) -> Sealer<C, T> {
    let new = if is_client { Sealer::client } else { Sealer::server };
    new(suites, identity).expect("it has a key")
}

/// An end of a line, and what it has heard.
struct End<S: Storage> {
    line: Connection<S>,
    events: Vec<Event<Vec<u8>>>,
    error: Option<PeerError>,
    /// What came and was not taken.
    input: Vec<u8>,
}

fn end(is_client: bool, sealer: impl Sealing) -> End<impl Storage> {
    let new = if is_client { Connection::client } else { Connection::server };
    let line = new(NOW, Config::SMALL, [if is_client { 1 } else { 2 }; 32], arrays().sealed_by(sealer));
    End { line, events: Vec::new(), error: None, input: Vec::new() }
}

fn ends_by(pattern: Pattern, psk: bool, suites: impl Suites + Copy) -> (End<impl Storage>, End<impl Storage>) {
    let one = |is_client| {
        let psk = psk.then(|| Psk::new(PSK));
        end(is_client, sealer(suites, Identity { psk, ..identity(pattern, is_client) }, is_client))
    };
    (one(true), one(false))
}

fn ends(pattern: Pattern, psk: bool) -> (End<impl Storage>, End<impl Storage>) {
    ends_by(pattern, psk, ChaCha20Poly1305)
}

/// Two ends that have keys.
fn open(suites: impl Suites + Copy) -> (End<impl Storage>, End<impl Storage>) {
    let (mut client, mut server) = ends_by(Pattern::Nn, false, suites);
    pump(&mut client, &mut server);
    assert!(client.line.is_ready() && server.line.is_ready());
    (client, server)
}

impl<S: Storage> End<S> {
    fn said(&mut self) -> Vec<u8> {
        hear(&mut self.line, NOW, 4096)
    }

    fn hear(&mut self, octets: &[u8]) {
        self.input.extend_from_slice(octets);
        loop {
            match self.line.handle_input(NOW, &mut self.input) {
                Ok(step) => {
                    let consumed = step.consumed;
                    self.events.extend(step.event.map(|event| event.map(<[u8]>::to_vec)));
                    self.input.drain(..consumed);
                    if consumed == 0 || self.input.is_empty() {
                        return;
                    }
                }
                Err(error) => {
                    assert_eq!(self.error.replace(error), None, "it erred twice");
                    return;
                }
            }
        }
    }

    fn notify(&mut self, text: &[u8]) {
        self.line.notify(NOW, &Send::new(Action::Number(1), Kind::Bytes, text)).expect("room");
    }

    fn messages(&self) -> Vec<&[u8]> {
        let texts = self.events.iter().filter_map(|event| match event {
            Event::Message(message) => Some(&message.body.bytes[..]),
            _ => None,
        });
        texts.collect()
    }

    /// Says a notice: its record.
    fn record(&mut self, text: &[u8]) -> Vec<u8> {
        self.notify(text);
        let said = self.said();
        assert_eq!((said[0], said.len()), (RECORD, 3 + usize::from(u16::from_le_bytes([said[1], said[2]]))));
        said
    }

    /// It found this error, and has heard nothing.
    fn failed(&self, error: PeerError, what: &str) {
        assert_eq!((self.error, self.messages()), (Some(error), vec![]), "{what}");
    }

    /// The peer told it that.
    fn was_told(&self, error: PeerError, what: &str) {
        let told = self.error == Some(error) || self.line.ending() == Some(Reason::ByPeer(error.code()));
        assert!(told, "{what}: {:?}, {:?}", self.line.ending(), self.error);
    }
}

/// Moves all there is between two ends.
fn pump<A: Storage, B: Storage>(a: &mut End<A>, b: &mut End<B>) {
    pump_by(a, b, |octets| octets);
}

/// The same by somebody who changes what is said.
fn pump_by<A: Storage, B: Storage>(a: &mut End<A>, b: &mut End<B>, mut by: impl FnMut(Vec<u8>) -> Vec<u8>) {
    loop {
        let from_a = a.said();
        b.hear(&by(from_a.clone()));
        let from_b = b.said();
        a.hear(&by(from_b.clone()));
        if from_a.is_empty() && from_b.is_empty() {
            return;
        }
    }
}

/// C1: the handshake of keys has no more time than the hello.
#[test]
fn half_a_handshake_is_not_awaited_for_ever() {
    for pattern in PATTERNS {
        for cut in 0..4 {
            let (mut client, mut server) = ends(pattern, false);
            let mut turn = 0;
            pump_by(&mut client, &mut server, |mut octets| {
                turn += 1;
                octets.truncate(if turn > cut { octets.len() / 2 } else { octets.len() });
                octets
            });
            for line in [&mut server.line] {
                if !line.is_ready() && line.ending().is_none() {
                    let late = NOW.after(Config::SMALL.hello_timeout);
                    assert!(line.poll_timeout().is_some_and(|at| at <= late), "{pattern:?}, {cut}");
                    let event = line.handle_timeout(late);
                    assert!(matches!(event, Some(Event::Closed { reason: Reason::HelloTimeout, .. })), "{event:?}");
                    assert!(!line.wants_transmit());
                }
            }
        }
    }
}

/// C5, D3: before there are keys nothing is heard but the handshake, and not even what may be passed over is.
#[test]
fn nothing_is_heard_while_keys_are_agreed_on() {
    for head in (0..=u8::MAX).filter(|head| *head != HANDSHAKE) {
        let injected = [head, 0, 0, 0, 0];
        let (mut client, mut server) = ends(Pattern::Xx, false);
        server.hear(&client.said());
        client.hear(&server.said());
        let handshake = client.said();
        server.hear(&[&injected, &handshake[..]].concat());
        assert!(server.error.is_some() && !server.line.is_ready(), "head {head}");
        client.hear(&server.said());
        assert!(client.line.ending().is_some(), "head {head}");

        let (mut client, mut server) = ends(Pattern::Xx, false);
        server.hear(&client.said());
        let hello = server.said();
        client.hear(&[&hello[..], &injected].concat());
        assert!(client.error.is_some() && !client.line.is_ready(), "head {head}");
    }
}

/// C9, D1, D3: a hello that is not the one that was said ends the handshake, whatever was changed in it: the range of versions, a limit,
/// the pattern, the policy, the suites; and so does anything that is put behind it.
#[test]
fn who_changes_a_hello_gets_no_line() {
    for pattern in PATTERNS {
        for psk in [false, true] {
            for of_client in [true, false] {
                for bit in 0.. {
                    let (mut client, mut server) = ends(pattern, psk);
                    let mut hello = client.said();
                    if of_client {
                        if bit / 8 >= hello.len() {
                            break;
                        }
                        hello[bit / 8] ^= 1 << (bit % 8);
                    }
                    server.hear(&hello);
                    let mut hello = server.said();
                    if !of_client {
                        if bit / 8 >= hello.len() {
                            break;
                        }
                        hello[bit / 8] ^= 1 << (bit % 8);
                    }
                    client.hear(&hello);
                    pump(&mut client, &mut server);
                    let what = format!("{pattern:?}, psk {psk}, bit {bit}, of the client {of_client}");
                    assert!(!client.line.is_ready(), "{what}");
                    // One that says that it is longer is awaited, and the timer ends that.
                    let awaited = server.line.needs() > 1 || client.line.needs() > 1;
                    // One who is no peer of this protocol is not answered.
                    let over = client.line.ending().is_some() && server.line.ending().is_some()
                        || matches!(client.error.or(server.error), Some(PeerError::NotRopeway(_)));
                    assert!(awaited || over, "{what}: {:?}, {:?}", client.line, server.line);
                    assert_eq!((client.messages(), server.messages()), (vec![], vec![]), "{what}");
                }
            }
        }
    }
}

/// D1: without the offer there is no line where one end must seal.
#[test]
fn who_strips_the_offer_gets_no_line() {
    for rule in [Rule::Required, Rule::Optional] {
        let one = |is_client| {
            end(is_client, sealer(ALL, identity(Pattern::Nn, is_client), is_client).policy(Policy::both(rule)))
        };
        let (mut client, mut server) = (one(true), one(false));
        pump_by(
            &mut client,
            &mut server,
            |octets| if octets.starts_with(b"\xf2RWY") { stripped(&octets) } else { octets },
        );
        if rule == Rule::Required {
            server.failed(PeerError::NotSealed, "the server");
            client.was_told(PeerError::NotSealed, "the client");
        } else {
            // What is optional keeps nothing safe from who sits in between, and the application is told that it is not sealed.
            assert!(client.line.is_ready() && !client.line.is_sealed(Side::Us) && !client.line.is_sealed(Side::Them));
            assert_eq!(client.line.seal(true), Err(Refused::NoKeys));
        }
    }
}

/// D1: an offer that says what none says is none.
#[test]
fn an_offer_is_what_it_should_be_or_refused() {
    type Change = fn(&mut Vec<u8>);
    let changes: [(&str, Change); 4] = [
        ("a pattern that there is not", |offer| offer[0] = 3),
        ("a bit that there is not", |offer| offer[0] |= 8),
        ("a suite that a client takes", |offer| offer[2] = 0),
        ("a name that is too long", |offer| offer.extend([&[33][..], &[b'x'; 33]].concat())),
    ];
    for (what, change) in changes {
        let (mut client, mut server) = ends(Pattern::Nn, false);
        let hello = client.said();
        let mut changed = stripped(&hello);
        let mut offer = hello[changed.len() + 2..].to_vec();
        change(&mut offer);
        changed.extend([3, offer.len() as u8]);
        changed.extend(offer);
        let len = (changed.len() - 6) as u16;
        changed[4..6].copy_from_slice(&len.to_le_bytes());
        server.hear(&changed);
        server.failed(PeerError::BadHello(Field::Extension), what);
        client.hear(&server.said());
        assert!(client.line.ending().is_some(), "{what}");
    }
}

/// A hello of arrays without its extensions.
fn stripped(hello: &[u8]) -> Vec<u8> {
    let mut at = 24;
    for _ in 0..11 {
        while hello[at] & 0x80 != 0 {
            at += 1;
        }
        at += 1;
    }
    let mut stripped = hello[..at].to_vec();
    let len = (at - 6) as u16;
    stripped[4..6].copy_from_slice(&len.to_le_bytes());
    stripped
}

/// D1: what the ends do not have in common is named on both, whichever finds it.
#[test]
fn ends_that_do_not_fit_are_told_why() {
    let policy = |sending, receiving| Policy { sending, receiving };
    let nn = |is_client| identity(Pattern::Nn, is_client);
    let with = |octet, is_client| Identity { psk: Some(Psk::new([octet; 32])), ..nn(is_client) };
    check(PeerError::NoSuite, sealer(Aes256Gcm, nn(true), true), sealer(ChaCha20Poly1305, nn(false), false));
    check(PeerError::SealPattern, sealer(ALL, with(1, true), true), sealer(ALL, nn(false), false));
    check(PeerError::SealPattern, sealer(ALL, nn(true), true), sealer(ALL, with(1, false), false));
    check(PeerError::SealPattern, sealer(ALL, nn(true), true), sealer(ALL, identity(Pattern::Xx, false), false));
    check(PeerError::Handshake, sealer(ALL, with(1, true), true), sealer(ALL, with(2, false), false));
    for pattern in [Pattern::Nx, Pattern::Xx] {
        let psk = |octet, is_client| Identity { psk: Some(Psk::new([octet; 32])), ..identity(pattern, is_client) };
        check(PeerError::Handshake, sealer(ALL, psk(1, true), true), sealer(ALL, psk(2, false), false));
        let pinned = PublicKey([9; 32]);
        let Identity { key, psk, .. } = identity(pattern, true);
        let distrusts = Identity { pattern, key, psk, trust: pinned };
        check(PeerError::Untrusted, sealer(ALL, distrusts, true), sealer(ALL, identity(pattern, false), false));
    }
    let Identity { pattern, key, psk, .. } = identity(Pattern::Xx, false);
    let distrusts = Identity { pattern, key, psk, trust: |_: &PublicKey| false };
    check(PeerError::Untrusted, sealer(ALL, identity(Pattern::Xx, true), true), sealer(ALL, distrusts, false));
    for (ours, theirs) in [
        (policy(Rule::Required, Rule::Optional), policy(Rule::Optional, Rule::Plain)),
        (policy(Rule::Plain, Rule::Required), policy(Rule::Required, Rule::Required)),
    ] {
        let one = |policy, is_client| sealer(ALL, nn(is_client), is_client).policy(policy);
        check(PeerError::SealPolicy, one(ours, true), one(theirs, false));
    }
    let must = || sealer(ALL, nn(true), true);
    let (mut client, mut server) = (end(true, must()), end(false, ()));
    pump(&mut client, &mut server);
    server.failed(PeerError::MustSeal, "a server without keys");
    client.failed(PeerError::NotSealed, "a client that must seal");

    fn check(error: PeerError, client: impl Sealing, server: impl Sealing) {
        let (mut client, mut server) = (end(true, client), end(false, server));
        pump(&mut client, &mut server);
        client.was_told(error, "the client");
        server.was_told(error, "the server");
        assert!(client.error == Some(error) || server.error == Some(error));
        assert!(client.line.closed().is_some() && server.line.closed().is_some(), "{error}");
    }
}

/// D1: the server's order counts, whatever the client's is.
#[test]
fn ends_with_lists_in_another_order_take_the_servers_first() {
    let lists = (Aes256CbcHmacSha512, (ChaCha20Poly1305, Aes256Gcm));
    let client = sealer(lists, identity(Pattern::Nn, true), true);
    let (mut client, mut server) = (end(true, client), end(false, sealer(ALL, identity(Pattern::Nn, false), false)));
    pump(&mut client, &mut server);
    server.hear(&client.record(TEXT));
    client.hear(&server.record(TEXT));
    assert_eq!((client.messages(), server.messages()), (vec![TEXT], vec![TEXT]));
    let less = sealer((Aes256CbcHmacSha512, ChaCha20Poly1305), identity(Pattern::Nn, true), true);
    let (mut client, mut server) = (end(true, less), end(false, sealer(ALL, identity(Pattern::Nn, false), false)));
    pump(&mut client, &mut server);
    server.hear(&client.record(TEXT));
    assert_eq!(server.messages(), [TEXT]);
}

/// D2: a switch that is not in a record is none.
#[test]
fn a_forged_or_replayed_switch_switches_nothing() {
    for on in [true, false] {
        for ask in [true, false] {
            let (mut client, mut server) = open(ChaCha20Poly1305);
            server.hear(&bytes(&Frame::Switch(Switch { on, ask })));
            server.failed(PeerError::NotSealed, "in the clear");
            client.hear(&server.said());
            client.was_told(PeerError::NotSealed, "its peer");
        }
    }
    // By itself it never is, where it must be sealed.
    let (mut client, _) = open(ChaCha20Poly1305);
    assert_eq!(client.line.seal(false), Err(Refused::Policy(Side::Us)));
    assert_eq!(client.line.ask_to_seal(false), Err(Refused::Policy(Side::Them)));
    // Said in earnest once, and then again by somebody else.
    let one = |is_client| {
        let policy = Policy::both(Rule::Optional);
        end(is_client, sealer(ALL, identity(Pattern::Nn, is_client), is_client).policy(policy))
    };
    let (mut client, mut server) = (one(true), one(false));
    pump(&mut client, &mut server);
    client.line.seal(false).expect("it may");
    let off = client.said();
    server.hear(&off);
    assert!(!server.line.is_sealed(Side::Them));
    client.line.seal(true).expect("it may");
    server.hear(&client.said());
    assert!(server.line.is_sealed(Side::Them));
    server.hear(&off);
    server.failed(PeerError::Forged, "a switch that is replayed");
    assert!(server.line.is_sealed(Side::Them));
}

/// D5: both ends switch, and ask each other, with data in flight both ways: all is heard, and both believe the same.
#[test]
fn both_ends_switch_at_once_and_nothing_is_lost() {
    for seed in 0..200 {
        let mut dice = Dice::seed(seed);
        let one = |is_client| {
            let policy = Policy::both(Rule::Optional);
            end(is_client, sealer(ALL, identity(Pattern::Nn, is_client), is_client).policy(policy))
        };
        let (mut client, mut server) = (one(true), one(false));
        pump(&mut client, &mut server);
        let (mut up, mut down) = (Vec::new(), Vec::new());
        for turn in 0..60u8 {
            let (end, wire) = if dice.once_in(2) { (&mut client, &mut up) } else { (&mut server, &mut down) };
            match dice.below(6) {
                0 => end.line.seal(dice.once_in(2)).expect("it may"),
                1 => end.line.ask_to_seal(dice.once_in(2)).expect("it may"),
                2 => end.line.rekey().expect("it may"),
                3 if turn % 16 == 0 => end.line.rekey_afresh([9; 32]).expect("it may"),
                _ => {}
            }
            if end.line.window() > 64 {
                end.notify(&[turn]);
            }
            wire.extend(end.said());
            if dice.once_in(2) {
                server.hear(&std::mem::take(&mut up));
                client.hear(&std::mem::take(&mut down));
            }
            for end in [&mut client.line, &mut server.line] {
                end.take_message(1);
            }
        }
        server.hear(&up);
        client.hear(&down);
        pump(&mut client, &mut server);
        assert_eq!((client.error, server.error), (None, None), "seed {seed}");
        assert_eq!(client.line.is_sealed(Side::Us), server.line.is_sealed(Side::Them));
        assert_eq!(client.line.is_sealed(Side::Them), server.line.is_sealed(Side::Us));
        assert_eq!(client.line.stats().sent.notices, server.messages().len() as u64, "seed {seed}");
        assert_eq!(server.line.stats().sent.notices, client.messages().len() as u64, "seed {seed}");
    }
}

/// D7, D8, D10: a record that is not the next one, as it was sent, is fatal at once, reveals nothing, and there is one error for all of it.
#[test]
fn a_record_that_is_not_the_next_ends_the_line() {
    tampered(Aes256Gcm);
    tampered(ChaCha20Poly1305);
    tampered(Aes256CbcHmacSha512);
}

fn tampered(suite: impl Suites + Copy) {
    type Tamper = fn([Vec<u8>; 3], Vec<u8>) -> Vec<u8>;
    let ways: [(&str, Tamper); 7] = [
        ("dropped", |[_, second, _], _| second),
        ("reordered", |[first, second, third], _| [second, first, third].concat()),
        ("reflected", |_, own| own),
        ("its tag changed at the end", |[mut first, ..], _| {
            *first.last_mut().unwrap() ^= 1;
            first
        }),
        ("its content changed", |[mut first, ..], _| {
            first[3] ^= 0x80;
            first
        }),
        ("cut, and its length with it", |[mut first, ..], _| {
            first.pop();
            first[1] -= 1;
            first
        }),
        ("two of them as one", |[first, second, _], _| {
            let len = (first.len() + second.len() - 6) as u16;
            [&[RECORD], &len.to_le_bytes()[..], &first[3..], &second[3..]].concat()
        }),
    ];
    for (what, tamper) in ways {
        let (mut client, mut server) = open(suite);
        let records = [TEXT, b"two", b"three"].map(|text| client.record(text));
        let own = server.record(TEXT);
        server.hear(&tamper(records, own));
        server.failed(PeerError::Forged, what);
        client.hear(&server.said());
        client.was_told(PeerError::Forged, what);
        // The input is wiped of what was not opened, and what still comes is nothing.
        assert!(server.input.windows(8).all(|some| some != &TEXT[..8]), "{what}");
        server.hear(b"anything");
        assert_eq!(server.messages().len(), 0, "{what}");
    }
    // Replayed, at once and later.
    for between in 0..3 {
        let (mut client, mut server) = open(suite);
        let first = client.record(TEXT);
        server.hear(&first);
        for _ in 0..between {
            server.hear(&client.record(b"more"));
        }
        server.hear(&first);
        assert_eq!((server.error, server.messages().len()), (Some(PeerError::Forged), 1 + between));
    }
    // Garbage of any length.
    let mut dice = Dice::seed(7);
    for len in 0..300usize {
        let (_, mut server) = open(suite);
        let garbage: Vec<u8> = (0..len).map(|_| dice.below(256) as u8).collect();
        server.hear(&[&[RECORD, len as u8, (len >> 8) as u8], &garbage[..]].concat());
        server.failed(PeerError::Forged, "garbage");
    }
    let (_, mut server) = open(suite);
    server.hear(&[RECORD, 0xff, 0xff]);
    assert!(matches!(server.error, Some(PeerError::FrameTooLarge { .. })), "one that is too long is not awaited");
}

/// D9: keys are followed by others when their time has come, by records, by octets and by time, whichever comes first.
#[test]
fn a_key_that_was_used_enough_is_used_no_more() {
    let forever = RekeyAfter { records: 1 << 22, octets: 1 << 36, time: Duration::from_secs(1 << 20) };
    for limits in [
        RekeyAfter { records: 1, ..forever },
        RekeyAfter { octets: 1, ..forever },
        RekeyAfter { time: Duration::ZERO, ..forever },
    ] {
        let keys = Cell::new(0);
        let one = |is_client| {
            let sealer = sealer(Counted(&keys), identity(Pattern::Nn, is_client), is_client);
            end(is_client, sealer.rekey_after(limits))
        };
        let (mut client, mut server) = (one(true), one(false));
        pump(&mut client, &mut server);
        for turn in 0..2000usize {
            client.notify(&[turn as u8; 200]);
            pump(&mut client, &mut server);
            server.line.take_message(200);
            pump(&mut client, &mut server);
            assert_eq!((client.error, server.error), (None, None), "{limits:?}, turn {turn}");
        }
        assert_eq!(server.messages().len(), 2000);
        // Each change is paid for with sixteen records, and both ends have a cipher of it.
        assert!(keys.get() > 2 * 2000 / 16 - 10, "{limits:?}: {} keys", keys.get());
        // A line that says nothing is not kept busy by it.
        assert!(!client.line.wants_transmit() && !server.line.wants_transmit());
    }
}

/// D9: who has read all that an end knew, its entropy too, does not know what a fresh agreement gives: it follows from new entropy.
#[test]
fn a_fresh_agreement_follows_from_new_entropy() {
    let share = |entropy| {
        let (mut client, mut server) = open(ChaCha20Poly1305);
        client.line.rekey_afresh(entropy).expect("there are keys");
        let said = client.said();
        server.hear(&said);
        client.hear(&server.said());
        assert_eq!((client.error, server.error), (None, None));
        client.notify(TEXT);
        let by_fresh_key = client.said();
        server.hear(&by_fresh_key);
        assert_eq!(server.messages(), [TEXT]);
        (said, by_fresh_key)
    };
    let (one, other) = (share([1; 32]), share([2; 32]));
    assert_eq!(one, share([1; 32]), "all else is the same");
    assert!(one.0 != other.0 && one.1 != other.1);
}

/// A hello has an end: of more suites than it holds the first are offered, and the ends agree on one of those.
#[test]
fn more_suites_than_a_hello_holds_do_no_harm() {
    let (mut client, mut server) = ends_by(Pattern::Nn, false, Many(200));
    let hello = client.said();
    let offered = hello.windows(NAME.len()).filter(|some| *some == NAME.as_bytes());
    assert_eq!(offered.count(), 3);
    server.hear(&hello);
    pump(&mut client, &mut server);
    assert!(client.line.is_ready() && server.line.is_ready());
}

const NAME: &str = "a-suite-of-thirty-two-octets-000";

/// So many suites.
#[derive(Clone, Copy)]
struct Many(usize);

impl Suites for Many {
    type Cipher = <ChaCha20Poly1305 as Suite>::Cipher;

    fn count(&self) -> usize {
        self.0
    }

    fn name(&self, index: usize) -> Option<&str> {
        (index < self.0).then_some(NAME)
    }

    fn cipher(&self, index: usize, keys: &[[u8; 32]; ropeway_core::seal::KEYS]) -> Option<Self::Cipher> {
        (index < self.0).then(|| Suite::cipher(&ChaCha20Poly1305, keys))
    }
}

/// A suite that counts the keys it is given.
#[derive(Clone, Copy)]
struct Counted<'a>(&'a Cell<u32>);

impl Suite for Counted<'_> {
    type Cipher = <ChaCha20Poly1305 as Suite>::Cipher;

    fn name(&self) -> &str {
        "counted"
    }

    fn cipher(&self, keys: &[[u8; 32]; ropeway_core::seal::KEYS]) -> Self::Cipher {
        self.0.set(self.0.get() + 1);
        Suite::cipher(&ChaCha20Poly1305, keys)
    }
}

/// D9: whoever asks for other keys all the time, on one end or on both, waits for them, and never ends the line by that.
#[test]
fn keys_that_are_asked_for_all_the_time_do_no_harm() {
    let (mut client, mut server) = open(ChaCha20Poly1305);
    for turn in 0..3000u32 {
        client.line.rekey_afresh([9; 32]).expect("it may");
        server.line.rekey_afresh([9; 32]).expect("it may");
        client.line.rekey().expect("it may");
        if turn % 3 == 0 {
            client.notify(b"x");
            server.notify(b"y");
        }
        pump(&mut client, &mut server);
        client.line.take_message(1);
        server.line.take_message(1);
        assert_eq!((client.error, server.error), (None, None), "turn {turn}");
    }
    assert_eq!((client.messages().len(), server.messages().len()), (1000, 1000));
}

/// D12: a point of small order, however it is written, agrees on nothing.
#[test]
fn a_point_of_low_order_is_refused_in_a_handshake() {
    let mut points = vec![[0; 32]; 7];
    points[1][0] = 1;
    for (point, low) in points[2..5].iter_mut().zip([0xec, 0xed, 0xee]) {
        *point = [0xff; 32];
        (point[0], point[31]) = (low, 0x7f);
    }
    points[5] = "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800".parse::<PublicKey>().unwrap().0;
    points[6] = "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157".parse::<PublicKey>().unwrap().0;
    for pattern in PATTERNS {
        for point in &points {
            for last in [0, 0x80] {
                let mut point = *point;
                point[31] |= last;
                for of_client in [true, false] {
                    let (mut client, mut server) = ends(pattern, false);
                    let mut turn = 0;
                    pump_by(&mut client, &mut server, |mut octets| {
                        turn += 1;
                        if octets.first() == Some(&HANDSHAKE) && (turn == 3) == of_client && turn <= 4 {
                            octets[3..35].copy_from_slice(&point);
                        }
                        octets
                    });
                    let (victim, other) = if of_client {
                        (server.error, client.line.ending())
                    } else {
                        (client.error, server.line.ending())
                    };
                    assert_eq!(victim, Some(PeerError::Handshake), "{pattern:?}, {point:02x?}, {of_client}");
                    assert_eq!(other, Some(Reason::ByPeer(PeerError::Handshake.code())), "{pattern:?}");
                }
            }
        }
    }
}

/// D16: what can be changed without being noticed is not offered.
#[test]
fn every_suite_authenticates() {
    let sealer = sealer(ALL, identity(Pattern::Nn, true), true);
    let names: Vec<&str> = sealer.suites().collect();
    assert_eq!(names, ["AES-256-GCM", "ChaCha20-Poly1305", "A256CBC-HS512"]);
}

/// D17: nothing that is printed has a secret in it, as text, hex or numbers.
#[test]
fn no_secret_is_printed() {
    let (mut client, mut server) = ends(Pattern::Xx, true);
    let mut printed =
        format!("{:?} {:?}", Psk::new(PSK), Identity { psk: Some(Psk::new(PSK)), ..identity(Pattern::Xx, true) });
    printed += &format!("{:?} {:?}", SecretKey::new(KEYS[0]), SecretKey::new(KEYS[1]));
    for turn in 0..6 {
        let octets = client.said();
        server.hear(&octets);
        if client.line.is_ready() && turn < 4 {
            client.notify(TEXT);
        }
        let octets = server.said();
        client.hear(&octets);
        printed += &format!("{:?} {:?}", client.line, server.line);
    }
    assert_eq!(server.messages(), [TEXT; 2]);
    server.hear(&[RECORD, 20, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
    let error = server.error.expect("it is forged");
    printed += &format!("{error} {error:?} {:?} {:?}", server.line, server.line.closed());
    for secret in [KEYS[0], KEYS[1], PSK, [1; 32], [2; 32]] {
        let few = &secret[..4];
        let hex: String = few.iter().map(|octet| format!("{octet:02x}")).collect();
        for text in [
            hex.clone(),
            hex.to_uppercase(),
            format!("{few:?}").replace(['[', ']'], ""),
            format!("{few:x?}").replace(['[', ']'], ""),
        ] {
            assert!(!printed.contains(&text), "{text} in {printed}");
        }
    }
    assert!(!printed.contains("nobody else"));
}

/// D18: nothing is made smaller before it is sealed: how long a record is tells how long its content is, and not what it is.
#[test]
fn how_long_a_record_is_does_not_depend_on_what_it_says() {
    let (mut client, _) = open(ChaCha20Poly1305);
    let mut dice = Dice::seed(3);
    let same = client.record(&[7; 100]).len();
    let random: Vec<u8> = (0..100).map(|_| dice.below(256) as u8).collect();
    assert_eq!(client.record(&random).len(), same);
}

/// D19: behind what is transmitted there is nothing of what was said, and what could not be opened is wiped.
#[test]
fn no_buffer_keeps_what_it_should_not() {
    let (mut client, mut server) = open(Aes256CbcHmacSha512);
    for room in 100..400 {
        client.notify(TEXT);
        let mut out = vec![0xee; room];
        let len = client.line.poll_transmit(NOW, &mut out);
        let clear = |octets: &[u8]| octets.windows(8).any(|some| TEXT.windows(8).any(|text| text == some));
        assert!(!clear(&out), "{room}");
        let rest = client.said();
        assert!(!clear(&rest));
        server.hear(&out[..len]);
        server.hear(&rest);
        server.line.take_message(TEXT.len());
        client.hear(&server.said());
        assert_eq!(server.error, None);
    }
    let mut record = client.record(TEXT);
    *record.last_mut().unwrap() ^= 1;
    assert_eq!(server.line.handle_input(NOW, &mut record), Err(PeerError::Forged));
    assert!(record[3..].iter().all(|octet| *octet == 0), "{record:02x?}");
}

/// A goodbye that anybody can forge is heard only as long as the peer may have no keys, and then it tells of an error alone.
#[test]
fn a_forged_goodbye_is_none() {
    let close = |code| bytes(&Frame::Close(Close { code, reason: "" }));
    let (mut client, mut server) = open(ChaCha20Poly1305);
    client.hear(&close(CloseCode::DONE));
    client.failed(PeerError::NotSealed, "an orderly end");
    server.hear(&client.said());
    server.was_told(PeerError::NotSealed, "its peer");
    let (mut client, mut server) = open(ChaCha20Poly1305);
    server.hear(&client.record(TEXT));
    server.hear(&close(PeerError::Handshake.code()));
    assert_eq!((server.error, server.messages()), (Some(PeerError::NotSealed), vec![TEXT]));
    let (mut client, mut server) = ends(Pattern::Nn, false);
    server.hear(&client.said());
    client.hear(&server.said());
    client.hear(&close(CloseCode::BUSY));
    client.failed(PeerError::NotSealed, "before there are keys");
}

/// One message alone is sealed on a plain line, and all that belongs to it: who speaks for its sender in the clear is not heard.
#[test]
fn what_began_sealed_does_not_go_on_in_the_clear() {
    let rules = Policy { sending: Rule::Optional, receiving: Rule::Optional };
    let one = |is_client| end(is_client, sealer(ALL, identity(Pattern::Nn, is_client), is_client).policy(rules));
    for frame in [
        Frame::Body(ropeway_core::wire::Piece { side: Side::Us, lane: 0, bytes: b"forged" }),
        Frame::Abort { side: Side::Us, lane: 0, code: ropeway_core::Code::OK },
        say::notice(b"in the clear, as it may be"),
    ] {
        let (mut client, mut server) = (one(true), one(false));
        pump(&mut client, &mut server);
        client.line.seal(false).expect("it may");
        client.line.define(ropeway_core::Table::Actions, "name", None).expect("room");
        let send = Send { sealed: true, size: Some(100), ..Send::bytes(Action::Name(0), TEXT) };
        client.line.request(NOW, &send).expect("room");
        let said = client.said();
        assert!(said.windows(8).all(|some| some != &TEXT[..8] && !some.ends_with(b"name")));
        server.hear(&said);
        assert!(!server.line.is_sealed(Side::Them));
        server.hear(&bytes(&frame));
        let is_own = matches!(frame, Frame::Notice(_));
        assert_eq!(server.error, (!is_own).then_some(PeerError::NotSealed), "{frame:?}");
    }
}
