//! Wakes for no reason.

use std::io;
use std::task::{Context, Poll, Waker};

use super::{Dice, Op, Verdict, Weather};

/// Wakes tasks though nothing happened: the caller's own, and the one last pending the other way.
///
/// Half of the calls do, so a task that waits is left in peace after a few rounds.
#[derive(Clone, Debug)]
pub struct Spurious {
    dice: Dice,
    pending: [Option<Waker>; 2],
}

impl Spurious {
    /// Wakes at moments that depend on `seed`.
    pub fn new(seed: u64) -> Self {
        Self { dice: Dice::new(seed), pending: [None, None] }
    }
}

impl Weather for Spurious {
    fn admit(&mut self, _: &mut Context<'_>, _: Op, len: usize) -> Poll<Verdict> {
        Poll::Ready(Verdict::Pass(len))
    }

    fn seen(&mut self, cx: &mut Context<'_>, op: Op, outcome: &Poll<io::Result<usize>>) {
        if outcome.is_pending() {
            self.pending[op.way() as usize] = Some(cx.waker().clone());
        }
        match self.dice.roll(4) {
            0 => cx.waker().wake_by_ref(),
            1 => {
                if let Some(other) = &self.pending[op.way().other() as usize] {
                    other.wake_by_ref();
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weather::testing::{Prober, ready};
    use crate::weather::{Outdoors, pipe};

    #[test]
    fn wakes_both_ways_though_nothing_happened_and_calms_down() {
        let (reader, writer) = (Prober::new(), Prober::new());
        let (a, _b) = pipe(1);
        let mut a = a.under(Spurious::new(1));
        ready(writer.write(&mut a, b"x"));
        assert!(writer.write(&mut a, b"y").is_pending());
        writer.wakes();
        let (mut own, mut other) = (0, 0);
        for _ in 0..1000 {
            assert!(reader.read(&mut a, 1).is_pending());
            own += reader.wakes();
            other += writer.wakes();
        }
        for (whose, times) in [("own", own), ("other", other)] {
            assert!((100..500).contains(&times), "{times} wake-ups of the {whose} way");
        }
    }
}
