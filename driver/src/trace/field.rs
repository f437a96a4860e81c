//! The fields of a record: what each is as octets, both ways in one place.
//!
//! Numbers are the varints of the wire. What can be one of several things begins with an octet that says which.

use std::time::Duration;

use ropeway_core::wire::hello::Field as Limited;
use ropeway_core::{
    Accept, Action, Answer, Body, CloseCode, Code, Event, FlowId, Foreign, Kind, LaneId, Limit, Limits, Message,
    MessageId, PeerError, Ready, Reason, Refused, Room, Sent, Side, Table, Until,
};

/// What can stand in a record.
pub(super) trait Field<'a>: Sized {
    fn put(&self, out: &mut Vec<u8>);
    fn take(from: &mut Fields<'a>) -> Result<Self, Bad>;
}

/// A field is not what it must be, or is missing: its name, and where it lies from the start of the fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) field: &'static str,
    pub(super) at: usize,
}

/// Fields one after the other.
pub(super) struct Fields<'a> {
    octets: &'a [u8],
    at: usize,
    name: &'static str,
    start: usize,
}

impl<'a> Fields<'a> {
    pub(super) fn new(octets: &'a [u8]) -> Fields<'a> {
        Fields { octets, at: 0, name: "", start: 0 }
    }

    /// The next field, which is called so.
    pub(super) fn field<T: Field<'a>>(&mut self, name: &'static str) -> Result<T, Bad> {
        (self.name, self.start) = (name, self.at);
        T::take(self)
    }

    /// The field that is being read is wrong.
    pub(super) fn bad(&self) -> Bad {
        Bad { field: self.name, at: self.start }
    }

    /// Nothing is left.
    pub(super) fn end(&mut self) -> Result<(), Bad> {
        (self.name, self.start) = ("end", self.at);
        if self.at == self.octets.len() { Ok(()) } else { Err(self.bad()) }
    }

    /// Octets read so far.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The next octet.
    pub(super) fn peek(&self) -> Option<u8> {
        self.octets.get(self.at).copied()
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.octets.len()
    }

    fn octet(&mut self) -> Result<u8, Bad> {
        let octet = *self.octets.get(self.at).ok_or(self.bad())?;
        self.at += 1;
        Ok(octet)
    }

    fn octets(&mut self, len: u64) -> Result<&'a [u8], Bad> {
        let rest = self.octets.get(self.at..).unwrap_or_default();
        let len = usize::try_from(len).ok().filter(|len| *len <= rest.len()).ok_or(self.bad())?;
        self.at += len;
        Ok(&rest[..len])
    }
}

/// Writes a number.
pub(super) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// One octet of a number after the other: all of it with the last, `Err` if it is none in its shortest form.
#[derive(Default)]
pub(super) struct Varint {
    value: u64,
    shift: u32,
}

impl Varint {
    pub(super) fn push(&mut self, octet: u8) -> Result<Option<u64>, ()> {
        // The tenth octet holds the last bit of 64.
        if (self.shift == 63 && octet > 1) || (self.shift > 0 && octet == 0) {
            return Err(());
        }
        self.value |= u64::from(octet & 0x7f) << self.shift;
        self.shift += 7;
        Ok((octet < 0x80).then_some(self.value))
    }
}

impl Field<'_> for u64 {
    fn put(&self, out: &mut Vec<u8>) {
        put_varint(*self, out);
    }

    fn take(from: &mut Fields<'_>) -> Result<u64, Bad> {
        let mut number = Varint::default();
        loop {
            let octet = from.octet()?;
            if let Some(value) = number.push(octet).map_err(|()| from.bad())? {
                return Ok(value);
            }
        }
    }
}

/// Fields that are a number of fewer bits.
macro_rules! narrow {
    ($($type:ty),*) => {
        $(impl Field<'_> for $type {
            fn put(&self, out: &mut Vec<u8>) {
                put_varint(*self as u64, out);
            }

            fn take(from: &mut Fields<'_>) -> Result<$type, Bad> {
                u64::take(from)?.try_into().map_err(|_| from.bad())
            }
        })*
    };
}
narrow!(u8, u16, u32, usize);

impl Field<'_> for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn take(from: &mut Fields<'_>) -> Result<bool, Bad> {
        match from.octet()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(from.bad()),
        }
    }
}

impl<'a, T: Field<'a>> Field<'a> for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn take(from: &mut Fields<'a>) -> Result<Option<T>, Bad> {
        if bool::take(from)? { T::take(from).map(Some) } else { Ok(None) }
    }
}

