mod document;
mod line;

use std::fs;
use std::future::Future;
use std::io::{self, Write};
use std::sync::{Arc, LazyLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use quickcheck::{QuickCheck, TestResult};
use ropeway_core::wire::hello::Hello;
use ropeway_core::wire::{self, Frame};
use ropeway_core::{Action, Body, CloseCode, Connection, Instant, Kind, Reason, Side};

use self::check::Checker;
use self::field::Fields;
use self::line::{Disk, NEAR, Pair, Pool, talk};
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

/// Ends a line that is recorded in these ways: what came of writing it.
fn recorded(recordings: [Recording; 2]) -> [Result<(), io::ErrorKind>; 2] {
    let mut pair = Pair::new(&Arc::default(), recordings);
    talk(&mut pair);
    let recorders = pair.ends.each_ref().map(|(_, recorder)| recorder.clone());
    pair.end();
    recorders.map(|recorder| outcome(&recorder))
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
    let side = ropeway_core::Side::Us;
    let offer = Frame::Offer(wire::Offer { flow: 0, side, lane: 0, push: false, size: None, media, name });
    let close = Frame::Close(wire::Close { code: CloseCode::DONE, reason: "topsecret reasonX" });
    let limits = ropeway_core::Limits {
        lanes: 1,
        ..*Connection::client(Instant::ZERO, ropeway_core::Config::DEFAULT, [0; 32], crate::memory::growing(1, 1, 1000))
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

/// A machine that is told otherwise, or is expected to do otherwise, is found out at the record that was changed, or at the
/// first that depends on it.
#[test]
fn an_octet_that_differs_is_found() {
    let [near, far] = talked(|recording| recording);
    let question = b"a secret question";
    for (what, trace, times, call) in [
        ("what was told: it differs in what is sent", &near, 0, "output"),
        ("what was sent", &near, 1, "output"),
        ("what came", &far, 0, "input"),
        ("what happened", &far, 1, "input"),
    ] {
        let at = trace.windows(question.len()).enumerate().filter(|(_, part)| part == question).nth(times);
        let (at, _) = at.expect("it is there");
        let mut changed = trace.clone();
        changed[at] ^= 1;
        let Err(TraceError::Difference(difference)) = replay(&checked_anew(&changed)) else {
            panic!("{what}: no difference")
        };
        assert!(difference.call.starts_with(call), "{what}: {difference}");
        let all = records(trace);
        assert_eq!(all[difference.record as usize - 1].0, difference.offset, "{what}");
        let within = all.iter().rposition(|(offset, ..)| *offset <= at as u64).expect("in a record") as u64 + 1;
        assert_eq!(difference.record == within, times == 1 || call == "input", "{what}: {difference}");
        assert!(difference.octets.is_some(), "{what}: {difference}");
    }
}

#[test]
fn a_difference_tells_where_and_what() {
    let [near, far] = talked(|recording| recording);
    for (trace, wanted, says) in
        [(&near, &b"a secret question"[..], "in OPEN lane="), (&far, b"half of the secret", "in UPDATE lane=")]
    {
        // The last that there is: where it was sent.
        let at = trace.windows(wanted.len()).rposition(|part| part == wanted).expect("it is there");
        let mut changed = trace.clone();
        changed[at + 4] = b'X';
        let Err(TraceError::Difference(difference)) = replay(&checked_anew(&changed)) else {
            panic!("{says}: no difference")
        };
        let octets = difference.octets.as_ref().expect("octets differ");
        assert!(octets.expected != octets.found, "{difference}");
        assert!(difference.to_string().contains(says), "{difference}");
    }
}

#[test]
fn what_is_no_trace_is_told_with_its_offset() {
    let [near, _] = talked(|recording| recording);
    let records = records(&near);
    let first = records[0].0 as usize;
    let with = |at: usize, octets: &[u8]| {
        let mut changed = near.clone();
        changed[at..at + octets.len()].copy_from_slice(octets);
        changed
    };
    let insert = |octets: &[u8]| checked_anew(&[&near[..first], octets, &[0; check::LEN], &near[first..]].concat());
    let offset = first as u64;
    // Behind the largest frame, 2048, and the largest message, 16 MiB.
    let config = [0x80, 0x10, 0x80, 0x80, 0x80, 0x08, 0x80, 0x20];
    let window = near.windows(config.len()).position(|part| part == config).expect("in the header") + 6;
    for (trace, expected) in [
        (b"GET / HTTP/1.1\r\n".to_vec(), "not a trace, at offset 0".into()),
        (b"\xf2RWY".to_vec(), "not a trace, at offset 3".into()),
        (Vec::new(), "it ends too early, at offset 0".into()),
        (near[..3].to_vec(), "it ends too early, at offset 3".into()),
        (near[..20].to_vec(), "it ends too early, at offset 20".into()),
        (with(4, &[2]), "a trace of version 2 at offset 4, of which only 1 is known".into()),
        (with(5, &[0x80, 0x80, 0x40]), "a record of 1048576 octets at offset 5, the limit is 4096".into()),
        (checked_anew(&with(6, &[3])), "bad value of role at offset 6".into()),
        (near[..first].to_vec(), format!("it ends too early, at offset {offset}")),
        (near[..first + 1].to_vec(), format!("it ends too early, at offset {}", offset + 1)),
        (near[..near.len() - 1].to_vec(), format!("it ends too early, at offset {}", near.len() - 1)),
        ([&near[..], b"x"].concat(), format!("more behind the last record, at offset {}", near.len())),
        (insert(&[0x80, 0x00]), format!("bad value of length at offset {offset}")),
        (insert(&[0xff, 0xff, 0x7f]), format!("a record of 2097151 octets at offset {offset}, the limit is 266240")),
        (insert(&[3, 0, 0, 99]), format!("unknown kind of record 99 at offset {}", offset + 3)),
        (insert(&[3, 0, 0, 0]), format!("unknown kind of record 0 at offset {}", offset + 3)),
        (insert(&[2, 0, 0]), format!("bad value of kind of record at offset {}", offset + 3)),
        (insert(&[4, 0, 0, 16, 99]), format!("bad value of outcome at offset {}", offset + 4)),
        (insert(&[5, 0, 0, 16, 1, 0]), format!("bad value of end at offset {}", offset + 5)),
        (insert(&[6, 0, 0, 23, 3, 0, 0]), format!("bad value of lane at offset {}", offset + 4)),
        // Five octets of which none is there.
        (insert(&[9, 0, 0, 25, 1, 0, 5, 0, 8, 5]), format!("bad value of taken at offset {}", offset + 9)),
        // Room for 2^63 octets; a frame of more than there is; a window of less than a frame.
        (
            insert(&[14, 0, 0, 6, 255, 255, 255, 255, 255, 255, 255, 255, 127, 5, 0]),
            format!("bad value of room at offset {}", offset + 4),
        ),
        (insert(&[6, 0, 0, 6, 0x81, 0x80, 0x10]), format!("bad value of room at offset {}", offset + 4)),
        (insert(&[7, 0, 0, 2, 0x81, 0x80, 0x04, 1]), format!("bad value of len at offset {}", offset + 4)),
        (checked_anew(&with(window, &[0xff, 0x0f])), format!("bad value of config at offset {}", window - 6)),
        // It was made at 1000 us.
        (insert(&[5, 0, 1, 16, 2, 2]), format!("impossible time in the record at offset {offset}")),
        (insert(&[5, 0, 0xe9, 0x07, 16, 1]), format!("impossible time in the record at offset {offset}")),
        (
            insert(&[13, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0, 16, 1]),
            format!("impossible time in the record at offset {offset}"),
        ),
    ] {
        let error = replay(&trace).expect_err("it is broken");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_record_that_is_changed_or_missing_or_moved_is_found() {
    for trace in talked(|recording| recording) {
        let begins: Vec<_> = records(&trace).iter().map(|(offset, ..)| *offset as usize).collect();
        let check = |changed: &[&[u8]], offset: usize| {
            let found = replay(&changed.concat());
            assert!(
                matches!(found, Err(TraceError::Check { offset: at }) if at == offset as u64),
                "{offset}: {found:?}"
            );
        };
        for three in begins.windows(3) {
            let (before, one, other, behind) =
                (&trace[..three[0]], &trace[three[0]..three[1]], &trace[three[1]..three[2]], &trace[three[2]..]);
            check(&[before, other, one, behind], three[0]);
            check(&[before, other, behind], three[0]);
            check(&[before, one, one, other, behind], three[1]);
            let mut changed = one.to_vec();
            *changed.last_mut().expect("it has a check") ^= 1;
            check(&[before, &changed, other, behind], three[0]);
        }
        // The role, and the last record, to which all that are missing could be added.
        check(&[&trace[..6], &[trace[6] ^ 3], &trace[7..]], 0);
        let last = trace.len() - check::LEN - 5;
        check(&[&trace[..trace.len() - check::LEN - 1], &[9], &trace[trace.len() - check::LEN..]], last);
    }
}

/// Two servers share a folder; neither takes a file of the other's, nor one of somebody else's.
#[test]
fn a_folder_replaces_no_file() {
    let place = tempfile::tempdir().expect("a folder");
    let at = |name: &str| place.path().join(name);
    fs::write(at("7.trace"), "of another run").expect("written");
    let [one, other] = [(); 2].map(|()| Folder::open(place.path()).expect("it is there"));
    fs::write(at("9.trace"), "of somebody else").expect("written");
    assert_eq!(recorded([one.recording(), other.recording()]), [Ok(()); 2]);
    assert_eq!(recorded([other.recording(), one.recording()]), [Ok(()); 2]);
    for name in ["8.trace", "10.trace", "11.trace", "12.trace"] {
        Trace::open(at(name)).and_then(Trace::replay).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert_eq!(fs::read(at("7.trace")).expect("it is there"), b"of another run");
    assert_eq!(fs::read(at("9.trace")).expect("it is there"), b"of somebody else");
    assert_eq!(fs::read_dir(place.path()).expect("it is there").count(), 6);
    // Numbers end.
    fs::write(at("18446744073709551614.trace"), "the last but one").expect("written");
    let last = Folder::open(place.path()).expect("one is left");
    assert_eq!(recorded([last.recording(), last.recording()]), [Ok(()), Err(io::ErrorKind::Other)]);
    Trace::open(at("18446744073709551615.trace")).and_then(Trace::replay).expect("it replays");
    let full = Folder::open(place.path()).expect_err("none is left").to_string();
    assert_eq!(full, "no number is left for another trace");
}

#[test]
fn a_new_file_replaces_none() {
    let place = tempfile::tempdir().expect("a folder");
    let path = place.path().join("line.trace");
    let recordings = || [Recording::to_new_file(&path), Recording::to(io::sink())];
    assert_eq!(recorded(recordings()), [Ok(()); 2]);
    let first = fs::read(&path).expect("it is there");
    assert_eq!(recorded(recordings()), [Err(io::ErrorKind::AlreadyExists), Ok(())]);
    assert_eq!(fs::read(&path).expect("it is there"), first);
}

/// Neither line harms the trace of the other, though one of them is replaced.
#[test]
fn two_lines_recorded_into_one_file_leave_a_whole_trace() {
    let place = tempfile::tempdir().expect("a folder");
    let path = place.path().join("line.trace");
    assert_eq!(recorded([Recording::to_file(&path), Recording::to_file(&path)]), [Ok(()); 2]);
    Trace::open(&path).and_then(Trace::replay).expect("it replays");
    assert_eq!(fs::read_dir(place.path()).expect("it is there").count(), 1);
}

/// A pipe, say, or a link to where there is more room.
#[cfg(unix)]
#[test]
fn what_is_no_file_is_written_to_and_stays() {
    let place = tempfile::tempdir().expect("a folder");
    let [link, far] = ["line.trace", "far.trace"].map(|name| place.path().join(name));
    fs::write(&far, "before").expect("written");
    std::os::unix::fs::symlink(&far, &link).expect("linked");
    assert_eq!(recorded([Recording::to_file(&link), Recording::to_file("/dev/null")]), [Ok(()); 2]);
    assert!(fs::symlink_metadata(&link).expect("it is there").is_symlink());
    Trace::open(&far).and_then(Trace::replay).expect("it replays");
}

#[cfg(unix)]
#[test]
fn a_trace_is_for_its_owner_alone() {
    let place = tempfile::tempdir().expect("a folder");
    let [one, other, third] = ["one.trace", "other.trace", "1.trace"].map(|name| place.path().join(name));
    // That everybody could read what it replaces makes no difference.
    fs::write(&one, "for all").expect("written");
    let folder = Folder::open(place.path()).expect("it is there");
    for recordings in
        [[Recording::to_file(&one), Recording::to_new_file(&other)], [folder.recording(), Recording::to(io::sink())]]
    {
        assert_eq!(recorded(recordings), [Ok(()); 2]);
    }
    for path in [one, other, third] {
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).expect("it is there").permissions());
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
}

/// As the tables of FNV have it.
#[test]
fn a_check_is_fnv_1a() {
    for (octets, expected) in [(&b""[..], 0x811c_9dc5_u32), (b"a", 0xe40c_292c), (b"foobar", 0xbf9c_f968)] {
        let mut check = check::Check::default();
        check.push(octets);
        assert_eq!(check.octets(), expected.to_le_bytes());
    }
}

/// Whatever a header says: no more memory is taken than is used, and no time is too long.
#[test]
fn no_settings_do_harm() {
    for trace in talked(|recording| recording) {
        let (header, records) = (*Trace::new(&trace[..]).expect("a trace").header(), header::len(&trace) + check::LEN);
        for time in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
            for most in [0, u64::MAX] {
                let mut header = Header { outbox: most, lanes: most as u16, flows: most as u16, ..header };
                let protocol = &mut header.config;
                (protocol.timeout, protocol.hello_timeout, protocol.heartbeat) = (time, time, time);
                (protocol.misses, protocol.max_aborts) = (most as u32, most as u32);
                protocol.max_definitions = most as u16;
                let mut changed = Vec::new();
                header.encode(&mut changed);
                changed.extend_from_slice(&[0; check::LEN]);
                changed.extend_from_slice(&trace[records..]);
                let changed = checked_anew(&changed);
                assert_eq!(*Trace::new(&changed[..]).expect("a trace").header(), header);
                let came = replay(&changed);
                assert!(matches!(came, Ok(_) | Err(TraceError::Difference(_))), "{time:?} {most}: {came:?}");
            }
        }
    }
}

/// However a trace is broken: it ends in an error that is typed, or it replays.
#[test]
fn no_trace_does_harm() {
    fn run(trace: &[u8]) {
        if let Err(error) = replay(trace) {
            assert!(!error.to_string().is_empty());
        }
        if let Ok(mut trace) = Trace::new(trace) {
            while let Ok(Some(record)) = trace.next_record() {
                let _ = (Described::from(&record.call).to_string(), Described::from(&record.outcome).to_string());
            }
        }
    }
    fn broken(which: bool, how: u8, at: usize, by: u8, to: usize) -> TestResult {
        static TRACES: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| talked(|recording| recording));
        let mut trace = TRACES[usize::from(which)].clone();
        let begins: Vec<_> = records(&trace).iter().map(|(offset, ..)| *offset as usize).collect();
        match how % 4 {
            0 => trace.truncate(at % trace.len()),
            1 => {
                let at = at % trace.len();
                trace[at] = trace[at].wrapping_add(by);
            }
            2 => {
                // One record in the place of another.
                let [one, other] = [at, to].map(|at| at % (begins.len() - 1));
                let part = trace[begins[one]..begins[one + 1]].to_vec();
                trace.splice(begins[other]..begins[other + 1], part);
            }
            _ => {
                let [one, other] = [at, to].map(|at| at % trace.len());
                trace.drain(one.min(other)..one.max(other));
            }
        }
        run(&trace);
        run(&checked_anew(&trace));
        TestResult::passed()
    }
    QuickCheck::new().tests(500).quickcheck(broken as fn(bool, u8, usize, u8, usize) -> TestResult);
    let random = |octets: Vec<u8>| {
        run(&checked_anew(&[&talked(|recording| recording)[0][..100], &octets].concat()));
        TestResult::passed()
    };
    QuickCheck::new().tests(100).quickcheck(random as fn(Vec<u8>) -> TestResult);
}

/// The machine goes on, whatever becomes of its trace.
fn check(disk: Disk, pool: Arc<Pool>, limit: usize) -> (Vec<u8>, Result<(), io::ErrorKind>) {
    let recordings = [Recording::to(disk.clone()).limit(limit), Recording::to(io::sink())];
    let mut pair = Pair::new(&pool, recordings);
    talk(&mut pair);
    assert_eq!(pair.near().closed(), Some(Reason::ByUs(CloseCode::DONE)));
    assert_eq!(pair.far().closed(), Some(Reason::ByPeer(CloseCode::DONE)));
    let recorder = pair.ends[NEAR].1.clone();
    pair.end();
    pool.run();
    (disk.octets(), outcome(&recorder))
}

#[test]
fn a_slow_disk_ends_the_recording_and_not_the_line() {
    let pool = Arc::new(Pool { waits: true, ..Pool::default() });
    let (trace, written) = check(Disk::default(), pool, 10_000);
    assert_eq!(written, Err(io::ErrorKind::Other), "it is not whole");
    let Err(TraceError::Missing { offset, records: missing }) = replay(&trace) else { panic!("it is not whole") };
    let kept = records(&trace).len();
    // Checks come where it is written.
    let noted = trace.len() - check::LEN * (kept + 2);
    assert!(noted < 10_100 && noted > 5_000, "the bound is kept: {noted}");
    let [whole, _] = talked(|recording| recording);
    assert_eq!(kept as u64 + missing, records(&whole).len() as u64);
    let last = [5, 0, 0, 127].len() as u64;
    assert!(offset < trace.len() as u64 - last && offset > records(&trace)[kept - 1].0, "{offset}");
}

#[test]
fn a_full_disk_ends_the_recording_and_not_the_line() {
    let full = Disk { most: Some(5000), ..Disk::default() };
    let (trace, written) = check(full, Arc::default(), usize::MAX);
    assert_eq!(written, Err(io::ErrorKind::StorageFull));
    assert!(matches!(replay(&trace), Err(TraceError::Truncated { offset }) if offset == trace.len() as u64));
}

/// A writer that panics.
struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        panic!("on purpose")
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_writer_that_panics_ends_the_recording_and_not_the_line() {
    let pool = Arc::new(Pool { waits: true, ..Pool::default() });
    let mut pair = Pair::new(&pool, [Recording::to(Broken), Recording::to(io::sink())]);
    let recorder = pair.ends[NEAR].1.clone();
    pair.hand_over(NEAR);
    // Runtimes catch it.
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pool.run())).is_err());
    talk(&mut pair);
    pair.end();
    pool.run();
    assert_eq!(outcome(&recorder), Err(io::ErrorKind::Other));
}

/// What came of writing, once it has ended.
fn outcome(recorder: &Recorder) -> Result<(), io::ErrorKind> {
    let written = std::pin::pin!(recorder.written()).poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(written) = written else { panic!("it never ends") };
    written.map_err(|error| error.kind())
}

/// What a runtime drops when it ends is written there and then.
#[test]
fn a_runtime_that_ends_writes_what_is_left() {
    let pool = Arc::new(Pool { waits: true, ..Pool::default() });
    let disk = Disk::default();
    let mut pair = Pair::new(&pool, [Recording::to(disk.clone()), Recording::to(io::sink())]);
    talk(&mut pair);
    pair.end();
    assert!(disk.octets().is_empty());
    pool.work.lock().unwrap_or_else(PoisonError::into_inner).clear();
    replay(&disk.octets()).expect("all of it");
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
