//! The hello: the first bytes of each end, before any frame.
//!
//! `magic[4] · len u16 · oldest u8 · newest u8 · session[16] · limits (varints) · extensions`

use core::fmt;

use crate::error::{Foreign, PeerError};
use crate::sealing::Extension;
use crate::wire::bytes::{Reader, Stop, Writer};
use crate::wire::seal::{MAY_SEAL, MUST_SEAL};

/// The first four octets. The first is no ASCII, no TLS record type, and with the second no UTF-8.
pub const MAGIC: [u8; 4] = [0xf2, b'R', b'W', b'Y'];
/// The version this library speaks.
pub const VERSION: u8 = 1;
/// The most octets a hello may have after its length.
pub const MAX_HELLO: usize = 1024;
/// Magic and length.
const PREFIX: usize = 6;

/// What a hello says, and what a limit is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Field {
    /// The length of the hello itself.
    Length,
    /// The range of versions.
    Versions,
    /// The session's id.
    Session,
    /// [`Limits::frame`].
    Frame,
    /// [`Limits::message`].
    Message,
    /// [`Limits::lanes`].
    Lanes,
    /// [`Limits::flows`].
    Flows,
    /// [`Limits::window`].
    Window,
    /// [`Limits::lane_credit`].
    LaneCredit,
    /// [`Limits::flow_credit`].
    FlowCredit,
    /// [`Limits::name`].
    Name,
    /// [`Limits::definitions`].
    Definitions,
    /// [`Limits::attached`].
    Attached,
    /// [`Limits::timeout`].
    Timeout,
    /// An extension that must be understood, one out of order, or one that is none.
    Extension,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Field::Length => "length",
            Field::Versions => "versions",
            Field::Session => "session",
            Field::Frame => "frame size",
            Field::Message => "message size",
            Field::Lanes => "lanes",
            Field::Flows => "flows",
            Field::Window => "window",
            Field::LaneCredit => "lane credit",
            Field::FlowCredit => "flow credit",
            Field::Name => "name length",
            Field::Definitions => "definitions",
            Field::Attached => "flows a message",
            Field::Timeout => "timeout",
            Field::Extension => "extension",
        })
    }
}

/// What one end takes from the other. Announced in the hello, kept by the sender, enforced by the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest frame, in octets with its head: [`Limits::MIN_FRAME`] to [`Limits::MAX_FRAME`].
    pub frame: u32,
    /// The largest body of a message, in octets.
    pub message: u64,
    /// How many exchanges the peer may have open at once, at most 4096.
    pub lanes: u16,
    /// How many flows the peer may be sending at once, at most 4096.
    pub flows: u16,
    /// Octets of messages not yet taken by the application; each message counts its payload and [`CHARGE`].
    pub window: u64,
    /// Octets not yet taken on one lane behind its first message, counted likewise.
    pub lane_credit: u64,
    /// Octets not yet taken on one flow, counted likewise.
    pub flow_credit: u64,
    /// The longest name of an action, type, file or media type, in octets; at most 1024.
    pub name: u16,
    /// How many names of actions, and how many of types, may be defined.
    pub definitions: u16,
    /// How many flows one message may bring, at most 4096.
    pub attached: u16,
    /// The deadline of this end's requests that name none, in milliseconds; 0 for none.
    pub timeout: u32,
}

/// What a frame with a payload costs in window and credit besides its payload, so that empty ones are not free.
pub const CHARGE: u64 = 32;

impl Limits {
    /// A frame must hold any frame of control (the largest, ACCEPT, has 56 octets).
    pub const MIN_FRAME: u32 = 64;
    /// A frame, its seal and tag must fit the sixteen bits of a record's length.
    pub const MAX_FRAME: u32 = 0xfe00;
    /// The most lanes each way.
    pub const MAX_LANES: u16 = 4096;
    /// The most flows each way.
    pub const MAX_FLOWS: u16 = 4096;
    /// The longest name.
    pub const MAX_NAME: u16 = 1024;
    /// Counters of octets stay far from overflow.
    pub const MAX_OCTETS: u64 = 1 << 48;

    pub(crate) const NONE: Limits = Limits {
        frame: 0,
        message: 0,
        lanes: 0,
        flows: 0,
        window: 0,
        lane_credit: 0,
        flow_credit: 0,
        name: 0,
        definitions: 0,
        attached: 0,
        timeout: 0,
    };

