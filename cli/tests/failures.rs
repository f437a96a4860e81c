//! Every failure is one clear line and an exit code; what a peer says is shown harmlessly.

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread;

use ropeway_tokio::{Code, Failure, Line, Message, Server, ServerBuilder, Tokio};
use serde::Serialize;
use support::{Outcome, Running, ropeway};

/// Runs the program against a server of the test's own.
fn check(
    set_up: impl FnOnce(ServerBuilder<Tokio>) -> ServerBuilder<Tokio>,
    command: &str,
    arguments: &[&str],
) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let server = runtime.block_on(set_up(Server::bind("tcp://127.0.0.1:0")).serve()).expect("it listens");
    ropeway([&[command, &server.address().to_string()], arguments].concat())
}

#[test]
fn bad_usage_is_2() {
    for arguments in [
        &["request", "udp://host:1", "echo"][..],
        &["request", "tcp://host", "echo"],
        &["request", "tcp://host:1", "2147483648"],
        &["request", "tcp://host:1", "echo", "--timeout", "inf"],
        &["request", "tcp://host:1", ""],
        &["fetch", "tcp://host:1", "name", "--range", "5..5"],
        &["fetch", "tcp://host:1", "name", "--range", "5..1"],
        &["fetch", "tcp://host:1", "name", "--range", "5"],
        &["fetch", "tcp://host:1", "name", "--range", ".."],
        &["fetch", "tcp://host:1", "name", "--range", "a..5"],
        &["fetch", "tcp://host:1", "name", "--output", "."],
        &["fetch", "tcp://host:1", "name", "--to", ".", "-o", "-"],
        &["send", "tcp://host:1"],
        &["send", "tcp://host:1", "-", "Cargo.toml", "-"],
        &["send", "tcp://host:1", "Cargo.toml", "--name", "x"],
        &["ping", "tcp://host:1", "--count", "0"],
        &["unheard-of"],
        &["send-\x1b[2J\n"],
    ] {
        let outcome = ropeway(arguments);
        assert!(!outcome.failed(2).contains('\x1b') && outcome.text().is_empty(), "{arguments:?}: {outcome:?}");
        let told = ropeway([&["--json"], arguments].concat()).failed_json(2);
        assert_eq!(told, outcome.failed(2), "{arguments:?}");
    }
}

#[test]
fn bad_usage_says_what_is_wrong() {
    for (range, says) in [
        ("5..1", "the range ends before it begins"),
        ("5..5", "the range is empty"),
        ("x..1", "a range is A..B, A.. or ..B, such as 0..1024"),
    ] {
        let outcome = ropeway(["fetch", "tcp://host:1", "name", "--range", range]);
        assert!(outcome.failed(2).contains(says), "{outcome:?}");
    }
    for (arguments, says) in [
        (&["request", "tcp://host:1", "echo", "-t", "-1"][..], "'--timeout <SECONDS>': a time can't be negative"),
        (&["ping", "tcp://host:1", "-i", "-0.5"], "'--interval <SECONDS>': a time can't be negative"),
        (&["serve", "tcp://host:1", "-g", "-1"], "'--grace <SECONDS>': a time can't be negative"),
        (&["ping", "tcp://host:1", "-c", "-1"], "'--count <COUNT>': -1 is not in 1..=4294967295"),
        (&["fetch", "tcp://host:1", "name", "-r", "-5..7"], "a range is A..B, A.. or ..B, such as 0..1024"),
    ] {
        let outcome = ropeway(arguments);
        assert!(outcome.failed(2).ends_with(&format!("{says}; --help tells more")), "{outcome:?}");
    }
    let missing = "the following required arguments were not provided: <ADDRESS> <FILE>...; --help tells more";
    assert_eq!(ropeway(["send"]).failed(2), missing);
}

#[test]
fn help_names_every_command_and_exit_code() {
    let help = ropeway(["--help"]);
    for word in ["demo", "serve", "send", "fetch", "request", "notify", "ping", "trace", "Exit codes", "130", "141"] {
        assert!(help.fine().contains(word), "{word}");
    }
}

#[test]
fn no_line_is_3() {
    // Nobody listens on a port that was just given back.
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let address = format!("tcp://{closed}");
    for command in [&["ping", &address][..], &["request", &address, "echo"], &["fetch", &address, "name"]] {
        let refused = ropeway(command);
        let line = refused.failed(3);
        assert!(line.contains(&format!("no line to {address}: ")) && line.contains("refused"), "{line}");
    }
    let nowhere = "no line to unix:///nowhere/socket: No such file or directory (os error 2)";
    assert_eq!(ropeway(["ping", "unix:///nowhere/socket"]).failed(3), nowhere);
    assert_eq!(ropeway(["ping", "unix:///nowhere/socket", "--json"]).failed_json(3), nowhere);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("tcp://{}", taken.local_addr().expect("it has one"));
    assert!(ropeway(["serve", &address]).failed(3).starts_with(&format!("can't listen on {address}: ")));
}

#[test]
fn a_peer_that_speaks_something_else_is_named() {
    for (greeting, says) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "ADDRESS speaks HTTP, not Ropeway"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "ADDRESS speaks SSH, not Ropeway"),
        (b"\x15\x03\x01\x00\x02\x02\x0a", "ADDRESS speaks TLS, not Ropeway"),
        (b"+OK ready\r\n", "ADDRESS does not speak Ropeway"),
        (b"", "no line to ADDRESS: the transport ended without a goodbye"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("tcp://{}", listener.local_addr().expect("it has one"));
        let peer = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let _ = stream.read(&mut [0; 64]);
            let _ = stream.write_all(greeting);
        });
        assert_eq!(ropeway(["ping", &address]).failed(3), says.replace("ADDRESS", &address));
        peer.join().expect("it went well");
    }
}

