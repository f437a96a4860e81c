//! What is in a trace, for people and for programs that show it: names, and fields with theirs.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use ropeway_core::wire::hello::Hello;
use ropeway_core::wire::{self, Frame};
use ropeway_core::{
    Accept, Action, Answer, CloseCode, Event, FlowId, Kind, LaneId, Limits, Message, PeerError, Ready, Room, Sent,
    Side, Table,
};

use super::call::{Call, Given, Said};
use super::outcome::Outcome;
use crate::file::printable;

/// Octets of a body that a person is shown.
const SHOWN: usize = 48;

/// A frame, a call, what came of it, or an event: what it is called, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described<'a> {
    /// What it is called.
    pub name: &'static str,
    /// What it says, in order.
    pub fields: Vec<(&'static str, Value<'a>)>,
}

/// What a field says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// A number.
    Number(u64),
    /// Yes or no.
    Flag(bool),
    /// A code, and what it means if that is known.
    Code(u16, Option<&'static str>),
    /// The index of an action or a type, and its name if that is known.
    Name(Table, u16, Option<&'a str>),
    /// A word of the protocol's, or a few.
    Word(Cow<'static, str>),
    /// A text that somebody wrote.
    Text(&'a str),
    /// Octets that somebody wrote.
    Octets(&'a [u8]),
    /// A digest.
    Digest([u8; 32]),
}

impl<'a> Described<'a> {
    /// What was to be a frame, and is none.
    pub(super) fn erred(error: &PeerError) -> Described<'a> {
        Described::new("erred").with("why", said(error)).with("code", error.code())
    }

    fn new(name: &'static str) -> Described<'a> {
        Described { name, fields: Vec::new() }
    }

    fn with(mut self, name: &'static str, value: impl Into<Value<'a>>) -> Described<'a> {
        self.fields.push((name, value.into()));
        self
    }

    fn with_some(self, name: &'static str, value: Option<impl Into<Value<'a>>>) -> Described<'a> {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// What is no, or none, is not said.
    fn with_flag(self, name: &'static str, on: bool) -> Described<'a> {
        if on { self.with(name, true) } else { self }
    }

    fn with_count(self, name: &'static str, count: u16) -> Described<'a> {
        if count > 0 { self.with(name, count) } else { self }
    }

    fn with_body(self, kind: Kind, octets: &'a [u8]) -> Described<'a> {
        let value = |described: Described<'a>, octets| match std::str::from_utf8(octets) {
            Ok(text) if kind == Kind::Text => described.with("body", Value::Text(text)),
            _ => described.with("body", octets),
        };
        match kind {
            Kind::None => self,
            Kind::Typed(index) => value(self.with("type", Value::Name(Table::Types, index, None)), octets),
            _ => value(self, octets),
        }
    }

    fn with_given(self, kind: Kind, given: &Given<'a>) -> Described<'a> {
        match self.with("given", given.len) {
            described if given.taken.is_empty() => described,
            described => described.with_body(kind, given.taken),
        }
    }
}

impl<'a> From<&Frame<'a>> for Described<'a> {
    fn from(frame: &Frame<'a>) -> Described<'a> {
        let new = Described::new;
        match *frame {
            Frame::Define(wire::Define { table, index, fingerprint, name }) => new("DEFINE")
                .with("table", table)
                .with("index", index)
                .with_some("fingerprint", fingerprint)
                .with("name", Value::Text(name)),
            Frame::Notice(wire::Notice { action, body }) => {
                new("NOTICE").with("action", action).with_body(body.kind, body.bytes)
            }
            Frame::Open(wire::Open { lane, action, body, wants_answer, timeout, size, attached }) => new("OPEN")
                .with("lane", lane)
                .with("action", action)
                .with_flag("wants_answer", wants_answer)
                .with_some("timeout_millis", timeout)
                .with_some("size", size)
                .with_count("attached", attached)
                .with_body(body.kind, body.bytes),
            Frame::Response(wire::Response { lane, code, body, more, size, attached }) => new("RESPONSE")
                .with("lane", lane)
                .with("code", code)
                .with_flag("more", more)
                .with_some("size", size)
                .with_count("attached", attached)
                .with_body(body.kind, body.bytes),
            Frame::Code { lane, code } => new("CODE").with("lane", lane).with("code", code),
            Frame::Update(wire::Update { lane, body }) => {
                new("UPDATE").with("lane", lane).with_body(body.kind, body.bytes)
            }
            Frame::Body(wire::Piece { side, lane, bytes }) => {
                new("BODY").with("opened_by", side).with("lane", lane).with("body", bytes)
            }
            Frame::Abort { side, lane, code } => {
                new("ABORT").with("opened_by", side).with("lane", lane).with("code", code)
            }
            Frame::End { lane } => new("END").with("lane", lane),
            Frame::Offer(wire::Offer { flow, side, lane, push, size, media, name }) => new("OFFER")
                .with("flow", flow)
                .with("opened_by", side)
                .with("lane", lane)
                .with_flag("push", push)
                .with_some("size", size)
                .with("media", Value::Text(media))
                .with("name", Value::Text(name)),
            Frame::Accept(wire::Accept { flow, start, end, prefix }) => {
                new("ACCEPT").with("flow", flow).with("start", start).with_some("end", end).with_some("prefix", prefix)
            }
            Frame::Begin { flow, start } => new("BEGIN").with("flow", flow).with("start", start),
            Frame::Data { flow, bytes } => new("DATA").with("flow", flow).with("body", bytes),
            Frame::Finish { flow, digest } => new("FINISH").with("flow", flow).with_some("digest", digest),
            Frame::Cancel { flow, code } => new("CANCEL").with("flow", flow).with("code", code),
            Frame::Done { flow, code } => new("DONE").with("flow", flow).with("code", code),
            Frame::Pause(wire::Pause { flow, on, by_receiver }) => {
                new("PAUSE").with("flow", flow).with("on", on).with_flag("by_receiver", by_receiver)
            }
            Frame::Away => new("AWAY"),
            Frame::Close(wire::Close { code, reason }) => {
                new("CLOSE").with("code", code).with("reason", Value::Text(reason))
            }
            Frame::Ack { count } => new("ACK").with("count", count),
            Frame::Ping { id } => new("PING").with("id", id),
            Frame::Pong { id } => new("PONG").with("id", id),
            Frame::Window { limit } => new("WINDOW").with("limit", limit),
            Frame::LaneCredit { side, lane, limit } => {
                new("LANE_CREDIT").with("opened_by", side).with("lane", lane).with("limit", limit)
            }
            Frame::Credit { flow, limit } => new("CREDIT").with("flow", flow).with("limit", limit),
            Frame::Skipped { kind, bytes } => new("SKIPPED").with("kind", u64::from(kind)).with("body", bytes),
            _ => new("FRAME").with("kind", u64::from(frame.kind())),
        }
    }
}

impl<'a> From<&Hello> for Described<'a> {
    fn from(hello: &Hello) -> Described<'a> {
        let Hello { oldest, newest, session, limits } = *hello;
        let described = Described::new("HELLO")
            .with("oldest", u64::from(oldest))
            .with("newest", u64::from(newest))
            .with("session", said(hex(&session)));
        described.with_limits(&limits)
    }
}

impl<'a> Described<'a> {
    fn with_limits(self, limits: &Limits) -> Described<'a> {
        self.with("frame", limits.frame)
            .with("message", limits.message)
            .with("lanes", limits.lanes)
            .with("flows", limits.flows)
            .with("window", limits.window)
            .with("lane_credit", limits.lane_credit)
            .with("flow_credit", limits.flow_credit)
            .with("name", limits.name)
            .with("definitions", limits.definitions)
            .with("attached", limits.attached)
            .with("timeout_millis", limits.timeout)
    }

    fn with_said(self, said: &Said<'a>) -> Described<'a> {
        let Said { action, kind, size, attached, timeout, ref given } = *said;
        self.with("action", action)
            .with_some("size", size)
            .with_count("attached", attached)
            .with_some("timeout_micros", timeout)
            .with_given(kind, given)
    }
}

impl<'a> From<&Event<&'a [u8]>> for Described<'a> {
    fn from(event: &Event<&'a [u8]>) -> Described<'a> {
        let new = Described::new;
        match *event {
            Event::Ready(Ready { version, session, peer }) => {
                new("Ready").with("version", u64::from(version)).with("session", said(hex(&session))).with_limits(&peer)
            }
            Event::Defined { table, index, fingerprint, name } => new("Defined")
                .with("table", table)
                .with("index", index)
                .with_some("fingerprint", fingerprint)
                .with("name", text(name)),
            Event::Message(Message { id, lane, action, wants_answer, timeout, body, size, attached, sealed: _ }) => {
                new("Message")
                    .with("id", said(id))
                    .with_some("lane", lane)
                    .with("action", action)
                    .with_flag("wants_answer", wants_answer)
                    .with_some("timeout_micros", timeout)
                    .with("size", size)
                    .with_count("attached", attached)
                    .with_body(body.kind, body.bytes)
            }
            Event::Response(Answer { id, lane, code, body, size, attached, last }) => new("Response")
                .with("id", said(id))
                .with("lane", lane)
                .with("code", code)
                .with("size", size)
                .with_count("attached", attached)
                .with_flag("last", last)
                .with_body(body.kind, body.bytes),
            Event::Code { lane, code } => new("Code").with("lane", lane).with("code", code),
            Event::Update { lane, body } => new("Update").with("lane", lane).with_body(body.kind, body.bytes),
            Event::Piece { lane, bytes, last } => {
                new("Piece").with("lane", lane).with_flag("last", last).with("body", bytes)
            }
            Event::Taken { lane } => new("Taken").with("lane", lane),
            Event::Aborted { lane, code } => new("Aborted").with("lane", lane).with("code", code),
            Event::Expired { lane } => new("Expired").with("lane", lane),
            Event::Offer { flow, lane, push, size, media, name } => new("Offer")
                .with("flow", flow)
                .with("lane", lane)
                .with_flag("push", push)
                .with_some("size", size)
                .with("media", text(media))
                .with("name", text(name)),
            Event::Accepted { flow, start, end, prefix } => {
                new("Accepted").with("flow", flow).with_accept(&Accept { start, end, prefix })
            }
            Event::Began { flow, start } => new("Began").with("flow", flow).with("start", start),
            Event::Data { flow, offset, bytes } => {
                new("Data").with("flow", flow).with("offset", offset).with("body", bytes)
            }
            Event::Finished { flow, digest } => new("Finished").with("flow", flow).with_some("digest", digest),
            Event::Cancelled { flow, code } => new("Cancelled").with("flow", flow).with("code", code),
            Event::Done { flow, code } => new("Done").with("flow", flow).with("code", code),
            Event::Paused { flow, on } => new("Paused").with("flow", flow).with("on", on),
            Event::Room(Room::Messages) => new("Room").with("of", said("messages")),
            Event::Room(Room::Lane(lane)) => new("Room").with("lane", lane),
            Event::Room(Room::Flow(flow)) => new("Room").with("flow", flow),
            Event::Pong { rtt } => new("Pong").with("rtt_micros", rtt),
            Event::Away => new("Away"),
            Event::Closed { reason, text: why } => new("Closed").with("reason", said(reason)).with("text", text(why)),
            _ => new("Event"),
        }
    }
}

impl<'a> Described<'a> {
    fn with_accept(self, accept: &Accept) -> Described<'a> {
        let Accept { start, end, prefix } = *accept;
        self.with("start", start).with_some("end", end).with_some("prefix", prefix)
    }
}

impl<'a> From<&Call<'a>> for Described<'a> {
    fn from(call: &Call<'a>) -> Described<'a> {
        let new = Described::new(call.name());
        match *call {
            Call::Input { octets } => new.with("octets", octets.len()),
            Call::Partial { len } | Call::Ignored { len } => new.with("octets", len),
            Call::Timeout | Call::Eof | Call::Ping | Call::GoAway => new,
            Call::Transmit { room } => new.with("room", room),
            Call::Close { code, reason } => new.with("code", code).with("reason", Value::Text(reason)),
            Call::Define { table, name, fingerprint } => {
                new.with("table", table).with_some("fingerprint", fingerprint).with("name", Value::Text(name))
            }
            Call::Notify(ref said) | Call::Request(ref said) => new.with_said(said),
            Call::Respond { lane, code, kind, size, attached, more, ref given } => new
                .with("lane", lane)
                .with("code", code)
                .with_flag("more", more)
                .with_some("size", size)
                .with_count("attached", attached)
                .with_given(kind, given),
            Call::RespondCode { lane, code } | Call::Abort { lane, code } => new.with("lane", lane).with("code", code),
            Call::Update { lane, kind, ref given } => new.with("lane", lane).with_given(kind, given),
            Call::Body { lane, ref given } => new.with("lane", lane).with_given(Kind::Bytes, given),
            Call::TakeMessage { len } => new.with("octets", len),
            Call::TakeLane { lane, len } => new.with("lane", lane).with("octets", len),
            Call::Offer { lane, push, size, media, name } => new
                .with("lane", lane)
                .with_flag("push", push)
                .with_some("size", size)
                .with("media", Value::Text(media))
                .with("name", Value::Text(name)),
            Call::Accept { flow, ref accept } => new.with("flow", flow).with_accept(accept),
            Call::Begin { flow, start } => new.with("flow", flow).with("start", start),
            Call::Data { flow, ref given } => new.with("flow", flow).with_given(Kind::Bytes, given),
            Call::Finish { flow, digest } => new.with("flow", flow).with_some("digest", digest),
            Call::Cancel { flow, code } | Call::Done { flow, code } => new.with("flow", flow).with("code", code),
            Call::Pause { flow, on } => new.with("flow", flow).with("on", on),
            Call::TakeFlow { flow, len } => new.with("flow", flow).with("octets", len),
        }
    }
}

impl<'a> From<&Outcome<'a>> for Described<'a> {
    fn from(outcome: &Outcome<'a>) -> Described<'a> {
        match outcome {
            Outcome::Done => Described::new("done"),
            Outcome::Refused(refused) => Described::new("refused").with("why", said(refused)),
            Outcome::Event(event) => event.into(),
            Outcome::Erred(error) => Described::erred(error),
            Outcome::Output(octets) => Described::new("output").with("octets", octets.len()),
            Outcome::Index(index) => Described::new("defined").with("index", *index),
            Outcome::Sent(Sent { id, lane, taken }) => {
                Described::new("sent").with("id", said(id)).with_some("lane", *lane).with("taken", *taken)
            }
            Outcome::Taken(taken) => Described::new("taken").with("octets", *taken),
            Outcome::Flow(flow) => Described::new("offered").with("flow", *flow),
            Outcome::Consumed(consumed) => Described::new("consumed").with("octets", *consumed),
        }
    }
}

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        self.fields.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

impl fmt::Display for Value<'_> {
    /// In a few words, harmless to a terminal: of a long body its beginning, and how long it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Number(number) => number.fmt(f),
            Value::Flag(on) => f.write_str(if *on { "yes" } else { "no" }),
            Value::Code(code, Some(meaning)) => write!(f, "{code}({meaning})"),
            Value::Code(code, None) => code.fmt(f),
            Value::Name(_, index, Some(name)) => write!(f, "#{index}({})", Value::Text(name)),
            Value::Name(_, index, None) => write!(f, "#{index}"),
            Value::Word(word) if word.contains(' ') => write!(f, "({word})"),
            Value::Word(word) => f.write_str(word),
            Value::Text(text) if text.len() <= SHOWN => write!(f, "{:?}", printable(text).to_string()),
            Value::Text(text) => {
                let end = (0..=SHOWN).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
                write!(f, "{:?}.. ({} octets)", printable(&text[..end]).to_string(), text.len())
            }
            Value::Octets(octets) if octets.len() <= SHOWN / 2 => write!(f, "x{}", hex(octets)),
            Value::Octets(octets) => write!(f, "x{}.. ({} octets)", hex(&octets[..SHOWN / 2]), octets.len()),
            Value::Digest(digest) => write!(f, "x{}", hex(digest)),
        }
    }
}

/// Octets as hexadecimal digits.
pub(super) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn said<'a>(word: impl fmt::Display) -> Value<'a> {
    Value::Word(word.to_string().into())
}

fn text(octets: &[u8]) -> Value<'_> {
    std::str::from_utf8(octets).map_or(Value::Octets(octets), Value::Text)
}

