//! Lines are recorded, shown and replayed; what is wrong with a trace is told with its place.

mod support;

use std::fs;
use std::path::Path;

use support::{Served, ropeway, ropeway_in};

/// A request and its trace.
fn recorded(served: &Served, folder: &Path) -> String {
    let file = folder.join("line.trace").display().to_string();
    let asked = ropeway(["trace", "record", &file, "request", &served.address, "echo", "two words"]);
    assert_eq!(asked.fine(), "two words\n");
    file
}

#[test]
fn a_line_is_recorded_and_shown() {
    let (served, folder) = (Served::tcp(), tempfile::tempdir().expect("a folder"));
    let file = recorded(&served, folder.path());
    let shown = ropeway(["trace", "show", &file]);
    let lines: Vec<_> = shown.fine().lines().collect();
    assert!(
        lines[0].starts_with("a client with 1024 lanes, 256 flows and 262144 octets of outbox, recorded 20"),
        "{lines:?}"
    );
    let mut left = lines.iter();
    for wanted in [
        " ms > HELLO oldest=1 newest=1 ",
        " ms < HELLO oldest=1 newest=1 ",
        " ms * Ready version=1 ",
        " ms . request action=#0(\"echo\") timeout_micros=5000000 given=9 body=\"two words\": sent ",
        " ms > DEFINE table=actions index=0 name=\"echo\"",
        " ms > OPEN lane=0 action=#0(\"echo\") wants_answer=yes body=\"two words\"",
        " ms < RESPONSE lane=0 code=0(ok) body=\"two words\"",
        " ms * Response id=",
        " ms > CLOSE code=0 reason=\"\"",
        "the end",
    ] {
        assert!(left.any(|line| line.contains(wanted)), "{wanted} in {}", shown.text());
    }
}

/// Of either end: what is called so by one may not be by the other.
#[test]
fn what_was_defined_is_shown_by_its_name() {
    for (end, lines) in [
        ("client", [" ms > OPEN lane=0 action=#1(\"no\") ", " ms < RESPONSE lane=0 code=1(rejected) "]),
        ("server", [" ms < OPEN lane=0 action=#1(\"no\") ", " ms * Message id="]),
    ] {
        let shown = ropeway(["trace", "show", &format!("../conformance/traces/request.{end}.trace")]);
        for wanted in lines {
            assert!(shown.fine().lines().any(|line| line.contains(wanted)), "{wanted} in {}", shown.text());
        }
        let typed = shown.fine().lines().filter(|line| line.contains(" type=#0(\""));
        assert!(typed.count() >= 2, "{}", shown.text());
    }
}

#[test]
fn a_trace_is_shown_to_machines() {
    let (served, folder) = (Served::tcp(), tempfile::tempdir().expect("a folder"));
    let file = recorded(&served, folder.path());
    let objects = ropeway(["--json", "trace", "show", &file]).json();
    let (head, rest) = objects.split_first().expect("some");
    let (end, records) = rest.split_last().expect("some");
    assert_eq!((&head["event"], &head["role"]), (&"trace".into(), &"client".into()));
    assert_eq!((&end["event"], &end["missing"]), (&"end".into(), &0.into()));
    assert!(records.iter().enumerate().all(|(at, record)| record["number"] == at + 1), "{records:?}");
    let request = records.iter().find(|record| record["call"]["what"] == "request").expect("one");
    assert_eq!((&request["call"]["body"], &request["outcome"]["taken"]), (&"two words".into(), &9.into()));
    assert_eq!(request["call"]["action"], serde_json::json!({ "index": 0, "name": "echo" }));
    let frames: Vec<_> = records.iter().filter_map(|record| record["frames"].as_array()).flatten().collect();
    assert!(frames.iter().any(|frame| frame["what"] == "RESPONSE" && frame["code"] == 0), "{frames:?}");
}

#[test]
fn every_command_is_recorded_and_replays() {
    let (served, folder) = (Served::tcp(), tempfile::tempdir().expect("a folder"));
    fs::write(folder.path().join("some.txt"), "some octets").expect("written");
    let address = &served.address;
    let commands = [
        &["send", address, "some.txt"][..],
        &["fetch", address, "some.txt", "-o", "back.txt"],
        &["notify", address, "echo", "hello"],
        &["request", address, "time"],
        &["ping", address, "-c", "2", "-i", "0"],
    ];
    let mut files = Vec::new();
    for command in commands {
        let file = format!("{}.trace", command[0]);
        ropeway_in(folder.path(), b"", [&["trace", "record", &file], command].concat()).fine();
        files.push(file);
    }
    let files: Vec<_> = files.iter().map(String::as_str).collect();
    let replayed = ropeway_in(folder.path(), b"", [&["trace", "replay"], &files[..]].concat());
    let lines: Vec<_> = replayed.fine().lines().collect();
    assert_eq!(lines.len(), files.len());
    for (file, line) in files.iter().zip(lines) {
        assert!(line.starts_with(&format!("{file} replays exactly: ")) && line.ends_with(" sent"), "{line}");
    }
}

#[cfg(unix)]
#[test]
fn a_server_records_each_line_behind_those_that_are_there() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("7.trace"), "of another run").expect("written");
    let traces = folder.path().display().to_string();
    let serving = ["trace", "record", &traces, "serve", "tcp://127.0.0.1:0"];
    let running = support::Running::start(serving, Path::new("."), b"");
    let address = running.line().strip_prefix("listening on ").expect("it says where it listens").to_owned();
    for _ in 0..2 {
        ropeway(["request", &address, "echo", "hello"]).fine();
    }
    running.interrupt();
    assert_eq!(running.end().code, Some(0));
    let [one, other] = ["8.trace", "9.trace"].map(|name| folder.path().join(name).display().to_string());
    ropeway(["trace", "replay", &one, &other]).fine();
    assert_eq!(fs::read(folder.path().join("7.trace")).expect("it is there"), b"of another run");
}