impl<'a> Field<'a> for &'a [u8] {
    fn put(&self, out: &mut Vec<u8>) {
        self.len().put(out);
        out.extend_from_slice(self);
    }

    fn take(from: &mut Fields<'a>) -> Result<&'a [u8], Bad> {
        let len = u64::take(from)?;
        from.octets(len)
    }
}

impl<'a> Field<'a> for &'a str {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_bytes().put(out);
    }

    fn take(from: &mut Fields<'a>) -> Result<&'a str, Bad> {
        std::str::from_utf8(Field::take(from)?).map_err(|_| from.bad())
    }
}

impl<'a, const N: usize> Field<'a> for [u8; N] {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn take(from: &mut Fields<'a>) -> Result<[u8; N], Bad> {
        from.octets(N as u64)?.try_into().map_err(|_| from.bad())
    }
}

impl Field<'_> for Duration {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_secs().put(out);
        self.subsec_nanos().put(out);
    }

    fn take(from: &mut Fields<'_>) -> Result<Duration, Bad> {
        let (seconds, nanos) = (u64::take(from)?, u32::take(from)?);
        if nanos < 1_000_000_000 { Ok(Duration::new(seconds, nanos)) } else { Err(from.bad()) }
    }
}

/// Fields that are made of a number, or are none.
macro_rules! made {
    ($($type:ident: $number:ty, $of:expr, $make:expr;)*) => {
        $(impl Field<'_> for $type {
            fn put(&self, out: &mut Vec<u8>) {
                let of: fn(&$type) -> $number = $of;
                of(self).put(out);
            }

            fn take(from: &mut Fields<'_>) -> Result<$type, Bad> {
                let make: fn($number) -> Option<$type> = $make;
                make(<$number>::take(from)?).ok_or(from.bad())
            }
        })*
    };
}
made! {
    Code: u16, |code| code.value(), Code::new;
    CloseCode: u16, |code| code.value(), CloseCode::new;
    MessageId: [u8; 16], |id| id.to_bytes(), |octets| Some(MessageId::from_bytes(octets));
}

/// Fields that are fields one after the other.
macro_rules! fields {
    ($($type:ty, $name:ident { $($field:ident),* })*) => {
        $(impl<'a> $crate::trace::field::Field<'a> for $type {
            fn put(&self, out: &mut Vec<u8>) {
                $(self.$field.put(out);)*
            }

            fn take(from: &mut $crate::trace::field::Fields<'a>) -> Result<$type, $crate::trace::field::Bad> {
                $(let $field = from.field(stringify!($field))?;)*
                Ok($name { $($field),* })
            }
        })*
    };
}
pub(super) use fields;

fields! {
    Limits, Limits {
        frame, message, lanes, flows, window, lane_credit, flow_credit, name, definitions, attached, timeout
    }
    Ready, Ready { version, session, peer }
    Limit, Limit { field, asked, allowed }
    Sent, Sent { id, lane, taken }
    Accept, Accept { start, end, prefix }
    Body<&'a [u8]>, Body { kind, bytes }
    Answer<&'a [u8]>, Answer { id, lane, code, body, size, attached, last }
}

impl<'a> Field<'a> for Message<&'a [u8]> {
    fn put(&self, out: &mut Vec<u8>) {
        // Lines that are sealed are not recorded.
        let Message { id, lane, action, wants_answer, timeout, body, size, attached, sealed: _ } = self;
        id.put(out);
        lane.put(out);
        action.put(out);
        wants_answer.put(out);
        timeout.put(out);
        body.put(out);
        size.put(out);
        attached.put(out);
    }

    fn take(from: &mut Fields<'a>) -> Result<Message<&'a [u8]>, Bad> {
        Ok(Message {
            id: from.field("id")?,
            lane: from.field("lane")?,
            action: from.field("action")?,
            wants_answer: from.field("wants_answer")?,
            timeout: from.field("timeout")?,
            body: from.field("body")?,
            size: from.field("size")?,
            attached: from.field("attached")?,
            sealed: false,
        })
    }
}

impl Field<'_> for LaneId {
    fn put(&self, out: &mut Vec<u8>) {
        self.opened_by().put(out);
        self.number().put(out);
    }

    fn take(from: &mut Fields<'_>) -> Result<LaneId, Bad> {
        let opened_by = Side::take(from)?;
        Ok(LaneId::new(u16::take(from)?, opened_by))
    }
}

