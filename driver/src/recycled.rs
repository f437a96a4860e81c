//! Memory for chunks that comes round.

use bytes::{Bytes, BytesMut};

/// Below this a chunk is no more than an allocation is worth.
const WORTH: usize = 4096;

/// Copies chunks into memory of chunks that nobody holds any more.
///
/// What large chunks lay in goes back to the system otherwise, and each page of the next comes from there again: that costs
/// more than the copy. A chunk has its block for itself, and fills half of it at least: who keeps one keeps no more than that.
#[derive(Debug, Default)]
pub(crate) struct Recycled {
    /// Two, for one is filled while another is read; the last that was filled comes first.
    blocks: [Block; 2],
}

#[derive(Debug, Default)]
struct Block {
    /// What is left of it, beside the chunk.
    rest: BytesMut,
    size: usize,
}

impl Recycled {
    pub(crate) fn copy(&mut self, octets: &[u8]) -> Bytes {
        if octets.len() < WORTH {
            return Bytes::copy_from_slice(octets);
        }
        // The one behind the last is free the soonest.
        self.blocks.swap(0, 1);
        let [block, _] = &mut self.blocks;
        // All of it: what is left beside a chunk would do for a smaller one, and then neither goes without the other.
        let is_free =
            octets.len() <= block.size && block.size / 2 <= octets.len() && block.rest.try_reclaim(block.size);
        if !is_free {
            *block = Block { rest: BytesMut::with_capacity(octets.len()), size: octets.len() };
        }
        block.rest.extend_from_slice(octets);
        block.rest.split().freeze()
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

    #[test]
    fn who_keeps_a_chunk_keeps_no_more_than_twice_of_it() {
        let mut memory = Recycled::default();
        let mut kept = Vec::new();
        for _ in 0..4 {
            for len in [16 * WORTH, 15 * WORTH, WORTH, WORTH, 2 * WORTH] {
                let chunk = memory.copy(&vec![7; len]);
                if len <= 2 * WORTH {
                    kept.push(chunk);
                }
            }
        }
        drop(memory);
        for chunk in kept {
            let len = chunk.len();
            let mut block = chunk.try_into_mut().expect("nobody else has a part of its block");
            block.clear();
            assert!(!block.try_reclaim(2 * len + 1), "{len} octets in a block of more");
        }
    }
}
