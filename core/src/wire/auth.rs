//! Frames by which a client says who it is, and a server whether it may.

use super::bytes::{Reader, Writer};
use super::kind;
use crate::id::Code;

/// Only in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth<'a> {
    /// The client is who its key says.
    Key,
    /// The client has a secret.
    Token {
        /// By which the server finds it.
        name: &'a str,
        /// That it has it, on this line.
        proof: [u8; 32],
    },
    /// The server takes it.
    Granted {
        /// For whom.
        name: &'a str,
        /// For how many seconds; 0 for ever.
        seconds: u32,
    },
    /// The server does not.
    Denied {
        /// Why.
        code: Code,
    },
}

const KEY: u8 = 0;
const TOKEN: u8 = 1;
const GRANTED: u8 = 2;
const DENIED: u8 = 3;

impl<'a> Auth<'a> {
    pub(super) fn read(flags: u8, r: &mut Reader<'a>) -> Option<Auth<'a>> {
        Some(match flags {
            KEY => Auth::Key,
            TOKEN => Auth::Token { name: r.text()?, proof: r.array()? },
            GRANTED => Auth::Granted { name: r.text()?, seconds: r.u32()? },
            DENIED => Auth::Denied { code: super::code(r)? },
            _ => return r.bad(crate::PeerError::ReservedBits(kind::AUTH)),
        })
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) {
        let head = |flags| (kind::AUTH << 3) | flags;
        match self {
            Auth::Key => w.u8(head(KEY)),
            Auth::Token { name, proof } => {
                w.u8(head(TOKEN));
                w.block(name.as_bytes());
                w.bytes(proof);
            }
            Auth::Granted { name, seconds } => {
                w.u8(head(GRANTED));
                w.block(name.as_bytes());
                w.varint(u64::from(*seconds));
            }
            Auth::Denied { code } => {
                w.u8(head(DENIED));
                w.varint(u64::from(code.value()));
            }
        }
    }
}
