//! Frames about the line itself that carry text: definitions and the goodbye.

use super::bytes::{Reader, Writer};
use super::{flag, kind, only};
use crate::error::{CloseCode, PeerError};

/// The most octets of a goodbye's reason.
pub const MAX_REASON: usize = 120;

/// What a definition names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Table {
    /// An action.
    Actions,
    /// The type of a body.
    Types,
}

const TYPES: u8 = 1;
const FINGERPRINT: u8 = 2;

/// `head · index · [fingerprint u64] · len · name`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Define<'a> {
    /// What it names.
    pub table: Table,
    /// Its index: 0, 1, 2 and so on in each table.
    pub index: u16,
    /// A number that differs when the shape behind the name does.
    pub fingerprint: Option<u64>,
    /// The name.
    pub name: &'a str,
}

impl<'a> Define<'a> {
    pub(super) fn read(flags: u8, r: &mut Reader<'a>) -> Option<Define<'a>> {
        only(kind::DEFINE, flags, TYPES | FINGERPRINT, r)?;
        let table = if flags & TYPES != 0 { Table::Types } else { Table::Actions };
        let index = r.u16()?;
        let fingerprint = if flags & FINGERPRINT != 0 { Some(u64::from_le_bytes(r.array()?)) } else { None };
        Some(Define { table, index, fingerprint, name: r.text()? })
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) {
        let flags = flag(TYPES, self.table == Table::Types) | flag(FINGERPRINT, self.fingerprint.is_some());
        w.u8((kind::DEFINE << 3) | flags);
        w.varint(u64::from(self.index));
        if let Some(fingerprint) = self.fingerprint {
            w.bytes(&fingerprint.to_le_bytes());
        }
        w.block(self.name.as_bytes());
    }
}

/// `head · code · len · reason`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close<'a> {
    /// Why.
    pub code: CloseCode,
    /// Why, for a person; at most 120 octets.
    pub reason: &'a str,
}

impl<'a> Close<'a> {
    pub(super) fn read(flags: u8, r: &mut Reader<'a>) -> Option<Close<'a>> {
        only(kind::CLOSE, flags, 0, r)?;
        let code = u16::try_from(r.varint()?).ok().and_then(CloseCode::new).or_else(|| r.bad(PeerError::BadCode))?;
        let reason = r.text()?;
        if reason.len() > MAX_REASON { r.bad(PeerError::BadName) } else { Some(Close { code, reason }) }
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) {
        w.u8(kind::CLOSE << 3);
        w.varint(u64::from(self.code.value()));
        w.block(self.reason.as_bytes());
    }
}
