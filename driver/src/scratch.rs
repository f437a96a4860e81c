//! Memory to encode small values in, without an allocation for each.

use std::cell::Cell;

/// What is larger is not kept.
const KEPT: usize = 16 * 1024;

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// An empty vector that returns where it came from.
#[derive(Debug)]
pub(crate) struct Scratch(pub(crate) Vec<u8>);

impl Scratch {
    pub(crate) fn new() -> Scratch {
        // A thread that ends may have lost it by now.
        Scratch(SCRATCH.try_with(Cell::take).unwrap_or_default())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let mut octets = std::mem::take(&mut self.0);
        if octets.capacity() <= KEPT {
            octets.clear();
            let _ = SCRATCH.try_with(|kept| kept.set(octets));
        }
    }
}
