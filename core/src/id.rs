//! The names of things on a line: lanes, flows, actions, codes, messages.

use core::fmt;

/// One of the two ends of a line, seen from this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// This end.
    Us,
    /// The peer.
    Them,
}

/// A lane: the slot of one exchange. It names that exchange until both halves have ended, and then the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LaneId {
    pub(crate) number: u16,
    pub(crate) side: Side,
}

impl LaneId {
    /// The lane `number` that `opened_by` opened.
    pub const fn new(number: u16, opened_by: Side) -> LaneId {
        LaneId { number, side: opened_by }
    }

    /// The number on the wire, below the limit that the opener's peer announced.
    pub const fn number(self) -> u16 {
        self.number
    }

    /// Who opened it.
    pub const fn opened_by(self) -> Side {
        self.side
    }
}

/// A flow: a byte stream in one direction, on its own or as a file. It names that flow until both ends are done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlowId {
    pub(crate) number: u16,
    pub(crate) side: Side,
}

impl FlowId {
    /// The flow `number` whose bytes `sent_by` sends.
    pub const fn new(number: u16, sent_by: Side) -> FlowId {
        FlowId { number, side: sent_by }
    }

    /// The number on the wire, below the limit that the receiver announced.
    pub const fn number(self) -> u16 {
        self.number
    }

    /// Who sends its bytes.
    pub const fn sent_by(self) -> Side {
        self.side
    }
}

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A number that both ends know, at most [`Action::MAX_NUMBER`].
    Number(u32),
    /// The index of a name defined on this session.
    Name(u16),
}

impl Action {
    /// The largest number an action can have: 2^31 - 1.
    pub const MAX_NUMBER: u32 = 0x7fff_ffff;

    pub(crate) const fn to_wire(self) -> u64 {
        match self {
            Action::Number(n) => (n as u64) << 1,
            Action::Name(index) => ((index as u64) << 1) | 1,
        }
    }

    pub(crate) fn from_wire(value: u64) -> Option<Action> {
        let half = value >> 1;
        if value & 1 == 1 {
            u16::try_from(half).ok().map(Action::Name)
        } else {
            u32::try_from(half).ok().filter(|n| *n <= Action::MAX_NUMBER).map(Action::Number)
        }
    }
}

/// A number from 0 to 4095 that answers a request, or says why an exchange or a flow ended.
///
/// 0 to 63 are the protocol's; the application's own begin at [`Code::FIRST_OWN`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u16);

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $value:literal, $text:literal;)*) => {
        impl Code {
            $($(#[$doc])* pub const $name: Code = Code($value);)*

            /// The usual meaning in a few words; `None` for a number without one.
            pub const fn meaning(self) -> Option<&'static str> {
                match self.0 { $($value => Some($text),)* _ => None }
            }
        }
    };
}

codes! {
    /// Done as asked.
    OK = 0, "ok";
    /// Understood, and refused by the application.
    REJECTED = 1, "rejected";
    /// Nobody handles this action here.
    NOT_IMPLEMENTED = 2, "not implemented";
    /// The peer may not do this.
    UNAUTHORISED = 3, "unauthorised";
    /// The message makes no sense for its action.
    BAD_REQUEST = 4, "bad request";
    /// The application failed.
    INTERNAL = 5, "internal error";
    /// Nobody wants the outcome any more.
    CANCELLED = 6, "cancelled";
    /// The deadline has passed.
    TIMEOUT = 7, "timed out";
    /// The body is of another type than the action takes.
    WRONG_TYPE = 8, "wrong type";
    /// More bytes than the receiver takes.
    TOO_LARGE = 9, "too large";
    /// Too much at once; later may work.
    BUSY = 10, "busy";
    /// The request was dropped without an answer.
    NO_ANSWER = 11, "no answer";
    /// The content does not match its digest.
    DIGEST = 12, "digest mismatch";
    /// Something of this name is there already.
    EXISTS = 13, "exists already";
    /// The source is no longer what it was.
    CHANGED = 14, "source changed";
    /// Reading or writing the content failed.
    IO = 15, "input or output failed";
    /// No space for the content.
    NO_SPACE = 16, "no space left";
    /// The name can't be used here.
    BAD_NAME = 17, "bad name";
    /// The range lies outside the content.
    BAD_RANGE = 18, "bad range";
    /// There is nothing of this name.
    NOT_FOUND = 19, "not found";
}

impl Code {
    /// The largest code.
    pub const MAX: u16 = 4095;
    /// The first code that is the application's own.
    pub const FIRST_OWN: u16 = 64;

    /// The code of that number, `None` above [`Code::MAX`].
    pub const fn new(value: u16) -> Option<Code> {
        if value <= Code::MAX { Some(Code(value)) } else { None }
    }

    /// Its number.
    pub const fn value(self) -> u16 {
        self.0
    }

    /// Whether it is [`Code::OK`].
    pub const fn is_ok(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.meaning() {
            Some(text) => write!(f, "{text} ({})", self.0),
            None => write!(f, "code {}", self.0),
        }
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({self})")
    }
}

/// The UUID (version 8) of a message or response. Both ends compute it; it is never sent.
///
/// Sixty bits of the session's id, one bit for who sent it, and its ordinal among what that end sent, so that ids of one
/// session sort by sending order. It is a name, not a secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    /// Two numbers, big end first, are handed on faster than sixteen octets, and sort like them.
    name: u64,
    tail: u64,
}

impl MessageId {
    pub(crate) fn new(session: &[u8; 16], from_server: bool, ordinal: u64) -> MessageId {
        let [a, b, c, d, e, f, g, h, ..] = *session;
        let name = u64::from_be_bytes([a, b, c, d, e, f, g, h]) & !0xf000 | 0x8000;
        let tail = (0b10 << 62) | (u64::from(from_server) << 61) | (ordinal & 0x1fff_ffff_ffff_ffff);
        MessageId { name, tail }
    }

    /// The id of these 16 bytes in the order of RFC 9562, as [`to_bytes`](MessageId::to_bytes) gives them.
    pub const fn from_bytes(bytes: [u8; 16]) -> MessageId {
        let both = u128::from_be_bytes(bytes);
        MessageId { name: (both >> 64) as u64, tail: both as u64 }
    }

    /// Its 16 bytes in the order of RFC 9562.
    pub const fn to_bytes(self) -> [u8; 16] {
        (((self.name as u128) << 64) | self.tail as u128).to_be_bytes()
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.to_bytes().into_iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({self})")
    }
}