    /// The first field outside its range, if any.
    pub fn fault(&self) -> Option<Field> {
        let least_octets = u64::from(self.frame).saturating_add(CHARGE);
        self.values().into_iter().zip(RANGES).find_map(|(value, (field, least, most))| {
            let least = if least == WHOLE { least_octets } else { least };
            if (least..=most).contains(&value) { None } else { Some(field) }
        })
    }

    /// In the order of [`RANGES`].
    fn values(&self) -> [u64; RANGES.len()] {
        [
            u64::from(self.frame),
            self.message,
            u64::from(self.lanes),
            u64::from(self.flows),
            self.window,
            self.lane_credit,
            self.flow_credit,
            u64::from(self.name),
            u64::from(self.definitions),
            u64::from(self.attached),
            u64::from(self.timeout),
        ]
    }

    /// Of values none of which is above its range.
    fn from_values(values: [u64; RANGES.len()]) -> Limits {
        let [frame, message, lanes, flows, window, lane_credit, flow_credit, name, definitions, attached, timeout] =
            values;
        Limits {
            frame: frame as u32,
            message,
            lanes: lanes as u16,
            flows: flows as u16,
            window,
            lane_credit,
            flow_credit,
            name: name as u16,
            definitions: definitions as u16,
            attached: attached as u16,
            timeout: timeout as u32,
        }
    }
}

/// The limits as they follow each other in a hello: the least of each, and the most, which fits its type.
const RANGES: [(Field, u64, u64); 11] = [
    (Field::Frame, Limits::MIN_FRAME as u64, Limits::MAX_FRAME as u64),
    (Field::Message, 0, Limits::MAX_OCTETS),
    (Field::Lanes, 0, Limits::MAX_LANES as u64),
    (Field::Flows, 0, Limits::MAX_FLOWS as u64),
    (Field::Window, WHOLE, Limits::MAX_OCTETS),
    (Field::LaneCredit, WHOLE, Limits::MAX_OCTETS),
    (Field::FlowCredit, WHOLE, Limits::MAX_OCTETS),
    (Field::Name, 0, Limits::MAX_NAME as u64),
    (Field::Definitions, 0, u16::MAX as u64),
    (Field::Attached, 0, Limits::MAX_FLOWS as u64),
    (Field::Timeout, 0, u32::MAX as u64),
];

/// As the least of a range: a frame and its [`CHARGE`].
const WHOLE: u64 = u64::MAX;

/// One end's hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The oldest version it speaks.
    pub oldest: u8,
    /// The newest version it speaks.
    pub newest: u8,
    /// The session's id; all zero from a client that wants a new one.
    pub session: [u8; 16],
    /// What it takes.
    pub limits: Limits,
}

impl Hello {
    /// Writes it to `out`; the number of octets, `None` if `out` is too short.
    ///
    /// The peer refuses it unless `oldest` is at least 1, `newest` not below it, `session` zero from a client and only
    /// from a client, and [`Limits::fault`] finds none.
    pub fn encode(&self, out: &mut [u8]) -> Option<usize> {
        self.encode_with(out, |_| Some(0))
    }

    /// The same, and extensions behind it.
    pub(crate) fn encode_with(&self, out: &mut [u8], extend: impl FnOnce(&mut [u8]) -> Option<usize>) -> Option<usize> {
        let mut writer = Writer::new(out.get_mut(PREFIX..)?);
        writer.u8(self.oldest);
        writer.u8(self.newest);
        writer.bytes(&self.session);
        for value in self.limits.values() {
            writer.varint(value);
        }
        writer.extend(extend);
        let len = writer.finish()?;
        let [a, b, c, d] = MAGIC;
        let [low, high] = u16::try_from(len).ok()?.to_le_bytes();
        out.get_mut(..PREFIX)?.copy_from_slice(&[a, b, c, d, low, high]);
        len.checked_add(PREFIX)
    }

    /// Decodes the hello at the start of `input`: the hello and its length in octets.
    ///
    /// `Ok(None)` when it goes on behind the end of `input`.
    ///
    /// # Errors
    /// What makes it no hello, or not one of this version, as soon as that is certain.
    pub fn decode(input: &[u8]) -> Result<Option<(Hello, usize)>, PeerError> {
        match Hello::read(input) {
            Ok((hello, _, len)) => Ok(Some((hello, len))),
            Err(Stop::Need(_)) => Ok(None),
            Err(Stop::Bad(error)) => Err(error),
        }
    }