#[test]
fn what_is_wrong_with_a_trace_is_told_with_its_place() {
    let (served, folder) = (Served::tcp(), tempfile::tempdir().expect("a folder"));
    let file = recorded(&served, folder.path());
    let whole = fs::read(&file).expect("it is there");
    let at = whole.windows(9).rposition(|part| part == b"two words").expect("in the answer");
    let mut changed = whole.clone();
    changed[at] = b'T';
    let anew = {
        // As if it had been written so.
        let mut end = 5 + 1 + usize::from(changed[5]);
        let mut hash = fnv(0x811c_9dc5, &changed[..end]);
        while end < changed.len() {
            end += 4;
            let (mut len, mut shift, begin) = (0, 0, end);
            while end < changed.len() {
                len |= usize::from(changed[end] & 0x7f) << shift;
                (shift, end) = (shift + 7, end + 1);
                if changed[end - 1] < 0x80 {
                    break;
                }
            }
            end += len;
            if end < changed.len() {
                hash = fnv(hash, &changed[begin..end]);
                changed[end..end + 4].copy_from_slice(&hash.to_le_bytes());
            }
        }
        changed
    };
    let differs = folder.path().join("differs.trace").display().to_string();
    let cut = folder.path().join("cut.trace").display().to_string();
    fs::write(&differs, &anew).expect("written");
    fs::write(&cut, &whole[..whole.len() - 3]).expect("written");
    let outcome = ropeway(["trace", "replay", &differs]);
    let said = outcome.failed(6);
    assert!(said.contains(": record ") && said.contains(" at offset ") && said.contains("..54776f20"), "{said}");
    let offset = whole.len() - 3;
    let said = format!("{cut}: it ends too early, at offset {offset}");
    for command in ["show", "replay"] {
        assert_eq!(ropeway(["trace", command, &cut]).failed(5), said);
        assert_eq!(ropeway(["trace", command, "Cargo.toml"]).failed(5), "Cargo.toml: not a trace, at offset 0");
    }
    // What is right is told, and the exit code is the first that is wrong.
    let all = ropeway(["trace", "replay", &differs, &file, &cut]);
    assert_eq!(all.code, Some(6));
    assert!(
        all.text().contains("line.trace replays exactly: ") && all.stderr.ends_with(&format!("{said}\n")),
        "{all:?}"
    );
}

/// Whatever it is: it may be what the command is to send.
#[test]
fn a_file_that_is_there_is_not_replaced() {
    let (served, folder) = (Served::tcp(), tempfile::tempdir().expect("a folder"));
    let trace = recorded(&served, folder.path());
    let other = folder.path().join("some.txt").display().to_string();
    fs::write(&other, "some octets").expect("written");
    for file in [trace, other] {
        let before = fs::read(&file).expect("it is there");
        let failed = ropeway(["trace", "record", &file, "send", &served.address, &file]);
        assert_eq!(failed.failed(5), format!("{file}: can't record: it exists, and is not replaced"));
        assert_eq!(fs::read(&file).expect("it is there"), before);
    }
}

#[test]
fn where_there_is_no_line_there_is_no_trace() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("line.trace");
    let nobody = format!("unix://{}", folder.path().join("nobody").display());
    ropeway(["trace", "record", &file.display().to_string(), "request", &nobody, "echo"]).failed(3);
    assert!(!file.exists());
}

#[test]
fn a_trace_without_bodies_holds_none_and_replays() {
    let (served, folder) = (Served::tcp(), tempfile::tempdir().expect("a folder"));
    let file = folder.path().join("line.trace").display().to_string();
    let record = ["trace", "record", "--without-bodies", &file, "request", &served.address, "echo", "two words"];
    assert_eq!(ropeway(record).fine(), "two words\n");
    assert!(!fs::read(&file).expect("it is there").windows(9).any(|part| part == b"two words"));
    ropeway(["trace", "replay", &file]).fine();
}

#[cfg(unix)]
#[test]
fn a_server_whose_recording_is_cut_does_not_end_well() {
    let folder = tempfile::tempdir().expect("a folder");
    let traces = folder.path().display().to_string();
    let serving = ["trace", "record", &traces, "serve", "tcp://127.0.0.1:0"];
    let running = support::Running::start(serving, Path::new("."), b"");
    let address = running.line().strip_prefix("listening on ").expect("it says where it listens").to_owned();
    // It is gone when there is a line.
    drop(folder);
    ropeway(["request", &address, "echo", "hello"]).fine();
    running.interrupt();
    let ended = running.end();
    assert_eq!(ended.code, Some(5), "{ended:?}");
    assert!(ended.stderr.contains("the recording is not complete: it lacks all or the end of 1 lines"), "{ended:?}");
}

#[test]
fn a_trace_that_can_not_be_written_is_5() {
    let served = Served::tcp();
    let nowhere = ["trace", "record", "/nowhere/line.trace"];
    let failed = ropeway([&nowhere[..], &["request", &served.address, "echo"]].concat());
    let says = "/nowhere/line.trace: can't record: No such file or directory (os error 2)";
    assert_eq!(failed.failed(5), says);
    let failed = ropeway([&nowhere[..], &["serve", "tcp://127.0.0.1:0"]].concat());
    assert_eq!(failed.failed(5), "/nowhere/line.trace: no such folder");
}

/// What the check of a record is made by.
fn fnv(hash: u32, octets: &[u8]) -> u32 {
    octets.iter().fold(hash, |hash, octet| (hash ^ u32::from(*octet)).wrapping_mul(0x0100_0193))
}
