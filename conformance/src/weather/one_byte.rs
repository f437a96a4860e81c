//! Everything moves a byte at a time.

use std::task::{Context, Poll};

use super::{Op, Verdict, Weather};

/// Reads and writes move one byte a call: every boundary there is falls between two calls.
#[derive(Clone, Copy, Debug, Default)]
pub struct OneByte;

impl Weather for OneByte {
    fn admit(&mut self, _: &mut Context<'_>, _: Op, len: usize) -> Poll<Verdict> {
        Poll::Ready(Verdict::Pass(len.min(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weather::testing::{Prober, ready};
    use crate::weather::{Outdoors, pipe};

    #[test]
    fn moves_one_byte_a_call() {
        let prober = Prober::new();
        let (a, mut b) = pipe(64);
        let mut a = a.under(OneByte);
        assert_eq!(ready(prober.write(&mut a, b"abc")), 1);
        assert_eq!(ready(prober.read(&mut b, 9)), b"a");
        assert_eq!(ready(prober.write(&mut b, b"xyz")), 3);
        assert_eq!(ready(prober.read(&mut a, 9)), b"x");
        assert_eq!(ready(prober.read(&mut a, 0)), b"", "an empty read is not an end");
        assert_eq!(ready(prober.read(&mut a, 9)), b"y");
    }
}
