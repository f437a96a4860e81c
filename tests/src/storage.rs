//! The memories a machine can run on. Those without an argument are of one size, so that only what they
//! are made of differs.

use std::cell::Cell;
use std::rc::Rc;

use ropeway_core::{Flow, Lane, Memory, Slots, Space};

/// Lanes each way.
pub const LANES: usize = 4;
/// Flows each way.
pub const FLOWS: usize = 4;
/// Octets of the outbox.
pub const OUTBOX: usize = 1024;

/// Nothing but arrays.
pub type Arrays = Memory<[Lane; LANES], [Flow; FLOWS], [u8; OUTBOX]>;
/// Vectors of fixed capacity.
pub type Vectors = Memory<heapless::Vec<Lane, LANES>, heapless::Vec<Flow, FLOWS>, heapless::Vec<u8, OUTBOX>>;
/// Boxed slices.
pub type Boxes = Memory<Box<[Lane]>, Box<[Flow]>, Box<[u8]>>;
/// Memory that is there when it is needed.
pub type Growing = Memory<Grow<Lane>, Grow<Flow>, Grow<u8>>;

/// [`Arrays`].
pub fn arrays() -> Arrays {
    Memory::EMPTY
}

/// [`Vectors`].
pub fn vectors() -> Vectors {
    let Memory { opened, accepted, sending, receiving, outbox } = arrays();
    Memory {
        opened: opened.into_iter().collect(),
        accepted: accepted.into_iter().collect(),
        sending: sending.into_iter().collect(),
        receiving: receiving.into_iter().collect(),
        outbox: outbox.into_iter().collect(),
    }
}

/// [`Boxes`] of other sizes: lanes and flows each way, and octets of the outbox.
pub fn boxes(lanes: usize, flows: usize, outbox: usize) -> Boxes {
    Memory {
        opened: vec![Lane::EMPTY; lanes].into(),
        accepted: vec![Lane::EMPTY; lanes].into(),
        sending: vec![Flow::EMPTY; flows].into(),
        receiving: vec![Flow::EMPTY; flows].into(),
        outbox: vec![0; outbox].into(),
    }
}

/// [`Growing`] to other sizes.
pub fn growing(lanes: usize, flows: usize, outbox: usize) -> Growing {
    metered(lanes, flows, outbox).0
}

/// The same, and a meter of how many items there are.
pub fn metered(lanes: usize, flows: usize, outbox: usize) -> (Growing, Rc<Cell<usize>>) {
    let meter = Rc::new(Cell::new(0));
    let memory = Memory {
        opened: Grow::upto(lanes, Lane::EMPTY, &meter),
        accepted: Grow::upto(lanes, Lane::EMPTY, &meter),
        sending: Grow::upto(flows, Flow::EMPTY, &meter),
        receiving: Grow::upto(flows, Flow::EMPTY, &meter),
        outbox: Grow::upto(outbox, 0, &meter),
    };
    (memory, meter)
}

/// Items made when they are asked for, up to a limit, and given back when none is in use.
#[derive(Debug)]
pub struct Grow<T> {
    items: Vec<T>,
    limit: usize,
    empty: T,
    meter: Rc<Cell<usize>>,
}

impl<T: Clone> Grow<T> {
    fn upto(limit: usize, empty: T, meter: &Rc<Cell<usize>>) -> Grow<T> {
        Grow { items: Vec::new(), limit, empty, meter: meter.clone() }
    }

    fn resize(&mut self, len: usize) {
        self.meter.set(self.meter.get() + len - self.items.len());
        self.items.resize(len, self.empty.clone());
    }
}

impl<T: Clone> Slots<T> for Grow<T> {
    fn limit(&self) -> usize {
        self.limit
    }

    fn get(&self, index: usize) -> Option<&T> {
        self.items.get(index)
    }

    fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        if index < self.limit && index >= self.items.len() {
            self.resize(index + 1);
        }
        self.items.get_mut(index)
    }

    fn shrink(&mut self) {
        self.resize(0);
        self.items = Vec::new();
    }
}

impl Space for Grow<u8> {
    fn limit(&self) -> usize {
        self.limit
    }

    fn octets(&self) -> &[u8] {
        &self.items
    }

    fn octets_mut(&mut self) -> &mut [u8] {
        &mut self.items
    }

    fn grow(&mut self, len: usize) {
        let len = len.min(self.limit);
        if len > self.items.len() {
            self.resize(len);
        }
    }

    fn shrink(&mut self) {
        self.resize(0);
        self.items = Vec::new();
    }
}
