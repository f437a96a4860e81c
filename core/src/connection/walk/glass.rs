//! A suite that hides nothing, so that what is in records can be looked at; but whoever has not its key can't make one.

use crate::seal::{Cipher, KEYS, Suite};

/// It makes a record of whoever has its key, and of nobody else.
#[derive(Clone, Copy, Debug)]
pub(super) struct Glass;

#[derive(Clone)]
pub(super) struct Pane(u64);

/// Octets by which a record is longer.
pub(super) const TAG: usize = 8;

impl Suite for Glass {
    type Cipher = Pane;

    fn name(&self) -> &str {
        "glass"
    }

    fn cipher(&self, [key, ..]: &[[u8; 32]; KEYS]) -> Pane {
        Pane(mixed(0, key))
    }
}

impl Pane {
    fn tag(&self, number: u64, head: &[u8], content: &[u8]) -> [u8; TAG] {
        [head, &number.to_le_bytes(), content].iter().fold(self.0, |sum, octets| mixed(sum, octets)).to_le_bytes()
    }
}

/// Whatever octet changes, this does.
fn mixed(sum: u64, octets: &[u8]) -> u64 {
    octets.iter().fold(sum, |sum, octet| (sum ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23))
}

impl Cipher for Pane {
    fn overhead(&self) -> usize {
        TAG
    }

    fn seal(&mut self, number: u64, head: &[u8], record: &mut [u8], len: usize) -> Option<usize> {
        let tag = self.tag(number, head, record.get(..len)?);
        record.get_mut(len..len + TAG)?.copy_from_slice(&tag);
        Some(len + TAG)
    }

    fn open(&mut self, number: u64, head: &[u8], record: &mut [u8]) -> Option<usize> {
        let opened = record.split_last_chunk::<TAG>().filter(|(content, tag)| **tag == self.tag(number, head, content));
        let len = opened.map(|(content, _)| content.len());
        if len.is_none() {
            record.fill(0);
        }
        len
    }
}
