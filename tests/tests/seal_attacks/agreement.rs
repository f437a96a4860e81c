//! Agreement: hellos that are changed, offers, the handshake.

use super::*;

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

/// A client that does not trust the server's key shows nothing of its own: all that it says is goodbye.
#[test]
fn who_is_not_trusted_is_shown_no_key() {
    let Identity { pattern, key, psk, .. } = identity(Pattern::Xx, true);
    let distrusts = Identity { pattern, key, psk, trust: PublicKey([9; 32]) };
    let client = sealer(ALL, distrusts, true);
    let (mut client, mut server) = (end(true, client), end(false, sealer(ALL, identity(Pattern::Xx, false), false)));
    for _ in 0..2 {
        server.hear(&client.said());
        client.hear(&server.said());
    }
    client.failed(PeerError::Untrusted, "the client");
    let said = client.said();
    assert_eq!(said, bytes(&Frame::Close(Close { code: PeerError::Untrusted.code(), reason: "" })));
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