impl Field<'_> for FlowId {
    fn put(&self, out: &mut Vec<u8>) {
        self.sent_by().put(out);
        self.number().put(out);
    }

    fn take(from: &mut Fields<'_>) -> Result<FlowId, Bad> {
        let sent_by = Side::take(from)?;
        Ok(FlowId::new(u16::take(from)?, sent_by))
    }
}

/// Fields that are one of several, each with its number and what it brings. 0 is none of them: core has what this version of
/// the format does not.
macro_rules! numbered {
    ($type:ty, $name:ident {
        $($number:literal $variant:ident $({ $($field:ident),* })? $(( $($item:ident),* ))?;)*
    }) => {
        impl<'a> $crate::trace::field::Field<'a> for $type {
            fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $($name::$variant $({ $($field),* })? $(( $($item),* ))? => {
                        out.push($number);
                        $($($field.put(out);)*)?
                        $($($item.put(out);)*)?
                    })*
                    #[allow(unreachable_patterns, reason = "core may have more to come, or not")]
                    _ => out.push(0),
                }
            }

            fn take(from: &mut $crate::trace::field::Fields<'a>) -> Result<$type, $crate::trace::field::Bad> {
                match $crate::trace::field::Field::take(from)? {
                    $($number => {
                        $($(let $field = from.field(stringify!($field))?;)*)?
                        $($(let $item = from.field(stringify!($item))?;)*)?
                        Ok($name::$variant $({ $($field),* })? $(( $($item),* ))?)
                    })*
                    0u8 | _ => Err(from.bad()),
                }
            }
        }
    };
}
pub(super) use numbered;

numbered!(Side, Side { 1 Us; 2 Them; });
numbered!(Table, Table { 1 Actions; 2 Types; });
numbered!(Action, Action { 1 Number(number); 2 Name(index); });
numbered!(Kind, Kind { 1 None; 2 Bytes; 3 Text; 4 Typed(index); });
numbered!(Room, Room { 1 Messages; 2 Lane(lane); 3 Flow(flow); });
numbered!(Until, Until { 1 Lane; 2 Flow; 3 Credit; 4 Transmit; });
numbered!(Foreign, Foreign { 1 Http; 2 Tls; 3 Ssh; 4 Unknown; });
numbered!(Limited, Limited {
    1 Length; 2 Versions; 3 Session; 4 Frame; 5 Message; 6 Lanes; 7 Flows; 8 Window; 9 LaneCredit; 10 FlowCredit;
    11 Name; 12 Definitions; 13 Attached; 14 Timeout; 15 Extension;
});
numbered!(Refused, Refused {
    1 Later(until); 2 NotReady; 3 Closed; 4 Away; 5 TooLarge(limit); 6 NoLane; 7 NoFlow; 8 WrongState; 9 BadArgument;
});
numbered!(Reason, Reason {
    1 ByUs(code); 2 ByPeer(code); 3 PeerError(error); 4 Dead; 5 HelloTimeout; 6 Eof;
});
// The numbers of goodbyes.
numbered!(PeerError, PeerError {
    16 NotRopeway(foreign); 17 BadHello(field); 18 Version { oldest, newest }; 19 UnknownFrame(kind);
    20 ReservedBits(kind); 21 BadVarint; 22 FrameTooLarge { size, limit }; 23 Unexpected(kind); 24 LaneLimit(lane);
    25 LaneInUse(lane); 26 FlowLimit(flow); 27 FlowInUse(flow); 28 MessageTooLarge { size, limit }; 29 BodyOverrun;
    30 Window; 31 Credit; 32 CreditOverflow; 33 Range; 34 Definition(index); 35 BadName; 36 BadCode; 37 BadAction;
    38 BadAck; 39 AbortFlood; 40 EmptyFragment; 41 SecondHello;
});
numbered!(Event<&'a [u8]>, Event {
    1 Ready(ready);
    2 Defined { table, index, fingerprint, name };
    3 Message(message);
    4 Response(answer);
    5 Code { lane, code };
    6 Update { lane, body };
    7 Piece { lane, bytes, last };
    8 Taken { lane };
    9 Aborted { lane, code };
    10 Expired { lane };
    11 Offer { flow, lane, push, size, media, name };
    12 Accepted { flow, start, end, prefix };
    13 Began { flow, start };
    14 Data { flow, offset, bytes };
    15 Finished { flow, digest };
    16 Cancelled { flow, code };
    17 Done { flow, code };
    18 Paused { flow, on };
    19 Room(room);
    20 Pong { rtt };
    21 Away;
    22 Closed { reason, text };
});
