//! Who erred: the peer ([`PeerError`], fatal) or the caller ([`Refused`], nothing changed); and why a line ended ([`Reason`]).

use core::fmt;

use crate::id::Side;
use crate::wire::hello::Field;

/// What the peer did wrong. The line is over; [`poll_transmit`](crate::Connection::poll_transmit) gives the goodbye that
/// carries [`code`](PeerError::code).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerError {
    /// The first bytes are not a hello of this protocol. Nothing is answered.
    NotRopeway(Foreign),
    /// A value in the hello is outside its range.
    BadHello(Field),
    /// The peer speaks no version that we speak; its range.
    Version {
        /// The oldest version the peer speaks.
        oldest: u8,
        /// The newest version the peer speaks.
        newest: u8,
    },
    /// A frame type that must be understood, and is not.
    UnknownFrame(u8),
    /// A reserved flag or bit is set.
    ReservedBits(u8),
    /// A varint that is not in its shortest form, or does not fit.
    BadVarint,
    /// A frame larger than announced.
    FrameTooLarge {
        /// The size declared, in octets, as far as it was read.
        size: u64,
        /// The limit announced.
        limit: u32,
    },
    /// A frame that its state does not allow; the frame's type.
    Unexpected(u8),
    /// A lane number at or above the limit.
    LaneLimit(u16),
    /// A lane opened that is still in use.
    LaneInUse(u16),
    /// A flow number at or above the limit.
    FlowLimit(u16),
    /// A flow opened that is still in use, or more flows than the message announced.
    FlowInUse(u16),
    /// A message larger than announced.
    MessageTooLarge {
        /// The size declared, in octets.
        size: u64,
        /// The limit announced.
        limit: u64,
    },
    /// More body than the message declared.
    BodyOverrun,
    /// A message beyond the window.
    Window,
    /// Bytes beyond the credit.
    Credit,
    /// Credit that would overflow, or was never possible.
    CreditOverflow,
    /// Bytes outside the range that was asked for.
    Range,
    /// A definition out of order, above the limit, or an index that was never defined.
    Definition(u16),
    /// A name that is too long or not UTF-8.
    BadName,
    /// A code above 4095.
    BadCode,
    /// An action outside its range.
    BadAction,
    /// An acknowledgement of what was never sent.
    BadAck,
    /// Too many exchanges aborted in a row.
    AbortFlood,
    /// A fragment without bytes.
    EmptyFragment,
    /// A hello on an open line: the peer began anew, or something mixed two lines.
    SecondHello,
    /// The peer must not go on without sealing, and does.
    NotSealed,
    /// The peer wants to seal, and this end can't.
    MustSeal,
    /// One end must seal what the other must not.
    SealPolicy,
    /// The ends do not want the same things proved, or just one has a shared secret.
    SealPattern,
    /// The ends have no suite in common.
    NoSuite,
    /// A message of the handshake is not what the peer should have sent: its keys or secrets are others, or somebody changed
    /// what it said.
    Handshake,
    /// The peer's key is not trusted.
    Untrusted,
    /// A record that the peer did not send like that, or not now.
    Forged,
    /// A key was used for longer than any key may be.
    RekeyOverdue,
    /// Keys are changed far more often than they are used.
    RekeyFlood,
}

/// What seems to be at the other end instead of this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Foreign {
    /// An HTTP request or answer.
    Http,
    /// A TLS record.
    Tls,
    /// An SSH greeting.
    Ssh,
    /// None of those.
    Unknown,
}

impl PeerError {
    /// The number of this error in the goodbye.
    pub const fn code(&self) -> CloseCode {
        CloseCode(match self {
            PeerError::NotRopeway(_) => 16,
            PeerError::BadHello(_) => 17,
            PeerError::Version { .. } => 18,
            PeerError::UnknownFrame(_) => 19,
            PeerError::ReservedBits(_) => 20,
            PeerError::BadVarint => 21,
            PeerError::FrameTooLarge { .. } => 22,
            PeerError::Unexpected(_) => 23,
            PeerError::LaneLimit(_) => 24,
            PeerError::LaneInUse(_) => 25,
            PeerError::FlowLimit(_) => 26,
            PeerError::FlowInUse(_) => 27,
            PeerError::MessageTooLarge { .. } => 28,
            PeerError::BodyOverrun => 29,
            PeerError::Window => 30,
            PeerError::Credit => 31,
            PeerError::CreditOverflow => 32,
            PeerError::Range => 33,
            PeerError::Definition(_) => 34,
            PeerError::BadName => 35,
            PeerError::BadCode => 36,
            PeerError::BadAction => 37,
            PeerError::BadAck => 38,
            PeerError::AbortFlood => 39,
            PeerError::EmptyFragment => 40,
            PeerError::SecondHello => 41,
            PeerError::NotSealed => 42,
            PeerError::MustSeal => 43,
            PeerError::SealPolicy => 44,
            PeerError::SealPattern => 45,
            PeerError::NoSuite => 46,
            PeerError::Handshake => 47,
            PeerError::Untrusted => 48,
            PeerError::Forged => 49,
            PeerError::RekeyOverdue => 50,
            PeerError::RekeyFlood => 51,
        })
    }
}

