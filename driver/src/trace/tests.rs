//! Recordings replay exactly. This file holds what its tests share; the files around it hold what else is promised.

mod broken;
mod document;
mod files;
mod line;
mod secrets;
mod writing;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use ropeway_core::wire::{self, Frame};
use ropeway_core::{Action, Body, Instant, Kind, Side};

use self::check::Checker;
use self::field::Fields;
use self::line::{Disk, NEAR, Pair, talk};
use super::*;
use crate::line::Role;

/// The traces of both ends of such a line.
fn talked(with: impl Fn(Recording) -> Recording) -> [Vec<u8>; 2] {
    let disks = [Disk::default(), Disk::default()];
    let recordings = disks.each_ref().map(|disk| with(Recording::to(disk.clone())));
    let mut pair = Pair::new(&Arc::default(), recordings);
    talk(&mut pair);
    pair.end();
    disks.map(|disk| disk.octets())
}

fn replay(trace: &[u8]) -> Result<Replayed, TraceError> {
    Trace::new(trace)?.replay()
}

/// The trace with the checks that it would have, had it been written so, up to where it is none.
fn checked_anew(trace: &[u8]) -> Vec<u8> {
    let mut plain = trace[..header::len(trace)].to_vec();
    let mut at = plain.len() + check::LEN;
    while at < trace.len() {
        let mut from = Fields::new(&trace[at..]);
        if from.field::<&[u8]>("record").is_err() {
            break;
        }
        plain.extend_from_slice(&trace[at..at + from.at()]);
        at += from.at() + check::LEN;
    }
    let rest = &trace[at.min(trace.len())..];
    [Checker::default().pass(&plain), rest].concat()
}

/// What of each record: where it begins, and what it was.
fn records(trace: &[u8]) -> Vec<(u64, String, String)> {
    let mut trace = Trace::new(trace).expect("a trace");
    let mut all = Vec::new();
    while let Some(record) = trace.next_record().expect("whole") {
        all.push((record.offset, record.call.name().into(), Described::from(&record.outcome).to_string()));
    }
    all
}

#[test]
fn a_recording_replays_exactly() {
    for trace in talked(|recording| recording) {
        let replayed = replay(&trace).expect("it replays");
        assert_eq!(replayed.records, records(&trace).len() as u64);
        assert!(replayed.events > 10 && replayed.sent > 100 && replayed.received > 100);
    }
}

#[test]
fn everything_that_a_machine_can_be_told_is_recorded() {
    let all: Vec<_> = talked(|recording| recording).iter().flat_map(|trace| records(trace)).collect();
    for name in [
        "input",
        "partial",
        "ignored",
        "timeout",
        "eof",
        "output",
        "ping",
        "go_away",
        "close",
        "define",
        "notify",
        "request",
        "respond",
        "respond_code",
        "update",
        "body",
        "abort",
        "take_message",
        "take_lane",
        "offer",
        "accept",
        "begin",
        "data",
        "finish",
        "cancel",
        "done",
        "pause",
        "take_flow",
    ] {
        assert!(all.iter().any(|(_, call, _)| call == name), "{name}");
    }
    for outcome in ["refused", "sent", "taken", "offered", "defined", "Ready", "Expired", "Closed", "Pong"] {
        assert!(all.iter().any(|(_, _, came)| came.starts_with(outcome)), "{outcome}");
    }
}

/// The peer is not dead that has sent a piece of a frame, in a replay as little as on the line.
#[test]
fn a_piece_of_a_frame_is_a_sign_of_life_in_a_replay() {
    let disk = Disk::default();
    let mut pair = Pair::new(&Arc::default(), [Recording::to(disk.clone()), Recording::to(io::sink())]);
    pair.settle();
    pair.now += 20_000_000;
    let now = pair.now();
    pair.near().handle_input(now, &mut [0x68, 0, 100, 1, 2, 3]).expect("it has begun");
    pair.now += 20_000_000;
    let now = pair.now();
    while pair.near().handle_timeout(now).is_some() {}
    assert_eq!(pair.near().closed(), None);
    pair.end();
    replay(&disk.octets()).expect("it replays");
}

/// Also the time of who looked at the clock before his turn came, and of who did not look at all.
#[test]
fn a_record_has_the_time_that_the_machine_was_told() {
    let [near, _] = talked(|recording| recording);
    let mut trace = Trace::new(&near[..]).expect("a trace");
    let (mut last, mut untimed) = (trace.header().start, 0);
    while let Some(record) = trace.next_record().expect("whole") {
        assert!(record.at >= last && record.now <= record.at);
        last = record.at;
        untimed += usize::from(matches!(record.call, Call::Notify(_)) && record.now == Instant::ZERO);
    }
    assert_eq!((untimed, last > Instant::from_micros(20_000_000)), (1, true));
}

#[test]
fn what_was_defined_is_shown_by_its_name() {
    for (trace, what) in talked(|recording| recording).iter().zip(["request ", "Message "]) {
        let (mut trace, mut names, mut shown) =
            (Trace::new(&trace[..]).expect("a trace"), Names::default(), Vec::new());
        while let Some(record) = trace.next_record().expect("whole") {
            shown.push(names.put(Side::Us, Described::from(&record.call)).to_string());
            shown.push(names.put(Side::Them, Described::from(&record.outcome)).to_string());
            names.learn(&record);
        }
        let first =
            shown.iter().find(|shown| shown.starts_with(what) && shown.contains(" type=")).expect("it is there");
        assert!(first.contains(" action=#0(\"echo\") ") && first.contains(" type=#0(\"Entry\") "), "{first}");
        // The same number of the other end is not called so.
        let other = if what == "request " { Side::Them } else { Side::Us };
        let body = Body { kind: Kind::None, bytes: &b""[..] };
        let frame = Frame::Notice(wire::Notice { action: Action::Name(0), body });
        assert_eq!(names.put(other, Described::from(&frame)).to_string(), "NOTICE action=#0");
    }
}

/// What came of writing, once it has ended.
fn outcome(recorder: &Recorder) -> Result<(), io::ErrorKind> {
    let written = std::pin::pin!(recorder.written()).poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(written) = written else { panic!("it never ends") };
    written.map_err(|error| error.kind())
}

#[test]
fn a_servers_session_is_the_recorded_one() {
    let [_, far] = talked(|recording| recording);
    let header = *Trace::new(&far[..]).expect("a trace").header();
    assert_eq!((header.role, header.session), (Role::Server, [7; 16]));
    let all = records(&talked(|recording| recording)[NEAR]);
    let ready = all.iter().find(|(_, _, came)| came.starts_with("Ready")).expect("it was ready");
    assert!(ready.2.contains(&format!("session={}", "07".repeat(16))), "{}", ready.2);
}
