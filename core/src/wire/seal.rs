//! Frames of sealing: its offer in the hello, the record, and what is said in records about them.

use super::bytes::{Reader, Writer};
use super::kind;

/// The head of a record: `head · len u16 · len octets`.
pub(crate) const RECORD: u8 = kind::SEALED << 3;
/// The head of a message of the handshake, laid out likewise.
pub(crate) const HANDSHAKE: u8 = RECORD | 1;
/// Before a frame in the outbox that goes in a record of its own where its direction is not sealed. Never sent.
pub(crate) const ENVELOPE: u8 = RECORD | 7;
/// Head and length.
pub(crate) const PREFIX: usize = 3;

/// Octets by which a record may be longer than its content: padding of a block, and a tag of 32.
pub(crate) const OVERHEAD: usize = 48;
/// Octets by which a sealed line's input may be longer than the largest frame this end takes, and by which the output for
/// [`poll_transmit`](crate::Connection::poll_transmit) must be longer than the [`largest`](crate::Connection::largest) it sends.
pub const SEALED_BY: usize = PREFIX + OVERHEAD;
/// The most octets of a message of the handshake.
pub(crate) const MOST_HANDSHAKE: usize = 256;

/// The octets of a head and a length.
pub(crate) fn prefix(head: u8, len: usize) -> Option<[u8; PREFIX]> {
    let [low, high] = u16::try_from(len).ok()?.to_le_bytes();
    Some([head, low, high])
}

/// The extension of a hello that may be passed over.
pub(crate) const MAY_SEAL: u64 = 2;
/// The extension of a hello that must be understood.
pub(crate) const MUST_SEAL: u64 = 3;

/// How a direction is sealed from here on, or asks to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switch {
    /// Sealed?
    pub on: bool,
    /// It is the receiver's direction that should be; otherwise it is the sender's that is, behind this frame.
    pub ask: bool,
}

const ON: u8 = 1;
const ASK: u8 = 2;

impl Switch {
    pub(super) fn read(flags: u8, r: &mut Reader<'_>) -> Option<Switch> {
        let flags = super::only(kind::SWITCH, flags, ON | ASK, r)?;
        Some(Switch { on: flags & ON != 0, ask: flags & ASK != 0 })
    }

    pub(super) fn write(self, w: &mut Writer<'_>) {
        w.u8((kind::SWITCH << 3) | super::flag(ON, self.on) | super::flag(ASK, self.ask));
    }
}

/// What happens to the key of its sender's direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rekey {
    /// The next record has the next key, which follows from this one.
    Next,
    /// One half of a fresh key agreement.
    Share([u8; 32]),
    /// The next record has the key that both halves gave.
    Fresh,
}

const NEXT: u8 = 2;
const SHARE: u8 = 3;
const FRESH: u8 = 4;

impl Rekey {
    pub(super) fn read(flags: u8, r: &mut Reader<'_>) -> Option<Rekey> {
        Some(match flags {
            NEXT => Rekey::Next,
            SHARE => Rekey::Share(r.array()?),
            FRESH => Rekey::Fresh,
            _ => return r.bad(crate::PeerError::UnknownFrame(kind::SEALED)),
        })
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) {
        let flags = match self {
            Rekey::Next => NEXT,
            Rekey::Share(_) => SHARE,
            Rekey::Fresh => FRESH,
        };
        w.u8((kind::SEALED << 3) | flags);
        if let Rekey::Share(public) = self {
            w.bytes(public);
        }
    }
}