/// What a value is made of.
macro_rules! numbers {
    ($($number:ty),*) => {
        $(impl From<$number> for Value<'_> {
            fn from(number: $number) -> Self {
                Value::Number(number as u64)
            }
        })*
    };
}
numbers!(u16, u32, u64, usize);

impl From<bool> for Value<'_> {
    fn from(on: bool) -> Self {
        Value::Flag(on)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(octets: &'a [u8]) -> Self {
        Value::Octets(octets)
    }
}

impl From<[u8; 32]> for Value<'_> {
    fn from(digest: [u8; 32]) -> Self {
        Value::Digest(digest)
    }
}

impl From<Duration> for Value<'_> {
    fn from(time: Duration) -> Self {
        Value::Number(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
    }
}

impl From<ropeway_core::Code> for Value<'_> {
    fn from(code: ropeway_core::Code) -> Self {
        Value::Code(code.value(), code.meaning())
    }
}

impl From<CloseCode> for Value<'_> {
    fn from(code: CloseCode) -> Self {
        Value::Code(code.value(), None)
    }
}

impl From<Side> for Value<'_> {
    fn from(side: Side) -> Self {
        Value::Word(by(side).into())
    }
}

impl From<LaneId> for Value<'_> {
    fn from(lane: LaneId) -> Self {
        said(format_args!("{}:{}", by(lane.opened_by()), lane.number()))
    }
}

impl From<FlowId> for Value<'_> {
    fn from(flow: FlowId) -> Self {
        said(format_args!("{}:{}", by(flow.sent_by()), flow.number()))
    }
}

impl From<Table> for Value<'_> {
    fn from(table: Table) -> Self {
        Value::Word(match table {
            Table::Actions => "actions".into(),
            Table::Types => "types".into(),
        })
    }
}

impl From<Action> for Value<'_> {
    fn from(action: Action) -> Self {
        match action {
            Action::Number(number) => number.into(),
            Action::Name(index) => Value::Name(Table::Actions, index, None),
        }
    }
}

/// Whose it is, seen from who speaks.
fn by(side: Side) -> &'static str {
    match side {
        Side::Us => "own",
        Side::Them => "peer",
    }
}
