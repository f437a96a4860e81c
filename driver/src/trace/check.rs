//! What tells that records are those that were written, all of them, in their order.

use super::field::{Fields, put_varint};
use super::header;

/// The octets of a check.
pub(super) const LEN: usize = 4;

/// FNV-1a, of 32 bits, of everything in a trace but checks. It is no seal: who forges a trace writes it anew.
///
/// A check that went into the next would take from it what it is to tell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Check(u32);

impl Default for Check {
    /// The offset basis of FNV.
    fn default() -> Check {
        Check(0x811c_9dc5)
    }
}

impl Check {
    pub(super) fn push(&mut self, octets: &[u8]) {
        // The prime of FNV.
        self.0 = octets.iter().fold(self.0, |hash, octet| (hash ^ u32::from(*octet)).wrapping_mul(0x0100_0193));
    }

    /// A record, or the fields of a header, with the length in front.
    pub(super) fn push_behind_len(&mut self, octets: &[u8]) {
        let mut len = Vec::new();
        put_varint(octets.len() as u64, &mut len);
        self.push(&len);
        self.push(octets);
    }

    pub(super) fn octets(&self) -> [u8; LEN] {
        self.0.to_le_bytes()
    }
}

/// Puts checks behind a header and its records, where they are written.
#[derive(Default)]
pub(super) struct Checker {
    check: Check,
    /// The header has passed.
    begun: bool,
    out: Vec<u8>,
}

impl Checker {
    /// What goes into the trace for these records, which are whole.
    pub(super) fn pass(&mut self, records: &[u8]) -> &[u8] {
        self.out.clear();
        let mut records = records;
        if !std::mem::replace(&mut self.begun, true) {
            let (header, rest) = records.split_at(header::len(records));
            self.put(header);
            records = rest;
        }
        let mut from = Fields::new(records);
        while !from.is_at_end() {
            let start = from.at();
            // Only what was encoded here comes here.
            if from.field::<&[u8]>("record").is_err() {
                break;
            }
            self.put(&records[start..from.at()]);
        }
        &self.out
    }

    fn put(&mut self, octets: &[u8]) {
        self.check.push(octets);
        self.out.extend_from_slice(octets);
        self.out.extend_from_slice(&self.check.octets());
    }
}
