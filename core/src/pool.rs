//! A table of slots: which are free, and which have something to say.
//!
//! Both are lists threaded through the slots, so nothing is ever searched and a table of 4096 costs what one of 4 does.

use core::marker::PhantomData;

use crate::memory::Slots;

/// No slot: the end of a list. Slots are numbered below 4096.
const NONE: u16 = u16::MAX;
/// In place of the next slot: this one is not in the list.
const APART: u16 = u16::MAX - 1;

/// The part of a slot that the table owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Links {
    /// The next free slot; [`APART`] while this one is used.
    next_free: u16,
    /// The next slot that has something to say; [`APART`] while this one has nothing.
    next_due: u16,
}

impl Links {
    pub(crate) const NEW: Links = Links { next_free: NONE, next_due: APART };
}

/// A slot.
pub(crate) trait Slot {
    const EMPTY: Self;
    fn links(&mut self) -> &mut Links;
    fn is_used(&self) -> bool;
}

/// A table of slots of one kind.
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Pool<T, S> {
    slots: S,
    limit: u16,
    used: u16,
    /// Slots from here on were never used.
    fresh: u16,
    free: u16,
    first_due: u16,
    last_due: u16,
    slot: PhantomData<fn() -> T>,
}

impl<T: Slot, S: Slots<T>> Pool<T, S> {
    pub(crate) fn new(slots: S, limit: u16) -> Pool<T, S> {
        let limit = u16::try_from(slots.limit()).unwrap_or(u16::MAX).min(limit);
        Pool { slots, limit, used: 0, fresh: 0, free: NONE, first_due: NONE, last_due: NONE, slot: PhantomData }
    }

    /// No more than `limit` slots are used from now on.
    pub(crate) fn narrow(&mut self, limit: u16) {
        self.limit = self.limit.min(limit);
    }

    pub(crate) fn limit(&self) -> u16 {
        self.limit
    }

    pub(crate) fn used(&self) -> u16 {
        self.used
    }

    pub(crate) fn get(&self, number: u16) -> Option<&T> {
        self.slots.get(usize::from(number)).filter(|slot| slot.is_used())
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, number: u16) -> Option<&mut T> {
        if number >= self.limit {
            return None;
        }
        self.slots.get(usize::from(number)).filter(|slot| slot.is_used())?;
        self.slots.get_mut(usize::from(number))
    }

    /// The number that [`take_free`](Pool::take_free) would give.
    #[inline]
    pub(crate) fn peek_free(&self) -> Option<u16> {
        if self.free != NONE {
            Some(self.free)
        } else if self.fresh < self.limit {
            Some(self.fresh)
        } else {
            None
        }
    }

    /// Uses a free slot that this end chooses.
    #[inline]
    pub(crate) fn take_free(&mut self) -> Option<(u16, &mut T)> {
        let number = self.peek_free()?;
        let slot = self.slots.get_mut(usize::from(number))?;
        if number == self.free {
            self.free = slot.links().next_free;
        } else {
            self.fresh = self.fresh.saturating_add(1);
        }
        self.used = self.used.saturating_add(1);
        Some((number, Self::open(slot)))
    }

    /// Uses the slot that the peer chose; `None` if it is in use. The caller has checked the limit.
    #[inline]
    pub(crate) fn take(&mut self, number: u16) -> Option<&mut T> {
        let slot = self.slots.get_mut(usize::from(number))?;
        if slot.is_used() {
            return None;
        }
        self.used = self.used.saturating_add(1);
        Some(Self::open(slot))
    }

    /// A slot as new, but still in the queue if it was.
    #[inline]
    fn open(slot: &mut T) -> &mut T {
        let links = *slot.links();
        *slot = T::EMPTY;
        *slot.links() = Links { next_free: APART, ..links };
        slot
    }

    /// Frees a slot that [`take`](Pool::take) gave.
    #[inline]
    pub(crate) fn release(&mut self, number: u16) {
        if let Some(slot) = self.slots.get_mut(usize::from(number)) {
            slot.links().next_free = NONE;
            self.used = self.used.saturating_sub(1);
        }
    }

    /// Frees a slot that [`take_free`](Pool::take_free) gave.
    #[inline]
    pub(crate) fn release_own(&mut self, number: u16) {
        self.release(number);
        if let Some(slot) = self.slots.get_mut(usize::from(number)) {
            slot.links().next_free = self.free;
            self.free = number;
        }
    }

