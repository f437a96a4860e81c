//! Traces without bodies hold nothing that was said.

use std::io;
use std::sync::Arc;

use ropeway_core::wire::hello::Hello;
use ropeway_core::wire::{self, Frame};
use ropeway_core::{CloseCode, Config, Connection, Instant, Limits, Side};

use super::super::{Call, Recording, Trace};
use super::line::{Disk, Pair};
use super::{records, replay, talked};

#[test]
fn a_trace_without_bodies_holds_none_and_replays() {
    for secret in [&b"secret"[..], &[b's'; 8], &[b'S'; 8], &[0x5e; 4], &[0xd1; 4]] {
        let holds = |trace: &Vec<u8>| trace.windows(secret.len()).any(|part| part == secret);
        assert!(talked(|recording| recording).iter().any(holds), "{secret:?}");
        assert!(!talked(Recording::without_bodies).iter().any(holds), "{secret:?}");
    }
    let lengths = |with: fn(Recording) -> Recording| talked(with).map(|trace| (trace.len(), records(&trace).len()));
    assert_eq!(lengths(Recording::without_bodies), lengths(|recording| recording));
    for trace in talked(Recording::without_bodies) {
        assert!(Trace::new(&trace[..]).expect("a trace").header().redacted);
        replay(&trace).expect("it replays");
    }
}

#[test]
fn what_broke_the_protocol_is_cut_where_that_shows() {
    for (input, kept) in [
        // A goodbye of a code that is none; a frame that there is not; octets of something else.
        (&b"\xa0\xff\xff\x03secret"[..], 4),
        (&b"\x00secret"[..], 1),
        (&b"\xf2RWYsecret"[..], 1),
    ] {
        let disk = Disk::default();
        let recordings = [Recording::to(disk.clone()).without_bodies(), Recording::to(io::sink())];
        let mut pair = Pair::new(&Arc::default(), recordings);
        pair.settle();
        let now = pair.now();
        pair.near().handle_input(now, &mut input.to_vec()).expect_err("it broke the protocol");
        pair.end();
        let octets = disk.octets();
        let mut trace = Trace::new(&octets[..]).expect("a trace");
        let mut last = 0;
        while let Some(record) = trace.next_record().expect("whole") {
            if let Call::Input { octets } = record.call {
                last = octets.len();
            }
        }
        assert_eq!(last, kept, "{input:?}");
        replay(&octets).expect("it replays");
    }
}

/// Also if it shows in the last octet only, or nowhere.
#[test]
fn what_broke_the_protocol_holds_nothing_that_was_said() {
    let encoded = |frame: Frame<'_>| {
        let mut out = vec![0; 4096];
        let len = frame.encode(&mut out).expect("room");
        out.truncate(len);
        let at = out.iter().rposition(|octet| *octet == b'X').expect("it is there");
        out[at] = 0xff;
        out
    };
    let (media, name) = ("text/topsecret", "topsecret nameX");
    let side = Side::Us;
    let offer = Frame::Offer(wire::Offer { flow: 0, side, lane: 0, push: false, size: None, media, name });
    let close = Frame::Close(wire::Close { code: CloseCode::DONE, reason: "topsecret reasonX" });
    let limits = Limits {
        lanes: 1,
        ..*Connection::client(
            Instant::ZERO,
            Config::DEFAULT,
            [0; 32],
            crate::memory::growing(1, 1, 1000, Default::default()),
        )
        .limits()
    };
    let mut hello = vec![0; 200];
    let len = Hello { oldest: 1, newest: 1, session: [9; 16], limits }.encode(&mut hello).expect("room");
    hello.truncate(len);
    let extended = |tag: u8| {
        let mut hello = [&hello[..], &[tag, 9], b"topsecret"].concat();
        hello[4] += 11;
        hello
    };
    for (what, greeted, input, errs) in [
        ("offer", true, encoded(offer), true),
        ("close", true, encoded(close), true),
        ("an extension", false, extended(2), false),
        ("an extension that is to be understood", false, extended(3), true),
    ] {
        let disk = Disk::default();
        let recordings = [Recording::to(disk.clone()).without_bodies(), Recording::to(io::sink())];
        let mut pair = Pair::new(&Arc::default(), recordings);
        if greeted {
            pair.settle();
        }
        let now = pair.now();
        let came = pair.near().handle_input(now, &mut input.to_vec()).map(|step| step.consumed);
        assert_eq!(came.is_err(), errs, "{what}: {came:?}");
        pair.end();
        let octets = disk.octets();
        assert!(
            input.windows(4).any(|part| part == b"secr") && !octets.windows(4).any(|part| part == b"secr"),
            "{what}"
        );
        replay(&octets).unwrap_or_else(|error| panic!("{what}: {error}"));
    }
}
