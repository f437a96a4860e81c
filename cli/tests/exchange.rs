//! Asking, telling and pinging a server, over every transport, for people and for machines.

mod support;

use std::path::Path;

use support::Served;

/// The same against a server on every transport.
fn check(promise: impl Fn(&Served)) {
    promise(&Served::tcp());
    #[cfg(unix)]
    promise(&Served::unix());
}

#[test]
fn shows_the_answer_as_what_it_is() {
    check(|served| {
        assert_eq!(served.client("request", &["echo", "two words"]).fine(), "two words\n");
        assert_eq!(served.client("request", &["echo"]).fine(), "");
        let time = served.client("request", &["time"]);
        assert!(time.fine().len() == "2026-11-20T10:14:00Z\n".len() && time.fine().ends_with("Z\n"), "{time:?}");

        let octets = b"\x00\xff octets \x1b";
        let echo = served.client_in(Path::new("."), octets, "request", &["echo", "-"]);
        assert_eq!((echo.code, echo.stdout.as_slice()), (Some(0), &octets[..]));
        let large = "large ".repeat(100_000);
        assert_eq!(served.client_in(Path::new("."), large.as_bytes(), "request", &["echo", "-"]).fine(), large + "\n");
    });
}

#[test]
fn shows_answers_to_machines() {
    check(|served| {
        let answer = |arguments: &[&str], stdin: &[u8]| {
            let outcome = served.client_in(Path::new("."), stdin, "request", arguments);
            outcome.fine();
            let [answer] = outcome.json().try_into().expect("one");
            answer
        };
        let text = answer(&["echo", "hi", "--json"], b"");
        assert_eq!(
            text,
            serde_json::json!({"event": "answer", "code": 0, "kind": "text", "text": "hi", "attached": 0})
        );
        let octets = answer(&["echo", "-", "--json"], b"\xff\x00");
        assert_eq!((&octets["kind"], &octets["hex"]), (&"bytes".into(), &"ff00".into()));
        assert_eq!(answer(&["echo", "--json"], b"")["kind"], "none");
    });
}

#[test]
fn what_nobody_handles_is_refused_with_its_code() {
    check(|served| {
        let refused = served.client("request", &["nothing", "x"]);
        assert_eq!(refused.failed(4), "the peer answered: not implemented (2)");
        let refused = served.client("request", &["2147483647", "--json"]);
        assert_eq!(refused.failed_json(4), "the peer answered: not implemented (2)");
        let [answer] = refused.json().try_into().expect("one");
        assert_eq!(answer["code"], 2);
    });
}

#[test]
fn a_notice_arrives_before_the_program_ends() {
    check(|served| {
        assert_eq!(served.client("notify", &["log", "some text"]).fine(), "sent log with 9 octets\n");
        assert!(served.running.line_with("notice").ends_with("notice log some text"));
        assert_eq!(served.client_in(Path::new("."), b"more\x1b", "notify", &["7", "-", "-q"]).fine(), "");
        assert!(served.running.line_with("notice").ends_with("notice 7 more\\u{1b}"));
        assert_eq!(served.client("notify", &["log"]).fine(), "sent log\n");
        assert!(served.running.line_with("notice").ends_with("notice log"));
    });
}

#[test]
fn pings_are_counted_and_measured() {
    check(|served| {
        let pings = served.client("ping", &["--count", "3", "--interval", "0"]);
        let lines: Vec<_> = pings.fine().lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines[3].starts_with("3 pings, min/avg/max "), "{}", lines[3]);

        let pings = served.client("ping", &["-c", "50", "-i", "0", "--json", "--quiet"]);
        let [summary] = pings.json().try_into().expect("the summary alone");
        let [min, avg, max] =
            ["min_micros", "avg_micros", "max_micros"].map(|key| summary[key].as_u64().expect("a number"));
        assert!(0 < min && min <= avg && avg <= max, "a round trip takes time: {summary}");
    });
}

#[test]
fn a_server_answers_what_its_help_says() {
    check(|served| {
        let help = support::ropeway(["help", "serve"]);
        assert_eq!(help.fine(), support::ropeway(["serve", "--help"]).fine());
        let tables = help.fine().split("ACTION ").skip(1);
        let rows = tables.flat_map(|table| table.lines().skip(1).map_while(|row| row.split_whitespace().next()));
        let actions: Vec<_> = rows.collect();
        assert_eq!(actions, ["echo", "time", "file", "files.list", "files.get"]);
        for action in actions {
            assert!(!served.client("request", &[action]).stderr.contains("not implemented"), "{action}");
        }
    });
}

