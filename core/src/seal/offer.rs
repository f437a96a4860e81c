//! What a hello says of sealing: `pattern u8 · policy u8 · suite u8 · names …`

use super::suite::MAX_SUITE_NAME;
use crate::wire::bytes::Writer;
use crate::wire::seal::{MAY_SEAL, MUST_SEAL};

/// No suite.
pub(super) const NONE: u8 = u8::MAX;

/// What an end offers, or what a server takes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offer<'a> {
    pub(super) pattern: u8,
    pub(super) policy: u8,
    /// Of these names, the one that the server took; [`NONE`] of a client.
    pub(super) suite: u8,
    /// `text` after `text`.
    pub(super) names: &'a [u8],
}

impl<'a> Offer<'a> {
    /// Of the octets of an extension.
    pub(super) fn read(octets: &'a [u8]) -> Option<Offer<'a>> {
        let (&[pattern, policy, suite], names) = octets.split_first_chunk()?;
        let offer = Offer { pattern, policy, suite, names };
        let mut rest = names;
        while let Some((&len, behind)) = rest.split_first() {
            let (name, behind) = behind.split_at_checked(usize::from(len))?;
            let is_long = name.len() > MAX_SUITE_NAME;
            if name.is_empty() || is_long || !name.iter().all(|octet| octet.is_ascii_graphic() && *octet != b',') {
                return None;
            }
            rest = behind;
        }
        Some(offer)
    }

    /// Writes it as an extension, which may be passed over if it `must` not be; how long that is.
    pub(super) fn write<'n>(
        (pattern, policy, suite): (u8, u8, u8),
        names: impl Iterator<Item = &'n str> + Clone,
        must: bool,
        out: &mut [u8],
    ) -> Option<usize> {
        let fixed = [pattern, policy, suite];
        let len = names.clone().fold(fixed.len(), |len, name| len.saturating_add(name.len()).saturating_add(1));
        let mut writer = Writer::new(out);
        writer.varint(if must { MUST_SEAL } else { MAY_SEAL });
        writer.varint(len as u64);
        writer.bytes(&fixed);
        names.for_each(|name| writer.block(name.as_bytes()));
        writer.finish()
    }

    /// The names, in their order.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        names(self.names)
    }
}

/// The names of a list that was checked.
pub(super) fn names(mut rest: &[u8]) -> impl Iterator<Item = &str> {
    core::iter::from_fn(move || {
        let (&len, behind) = rest.split_first()?;
        let (name, behind) = behind.split_at_checked(usize::from(len))?;
        rest = behind;
        core::str::from_utf8(name).ok()
    })
}
