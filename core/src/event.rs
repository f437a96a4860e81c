//! What the machine tells the application.

use core::time::Duration;

use crate::error::Reason;
use crate::id::{Action, Code, FlowId, LaneId, MessageId, Side};
use crate::wire::hello::Limits;
use crate::wire::{Body, Table};

/// Something happened. `P` is how octets are held: borrowed from the input out of the machine, anything else after
/// [`map`](Event::map).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<P> {
    /// The handshake is done.
    Ready(Ready),
    /// The peer named an action or a type.
    Defined {
        /// Which table.
        table: Table,
        /// Its index there: one more than that of the last.
        index: u16,
        /// Differs when the shape behind the name does.
        fingerprint: Option<u64>,
        /// The name, UTF-8.
        name: P,
    },
    /// A notice or a request. Its octets count against the window until
    /// [`take_message`](crate::Connection::take_message).
    Message(Message<P>),
    /// An answer. Its octets count against the lane until [`take_lane`](crate::Connection::take_lane).
    Response(Answer<P>),
    /// The last answer, a bare code.
    Code {
        /// The exchange.
        lane: LaneId,
        /// The answer.
        code: Code,
    },
    /// Progress. Counts like [`Event::Response`].
    Update {
        /// The exchange.
        lane: LaneId,
        /// How far it is.
        body: Body<P>,
    },
    /// More of a body. Counts like [`Event::Response`].
    Piece {
        /// The exchange.
        lane: LaneId,
        /// At least one octet.
        bytes: P,
        /// Whether the body is complete now.
        last: bool,
    },
    /// The peer has taken all of a notice that had a lane.
    Taken {
        /// The exchange, now over.
        lane: LaneId,
    },
    /// The peer gave the exchange up. Nothing can be said on it any more; its flows go on until they end or are ended.
    ///
    /// With [`Code::TIMEOUT`] its deadline has passed there, see [`Event::Expired`]. Not told of an exchange that is over, or
    /// that this end gave up itself.
    Aborted {
        /// The exchange.
        lane: LaneId,
        /// Why.
        code: Code,
    },
    /// A request of this end had no sign of life for too long, and was aborted. Its flows go on until they end or are
    /// ended.
    ///
    /// A sign of life is all that the peer says on its lane or of a flow that belongs to it, and what this end sends of its
    /// body and flows. A flow that rests is none, nor is a ping. Behind the last answer there is no deadline.
    Expired {
        /// The exchange.
        lane: LaneId,
    },
    /// A flow that belongs to a message or response.
    Offer {
        /// The flow.
        flow: FlowId,
        /// The exchange.
        lane: LaneId,
        /// A stream, that begins at once; otherwise [`accept`](crate::Connection::accept) it or say
        /// [`done`](crate::Connection::done).
        push: bool,
        /// The size in octets, if known.
        size: Option<u64>,
        /// The media type, UTF-8, may be empty.
        media: P,
        /// The name, UTF-8, may be empty. The peer's word, not a path.
        name: P,
    },
    /// The peer wants what was offered. Answer with [`begin`](crate::Connection::begin).
    Accepted {
        /// The flow.
        flow: FlowId,
        /// Offset of the first byte wanted.
        start: u64,
        /// Offset behind the last byte wanted, if not all.
        end: Option<u64>,
        /// BLAKE3 of the bytes before `start` that the peer has. If yours differ, begin at 0.
        prefix: Option<[u8; 32]>,
    },
    /// The peer begins to send.
    Began {
        /// The flow.
        flow: FlowId,
        /// Offset of the first byte: what was asked for, or 0.
        start: u64,
    },
    /// Bytes. They count against the flow until [`take_flow`](crate::Connection::take_flow).
    Data {
        /// The flow.
        flow: FlowId,
        /// Offset of the first of them.
        offset: u64,
        /// At least one.
        bytes: P,
    },
    /// All that was asked for has come. A stream is over when it is taken; otherwise say
    /// [`done`](crate::Connection::done), or [`accept`](crate::Connection::accept) another range.
    Finished {
        /// The flow.
        flow: FlowId,
        /// BLAKE3 of the content, to compare.
        digest: Option<[u8; 32]>,
    },
    /// The peer gave up sending.
    Cancelled {
        /// The flow.
        flow: FlowId,
        /// Why.
        code: Code,
    },
    /// A flow that this end sent is over.
    Done {
        /// The flow.
        flow: FlowId,
        /// [`Code::OK`] if the peer has all, verified; otherwise why not.
        code: Code,
    },
    /// The peer paused the flow, or lets it go on.
    Paused {
        /// The flow.
        flow: FlowId,
        /// Paused?
        on: bool,
    },
    /// A verb that was refused until there is [`Credit`](crate::Until::Credit) may be tried again.
    Room(Room),
    /// A ping came back.
    Pong {
        /// How long it took.
        rtt: Duration,
    },
    /// A client is to say who it is: [`prove`](crate::Connection::prove). The line is not open before that.
    Prove,
    /// The client says who it is. The application decides: [`grant`](crate::Connection::grant) or [`deny`](crate::Connection::deny),
    /// in the time of [`AuthRules::timeout`](crate::AuthRules::timeout). The line may be open already.
    Claim {
        /// What the secret is found by, UTF-8; nothing if it is by its key.
        name: P,
        /// Whether it has the secret tells [`verify`](crate::Connection::verify); `None` if it is by its key, which it has.
        proof: Option<[u8; 32]>,
    },
    /// The server takes who this end is. If the line was not open it is now: there is no [`Event::Ready`].
    Granted {
        /// The name by which the server knows it, UTF-8.
        name: P,
        /// How long, if it is to be proved anew before then.
        lifetime: Option<Duration>,
    },
    /// The server does not. On a line that is not open another credential may do; one that is goes on as it was.
    ///
    /// At a server: it took too long to decide on the claim of an open line. Who is still at it drops what comes of that: the
    /// machine would take it for a decision on the next claim.
    Denied {
        /// Why.
        code: Code,
    },
    /// What a side says is sealed from here on, or not any more.
    Sealed {
        /// Who says it.
        by: Side,
        /// Sealed?
        on: bool,
    },
    /// The peer takes no new exchanges.
    Away,
    /// The line is over. Always the last event.
    Closed {
        /// Why.
        reason: Reason,
        /// What the peer says about it, UTF-8.
        text: P,
    },
}

