//! Counts what goes by.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};

use super::{Op, Verdict, Weather};

/// Weather and handle in one: put a clone over the stream and keep one to read it.
///
/// It changes nothing, but that vectored calls count by the slice, as each moves one.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<[Counters; 4]>);

impl Tally {
    /// A tally of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What has gone by of one kind of call.
    pub fn of(&self, op: Op) -> Count {
        let counters = &self.0[op as usize];
        Count {
            calls: counters.calls.load(Relaxed),
            pending: counters.pending.load(Relaxed),
            bytes: counters.bytes.load(Relaxed),
        }
    }
}

impl Weather for Tally {
    fn admit(&mut self, _: &mut Context<'_>, _: Op, len: usize) -> Poll<Verdict> {
        Poll::Ready(Verdict::Pass(len))
    }

    fn seen(&mut self, _: &mut Context<'_>, op: Op, outcome: &Poll<io::Result<usize>>) {
        let counters = &self.0[op as usize];
        counters.calls.fetch_add(1, Relaxed);
        match outcome {
            Poll::Pending => counters.pending.fetch_add(1, Relaxed),
            Poll::Ready(Ok(count)) => counters.bytes.fetch_add(*count as u64, Relaxed),
            Poll::Ready(Err(_)) => 0,
        };
    }
}

/// How often one kind of call was made, and what it moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// All calls, whatever came of them.
    pub calls: u64,
    /// Those that were not ready.
    pub pending: u64,
    /// Bytes moved.
    pub bytes: u64,
}

#[derive(Debug, Default)]
struct Counters {
    calls: AtomicU64,
    pending: AtomicU64,
    bytes: AtomicU64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weather::testing::{Prober, failed, ready};
    use crate::weather::{Outdoors, pipe};

    #[test]
    fn counts_calls_and_bytes_each_way() {
        let (prober, tally) = (Prober::new(), Tally::new());
        let (a, mut b) = pipe(4);
        let mut a = a.under(tally.clone());
        ready(prober.write(&mut a, b"abcdef"));
        assert!(prober.write(&mut a, b"ef").is_pending());
        ready(prober.write(&mut b, b"xy"));
        ready(prober.read(&mut a, 1));
        ready(prober.read(&mut a, 9));
        assert!(prober.read(&mut a, 9).is_pending());
        ready(prober.flush(&mut a));
        ready(prober.close(&mut a));
        failed(prober.write(&mut a, b"z"));
        let count = |calls, pending, bytes| Count { calls, pending, bytes };
        let wanted = [count(3, 1, 2), count(3, 1, 4), count(1, 0, 0), count(1, 0, 0)];
        assert_eq!([Op::Read, Op::Write, Op::Flush, Op::Close].map(|op| tally.of(op)), wanted);
    }
}
