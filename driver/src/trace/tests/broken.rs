//! Traces that were changed, cut or made up: what is wrong is told with its offset, and nothing does harm.

use std::sync::LazyLock;
use std::time::Duration;

use quickcheck::{QuickCheck, TestResult};

use super::super::{Described, Header, Trace, TraceError, check, header};
use super::{checked_anew, records, replay, talked};

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