    /// As [`decode`](Hello::decode) with what it says of sealing, or how many octets are needed to go on.
    pub(crate) fn read(input: &[u8]) -> Result<(Hello, Option<Extension<'_>>, usize), Stop> {
        recognise(input)?;
        let Some(&[low, high]) = input.get(MAGIC.len()..PREFIX) else { return Err(Stop::Need(PREFIX)) };
        let len = usize::from(u16::from_le_bytes([low, high]));
        if len > MAX_HELLO {
            return Err(PeerError::BadHello(Field::Length).into());
        }
        let end = PREFIX.saturating_add(len);
        let body = input.get(PREFIX..end).ok_or(Stop::Need(end))?;
        let mut reader = Reader::new(body, MAX_HELLO as u32);
        match (Hello::fields(&mut reader, body.len()), reader.stop()) {
            (Some((hello, offer)), _) => Ok((hello, offer, end)),
            // The body is all there is: needing more means that its length was wrong.
            (None, Stop::Need(_)) => Err(PeerError::BadHello(Field::Length).into()),
            (None, bad) => Err(bad),
        }
    }

    /// Its fields behind the length, which make `len` octets.
    fn fields<'a>(r: &mut Reader<'a>, len: usize) -> Option<(Hello, Option<Extension<'a>>)> {
        let (oldest, newest) = (r.u8()?, r.u8()?);
        if oldest == 0 || newest < oldest {
            return r.bad(PeerError::BadHello(Field::Versions));
        }
        // The rest is laid out by the version: of a peer that speaks another one, nothing more is known.
        if oldest > VERSION || newest < VERSION {
            return r.bad(PeerError::Version { oldest, newest });
        }
        let session = r.array()?;
        let mut values = [0; RANGES.len()];
        for (value, (field, _, most)) in values.iter_mut().zip(RANGES) {
            *value = match (r.varint(), r.stop()) {
                (Some(value), _) if value <= most => value,
                (None, Stop::Need(_)) => return None,
                _ => return r.bad(PeerError::BadHello(field)),
            };
        }
        let limits = Limits::from_values(values);
        if let Some(field) = limits.fault() {
            return r.bad(PeerError::BadHello(field));
        }
        let offer = extensions(r, len)?;
        Some((Hello { oldest, newest, session, limits }, offer))
    }
}

/// Extensions come by rising tag, each once: `tag varint · len varint · value`. An odd tag must be understood. Version 1 knows
/// what is said of sealing, under one of two tags.
fn extensions<'a>(r: &mut Reader<'a>, len: usize) -> Option<Option<Extension<'a>>> {
    let (mut last, mut offer) = (None, None);
    while r.at() < len {
        let Some((tag, value)) = r.varint().and_then(|tag| r.block().map(|value| (tag, value))) else {
            return match r.stop() {
                Stop::Need(_) => None,
                // It reaches beyond any hello.
                Stop::Bad(PeerError::FrameTooLarge { .. }) => r.bad(PeerError::BadHello(Field::Length)),
                Stop::Bad(_) => r.bad(PeerError::BadHello(Field::Extension)),
            };
        };
        let seals = tag == MAY_SEAL || tag == MUST_SEAL;
        if last.is_some_and(|last| tag <= last) || (tag & 1 == 1 && !seals) || (seals && offer.is_some()) {
            return r.bad(PeerError::BadHello(Field::Extension));
        }
        last = Some(tag);
        if seals {
            offer = Some(Extension { must: tag == MUST_SEAL, octets: value });
        }
    }
    Some(offer)
}

/// How requests and answers of HTTP begin.
const HTTP: [[u8; 4]; 11] =
    [*b"GET ", *b"POST", *b"PUT ", *b"HEAD", *b"OPTI", *b"HTTP", *b"PRI ", *b"DELE", *b"CONN", *b"PATC", *b"TRAC"];

/// Refuses what does not begin like us, at the first octet that differs; says what it looks like once four are there.
fn recognise(input: &[u8]) -> Result<(), Stop> {
    let same = input.iter().zip(MAGIC).all(|(a, b)| *a == b);
    if same {
        return if input.len() < MAGIC.len() { Err(Stop::Need(MAGIC.len())) } else { Ok(()) };
    }
    let Some(&first) = input.first_chunk::<4>() else { return Err(Stop::Need(MAGIC.len())) };
    Err(PeerError::NotRopeway(match &first {
        method if HTTP.contains(method) => Foreign::Http,
        [0x14..=0x17, 0x03, ..] => Foreign::Tls,
        b"SSH-" => Foreign::Ssh,
        _ => Foreign::Unknown,
    })
    .into())
}