impl fmt::Display for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PeerError::NotRopeway(Foreign::Http) => f.write_str("the peer speaks HTTP, not Ropeway"),
            PeerError::NotRopeway(Foreign::Tls) => f.write_str("the peer speaks TLS, not Ropeway"),
            PeerError::NotRopeway(Foreign::Ssh) => f.write_str("the peer speaks SSH, not Ropeway"),
            PeerError::NotRopeway(Foreign::Unknown) => f.write_str("the peer does not speak Ropeway"),
            PeerError::BadHello(field) => write!(f, "bad value in the peer's hello: {field}"),
            PeerError::Version { oldest, newest } => write!(f, "the peer speaks versions {oldest} to {newest} only"),
            PeerError::UnknownFrame(kind) => write!(f, "unknown frame type {kind}"),
            PeerError::ReservedBits(kind) => write!(f, "reserved bits set in a frame of type {kind}"),
            PeerError::BadVarint => f.write_str("a number is too large or not in its shortest form"),
            PeerError::FrameTooLarge { size, limit } => write!(f, "frame of {size} bytes, the limit is {limit}"),
            PeerError::Unexpected(kind) => write!(f, "a frame of type {kind} is not allowed here"),
            PeerError::LaneLimit(lane) => write!(f, "lane {lane} is above the limit"),
            PeerError::LaneInUse(lane) => write!(f, "lane {lane} is in use"),
            PeerError::FlowLimit(flow) => write!(f, "flow {flow} is above the limit"),
            PeerError::FlowInUse(flow) => write!(f, "flow {flow} is in use or was not announced"),
            PeerError::MessageTooLarge { size, limit } => write!(f, "message of {size} bytes, the limit is {limit}"),
            PeerError::BodyOverrun => f.write_str("more body than was declared"),
            PeerError::Window => f.write_str("a message beyond the window"),
            PeerError::Credit => f.write_str("bytes beyond the credit"),
            PeerError::CreditOverflow => f.write_str("impossible credit"),
            PeerError::Range => f.write_str("bytes outside the range asked for"),
            PeerError::Definition(index) => write!(f, "definition {index} is unknown, out of order or above the limit"),
            PeerError::BadName => f.write_str("a name is too long or not UTF-8"),
            PeerError::BadCode => f.write_str("a code above 4095"),
            PeerError::BadAction => f.write_str("an action outside its range"),
            PeerError::BadAck => f.write_str("an acknowledgement of what was never sent"),
            PeerError::AbortFlood => f.write_str("too many exchanges aborted"),
            PeerError::EmptyFragment => f.write_str("a fragment without bytes"),
            PeerError::SecondHello => f.write_str("a second hello on an open line"),
            PeerError::NotSealed => f.write_str("the line is not sealed, and must be"),
            PeerError::MustSeal => f.write_str("the peer wants to seal the line, and this end has no keys"),
            PeerError::SealPolicy => f.write_str("one end must seal what the other must not"),
            PeerError::SealPattern => {
                f.write_str("the ends differ in what is to be proved, or in whether a secret is shared")
            }
            PeerError::NoSuite => f.write_str("the ends have no suite in common"),
            PeerError::Handshake => {
                f.write_str("keys could not be agreed on: the peer has other secrets, or somebody interfered")
            }
            PeerError::Untrusted => f.write_str("the peer's key is not trusted"),
            PeerError::Forged => f.write_str("a record was forged, or came at the wrong time"),
            PeerError::RekeyOverdue => f.write_str("a key was used for too long"),
            PeerError::RekeyFlood => f.write_str("keys are changed too often"),
        }
    }
}

impl core::error::Error for PeerError {}

/// Why a verb did nothing. The machine is as it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// Not now; try again when what is missing has come.
    Later(Until),
    /// The handshake is not done.
    NotReady,
    /// The line is closing or closed.
    Closed,
    /// The peer is going away and takes no new exchange.
    Away,
    /// More than the peer takes; it was told in its hello.
    TooLarge(Limit),
    /// No exchange is open on this lane.
    NoLane,
    /// No such flow is open.
    NoFlow,
    /// The exchange or flow is in a state in which this makes no sense.
    WrongState,
    /// An argument outside its range.
    BadArgument,
    /// The line has no keys to seal anything with.
    NoKeys,
    /// The policy of both ends fixes whether what this side says is sealed.
    Policy(Side),
}

