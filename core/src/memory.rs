//! The memory a connection runs on. The caller hands it over; nothing else is ever allocated.

use crate::flow::Flow;
use crate::lane::Lane;
use crate::sealing::Sealing;

/// A numbered row of slots: an array, a `heapless::Vec`, a box, or something that grows on demand up to its limit.
pub trait Slots<T> {
    /// How many slots there will ever be. Does not change.
    fn limit(&self) -> usize;
    /// The slot, `None` at the limit and above, or if it was never asked for by [`get_mut`](Slots::get_mut).
    fn get(&self, index: usize) -> Option<&T>;
    /// The slot, made if need be; `None` only at the limit and above.
    fn get_mut(&mut self, index: usize) -> Option<&mut T>;
    /// No slot is in use: their memory may go.
    fn shrink(&mut self) {}
}

impl<T, S: AsRef<[T]> + AsMut<[T]>> Slots<T> for S {
    fn limit(&self) -> usize {
        self.as_ref().len()
    }

    fn get(&self, index: usize) -> Option<&T> {
        self.as_ref().get(index)
    }

    fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.as_mut().get_mut(index)
    }
}

/// Octets for the outbox: an array, a `heapless::Vec`, a box, or something that grows on demand up to its limit.
pub trait Space {
    /// How many octets there will ever be. Does not change.
    fn limit(&self) -> usize;
    /// The octets there are now.
    fn octets(&self) -> &[u8];
    /// The octets there are now.
    fn octets_mut(&mut self) -> &mut [u8];
    /// There should be at least `len` octets, as far as the limit allows; those there are keep their place.
    fn grow(&mut self, _len: usize) {}
    /// No octet is in use: their memory may go.
    fn shrink(&mut self) {}
}

impl<S: AsRef<[u8]> + AsMut<[u8]>> Space for S {
    fn limit(&self) -> usize {
        self.as_ref().len()
    }

    fn octets(&self) -> &[u8] {
        self.as_ref()
    }

    fn octets_mut(&mut self) -> &mut [u8] {
        self.as_mut()
    }
}

/// All that a connection needs. The lengths are limits: of what this end has open at once, and of what it lets the peer.
#[derive(Clone, Copy, Debug)]
pub struct Memory<L, F, O> {
    /// Exchanges that this end opened.
    pub opened: L,
    /// Exchanges that the peer opened; as many are announced.
    pub accepted: L,
    /// Flows that this end sends.
    pub sending: F,
    /// Flows that the peer sends; as many are announced.
    pub receiving: F,
    /// Frames not yet transmitted. The largest message in one piece must fit; larger ones are cut.
    pub outbox: O,
}

impl<const LANES: usize, const FLOWS: usize, const OUTBOX: usize> Memory<[Lane; LANES], [Flow; FLOWS], [u8; OUTBOX]> {
    /// Arrays: as many lanes, and flows, each way, and octets of outbox.
    pub const EMPTY: Self = Memory {
        opened: [Lane::EMPTY; LANES],
        accepted: [Lane::EMPTY; LANES],
        sending: [Flow::EMPTY; FLOWS],
        receiving: [Flow::EMPTY; FLOWS],
        outbox: [0; OUTBOX],
    };
}

impl<L, F, O> Memory<L, F, O> {
    /// The memory of a line that is sealed.
    pub fn sealed_by<K: Sealing>(self, sealer: K) -> Sealed<Self, K> {
        Sealed { memory: self, sealer }
    }
}

/// The memory of a line, and what it is sealed by.
#[derive(Clone, Copy, Debug)]
pub struct Sealed<M, K> {
    memory: M,
    sealer: K,
}

/// What a [`Storage`] is made of: memory, and what seals.
pub type Parts<S> =
    (Memory<<S as Storage>::Lanes, <S as Storage>::Flows, <S as Storage>::Outbox>, <S as Storage>::Sealer);

/// What the memory of a connection is made of, so that a connection has one parameter and not four.
pub trait Storage: Sized {
    /// Slots for exchanges.
    type Lanes: Slots<Lane>;
    /// Slots for flows.
    type Flows: Slots<Flow>;
    /// Octets for frames.
    type Outbox: Space;
    /// What the line is sealed by.
    type Sealer: Sealing;
    /// The parts.
    fn into_parts(self) -> Parts<Self>;
}

impl<L: Slots<Lane>, F: Slots<Flow>, O: Space> Storage for Memory<L, F, O> {
    type Lanes = L;
    type Flows = F;
    type Outbox = O;
    type Sealer = ();

    fn into_parts(self) -> Parts<Self> {
        (self, ())
    }
}

impl<M: Storage, K: Sealing> Storage for Sealed<M, K> {
    type Lanes = M::Lanes;
    type Flows = M::Flows;
    type Outbox = M::Outbox;
    type Sealer = K;

    fn into_parts(self) -> Parts<Self> {
        (self.memory.into_parts().0, self.sealer)
    }
}
