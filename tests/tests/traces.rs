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
    for entry in fs::read_dir(folder()).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        if path.extension().is_some_and(|extension| extension == "trace") {
            let trace = Trace::open(&path).expect("a trace");
            assert_eq!(
                trace.header().role == Role::Client,
                path.to_string_lossy().ends_with(".client.trace"),
                "{path:?}"
            );
            trace.replay().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            replayed += 1;
        }
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