/// What a verb has to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// A free lane: an exchange that this end opened must end.
    Lane,
    /// A free flow: one that this end sends must end.
    Flow,
    /// Window of messages, credit of a lane or flow, or the end of a pause: [`Event::Room`](crate::Event::Room) or
    /// [`Event::Paused`](crate::Event::Paused) tells.
    Credit,
    /// Room in the outbox, or for another large frame: [`poll_transmit`](crate::Connection::poll_transmit) makes it.
    Transmit,
}

/// A limit that the peer announced, and what was asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Which limit.
    pub field: Field,
    /// What was asked for.
    pub asked: u64,
    /// What the peer allows.
    pub allowed: u64,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Later(Until::Lane) => f.write_str("no lane is free now"),
            Refused::Later(Until::Flow) => f.write_str("no flow is free now"),
            Refused::Later(Until::Credit) => f.write_str("the peer takes no more now"),
            Refused::Later(Until::Transmit) => f.write_str("no room to send now"),
            Refused::NotReady => f.write_str("the handshake is not done"),
            Refused::Closed => f.write_str("the line is closed"),
            Refused::Away => f.write_str("the peer is going away"),
            Refused::TooLarge(Limit { field, asked, allowed }) => {
                write!(f, "{field} {asked}: the peer allows {allowed}")
            }
            Refused::NoLane => f.write_str("no exchange is open on this lane"),
            Refused::NoFlow => f.write_str("no such flow is open"),
            Refused::WrongState => f.write_str("not possible in this state"),
            Refused::BadArgument => f.write_str("an argument is outside its range"),
            Refused::NoKeys => f.write_str("the line has no keys"),
            Refused::Policy(Side::Us) => f.write_str("whether this end seals what it says is fixed"),
            Refused::Policy(Side::Them) => f.write_str("whether the peer seals what it says is fixed"),
        }
    }
}

impl core::error::Error for Refused {}

/// The number in a goodbye: below 16 the protocol's ordinary ends, 16 to 63 a [`PeerError`], from 64 the application's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(pub(crate) u16);

impl CloseCode {
    /// Everything is said.
    pub const DONE: CloseCode = CloseCode(0);
    /// This end shuts down.
    pub const AWAY: CloseCode = CloseCode(1);
    /// The peer seemed dead.
    pub const DEAD: CloseCode = CloseCode(2);
    /// The application failed.
    pub const INTERNAL: CloseCode = CloseCode(3);
    /// No more lines are taken now.
    pub const BUSY: CloseCode = CloseCode(4);
    /// The client did not prove in time that it may, or failed to too often.
    pub const DENIED: CloseCode = CloseCode(5);
    /// What the client was granted has ended.
    pub const EXPIRED: CloseCode = CloseCode(6);
    /// The largest code.
    pub const MAX: u16 = 4095;

    /// The code of that number, `None` above [`CloseCode::MAX`].
    pub const fn new(value: u16) -> Option<CloseCode> {
        if value <= CloseCode::MAX { Some(CloseCode(value)) } else { None }
    }

    /// Its number.
    pub const fn value(self) -> u16 {
        self.0
    }

    /// Whether it is that of a [`PeerError`].
    pub const fn is_error(self) -> bool {
        matches!(self.0, 16..=63)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("done (0)"),
            1 => f.write_str("going away (1)"),
            2 => f.write_str("seemed dead (2)"),
            3 => f.write_str("internal error (3)"),
            4 => f.write_str("too many lines (4)"),
            5 => f.write_str("not authenticated (5)"),
            6 => f.write_str("authentication expired (6)"),
            42 => f.write_str("the line must be sealed (42)"),
            43 => f.write_str("one end has no keys (43)"),
            44 => f.write_str("one end must seal what the other must not (44)"),
            45 => f.write_str("the ends want other things proved (45)"),
            46 => f.write_str("no suite in common (46)"),
            47 => f.write_str("no keys could be agreed on (47)"),
            48 => f.write_str("a key is not trusted (48)"),
            49 => f.write_str("a forged record (49)"),
            50 => f.write_str("a key was used for too long (50)"),
            51 => f.write_str("keys changed too often (51)"),
            16..=63 => write!(f, "protocol error ({})", self.0),
            other => write!(f, "code {other}"),
        }
    }
}

/// Why a line ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// This end closed it.
    ByUs(CloseCode),
    /// The peer closed it.
    ByPeer(CloseCode),
    /// The peer broke the protocol.
    PeerError(PeerError),
    /// The peer said nothing for too long.
    Dead,
    /// The peer never finished its hello.
    HelloTimeout,
    /// The transport ended without a goodbye.
    Eof,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::ByUs(code) => write!(f, "closed by this end: {code}"),
            Reason::ByPeer(code) => write!(f, "closed by the peer: {code}"),
            Reason::PeerError(error) => write!(f, "the peer broke the protocol: {error}"),
            Reason::Dead => f.write_str("the peer stopped answering"),
            Reason::HelloTimeout => f.write_str("the peer never said hello"),
            Reason::Eof => f.write_str("the transport ended without a goodbye"),
        }
    }
}