/// What there is room for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// New messages.
    Messages,
    /// What is said on this lane.
    Lane(LaneId),
    /// Data of this flow.
    Flow(FlowId),
}

/// What the handshake gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The version both speak.
    pub version: u8,
    /// The session's id.
    pub session: [u8; 16],
    /// What the peer takes.
    pub peer: Limits,
}

/// A notice or a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<P> {
    /// Its id.
    pub id: MessageId,
    /// Its exchange; a notice of one frame has none.
    pub lane: Option<LaneId>,
    /// What it is for.
    pub action: Action,
    /// Whether an answer is wanted.
    pub wants_answer: bool,
    /// How long the peer waits for a sign of life, as [`Event::Expired`] has it, before it gives up: then
    /// [`Event::Aborted`] comes. `None` for ever. An [`update`](crate::Connection::update) is one that says nothing else.
    pub timeout: Option<Duration>,
    /// The body, or its first piece if it is shorter than `size`.
    pub body: Body<P>,
    /// The size of the whole body, in octets.
    pub size: u64,
    /// How many flows belong to it. Each comes as an [`Event::Offer`].
    pub attached: u16,
    /// Whether it came sealed. Then so does all that belongs to it, and what is answered.
    pub sealed: bool,
}

/// A response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer<P> {
    /// Its id.
    pub id: MessageId,
    /// The exchange.
    pub lane: LaneId,
    /// How it went.
    pub code: Code,
    /// The body, or its first piece if it is shorter than `size`.
    pub body: Body<P>,
    /// The size of the whole body, in octets.
    pub size: u64,
    /// How many flows belong to it.
    pub attached: u16,
    /// Whether it is the last answer.
    pub last: bool,
}

impl<P> Event<P> {
    /// The same event with its octets held otherwise.
    pub fn map<Q>(self, mut f: impl FnMut(P) -> Q) -> Event<Q> {
        match self {
            Event::Ready(ready) => Event::Ready(ready),
            Event::Defined { table, index, fingerprint, name } => {
                Event::Defined { table, index, fingerprint, name: f(name) }
            }
            Event::Message(Message { id, lane, action, wants_answer, timeout, body, size, attached, sealed }) => {
                let body = body.map(f);
                Event::Message(Message { id, lane, action, wants_answer, timeout, body, size, attached, sealed })
            }
            Event::Response(Answer { id, lane, code, body, size, attached, last }) => {
                Event::Response(Answer { id, lane, code, body: body.map(f), size, attached, last })
            }
            Event::Code { lane, code } => Event::Code { lane, code },
            Event::Update { lane, body } => Event::Update { lane, body: body.map(f) },
            Event::Piece { lane, bytes, last } => Event::Piece { lane, bytes: f(bytes), last },
            Event::Taken { lane } => Event::Taken { lane },
            Event::Aborted { lane, code } => Event::Aborted { lane, code },
            Event::Expired { lane } => Event::Expired { lane },
            Event::Offer { flow, lane, push, size, media, name } => {
                Event::Offer { flow, lane, push, size, media: f(media), name: f(name) }
            }
            Event::Accepted { flow, start, end, prefix } => Event::Accepted { flow, start, end, prefix },
            Event::Began { flow, start } => Event::Began { flow, start },
            Event::Data { flow, offset, bytes } => Event::Data { flow, offset, bytes: f(bytes) },
            Event::Finished { flow, digest } => Event::Finished { flow, digest },
            Event::Cancelled { flow, code } => Event::Cancelled { flow, code },
            Event::Done { flow, code } => Event::Done { flow, code },
            Event::Paused { flow, on } => Event::Paused { flow, on },
            Event::Room(room) => Event::Room(room),
            Event::Pong { rtt } => Event::Pong { rtt },
            Event::Prove => Event::Prove,
            Event::Claim { name, proof } => Event::Claim { name: f(name), proof },
            Event::Granted { name, lifetime } => Event::Granted { name: f(name), lifetime },
            Event::Denied { code } => Event::Denied { code },
            Event::Sealed { by, on } => Event::Sealed { by, on },
            Event::Away => Event::Away,
            Event::Closed { reason, text } => Event::Closed { reason, text: f(text) },
        }
    }
}
