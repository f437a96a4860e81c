//! Recordings of the lines of a scenario, which replay at its end.

use std::future::poll_fn;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use ropeway_driver::trace::{Recording, Trace};

/// The traces of a scenario. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Tapes(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    /// What was recorded, of each line.
    tapes: Vec<Tape>,
    /// Lines that are recorded still.
    running: usize,
    waiter: Option<Waker>,
}

#[derive(Default)]
struct Tape {
    octets: Vec<u8>,
    /// Connecting may be given up before there is a line.
    may_be_empty: bool,
}

impl Tapes {
    /// A tape for another line.
    pub(crate) fn recording(&self) -> Recording {
        self.tape(false)
    }

    /// A tape for a line if it comes to that.
    pub(crate) fn recording_of_client(&self) -> Recording {
        self.tape(true)
    }

    fn tape(&self, may_be_empty: bool) -> Recording {
        let mut inner = self.inner();
        inner.tapes.push(Tape { octets: Vec::new(), may_be_empty });
        inner.running += 1;
        let head = Head { number: inner.tapes.len() - 1, tapes: self.clone() };
        // All of it is wanted, however long it waits.
        Recording::to(head).limit(usize::MAX)
    }

    /// Waits until all lines that are recorded are over: what was recorded of each.
    pub(crate) async fn ended(&self) -> Vec<Vec<u8>> {
        poll_fn(|cx| {
            let mut inner = self.inner();
            if inner.running == 0 {
                let tapes = std::mem::take(&mut inner.tapes).into_iter();
                let of_lines = tapes.filter(|tape| !(tape.may_be_empty && tape.octets.is_empty()));
                return Poll::Ready(of_lines.map(|tape| tape.octets).collect());
            }
            inner.waiter = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Replays each of the traces of a scenario.
pub(crate) fn replay(tapes: &[Vec<u8>]) {
    for (number, tape) in tapes.iter().enumerate() {
        assert!(!tape.is_empty(), "line {number} is recorded");
        if let Err(error) = Trace::new(&tape[..]).and_then(Trace::replay) {
            panic!("the trace of line {number} does not replay: {error}");
        }
    }
}

/// Writes one tape.
struct Head {
    number: usize,
    tapes: Tapes,
}

impl Write for Head {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if let Some(tape) = self.tapes.inner().tapes.get_mut(self.number) {
            tape.octets.extend_from_slice(octets);
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Head {
    fn drop(&mut self) {
        let waiter = {
            let mut inner = self.tapes.inner();
            inner.running -= 1;
            if inner.running == 0 { inner.waiter.take() } else { None }
        };
        waiter.into_iter().for_each(Waker::wake);
    }
}
