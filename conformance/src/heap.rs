//! Counts what the process holds on the heap, so that a bound on memory can be tested.
//!
//! A test that measures installs the allocator itself, in its own binary:
//!
//! ```
//! use ropeway_conformance::heap;
//!
//! #[global_allocator]
//! static HEAP: heap::Counting = heap::Counting::new();
//!
//! let _alone = heap::alone();
//! let mark = heap::mark();
//! drop(vec![0u8; 1 << 20]);
//! assert!(mark.peak() >= 1 << 20 && mark.held() < 1 << 16);
//! ```
//!
//! The counters belong to the process: whatever another thread allocates meanwhile is counted too. A test that
//! measures must therefore be the only one in its process, or all tests of that process must hold [`alone`] while
//! they run. The test harness itself allocates a few kilobytes now and then: assert bounds, not exact bytes.
//!
//! Sizes are those asked for; what the allocator adds to each piece is not seen, nor is the second copy that moving
//! a piece to a larger place may need for a moment.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A global allocator that counts and leaves the work to `A`.
///
/// Install at most one in a process: the counters are shared.
#[derive(Debug, Default)]
pub struct Counting<A = System>(A);

impl Counting {
    /// Counts over the allocator of the system.
    pub const fn new() -> Self {
        Self(System)
    }
}

impl<A> Counting<A> {
    /// Counts over another allocator.
    pub const fn over(allocator: A) -> Self {
        Self(allocator)
    }
}

// SAFETY: every call is handed unchanged to `A`, which keeps the contract; counting touches atomics only, so it neither
// allocates nor unwinds.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Counting<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller answers for `layout`, which is passed on as it came.
        let memory = unsafe { self.0.alloc(layout) };
        count_new(memory, layout)
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller answers for `layout`, which is passed on as it came.
        let memory = unsafe { self.0.alloc_zeroed(layout) };
        count_new(memory, layout)
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller answers for `memory` being ours with this `layout`; ours is `A`'s, see `alloc`.
        unsafe { self.0.dealloc(memory, layout) };
        LIVE.fetch_sub(layout.size(), Relaxed);
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller answers for all three arguments; `memory` is `A`'s, see `alloc`.
        let moved = unsafe { self.0.realloc(memory, layout, new_size) };
        if !moved.is_null() {
            ALLOCATIONS.fetch_add(1, Relaxed);
            if new_size >= layout.size() {
                grow(new_size - layout.size());
            } else {
                LIVE.fetch_sub(layout.size() - new_size, Relaxed);
            }
        }
        moved
    }
}

/// Bytes the process holds now.
pub fn live() -> usize {
    LIVE.load(Relaxed)
}

/// Starts a measurement; panics if no [`Counting`] allocator is installed, since every bound would seem kept.
///
/// It ends the measurement of an older mark, whose [`Mark::peak`] panics from then on.
pub fn mark() -> Mark {
    let before = ALLOCATIONS.load(Relaxed);
    drop(black_box(Box::new(0u8)));
    let allocations = ALLOCATIONS.load(Relaxed);
    assert_ne!(before, allocations, "no counting allocator is installed in this process");
    let number = MARKS.fetch_add(1, Relaxed) + 1;
    let live = live();
    PEAK.store(live, Relaxed);
    Mark { live, allocations, number }
}

/// Waits until no other test of this process measures, and keeps them from it until dropped.
pub fn alone() -> MutexGuard<'static, ()> {
    // A test that failed with the lock held says nothing about the counters.
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A measurement under way, begun by [`mark`].
#[derive(Debug)]
pub struct Mark {
    live: usize,
    allocations: usize,
    number: usize,
}

impl Mark {
    /// The most bytes held at any time since the mark, beyond those held at the mark.
    pub fn peak(&self) -> usize {
        assert_eq!(self.number, MARKS.load(Relaxed), "a newer mark has taken over the peak");
        PEAK.load(Relaxed).saturating_sub(self.live)
    }

    /// Bytes held now beyond those held at the mark; 0 if there are fewer.
    pub fn held(&self) -> usize {
        live().saturating_sub(self.live)
    }

    /// How often memory was asked for since the mark, growing a piece included.
    pub fn allocations(&self) -> usize {
        ALLOCATIONS.load(Relaxed).wrapping_sub(self.allocations)
    }
}

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static MARKS: AtomicUsize = AtomicUsize::new(0);
static ALONE: Mutex<()> = Mutex::new(());

fn count_new(memory: *mut u8, layout: Layout) -> *mut u8 {
    if !memory.is_null() {
        ALLOCATIONS.fetch_add(1, Relaxed);
        grow(layout.size());
    }
    memory
}

fn grow(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Relaxed) + bytes;
    PEAK.fetch_max(live, Relaxed);
}

#[cfg(test)]
mod tests {
    #[test]
    #[should_panic(expected = "no counting allocator is installed")]
    fn measures_nothing_where_nothing_counts() {
        super::mark();
    }
}
