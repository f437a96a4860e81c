//! A stream out in the weather.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

use super::{Op, Verdict, Weather};

/// Puts a stream out in the weather.
pub trait Outdoors: AsyncRead + AsyncWrite + Unpin + Sized {
    /// This stream under `weather`; what was put on before lies beneath.
    fn under<W: Weather>(self, weather: W) -> Exposed<Self, W> {
        Exposed { inner: self, weather }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Outdoors for S {}

/// The stream `S` under the weather `W`.
///
/// A vectored write goes through as one where the weather lets all of it pass; otherwise it moves of its first slice with
/// bytes in it only, as any stream may. So does a vectored read.
#[derive(Debug)]
pub struct Exposed<S, W> {
    inner: S,
    weather: W,
}

impl<S: AsyncRead + AsyncWrite + Unpin, W: Weather> Exposed<S, W> {
    /// `pass` makes the call on the inner stream, with at most so many bytes and these bits of the first one flipped.
    fn call(
        &mut self,
        cx: &mut Context<'_>,
        op: Op,
        len: usize,
        pass: impl FnOnce(Pin<&mut S>, &mut Context<'_>, usize, u8) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let inner = Pin::new(&mut self.inner);
        let outcome = match ready!(self.weather.admit(cx, op, len)) {
            Verdict::Pass(most) => {
                assert!((1..=len).contains(&most) || most == len, "{most} of {len} bytes can't pass");
                pass(inner, cx, most, 0)
            }
            Verdict::Flip(bits) => pass(inner, cx, len.min(1), bits),
            Verdict::Eof => match op {
                Op::Read => Poll::Ready(Ok(0)),
                Op::Write | Op::Flush => {
                    // Whether it closes well or not, the way has ended.
                    let _ = ready!(inner.poll_close(cx));
                    Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
                }
                Op::Close => inner.poll_close(cx).map_ok(|()| 0),
            },
            Verdict::Fail(kind) => Poll::Ready(Err(kind.into())),
        };
        self.weather.seen(cx, op, &outcome);
        outcome
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, W: Weather> AsyncRead for Exposed<S, W> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.get_mut().call(cx, Op::Read, buf.len(), |inner, cx, most, bits| {
            let count = ready!(inner.poll_read(cx, &mut buf[..most]))?;
            if let Some(first) = buf[..count].first_mut() {
                *first ^= bits;
            }
            Poll::Ready(Ok(count))
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, W: Weather> AsyncWrite for Exposed<S, W> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().call(cx, Op::Write, buf.len(), |inner, cx, most, bits| match buf.first() {
            Some(first) if bits != 0 => inner.poll_write(cx, &[first ^ bits]),
            _ => inner.poll_write(cx, &buf[..most]),
        })
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let whole = pieces.iter().map(|piece| piece.len()).sum();
        let first = pieces.iter().find(|piece| !piece.is_empty()).map_or(&[][..], |piece| piece);
        self.get_mut().call(cx, Op::Write, whole, |inner, cx, most, bits| match first.first() {
            Some(octet) if bits != 0 => inner.poll_write(cx, &[octet ^ bits]),
            _ if most == whole => inner.poll_write_vectored(cx, pieces),
            _ => inner.poll_write(cx, &first[..most.min(first.len())]),
        })
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = self.get_mut().call(cx, Op::Flush, 0, |inner, cx, _, _| inner.poll_flush(cx).map_ok(|()| 0));
        outcome.map_ok(drop)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = self.get_mut().call(cx, Op::Close, 0, |inner, cx, _, _| inner.poll_close(cx).map_ok(|()| 0));
        outcome.map_ok(drop)
    }
}

#[cfg(test)]
mod tests {
    use crate::weather::testing::{Duplex, Prober, exchange, ready};
    use crate::weather::{Chop, Gate, OneByte, Op, Outdoors, Spurious, Stall, Tally, pipe};

    #[test]
    fn carries_every_byte_in_any_legal_weather() {
        check("fair", |end| Box::new(end));
        check("one byte", |end| Box::new(end.under(OneByte)));
        check("chop", |end| Box::new(end.under(Chop::new(1, 9))));
        check("stall", |end| Box::new(end.under(Stall::new(2, 4))));
        check("spurious", |end| Box::new(end.under(Spurious::new(3))));
        check("tally", |end| Box::new(end.under(Tally::new())));
        check("open gate", |end| Box::new(end.under(Gate::new())));
        check("stacked", |end| {
            Box::new(end.under(Chop::new(4, 5)).under(Stall::new(5, 3)).under(Spurious::new(6)).under(OneByte))
        });
    }

    #[test]
    fn passes_flush_and_close_on() {
        let (prober, tally) = (Prober::new(), Tally::new());
        let (a, _b) = pipe(1);
        let mut a = a.under(tally.clone()).under(OneByte);
        ready(prober.flush(&mut a));
        assert_eq!((tally.of(Op::Flush).calls, tally.of(Op::Close).calls), (1, 0));
        ready(prober.close(&mut a));
        assert_eq!((tally.of(Op::Flush).calls, tally.of(Op::Close).calls), (1, 1));
    }

    fn check(name: &str, expose: impl Fn(Duplex) -> Duplex) {
        for capacity in [1, 7, 4096] {
            let (a, b) = pipe(capacity);
            exchange(&format!("{name} over {capacity}"), expose(Box::new(a)), expose(Box::new(b)));
        }
    }
}