#[test]
fn an_answer_that_never_comes_is_7() {
    let silent = |server: ServerBuilder<Tokio>| {
        server.on_message("wait", async |mut message: Message| {
            message.aborted().await;
            Ok(())
        })
    };
    assert_eq!(check(silent, "request", &["wait", "--timeout", "0.05"]).failed(7), "no sign of life in time");
}

#[test]
fn a_line_that_is_cut_is_8() {
    let cutting = |server: ServerBuilder<Tokio>| {
        server.on_message("cut", async |message: Message| {
            message.line().cut();
            Ok(())
        })
    };
    let lost = check(cutting, "request", &["cut"]);
    assert_eq!(lost.failed(8), "the line is over: the transport ended without a goodbye");
}

#[test]
fn pings_before_the_line_was_lost_are_summed_up() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let server = Server::bind("tcp://127.0.0.1:0").on("echo", |text: String| async { Ok(text) });
    let server = runtime.block_on(server.serve()).expect("it listens");
    let arguments = ["ping", &server.address().to_string(), "--interval", "0", "--count", "4000000000"];
    let running = Running::start(arguments, Path::new("."), b"");
    running.line_with("seq 2");
    server.lines().iter().for_each(Line::cut);
    let lost = running.end();
    assert_eq!(lost.failed(8), "the line is over: the transport ended without a goodbye");
    let lines: Vec<_> = lost.text().lines().collect();
    let (summary, pongs) = lines.split_last().expect("some");
    assert!(summary.starts_with(&format!("{} pings, min/avg/max ", pongs.len())), "{summary}");
}

#[test]
fn what_the_peer_says_can_do_no_harm() {
    let nasty = |server: ServerBuilder<Tokio>| {
        server.on("x", |()| async { Err::<(), _>(Failure::new(Code::REJECTED, "\x1b[2J\nropeway: fine")) })
    };
    let refused = check(nasty, "request", &["x"]);
    assert_eq!(refused.failed(4), "the peer answered: rejected (1): \\u{1b}[2J\\nropeway: fine");
}

#[test]
fn values_of_types_unknown_here_are_shown_as_digits() {
    #[derive(Serialize)]
    struct Entry {
        level: u8,
        text: &'static str,
    }
    let typed = |server: ServerBuilder<Tokio>| server.on("entry", |()| async { Ok(Entry { level: 3, text: "ab" }) });
    assert_eq!(check(typed, "request", &["entry"]).fine(), "Entry 03026162\n");
    let json = check(typed, "request", &["entry", "--json"]).json();
    assert_eq!((&json[0]["type"], &json[0]["hex"]), (&"Entry".into(), &"03026162".into()));
}

#[test]
fn every_answer_and_every_report_is_shown() {
    let several = |server: ServerBuilder<Tokio>| {
        server.on_message("count", async |mut message: Message| {
            message.update("counting").await?;
            message.respond("one").more().await?;
            message.respond("two").more().await?;
            message.answer("three").await?;
            Ok(())
        })
    };
    assert_eq!(check(several, "request", &["count"]).fine(), "counting\none\ntwo\nthree\n");
    assert_eq!(check(several, "request", &["count", "-q"]).fine(), "one\ntwo\nthree\n");
    let json = check(several, "request", &["count", "--json"]).json();
    let events: Vec<_> = json.iter().map(|object| object["event"].as_str().expect("text")).collect();
    assert_eq!(events, ["update", "answer", "answer", "answer"]);
}

#[test]
fn a_file_that_arrives_wrong_is_6() {
    let picky = |server: ServerBuilder<Tokio>| {
        server.on_message("file", async |mut message: Message| {
            if let Some(offered) = message.file().await? {
                offered.decline(Code::DIGEST);
            }
            Ok(())
        })
    };
    let wrong = check(picky, "send", &["Cargo.toml"]);
    assert_eq!(wrong.failed(6), "Cargo.toml: not taken by the peer: digest mismatch (12)");
}

#[test]
fn a_server_without_a_folder_takes_and_gives_no_files() {
    let bare = |server: ServerBuilder<Tokio>| server.on("echo", |text: String| async { Ok(text) });
    assert_eq!(check(bare, "send", &["Cargo.toml"]).code, Some(4));
    assert_eq!(check(bare, "fetch", &["name"]).failed(4), "name: the peer answered: not implemented (2)");
}

#[test]
fn a_folder_that_is_none_is_told_before_anything_is_done() {
    let folder = tempfile::tempdir().expect("a folder");
    let [missing, file] = ["missing", "file"].map(|name| folder.path().join(name).display().to_string());
    std::fs::write(&file, "").expect("written");
    for command in [&["serve", "tcp://127.0.0.1:0", "--dir"][..], &["fetch", "tcp://127.0.0.1:1", "name", "--to"]] {
        let refused = |folder: &str| ropeway([command, &[folder]].concat()).failed(5).to_owned();
        assert_eq!(refused(&missing), format!("{missing}: no such folder"));
        assert_eq!(refused(&file), format!("{file}: not a folder"));
    }
}