    /// Puts a slot at the end of the queue of those that have something to say, once.
    pub(crate) fn due(&mut self, number: u16) {
        let Some(slot) = self.slots.get_mut(usize::from(number)) else { return };
        let links = slot.links();
        if links.next_due != APART {
            return;
        }
        links.next_due = NONE;
        match self.slots.get_mut(usize::from(self.last_due)) {
            Some(last) if self.first_due != NONE => last.links().next_due = number,
            _ => self.first_due = number,
        }
        self.last_due = number;
    }

    pub(crate) fn has_due(&self) -> bool {
        self.first_due != NONE
    }

    /// The first slot in the queue, which stays there. It may have been freed meanwhile.
    pub(crate) fn peek_due(&mut self) -> Option<(u16, &mut T)> {
        let number = self.first_due;
        self.slots.get_mut(usize::from(number)).filter(|_| number != NONE).map(|slot| (number, slot))
    }

    /// Takes the first slot out of the queue.
    pub(crate) fn pop_due(&mut self) {
        if let Some((_, slot)) = self.peek_due() {
            self.first_due = core::mem::replace(&mut slot.links().next_due, APART);
        }
    }

    /// Lets go of memory if nothing is used. Lists start anew.
    pub(crate) fn rest(&mut self) {
        if self.used == 0 && !self.has_due() {
            self.slots.shrink();
            self.fresh = 0;
            self.free = NONE;
        }
    }

    /// Every used slot with its number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, &T)> {
        (0..self.limit)
            .map_while(|number| Some((number, self.slots.get(usize::from(number))?)))
            .filter(|(_, s)| s.is_used())
    }
}

impl Links {
    pub(crate) const fn is_used(&self) -> bool {
        self.next_free == APART
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::vec::Vec;

    use super::*;
    use crate::lane::Lane;
    use crate::testing::roll;

    const SLOTS: u16 = 5;

    /// A table against a plain model: which are used, and which wait in what order.
    fn check(ours: bool, mut seed: u64) {
        let mut pool = Pool::new([Lane::EMPTY; SLOTS as usize], SLOTS);
        let (mut used, mut due) = (Vec::<u16>::new(), VecDeque::<u16>::new());
        for _ in 0..3000 {
            let number = roll(&mut seed, SLOTS.into()) as u16;
            match roll(&mut seed, 5) {
                0 if ours => {
                    let peeked = pool.peek_free();
                    let taken = pool.take_free().map(|(number, _)| number);
                    assert_eq!(peeked, taken);
                    assert_eq!(taken.is_some(), used.len() < SLOTS.into());
                    if let Some(number) = taken {
                        assert!(!used.contains(&number), "{number} was given twice");
                        used.push(number);
                    }
                }
                0 => {
                    let taken = pool.take(number).is_some();
                    assert_eq!(taken, !used.contains(&number));
                    if taken {
                        used.push(number);
                    }
                }
                1 if used.contains(&number) => {
                    if ours {
                        pool.release_own(number)
                    } else {
                        pool.release(number)
                    }
                    used.retain(|other| *other != number);
                }
                2 if used.contains(&number) => {
                    pool.due(number);
                    if !due.contains(&number) {
                        due.push_back(number);
                    }
                }
                3 => {
                    assert_eq!(pool.peek_due().map(|(number, _)| number), due.pop_front());
                    pool.pop_due();
                }
                4 => pool.rest(),
                _ => {}
            }
            assert_eq!(usize::from(pool.used()), used.len());
            assert_eq!(pool.has_due(), !due.is_empty());
            assert_eq!(pool.get(number).is_some(), used.contains(&number));
            assert_eq!(pool.iter().count(), used.len());
        }
    }

    #[test]
    fn slots_are_given_once_and_wait_in_order_even_if_freed_and_taken_anew() {
        for seed in 0..20 {
            check(true, seed);
            check(false, seed);
        }
    }

    #[test]
    fn a_narrowed_table_gives_fewer() {
        let mut pool = Pool::new([Lane::EMPTY; SLOTS as usize], SLOTS);
        pool.narrow(2);
        pool.narrow(9);
        assert_eq!(std::iter::from_fn(|| pool.take_free().map(|(number, _)| number)).count(), 2);
        assert!(pool.get_mut(2).is_none() && pool.get_mut(1).is_some());
    }
}
