//! One end of a line. This file holds what it is made of; the files around it hold what it does.

mod auth;
mod deadlines;
mod flows;
mod input;
mod messages;
mod output;
mod sealing;
#[cfg(all(test, feature = "seal"))]
mod walk;

pub use flows::{Accept, Offer};
pub use messages::{BULK, Respond, Send, Sent};

use core::fmt;
use core::time::Duration;

use crate::config::Config;
use crate::error::{CloseCode, Limit, PeerError, Reason, Refused, Until};
use crate::event::Event;
use crate::flow::Flow;
use crate::id::{Code, LaneId, MessageId, Side};
use crate::lane::{Lane, Owes};
use crate::liveness::{Acks, Pings, Timer, Timers};
use crate::memory::{Memory, Storage};
use crate::outbox::Outbox;
use crate::pool::Pool;
use crate::sealing::Inner;
use crate::stats::Stats;
use crate::time::Instant;
use crate::window::Window;
use crate::wire::hello::{Field, Limits};
use crate::wire::{Close, Frame, Table};

/// One end of a line, as a pure state machine.
///
/// The caller moves bytes between it and a transport, and time into it; see the [crate's contract](crate). A verb that
/// is refused has changed nothing.
#[cfg_attr(test, derive(Clone))]
pub struct Connection<S: Storage> {
    state: State,
    is_server: bool,
    /// What this end takes, as announced.
    ours: Limits,
    /// What the peer takes; all zero before its hello.
    theirs: Limits,
    session: [u8; 16],
    sealer: S::Sealer,
    opened: Pool<Lane, S::Lanes>,
    accepted: Pool<Lane, S::Lanes>,
    sending: Pool<Flow, S::Flows>,
    receiving: Pool<Flow, S::Flows>,
    outbox: Outbox<S::Outbox>,
    /// Octets of the outbox that must go out before control frames may be put between. Of a line with keys: those of a frame that
    /// found no room behind them.
    run: usize,
    /// What we may still say, and what the peer may.
    window_out: Window,
    window_in: Window,
    window_due: bool,
    /// Messages and responses said so far: ordinals of their ids.
    said: u64,
    heard: u64,
    /// Definitions made, by us and by the peer.
    defined: Counts,
    learned: Counts,
    /// Exchanges the peer opened and gave up, beyond those it let end.
    aborts: u32,
    max_aborts: u32,
    was_open: bool,
    peer_away: bool,
    pings: Pings,
    acks: Acks,
    last_heard: Instant,
    heartbeat: Duration,
    misses: u32,
    timers: Timers,
    stats: Stats,
    /// The next frame is at least this long, so shorter input is not looked at again.
    need: usize,
    /// Octets of input that were there and not taken.
    left: usize,
    /// The frame that is looked at came in a record.
    in_record: bool,
}

/// Where the line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The peer's hello has not come.
    Hello {
        /// Ours is still to be sent (a client's).
        unsaid: bool,
    },
    /// The hellos are exchanged, and keys are being agreed on.
    Agreeing {
        /// Our hello is still to be sent (a server's).
        unsaid: bool,
    },
    /// There are keys, and the client is to say who it is.
    Proving {
        /// Our hello is still to be sent (a server's).
        unsaid: bool,
    },
    Open {
        /// Our hello is still to be sent (a server's).
        unsaid: bool,
    },
    /// The outbox drains, then the goodbye goes.
    Closing {
        reason: Reason,
        unsaid: bool,
        queued: bool,
    },
    Closed(Reason),
}

/// How many names are defined in each table.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    actions: u16,
    types: u16,
}

impl Counts {
    fn get(self, table: Table) -> u16 {
        match table {
            Table::Actions => self.actions,
            Table::Types => self.types,
        }
    }

    fn get_mut(&mut self, table: Table) -> &mut u16 {
        match table {
            Table::Actions => &mut self.actions,
            Table::Types => &mut self.types,
        }
    }
}

/// What [`Connection::handle_input`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<'b> {
    /// Octets taken from the start of the input. 0: come back with more bytes behind these.
    pub consumed: usize,
    /// What happened, if the application should know.
    pub event: Option<Event<&'b [u8]>>,
}

impl<S: Storage> Connection<S> {
    /// The end that opened the transport. It says hello first.
    ///
    /// `entropy` must be unpredictable and never used twice; everything random is derived from it.
    pub fn client(now: Instant, config: Config, entropy: [u8; 32], memory: S) -> Self {
        Self::new(now, config, entropy, memory, false)
    }

