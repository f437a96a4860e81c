//! What a machine is told, by the world and by the application.

use std::time::Duration;

use ropeway_core::{
    Accept, Action, CloseCode, Code, Connection, FlowId, Instant, Kind, LaneId, MAGIC, Offer, Respond, Send, Step,
    Table,
};

use super::field::{Bad, Field, Fields, numbered, put_varint};
use super::outcome::Outcome;
use crate::memory::Grown;

/// The most octets that a machine is given to send at once, and the longest name: more than any frame holds, so that what
/// lies behind them is of no matter.
pub(crate) const MOST: usize = 64 * 1024;
/// The most octets that a machine is asked for at once.
pub(crate) const MOST_OUTPUT: usize = 256 * 1024;

/// The head of a frame with octets of a flow.
const DATA: u8 = 13 << 3;

/// What a machine was told: one of the methods of [`Connection`] that change it, with its arguments but for the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Call<'a> {
    /// Octets came: a frame, or the hello. If the peer erred, as many as show it, and at most 64 KiB.
    Input {
        /// What came.
        octets: &'a [u8],
    },
    /// Octets came that were the beginning of a frame, and left.
    Partial {
        /// How many there were, at most 64 KiB.
        len: u64,
    },
    /// Octets came after the end.
    Ignored {
        /// How many.
        len: u64,
    },
    /// A deadline may have passed.
    Timeout,
    /// The transport ended.
    Eof,
    /// What is to be sent?
    Transmit {
        /// Octets there was room for, at most 256 KiB.
        room: usize,
    },
    /// [`Connection::ping`].
    Ping,
    /// [`Connection::go_away`].
    GoAway,
    /// [`Connection::close`].
    Close {
        /// Why.
        code: CloseCode,
        /// Why, for a person.
        reason: &'a str,
    },
    /// [`Connection::define`].
    Define {
        /// Which table.
        table: Table,
        /// The name.
        name: &'a str,
        /// The number of the shape behind it.
        fingerprint: Option<u64>,
    },
    /// [`Connection::notify`].
    Notify(Said<'a>),
    /// [`Connection::request`].
    Request(Said<'a>),
    /// [`Connection::respond`].
    Respond {
        /// The exchange.
        lane: LaneId,
        /// How it went.
        code: Code,
        /// What the body is.
        kind: Kind,
        /// The size of the whole body, if it is not all here.
        size: Option<u64>,
        /// How many flows are offered with it.
        attached: u16,
        /// Whether more answers follow.
        more: bool,
        /// The body.
        given: Given<'a>,
    },
    /// [`Connection::respond_code`].
    RespondCode {
        /// The exchange.
        lane: LaneId,
        /// The answer.
        code: Code,
    },
    /// [`Connection::update`].
    Update {
        /// The exchange.
        lane: LaneId,
        /// What the body is.
        kind: Kind,
        /// The body.
        given: Given<'a>,
    },
    /// [`Connection::body`].
    Body {
        /// The exchange.
        lane: LaneId,
        /// More of the body.
        given: Given<'a>,
    },
    /// [`Connection::abort`].
    Abort {
        /// The exchange.
        lane: LaneId,
        /// Why.
        code: Code,
    },
    /// [`Connection::take_message`].
    TakeMessage {
        /// Octets of its body.
        len: usize,
    },
    /// [`Connection::take_lane`].
    TakeLane {
        /// The exchange.
        lane: LaneId,
        /// Octets.
        len: usize,
    },
    /// [`Connection::offer`].
    Offer {
        /// The exchange.
        lane: LaneId,
        /// Whether it is a stream.
        push: bool,
        /// Its size, if known.
        size: Option<u64>,
        /// Its media type.
        media: &'a str,
        /// Its name.
        name: &'a str,
    },
    /// [`Connection::accept`].
    Accept {
        /// The flow.
        flow: FlowId,
        /// What is wanted.
        accept: Accept,
    },
    /// [`Connection::begin`].
    Begin {
        /// The flow.
        flow: FlowId,
        /// The offset of the first octet.
        start: u64,
    },
    /// [`Connection::data`].
    Data {
        /// The flow.
        flow: FlowId,
        /// More of it.
        given: Given<'a>,
    },
    /// [`Connection::finish`].
    Finish {
        /// The flow.
        flow: FlowId,
        /// BLAKE3 of the content.
        digest: Option<[u8; 32]>,
    },
    /// [`Connection::cancel`].
    Cancel {
        /// The flow.
        flow: FlowId,
        /// Why.
        code: Code,
    },
    /// [`Connection::done`].
    Done {
        /// The flow.
        flow: FlowId,
        /// How it went.
        code: Code,
    },
    /// [`Connection::pause`].
    Pause {
        /// The flow.
        flow: FlowId,
        /// Paused, or going on?
        on: bool,
    },
    /// [`Connection::take_flow`].
    TakeFlow {
        /// The flow.
        flow: FlowId,
        /// Octets.
        len: usize,
    },
}

/// A message that was to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said<'a> {
    /// What it is for.
    pub action: Action,
    /// What the body is.
    pub kind: Kind,
    /// The size of the whole body, if it is not all here.
    pub size: Option<u64>,
    /// How many flows are offered with it.
    pub attached: u16,
    /// How long an answer is waited for, if that was said.
    pub timeout: Option<Duration>,
    /// The body.
    pub given: Given<'a>,
}

