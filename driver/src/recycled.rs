//! Memory for chunks that comes round.

use bytes::{Bytes, BytesMut};

/// Below this a chunk is no more than an allocation is worth.
const WORTH: usize = 4096;

/// Copies chunks into memory of chunks that nobody holds any more.
///
/// What large chunks lay in goes back to the system otherwise, and each page of the next comes from there again: that costs
/// more than the copy. A chunk has its block for itself, so that who keeps one keeps no more than that.
#[derive(Debug, Default)]
pub(crate) struct Recycled {
    /// Two, for one is filled while another is read; the last that was filled comes first.
    blocks: [BytesMut; 2],
}

impl Recycled {
    pub(crate) fn copy(&mut self, octets: &[u8]) -> Bytes {
        if octets.len() < WORTH {
            return Bytes::copy_from_slice(octets);
        }
        // The one behind the last is free the soonest.
        let [first, second] = &mut self.blocks;
        std::mem::swap(first, second);
        if !first.try_reclaim(octets.len()) {
            *first = BytesMut::with_capacity(octets.len());
        }
        first.extend_from_slice(octets);
        first.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_lies_where_one_lay_that_nobody_holds_any_more() {
        let mut memory = Recycled::default();
        let (one, two) = (memory.copy(&[1; WORTH]), memory.copy(&[2; WORTH]));
        let lay = one.as_ptr();
        drop(one);
        let three = memory.copy(&[3; WORTH]);
        assert_eq!(three.as_ptr(), lay);
        // Two is held still.
        let four = memory.copy(&[4; WORTH]);
        assert!((&two[..], &three[..], &four[..]) == (&[2; WORTH], &[3; WORTH], &[4; WORTH]));
    }

    #[test]
    fn chunks_of_any_size_are_what_they_were() {
        let mut memory = Recycled::default();
        for len in [0, 1, WORTH - 1, WORTH, 3 * WORTH, WORTH + 1, 2, 16 * WORTH, WORTH] {
            let octets: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
            assert!(memory.copy(&octets) == octets, "{len}");
        }
    }
}