    /// The end that accepted the transport. It says nothing before it has seen a hello.
    ///
    /// `entropy` must be unpredictable and never used twice; everything random is derived from it.
    pub fn server(now: Instant, config: Config, entropy: [u8; 32], memory: S) -> Self {
        Self::new(now, config, entropy, memory, true)
    }

    fn new(now: Instant, config: Config, entropy: [u8; 32], memory: S, is_server: bool) -> Self {
        let (Memory { opened, accepted, sending, receiving, outbox }, mut sealer) = memory.into_parts();
        let accepted = Pool::new(accepted, Limits::MAX_LANES);
        let receiving = Pool::new(receiving, Limits::MAX_FLOWS);
        let ours = config.limits(usize::from(accepted.limit()), usize::from(receiving.limit()));
        let mut session = sealer.seed(is_server, entropy);
        if !is_server {
            session = [0; 16];
        } else if session == [0; 16] {
            // All zero means none.
            session = [1; 16];
        }
        let mut timers = Timers::OFF;
        if !config.hello_timeout.is_zero() {
            timers.set(Timer::Hello, now.after(config.hello_timeout));
        }
        Connection {
            state: State::Hello { unsaid: !is_server },
            is_server,
            ours,
            theirs: Limits::NONE,
            session,
            sealer,
            opened: Pool::new(opened, Limits::MAX_LANES),
            accepted,
            sending: Pool::new(sending, Limits::MAX_FLOWS),
            receiving,
            outbox: Outbox::new(outbox),
            run: 0,
            window_out: Window::default(),
            window_in: Window { limit: ours.window, ..Window::default() },
            window_due: false,
            said: 0,
            heard: 0,
            defined: Counts::default(),
            learned: Counts::default(),
            aborts: 0,
            max_aborts: config.max_aborts,
            was_open: false,
            peer_away: false,
            pings: Pings::default(),
            acks: Acks::default(),
            last_heard: now,
            heartbeat: config.heartbeat,
            misses: config.misses,
            timers,
            stats: Stats::default(),
            need: 1,
            left: 0,
            in_record: false,
        }
    }

    // ---- the world tells the machine

