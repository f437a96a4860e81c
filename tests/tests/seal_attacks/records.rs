//! Records: switches, what is tampered with, what is said in the clear.

use super::*;

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
