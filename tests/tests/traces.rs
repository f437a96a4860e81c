//! Traces that are kept replay: no socket, no peer, no clock. `conformance/traces/README.md` says what they are.

use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};

use ropeway_conformance::scenarios::golden::GOLDEN;
use ropeway_conformance::{Binding, record};
use ropeway_driver::Role;
use ropeway_driver::trace::{Described, Trace, TraceError};
use ropeway_tokio::Tokio;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/traces")
}

fn path(name: &str, end: &str) -> PathBuf {
    folder().join(format!("{name}.{end}.trace"))
}

/// What happened, in order.
fn events(path: &Path) -> Vec<String> {
    let mut trace = Trace::open(path).expect("a trace");
    let mut events = Vec::new();
    while let Some(record) = trace.next_record().expect("it is whole") {
        let described = Described::from(&record.outcome);
        if described.name.starts_with(char::is_uppercase) || matches!(described.name, "refused" | "erred") {
            events.push(described.name.to_owned());
        }
    }
    events
}

#[test]
fn every_one_replays() {
    let mut replayed = 0;
    for (path, octets) in kept() {
        let trace = Trace::new(&octets[..]).expect("a trace");
        assert_eq!(trace.header().role == Role::Client, path.to_string_lossy().ends_with(".client.trace"), "{path:?}");
        trace.replay().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        replayed += 1;
    }
    // One end of each; of a peer that is written by hand there is no other.
    assert_eq!(replayed, 2 * GOLDEN.len() - 1);
}

#[test]
fn each_shows_what_it_is_for() {
    for (name, end, wanted) in [
        ("handshake", "client", &["Ready", "Pong"][..]),
        ("handshake", "server", &["Ready", "Closed"]),
        ("request", "client", &["Ready", "Response", "Response", "Code"]),
        ("request", "server", &["Defined", "Message", "Message", "Defined", "Message", "Closed"]),
        ("refused", "client", &["Ready", "refused", "refused"]),
        ("stream", "server", &["Message", "Offer", "Data", "Finished", "Closed"]),
        ("file", "client", &["Accepted", "Done"]),
        ("file", "server", &["Message", "Offer", "Began", "Data", "Finished", "Closed"]),
        ("peer_error", "server", &["Ready", "erred"]),
        ("close", "client", &["Ready", "Away"]),
    ] {
        let came = events(&path(name, end));
        let mut left = came.iter();
        assert!(wanted.iter().all(|event| left.any(|came| came == event)), "{name}, {end}: {wanted:?} of {came:?}");
    }
}

/// Those that are short enough to be broken at each octet.
fn short() -> impl Iterator<Item = (PathBuf, Vec<u8>)> {
    kept().filter(|(_, octets)| octets.len() < 400)
}

/// All that are kept.
fn kept() -> impl Iterator<Item = (PathBuf, Vec<u8>)> {
    let paths = fs::read_dir(folder()).expect("the folder is there").map(|entry| entry.expect("it can be read").path());
    let traces = paths.filter(|path| path.extension().is_some_and(|extension| extension == "trace"));
    traces.map(|path| (path.clone(), fs::read(path).expect("it can be read")))
}

#[test]
fn one_that_is_cut_anywhere_tells_where() {
    for (path, whole) in short() {
        for len in 0..whole.len() {
            let cut = Trace::new(&whole[..len]).and_then(Trace::replay);
            let told = matches!(cut, Err(TraceError::Truncated { offset }) if offset == len as u64);
            assert!(told, "{} of {len} octets: {cut:?}", path.display());
        }
    }
}

#[test]
fn one_of_which_any_octet_differs_does_not_replay() {
    for (path, mut octets) in short() {
        for at in 0..octets.len() {
            octets[at] ^= 1;
            let found = Trace::new(&octets[..]).and_then(Trace::replay).expect_err("it differs");
            // Where it is, or at the end if it is a length.
            let told = found.offset() <= at as u64 || matches!(found, TraceError::Truncated { .. });
            assert!(told, "{} at {at}: {found}", path.display());
            octets[at] ^= 1;
        }
    }
}

#[test]
fn one_with_another_in_it_or_behind_it_does_not_replay() {
    for (path, whole) in kept() {
        // Behind it, its magic is the length of a record.
        let header = 5 + 1 + usize::from(whole[5]) + 4;
        let two_headers = [&whole[..header], &whole].concat();
        Trace::new(&two_headers[..]).and_then(Trace::replay).expect_err("it has two headers");
        let twice =
            Trace::new(&[&whole[..], &whole].concat()[..]).and_then(Trace::replay).map_err(|error| error.offset());
        assert_eq!(twice, Err(whole.len() as u64), "{}", path.display());
    }
}

/// As a user's test has it.
#[test]
fn three_lines_do() -> Result<(), TraceError> {
    Trace::open(path("request", "client"))?.replay()?;
    Ok(())
}

/// Tokio with two workers.
struct OnTokio;

impl Binding for OnTokio {
    type Runtime = Tokio;

    fn block_on(scenario: impl Future<Output = ()> + Send + 'static) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.expect("the system has threads to spare").block_on(scenario);
    }
}

#[test]
#[ignore = "makes them anew: what the machine does was changed on purpose"]
fn make() {
    for scenario in GOLDEN {
        for trace in record::<OnTokio>(scenario) {
            let role = Trace::new(&trace[..]).expect("a trace").header().role;
            let end = if role == Role::Client { "client" } else { "server" };
            fs::write(path(scenario.name, end), trace).expect("it can be written");
        }
    }
}