    /// The transport ended, or failed: no more bytes will come.
    pub fn handle_eof(&mut self) -> Option<Event<&'static [u8]>> {
        if self.is_over() { None } else { Some(self.end(Reason::Eof)) }
    }

    // ---- the application tells the machine

    /// Asks the peer for a sign of life; [`Event::Pong`] brings it. One ping at a time is under way: its pong answers all
    /// who ask before it comes.
    pub fn ping(&mut self) -> Result<(), Refused> {
        self.may_speak()?;
        self.pings.due = true;
        Ok(())
    }

    /// Tells the peer to open no new exchange. Open ones may end.
    pub fn go_away(&mut self) -> Result<(), Refused> {
        self.may_speak()?;
        self.push(&Frame::Away)
    }

    /// Says goodbye behind everything that was said before. No verb is taken from now on. `reason` is for a person; what
    /// is longer than 120 octets, or finds no room, is cut.
    ///
    /// Once the goodbye is transmitted the line is over, without an event: see [`closed`](Connection::closed). Before hellos
    /// and keys are exchanged there is nobody to say it to, and the line is over at once.
    pub fn close(&mut self, code: CloseCode, reason: &str) {
        let unsaid = match self.state {
            State::Proving { unsaid } | State::Open { unsaid } => unsaid,
            State::Hello { .. } | State::Agreeing { .. } => {
                self.end(Reason::ByUs(code));
                return;
            }
            State::Closing { .. } | State::Closed(_) => return,
        };
        let most = crate::wire::MAX_REASON.min((self.theirs.frame as usize).saturating_sub(8));
        let mut cut = reason.len().min(most);
        while !reason.is_char_boundary(cut) {
            cut = cut.saturating_sub(1);
        }
        let reason = reason.get(..cut).unwrap_or("");
        self.state = State::Closing { reason: Reason::ByUs(code), unsaid, queued: false };
        // What waits in slots was said before.
        self.slots_due(&mut [], 0);
        if !self.has_slots_due() {
            let queued = self.outbox.push(&Frame::Close(Close { code, reason })).is_ok();
            self.state = State::Closing { reason: Reason::ByUs(code), unsaid, queued };
        }
    }

    /// The application is done with what an event brought, so the peer may send as much again. To be told once for each
    /// event; of those that bring nothing that counts it takes no notice.
    ///
    /// It is [`take_message`](Connection::take_message), [`take_lane`](Connection::take_lane) or
    /// [`take_flow`](Connection::take_flow), for who keeps the event until then.
    pub fn take<P: AsRef<[u8]>>(&mut self, event: &Event<P>) {
        match event {
            Event::Message(message) => self.take_message(message.body.bytes.as_ref().len()),
            Event::Response(answer) => self.take_lane(answer.lane, answer.body.bytes.as_ref().len()),
            Event::Update { lane, body } => self.take_lane(*lane, body.bytes.as_ref().len()),
            Event::Piece { lane, bytes, .. } => self.take_lane(*lane, bytes.as_ref().len()),
            Event::Data { flow, bytes, .. } => self.take_flow(*flow, bytes.as_ref().len()),
            _ => {}
        }
    }

    // ---- how things stand

    /// Whether the handshake is done and the line neither closing nor closed.
    pub fn is_ready(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// Why the line is over; `None` while it is not. It is over when nothing more will be sent or taken.
    pub fn closed(&self) -> Option<Reason> {
        match self.state {
            State::Closed(reason) => Some(reason),
            _ => None,
        }
    }

    /// Why the line is over or, when it is still saying goodbye, will be.
    pub fn ending(&self) -> Option<Reason> {
        match self.state {
            State::Closing { reason, .. } | State::Closed(reason) => Some(reason),
            State::Hello { .. } | State::Agreeing { .. } | State::Proving { .. } | State::Open { .. } => None,
        }
    }

    /// What the peer takes; `None` before the line was open, which is told by [`Event::Ready`] or [`Event::Granted`].
    pub fn peer(&self) -> Option<&Limits> {
        self.was_open.then_some(&self.theirs)
    }

    /// What this end takes, as announced.
    pub fn limits(&self) -> &Limits {
        &self.ours
    }

    /// What went over the line so far.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// The round-trip time of pings, smoothed with alpha 0.2.
    pub fn rtt(&self) -> Option<Duration> {
        self.pings.smoothed()
    }

    /// Exchanges open now: those this end opened, those the peer opened.
    pub fn lanes(&self) -> (u16, u16) {
        (self.opened.used(), self.accepted.used())
    }

    /// Flows open now: those this end sends, those the peer sends.
    pub fn flows(&self) -> (u16, u16) {
        (self.sending.used(), self.receiving.used())
    }

    /// Whether the exchange is open: one of its halves has not ended, or its end is still to be said.
    pub fn is_open(&self, lane: LaneId) -> bool {
        self.lane(lane).is_some()
    }

    /// Whether the application still has a part in the exchange: something to be told, or to say. Behind the last answer
    /// it may be that what the message announced is still to be offered.
    pub fn is_live(&self, lane: LaneId) -> bool {
        self.lane(lane).is_some_and(|slot| !slot.out.aborted && (!slot.input.ended || !slot.out.ended))
    }

    /// Whether a lane is free for a new exchange.
    pub fn has_free_lane(&self) -> bool {
        self.opened.peek_free().is_some()
    }

    /// Whether a flow is free for a new stream or file.
    pub fn has_free_flow(&self) -> bool {
        self.sending.peek_free().is_some()
    }

    /// How many octets of input it takes to get on, as far as that is known: none beyond the frame that they begin. Who
    /// reads no more than that never has to move what is left, but for the rest of a record of a sealed line: that is there
    /// already, and no longer than what was read.
    pub fn needs(&self) -> usize {
        self.need
    }

    /// Octets that wait to be transmitted.
    pub fn unsent(&self) -> usize {
        self.outbox.unsent()
    }

    /// Whether all large frames, and all pieces of bodies and flows, have been transmitted. While they have not, more may
    /// be refused until [`Until::Transmit`].
    pub fn has_bulk_room(&self) -> bool {
        self.outbox.bulk() == 0
    }

    /// Octets of the largest frame that both the peer and the outbox take.
    pub fn largest(&self) -> usize {
        let envelope = usize::from(self.sealer.needs_envelopes());
        (self.theirs.frame as usize).min(self.outbox.limit().saturating_sub(envelope))
    }

    /// Octets of the largest frame for which the outbox has room now.
    pub fn room(&self) -> usize {
        self.outbox.room()
    }

    /// Octets of new messages that the peer takes now, when each counts for 32 more than its body has.
    pub fn window(&self) -> u64 {
        self.window_out.room()
    }

    // ---- inside

    fn is_over(&self) -> bool {
        matches!(self.state, State::Closed(_))
    }

    /// The line ends now, without another word.
    fn end(&mut self, reason: Reason) -> Event<&'static [u8]> {
        // A line that was closing keeps its own reason.
        let reason = match self.state {
            State::Closing { reason, .. } => reason,
            _ => reason,
        };
        self.state = State::Closed(reason);
        self.sealer.forget();
        Event::Closed { reason, text: &[] }
    }

    /// The peer erred: its goodbye goes behind what is in the outbox.
    fn fail(&mut self, error: PeerError) {
        let reason = Reason::PeerError(error);
        self.state = match (self.state, error) {
            (_, PeerError::NotRopeway(_)) => State::Closed(reason),
            // A server that fails in the peer's hello still has its own to say, or the peer could not read the goodbye.
            (State::Hello { unsaid }, _) => State::Closing { reason, unsaid: unsaid || self.is_server, queued: false },
            (State::Agreeing { unsaid } | State::Proving { unsaid } | State::Open { unsaid }, _) => {
                State::Closing { reason, unsaid, queued: false }
            }
            (State::Closing { unsaid, queued, .. }, _) => State::Closing { reason, unsaid, queued },
            (state @ State::Closed(_), _) => state,
        };
        if self.is_over() {
            self.sealer.forget();
        }
    }

    fn may_speak(&self) -> Result<(), Refused> {
        match self.state {
            State::Open { .. } => Ok(()),
            State::Hello { .. } | State::Agreeing { .. } | State::Proving { .. } => Err(Refused::NotReady),
            State::Closing { .. } | State::Closed(_) => Err(Refused::Closed),
        }
    }

    fn push(&mut self, frame: &Frame<'_>) -> Result<(), Refused> {
        if S::Sealer::SEALS {
            self.honour_wish();
        }
        self.outbox.push(frame).map_err(|_| self.no_room())?;
        self.stats.sent.frames = self.stats.sent.frames.saturating_add(u64::from(frame.is_counted()));
        Ok(())
    }

    /// Why a frame found no room: what does not fit an empty outbox never will.
    #[cold]
    fn no_room(&self) -> Refused {
        let allowed = self.outbox.limit() as u64;
        match self.outbox.unsent() {
            0 => Refused::TooLarge(Limit { field: Field::Frame, asked: allowed.saturating_add(1), allowed }),
            _ => Refused::Later(Until::Transmit),
        }
    }

    /// The id of the next message or response said by this end, or heard.
    fn next_id(&mut self, by: Side) -> MessageId {
        let count = match by {
            Side::Us => &mut self.said,
            Side::Them => &mut self.heard,
        };
        let ordinal = *count;
        *count = count.saturating_add(1);
        MessageId::new(&self.session, self.is_server == (by == Side::Us), ordinal)
    }

    fn lane(&self, lane: LaneId) -> Option<&Lane> {
        match lane.side {
            Side::Us => self.opened.get(lane.number),
            Side::Them => self.accepted.get(lane.number),
        }
    }

    fn lane_mut(&mut self, lane: LaneId) -> Option<&mut Lane> {
        match lane.side {
            Side::Us => self.opened.get_mut(lane.number),
            Side::Them => self.accepted.get_mut(lane.number),
        }
    }

    fn lane_due(&mut self, lane: LaneId) {
        match lane.side {
            Side::Us => self.opened.due(lane.number),
            Side::Them => self.accepted.due(lane.number),
        }
    }

    /// Frees the lane if it is over.
    #[inline]
    fn settle(&mut self, lane: LaneId) {
        let Some(slot) = self.lane(lane) else { return };
        if slot.is_over() {
            let let_end = !slot.input.aborted;
            match lane.side {
                Side::Us => self.opened.release_own(lane.number),
                Side::Them => {
                    self.accepted.release(lane.number);
                    self.aborts = self.aborts.saturating_sub(u32::from(let_end));
                }
            }
        } else if lane.side == Side::Us && slot.input.ended && !slot.out.ended && slot.out.left > 0 {
            // The last answer came before the whole body went: the peer wants no more of it, and gives no more credit.
            self.give_up(lane, Code::CANCELLED);
        }
    }

    /// Ends this end's half of an exchange, and asks for the other.
    fn give_up(&mut self, lane: LaneId, code: Code) {
        let Some(slot) = self.lane_mut(lane) else { return };
        slot.out.aborted = true;
        slot.out.ended = true;
        (slot.owes, slot.code) = (Owes::Abort, code);
        self.lane_due(lane);
    }
}

impl<S: Storage> fmt::Debug for Connection<S> {
    /// States and counts; no content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("state", &self.state)
            .field("is_server", &self.is_server)
            .field("lanes", &self.lanes())
            .field("flows", &self.flows())
            .field("unsent", &self.unsent())
            .field("outbox", &self.outbox.limit())
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}
