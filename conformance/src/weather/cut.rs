//! The stream ends early.

use std::io;
use std::task::{Context, Poll, Waker};

use super::{Op, Verdict, Way, Weather};

/// How a cut stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// That way only: a reader sees the end; a writer's next call shows the end to the peer and fails with `BrokenPipe`.
    Eof,
    /// That way only: every call fails with `ConnectionReset`.
    Fault,
    /// Both ways: every call fails with `ConnectionReset`, and who waits is woken to learn it.
    Reset,
}

/// Ends the stream when exactly so many bytes have passed one way.
#[derive(Clone, Debug)]
pub struct Cut {
    way: Way,
    left: u64,
    ending: Ending,
    pending: [Option<Waker>; 2],
}

impl Cut {
    /// Lets `bytes` pass that way, then ends; 0 ends before the first call.
    pub fn new(way: Way, bytes: u64, ending: Ending) -> Self {
        Self { way, left: bytes, ending, pending: [None, None] }
    }
}

impl Weather for Cut {
    fn admit(&mut self, _: &mut Context<'_>, op: Op, len: usize) -> Poll<Verdict> {
        let on_way = op.way() == self.way;
        Poll::Ready(match (self.left, self.ending) {
            (0, Ending::Reset) => Verdict::Fail(io::ErrorKind::ConnectionReset),
            (0, Ending::Eof) if on_way => Verdict::Eof,
            (0, Ending::Fault) if on_way => Verdict::Fail(io::ErrorKind::ConnectionReset),
            (left, _) if on_way => Verdict::Pass(usize::try_from(left).map_or(len, |left| left.min(len))),
            _ => Verdict::Pass(len),
        })
    }

    fn seen(&mut self, cx: &mut Context<'_>, op: Op, outcome: &Poll<io::Result<usize>>) {
        match outcome {
            Poll::Pending => self.pending[op.way() as usize] = Some(cx.waker().clone()),
            Poll::Ready(Ok(count @ 1..)) if op.way() == self.way => {
                self.left -= *count as u64;
                if (self.left, self.ending) == (0, Ending::Reset) {
                    self.pending.iter_mut().filter_map(Option::take).for_each(Waker::wake);
                }
            }
            Poll::Ready(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;
    use crate::weather::testing::{Prober, failed, ready};
    use crate::weather::{Outdoors, pipe};

    #[test]
    fn reader_sees_the_end_after_exactly_so_many_bytes() {
        for bytes in 0..6 {
            let prober = Prober::new();
            let (a, mut b) = pipe(64);
            let mut a = a.under(Cut::new(Way::Read, bytes as u64, Ending::Eof));
            ready(prober.write(&mut b, b"abcdef"));
            assert_eq!(read_two_by_two(&prober, &mut a), &b"abcdef"[..bytes]);
            assert_eq!(ready(prober.write(&mut a, b"x")), 1, "the other way goes on");
        }
    }

    #[test]
    fn peer_sees_the_end_after_exactly_so_many_bytes_written() {
        let calls = [Op::Write, Op::Flush, Op::Close];
        for (bytes, next) in (0..6).flat_map(|bytes| calls.map(|call| (bytes, call))) {
            let prober = Prober::new();
            let (a, mut b) = pipe(64);
            let mut a = a.under(Cut::new(Way::Write, bytes as u64, Ending::Eof));
            let mut written = 0;
            while written < bytes {
                written += ready(prober.write(&mut a, &b"abcdef"[written..]));
            }
            match next {
                Op::Flush => assert_eq!(failed(prober.flush(&mut a)), ErrorKind::BrokenPipe),
                Op::Close => ready(prober.close(&mut a)),
                _ => assert_eq!(failed(prober.write(&mut a, b"x")), ErrorKind::BrokenPipe),
            }
            assert_eq!(read_two_by_two(&prober, &mut b), &b"abcdef"[..bytes]);
            ready(prober.write(&mut b, b"x"));
            assert_eq!(ready(prober.read(&mut a, 9)), b"x", "the other way goes on");
        }
    }

    #[test]
    fn resets_both_ways_and_wakes_who_waits() {
        for (way, at_once) in [(Way::Read, false), (Way::Write, false), (Way::Read, true), (Way::Write, true)] {
            let (reader, writer) = (Prober::new(), Prober::new());
            let (a, mut b) = pipe(4);
            let mut a = a.under(Cut::new(way, if at_once { 0 } else { 4 }, Ending::Reset));
            if !at_once {
                match way {
                    Way::Read => {
                        // The writer waits for room while the reader meets the cut.
                        let mut free = b"wxyz".len();
                        while free > 0 {
                            free -= ready(writer.write(&mut a, &b"wxyz"[..free]));
                        }
                        assert!(writer.write(&mut a, b"x").is_pending());
                        ready(writer.write(&mut b, b"abcd"));
                        assert_eq!(ready(reader.read(&mut a, 9)), b"abcd");
                        assert_eq!(writer.wakes(), 1, "the writer must learn of it");
                    }
                    Way::Write => {
                        assert!(reader.read(&mut a, 9).is_pending());
                        assert_eq!(ready(writer.write(&mut a, b"abcdef")), 4);
                        assert_eq!(reader.wakes(), 1, "the reader must learn of it");
                    }
                }
            }
            assert_eq!(failed(reader.read(&mut a, 9)), ErrorKind::ConnectionReset);
            assert_eq!(failed(writer.write(&mut a, b"x")), ErrorKind::ConnectionReset);
            assert_eq!(failed(writer.flush(&mut a)), ErrorKind::ConnectionReset);
            assert_eq!(failed(writer.close(&mut a)), ErrorKind::ConnectionReset);
        }
    }

    #[test]
    fn a_fault_fails_that_way_and_no_other() {
        let prober = Prober::new();
        for way in [Way::Read, Way::Write] {
            let (a, mut b) = pipe(64);
            let mut a = a.under(Cut::new(way, 2, Ending::Fault));
            ready(prober.write(&mut b, b"abc"));
            assert_eq!(ready(prober.read(&mut a, 2)), b"ab");
            assert_eq!(ready(prober.write(&mut a, b"xy")), 2);
            match way {
                Way::Read => {
                    assert_eq!(failed(prober.read(&mut a, 9)), ErrorKind::ConnectionReset);
                    ready(prober.write(&mut a, b"z"));
                }
                Way::Write => {
                    assert_eq!(failed(prober.write(&mut a, b"z")), ErrorKind::ConnectionReset);
                    assert_eq!(failed(prober.flush(&mut a)), ErrorKind::ConnectionReset);
                    assert_eq!(ready(prober.read(&mut a, 9)), b"c");
                }
            }
        }
    }

    #[test]
    fn end_of_one_way_wakes_nobody_on_the_other() {
        let (reader, writer) = (Prober::new(), Prober::new());
        let (a, _b) = pipe(4);
        let mut a = a.under(Cut::new(Way::Write, 4, Ending::Eof));
        assert!(reader.read(&mut a, 9).is_pending());
        assert_eq!(ready(writer.write(&mut a, b"abcdef")), 4);
        assert_eq!(failed(writer.write(&mut a, b"ef")), ErrorKind::BrokenPipe);
        assert_eq!(reader.wakes(), 0);
    }

    fn read_two_by_two(prober: &Prober, stream: &mut (impl futures_io::AsyncRead + Unpin)) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let piece = ready(prober.read(stream, 2));
            if piece.is_empty() {
                return all;
            }
            all.extend(piece);
        }
    }
}