/// Octets that a machine was given to send, of which it took the first, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given<'a> {
    /// How many were given, at most 64 KiB.
    pub len: usize,
    /// Those that were taken.
    pub taken: &'a [u8],
}

super::field::fields! {
    Said<'a>, Said { action, kind, size, attached, timeout, given }
}

impl<'a> Field<'a> for Given<'a> {
    fn put(&self, out: &mut Vec<u8>) {
        self.len.put(out);
        self.taken.put(out);
    }

    fn take(from: &mut Fields<'a>) -> Result<Given<'a>, Bad> {
        let (len, taken) = (from.field("given")?, from.field::<&[u8]>("taken")?);
        if len <= MOST && taken.len() <= len { Ok(Given { len, taken }) } else { Err(from.bad()) }
    }
}

// The kinds of records.
numbered!(Call<'a>, Call {
    1 Input { octets };
    2 Partial { len };
    3 Ignored { len };
    4 Timeout;
    5 Eof;
    6 Transmit { room };
    16 Ping;
    17 GoAway;
    18 Close { code, reason };
    19 Define { table, name, fingerprint };
    20 Notify(said);
    21 Request(said);
    22 Respond { lane, code, kind, size, attached, more, given };
    23 RespondCode { lane, code };
    24 Update { lane, kind, given };
    25 Body { lane, given };
    26 Abort { lane, code };
    27 TakeMessage { len };
    28 TakeLane { lane, len };
    29 Offer { lane, push, size, media, name };
    30 Accept { flow, accept };
    31 Begin { flow, start };
    32 Data { flow, given };
    33 Finish { flow, digest };
    34 Cancel { flow, code };
    35 Done { flow, code };
    36 Pause { flow, on };
    37 TakeFlow { flow, len };
});

