//! Calls that are not ready at first.

use std::task::{Context, Poll};

use super::{Dice, Op, Verdict, Weather};

/// Every call is pending a random number of times, and wakes its task each time.
///
/// It wakes at once, so it can't show a wake-up that is lost elsewhere: that is what [`Gate`](super::Gate) is for.
#[derive(Clone, Debug)]
pub struct Stall {
    dice: Dice,
    most: usize,
    /// How often each operation is still to be pending, once that has been rolled.
    left: [Option<usize>; 4],
}

impl Stall {
    /// At most `most` times pending before each call.
    pub fn new(seed: u64, most: usize) -> Self {
        Self { dice: Dice::new(seed), most, left: [None; 4] }
    }
}

impl Weather for Stall {
    fn admit(&mut self, cx: &mut Context<'_>, op: Op, len: usize) -> Poll<Verdict> {
        let left = &mut self.left[op as usize];
        match left.unwrap_or_else(|| self.dice.roll(self.most + 1)) {
            0 => {
                *left = None;
                Poll::Ready(Verdict::Pass(len))
            }
            times => {
                *left = Some(times - 1);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weather::testing::Prober;
    use crate::weather::{Outdoors, pipe};

    #[test]
    fn is_pending_at_most_so_often_and_wakes_each_time() {
        let stalls = stalls(1);
        assert_eq!((stalls.iter().min(), stalls.iter().max()), (Some(&0), Some(&3)));
    }

    #[test]
    fn stalls_the_same_from_the_same_seed() {
        assert_eq!(stalls(1), stalls(1));
        assert_ne!(stalls(1), stalls(2));
    }

    /// How often each of some calls was pending.
    fn stalls(seed: u64) -> Vec<usize> {
        let prober = Prober::new();
        let (a, _b) = pipe(4096);
        let mut a = a.under(Stall::new(seed, 3));
        let mut times_pending = |call: &dyn Fn(&mut _) -> bool| {
            let mut times = 0;
            while !call(&mut a) {
                times += 1;
                assert_eq!(prober.wakes(), 1, "pending without a wake-up");
            }
            assert_eq!(prober.wakes(), 0);
            times
        };
        let times = (0..50)
            .flat_map(|_| {
                [times_pending(&|a| prober.write(a, b"x").is_ready()), times_pending(&|a| prober.flush(a).is_ready())]
            })
            .collect();
        times_pending(&|a| prober.close(a).is_ready());
        times
    }
}
