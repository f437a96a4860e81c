//! What sealing costs.

use std::future::ready;
use std::time::Duration;

use ropeway_driver::protocol::AuthRules;
use ropeway_driver::seal::Suites;
use ropeway_driver::{Code, Config, LineOptions, Role, Seal};

use super::{PIPE, SMALL, are_gone_in_time, warm};
use crate::heap;
use crate::scenarios::by_hand::write_all;
use crate::scenarios::sealing::deadlines::{hears, machine, says};
use crate::scenarios::sealing::keys;
use crate::weather::pipe;

/// What a peer may cost that is not known yet.
const UNKNOWN: usize = 8 * 1024;
/// What an end of an idle line may cost more than that of a plain one: ciphers and their keys, and what the next ones come from.
const SEALED: usize = 4 * 1024;

fn sealed(seal: Option<Seal>) -> LineOptions {
    let mut options = LineOptions::from(Config::DEFAULT);
    options.seal = seal;
    options
}

/// C1. A client says hello, and then so much of the handshake.
pub fn a_peer_that_stops_before_there_are_keys_costs_little_and_is_gone_in_time() {
    const PEERS: usize = 200;
    let (hand, timeout) = (warm(), Config::DEFAULT.protocol.hello_timeout);
    let [client, server, _] = keys();
    for (what, messages) in [("a hello", 0), ("a hello and a message", 1)] {
        let pipes: Vec<_> = (0..PEERS).map(|_| pipe(PIPE)).collect();
        let mut lines = Vec::with_capacity(PEERS);
        let mark = heap::mark();
        for (near, far) in pipes {
            let seal = Seal::with_key(server.clone()).trust(client.public());
            lines.push((hand.server(far, sealed(Some(seal))), near));
        }
        for (_, near) in &mut lines {
            let mut peer = machine(Role::Client);
            hand.finish(write_all(near, &says(&mut peer))).expect("it reads");
            if messages > 0 {
                let first = hand.finish(hears(&mut peer, near));
                hand.finish(write_all(near, &first)).expect("it reads");
            }
        }
        hand.run();
        let each = mark.peak() / PEERS;
        println!("{what}: {each} octets a peer");
        assert!(each <= UNKNOWN, "{what}: {each} octets a peer");
        are_gone_in_time(&hand, lines, timeout, what);
        assert!(mark.held() < SMALL, "{what}: {} octets are left of them", mark.held());
    }
}

/// C1. A client that is to say who it is has begun a record, of which it says that it is as long as any.
pub fn a_peer_that_does_not_say_who_it_is_costs_little_and_is_gone_in_time() {
    const PEERS: usize = 100;
    let (hand, timeout) = (warm(), AuthRules::DEFAULT.timeout);
    let [client, server, _] = keys();
    for begun in [0, 16, 5000] {
        let pipes: Vec<_> = (0..PEERS).map(|_| pipe(PIPE)).collect();
        let mut lines = Vec::with_capacity(PEERS);
        let mark = heap::mark();
        for (near, far) in pipes {
            let options = sealed(Some(Seal::with_key(server.clone()).trust(client.public())));
            let options = options.authenticate(AuthRules::DEFAULT, |_| ready(Err(Code::UNAUTHORISED)));
            lines.push((hand.server(far, options), near));
        }
        for (_, near) in &mut lines {
            let mut peer = machine(Role::Client);
            hand.finish(write_all(near, &says(&mut peer))).expect("it reads");
            for _ in 0..2 {
                let message = hand.finish(hears(&mut peer, near));
                hand.finish(write_all(near, &message)).expect("it reads");
            }
            let record = [&[216, 0, 0xfe][..], &vec![0; begun]].concat();
            // It may hang up before all of it is there.
            let _ = hand.finish(write_all(near, &record));
        }
        hand.run();
        let each = mark.peak() / PEERS;
        println!("{begun} octets of a record: {each} octets a peer");
        assert!(each <= UNKNOWN, "{begun} octets of a record: {each} octets a peer");
        hand.pass(timeout);
        // The goodbye has its time, too.
        hand.pass(Config::DEFAULT.close_timeout);
        assert!(lines.iter().all(|((_, ended), _)| ended.done().is_some()), "{begun} octets of a record: still there");
        lines.clear();
        assert!(mark.held() < SMALL, "{begun} octets of a record: {} octets are left of them", mark.held());
    }
}

/// Both ends of it, when it has rested.
pub fn an_idle_sealed_line_costs_little_more_than_a_plain_one() {
    const LINES: usize = 50;
    let hand = warm();
    let cost = |suite: Option<&str>| {
        let mut lines = Vec::with_capacity(LINES);
        let mark = heap::mark();
        for _ in 0..LINES {
            let seal = || {
                let suites = Suites::default().named(suite);
                suite.map(|_| Seal::anonymous().suites(suites.expect("it is one of them")))
            };
            lines.push(hand.lines(sealed(seal()), sealed(seal())));
        }
        hand.pass(3 * Config::DEFAULT.protocol.heartbeat);
        assert!(lines.iter().all(|(near, far)| !near.is_over() && !far.is_over()));
        let each = mark.held() / LINES / 2;
        drop(lines);
        // Their tasks go, too.
        hand.pass(Duration::from_secs(60));
        each
    };
    // What the first of them leave behind is no line's.
    cost(Some("AES-256-GCM"));
    let plain = cost(None);
    println!("plain: {plain} octets an end, and its half of a pipe");
    for suite in ["AES-256-GCM", "ChaCha20-Poly1305", "A256CBC-HS512"] {
        let more = cost(Some(suite)).saturating_sub(plain);
        println!("{suite}: {more} octets more an end");
        assert!(more > 0 && more <= SEALED, "{suite}: {more} octets more an end");
    }
}