impl<'a> Call<'a> {
    /// What it is called.
    pub fn name(&self) -> &'static str {
        match self {
            Call::Input { .. } => "input",
            Call::Partial { .. } => "partial",
            Call::Ignored { .. } => "ignored",
            Call::Timeout => "timeout",
            Call::Eof => "eof",
            Call::Transmit { .. } => "output",
            Call::Ping => "ping",
            Call::GoAway => "go_away",
            Call::Close { .. } => "close",
            Call::Define { .. } => "define",
            Call::Notify(_) => "notify",
            Call::Request(_) => "request",
            Call::Respond { .. } => "respond",
            Call::RespondCode { .. } => "respond_code",
            Call::Update { .. } => "update",
            Call::Body { .. } => "body",
            Call::Abort { .. } => "abort",
            Call::TakeMessage { .. } => "take_message",
            Call::TakeLane { .. } => "take_lane",
            Call::Offer { .. } => "offer",
            Call::Accept { .. } => "accept",
            Call::Begin { .. } => "begin",
            Call::Data { .. } => "data",
            Call::Finish { .. } => "finish",
            Call::Cancel { .. } => "cancel",
            Call::Done { .. } => "done",
            Call::Pause { .. } => "pause",
            Call::TakeFlow { .. } => "take_flow",
        }
    }

    /// Whether a machine can have been told so much.
    pub(super) fn is_bounded(&self) -> bool {
        match self {
            Call::Transmit { room } => *room <= MOST_OUTPUT,
            Call::Partial { len } => *len <= MOST as u64,
            Call::Input { octets } => octets.len() <= MOST,
            _ => true,
        }
    }

    /// What it gave a machine to send.
    pub(super) fn given(&self) -> Option<&Given<'a>> {
        match self {
            Call::Notify(said) | Call::Request(said) => Some(&said.given),
            Call::Respond { given, .. }
            | Call::Update { given, .. }
            | Call::Body { given, .. }
            | Call::Data { given, .. } => Some(given),
            _ => None,
        }
    }

    /// Tells it a machine. `block` is where the machine finds its octets, and puts its own.
    pub(super) fn tell<'b>(
        &self,
        machine: &mut Connection<Grown>,
        now: Instant,
        block: &'b mut Vec<u8>,
    ) -> Outcome<'b> {
        let (len, octets) = match self {
            Call::Input { octets } => (octets.len(), *octets),
            Call::Ignored { .. } => (1, &[0][..]),
            // Records that can be read are within both bounds.
            Call::Partial { len } => (usize::try_from(*len).unwrap_or(MOST).min(MOST), &[][..]),
            Call::Transmit { room } => ((*room).min(MOST_OUTPUT), &[][..]),
            _ => self.given().map_or((0, &[][..]), |given| (given.len, given.taken)),
        };
        // What lies behind the octets that were taken is of no matter.
        if block.len() < len {
            block.resize(len, 0);
        }
        let block = &mut block[..len];
        block[..octets.len()].copy_from_slice(octets);
        match *self {
            Call::Input { .. } | Call::Ignored { .. } => step(machine, now, block),
            Call::Partial { .. } => {
                begin(block, machine.peer().is_some());
                match machine.handle_input(now, block) {
                    Ok(Step { consumed: 0, .. }) => Outcome::Done,
                    Ok(step) => Outcome::Consumed(step.consumed),
                    Err(error) => Outcome::Erred(error),
                }
            }
            Call::Timeout => machine.handle_timeout(now).into(),
            Call::Eof => machine.handle_eof().into(),
            Call::Transmit { .. } => {
                let len = machine.poll_transmit(now, block);
                Outcome::Output(&block[..len])
            }
            Call::Ping => machine.ping().into(),
            Call::GoAway => machine.go_away().into(),
            Call::Close { code, reason } => {
                machine.close(code, reason);
                Outcome::Done
            }
            Call::Define { table, name, fingerprint } => machine.define(table, name, fingerprint).into(),
            Call::Notify(said) => machine.notify(now, &said.send(block)).into(),
            Call::Request(said) => machine.request(now, &said.send(block)).into(),
            Call::Respond { lane, code, kind, size, attached, more, .. } => {
                let body = ropeway_core::Body { kind, bytes: &block[..] };
                machine.respond(lane, &Respond { code, body, size, attached, more }).into()
            }
            Call::RespondCode { lane, code } => machine.respond_code(lane, code).into(),
            Call::Update { lane, kind, .. } => {
                machine.update(lane, ropeway_core::Body { kind, bytes: &block[..] }).into()
            }
            Call::Body { lane, .. } => machine.body(now, lane, block).into(),
            Call::Abort { lane, code } => machine.abort(lane, code).into(),
            Call::TakeMessage { len } => {
                machine.take_message(len);
                Outcome::Done
            }
            Call::TakeLane { lane, len } => {
                machine.take_lane(lane, len);
                Outcome::Done
            }
            Call::Offer { lane, push, size, media, name } => {
                machine.offer(lane, &Offer { push, size, media, name }).into()
            }
            Call::Accept { flow, accept } => machine.accept(flow, &accept).into(),
            Call::Begin { flow, start } => machine.begin(now, flow, start).into(),
            Call::Data { flow, .. } => machine.data(now, flow, block).into(),
            Call::Finish { flow, digest } => machine.finish(now, flow, digest).into(),
            Call::Cancel { flow, code } => machine.cancel(flow, code).into(),
            Call::Done { flow, code } => machine.done(flow, code).into(),
            Call::Pause { flow, on } => machine.pause(flow, on).into(),
            Call::TakeFlow { flow, len } => {
                machine.take_flow(flow, len);
                Outcome::Done
            }
        }
    }
}