#[test]
fn an_attached_file_is_not_passed_over_in_silence() {
    check(|served| {
        std::fs::write(served.folder.path().join("name"), "content").expect("written");
        let answer = served.client("request", &["files.get", "name"]);
        let note = "note: a stream or file came with the answer and was left; ropeway fetch takes files\n";
        assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), note));
        assert_eq!(served.client("request", &["files.get", "name", "--quiet"]).fine(), "");
        assert_eq!(served.client("request", &["files.get", "name", "--json"]).json()[0]["attached"], 1);
    });
}

#[cfg(unix)]
#[test]
fn peers_on_a_unix_socket_are_shown_as_what_they_are() {
    let served = Served::unix();
    let pong = served.client("ping", &["-c", "1"]);
    assert!(pong.fine().starts_with(&format!("pong from {}: seq 1", served.address)), "{pong:?}");
    assert_eq!(served.running.line(), "#1 local peer: line open");
    assert_eq!(served.running.line(), "#1 local peer: line over, closed by the peer: done (0)");
    served.client("notify", &["log", "x"]).fine();
    assert_eq!(served.running.line_with("notice"), "#2 local peer: notice log x");
}

#[test]
fn a_server_shows_each_message_if_that_is_wanted() {
    let folder = tempfile::tempdir().expect("a folder");
    let listing = folder.path().to_str().expect("text").to_owned();
    for (more, expected) in [
        (&["--verbose"][..], &["request echo, 2 B", "request time", "request files.list", "notice log hi"][..]),
        (&[], &["notice log hi"]),
    ] {
        let serve = [&["serve", "tcp://127.0.0.1:0", "--dir", &listing], more].concat();
        let running = support::Running::start(serve, Path::new("."), b"");
        let address = running.line().replace("listening on ", "");
        for (command, arguments) in [
            ("request", &["echo", "hi"][..]),
            ("request", &["time"]),
            ("request", &["files.list"]),
            ("notify", &["log", "hi"]),
        ] {
            support::ropeway([&[command, &address], arguments].concat()).fine();
        }
        running.interrupt();
        let told = running.end();
        let lines = told.fine().lines().filter_map(|line| line.split_once(": ")).map(|(_, said)| said);
        let messages: Vec<_> = lines.filter(|said| said.starts_with("request") || said.starts_with("notice")).collect();
        assert_eq!(messages, expected, "{told:?}");
    }
}

#[test]
fn a_server_tells_machines_which_line_it_was() {
    let running = support::Running::start(["serve", "tcp://127.0.0.1:0", "--json"], Path::new("."), b"");
    let told = || serde_json::from_str::<serde_json::Value>(&running.line()).expect("an object");
    let address = told()["address"].as_str().expect("text").to_owned();
    for line in 1..=2 {
        support::ropeway(["notify", &address, "log", "x"]).fine();
        for event in ["line", "message", "over"] {
            let told = told();
            assert_eq!((&told["event"], &told["line"]), (&event.into(), &line.into()), "{told}");
        }
    }
}

#[test]
fn a_list_of_files_is_a_value_to_machines() {
    check(|served| {
        let list = || served.client("request", &["files.list", "--json"]).json()[0]["value"]["files"].clone();
        assert_eq!(list(), serde_json::json!([]));
        for name in ["two words", "b", "a"] {
            std::fs::write(served.folder.path().join(name), name).expect("written");
        }
        let expected = serde_json::json!([
            {"name": "a", "octets": 1}, {"name": "b", "octets": 1}, {"name": "two words", "octets": 9}
        ]);
        assert_eq!(list(), expected);
    });
}

#[cfg(unix)]
#[test]
fn ends_quietly_when_nobody_reads_any_more() {
    check(|served| {
        let folder = served.folder.path();
        std::fs::write(folder.join("large"), vec![7; 9_000_000]).expect("written");
        for arguments in [
            &["fetch", &served.address, "large", "-o", "-"][..],
            &["fetch", &served.address, "large", "-o", "-", "--range", "1..", "--json"],
            &["ping", &served.address, "--count", "1000000", "--interval", "0"],
        ] {
            assert_eq!(support::ropeway_head(arguments), (Some(141), String::new()), "{arguments:?}");
        }
    });
}
