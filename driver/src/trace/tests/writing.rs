//! Writers that are slow, full, broken or gone: the line goes on, and the trace tells that it is not whole.

use std::io::{self, Write};
use std::sync::{Arc, PoisonError};

use ropeway_core::{CloseCode, Reason};

use super::super::{Recording, TraceError, check as checks};
use super::line::{Disk, NEAR, Pair, Pool, talk};
use super::{outcome, records, replay, talked};

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
    let noted = trace.len() - checks::LEN * (kept + 2);
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