impl Said<'_> {
    fn send<'b>(&self, bytes: &'b [u8]) -> Send<'b> {
        let Said { action, kind, size, attached, timeout, .. } = *self;
        Send { action, body: ropeway_core::Body { kind, bytes }, size, attached, timeout, sealed: false }
    }
}

/// Makes octets the beginning of a frame that is an octet longer, or of such a hello.
///
/// To a machine it makes no difference what has begun: it asks for more, and that there is more than before is a sign of life.
/// So what came of a frame need not be recorded time and again while the rest is on its way.
fn begin(octets: &mut [u8], greeted: bool) {
    let whole = octets.len() + 1;
    let mut head = Vec::new();
    if greeted {
        // The length of what is behind the length has one octet or several, and the sum of both skips two numbers: there the
        // number of the flow has two.
        let behind = |flow: &[u8], len: usize| whole.checked_sub(1 + flow.len() + len).map(|behind| behind as u64);
        for flow in [&[0][..], &[0x80, 1]] {
            for len in 1..=3 {
                head.clear();
                head.push(DATA);
                head.extend_from_slice(flow);
                put_varint(behind(flow, len).unwrap_or(1), &mut head);
                if head.len() == 1 + flow.len() + len {
                    return fill(octets, &head);
                }
            }
        }
    } else {
        head.extend_from_slice(&MAGIC);
        let behind = whole.saturating_sub(head.len() + 2);
        head.extend_from_slice(&u16::try_from(behind).unwrap_or(u16::MAX).to_le_bytes());
    }
    fill(octets, &head);
}

fn fill(octets: &mut [u8], head: &[u8]) {
    let len = head.len().min(octets.len());
    octets[..len].copy_from_slice(&head[..len]);
}

/// Gives a machine octets of which it is to take all.
fn step<'b>(machine: &mut Connection<Grown>, now: Instant, octets: &'b mut [u8]) -> Outcome<'b> {
    let len = octets.len();
    match machine.handle_input(now, octets) {
        Ok(step) if step.consumed == len => step.event.into(),
        Ok(step) => Outcome::Consumed(step.consumed),
        Err(error) => Outcome::Erred(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ropeway_core::Limits;
    use ropeway_core::wire::Frame;
    use ropeway_core::wire::hello::{Hello, MAX_HELLO};

    #[test]
    fn what_has_begun_wants_one_octet_more() {
        for len in 1..Limits::MAX_FRAME as usize {
            let mut octets = vec![0; len];
            begin(&mut octets, true);
            assert_eq!(Frame::decode(&octets, Limits::MAX_FRAME), Ok(None), "{len}");
            octets.push(1);
            let whole = Frame::decode(&octets, Limits::MAX_FRAME).map(|found| found.map(|(_, len)| len));
            // Of two octets and three it is not known how long the frame will be.
            assert_eq!(whole, Ok((len > 2).then_some(len + 1)), "{len}");
        }
        for len in 1..MAX_HELLO + 5 {
            let mut octets = vec![0; len];
            begin(&mut octets, false);
            assert_eq!(Hello::decode(&octets), Ok(None), "{len}");
            octets.push(0);
            assert!(len < 6 || Hello::decode(&octets) != Ok(None), "{len}");
        }
    }
}
