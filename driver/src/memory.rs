//! Memory for a connection that grows on demand to its limit, and goes when the line is idle.

use ropeway_core::{Flow, Lane, Memory, Sealed, Slots, Space};

/// Slots in a vector.
#[derive(Debug)]
pub(crate) struct Growing<T> {
    slots: Vec<T>,
    limit: usize,
    empty: T,
}

impl<T: Clone> Growing<T> {
    fn new(limit: u16, empty: T) -> Growing<T> {
        Growing { slots: Vec::new(), limit: usize::from(limit), empty }
    }
}

impl<T: Clone> Slots<T> for Growing<T> {
    fn limit(&self) -> usize {
        self.limit
    }

    fn get(&self, index: usize) -> Option<&T> {
        self.slots.get(index)
    }

    fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        if index >= self.limit {
            return None;
        }
        if index >= self.slots.len() {
            self.slots.resize(index + 1, self.empty.clone());
        }
        self.slots.get_mut(index)
    }

    fn shrink(&mut self) {
        self.slots = Vec::new();
    }
}

/// Octets in a vector.
#[derive(Debug)]
pub(crate) struct Octets {
    octets: Vec<u8>,
    limit: usize,
}

impl Space for Octets {
    fn limit(&self) -> usize {
        self.limit
    }

    fn octets(&self) -> &[u8] {
        &self.octets
    }

    fn octets_mut(&mut self) -> &mut [u8] {
        &mut self.octets
    }

    fn grow(&mut self, len: usize) {
        let len = len.min(self.limit);
        if len > self.octets.len() {
            self.octets.reserve_exact(len - self.octets.len());
            self.octets.resize(len, 0);
        }
    }

    fn shrink(&mut self) {
        self.octets = Vec::new();
    }
}

pub(crate) type Grown = Sealed<Memory<Growing<Lane>, Growing<Flow>, Octets>, LineSealer>;

/// What a line is sealed by, if it is.
#[cfg(feature = "seal")]
pub(crate) use crate::seal::LineSealer;
/// What a line is sealed by: nothing.
#[cfg(not(feature = "seal"))]
pub(crate) type LineSealer = ();

/// Memory that holds nothing yet.
pub(crate) fn growing(lanes: u16, flows: u16, outbox: usize, sealer: LineSealer) -> Grown {
    let memory = Memory {
        opened: Growing::new(lanes, Lane::EMPTY),
        accepted: Growing::new(lanes, Lane::EMPTY),
        sending: Growing::new(flows, Flow::EMPTY),
        receiving: Growing::new(flows, Flow::EMPTY),
        outbox: Octets { octets: Vec::new(), limit: outbox },
    };
    memory.sealed_by(sealer)
}
