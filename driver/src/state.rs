//! What the driver of a line and its handles share, behind one lock.
//!
//! A handle locks, tells the machine, and unlocks; the [`Guard`] wakes the driver if it sleeps and there is something to
//! send. The driver locks, feeds the machine, and wakes whom the events concern. No system call is made under the lock,
//! it is never held across an await, and tasks are woken after it is released.

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use ropeway_core as core;
use ropeway_core::{
    Answer, Code, Connection, Event, FlowId, Instant, Kind, LaneId, Message as Heard, MessageId, Reason, Refused, Room,
    Side, Table,
};

use crate::action::{Action, To};
use crate::body::{Body, BodyKind, Octets};
use crate::codec::Encoded;
use crate::error::{Ended, Error};
use crate::memory::Grown;
use crate::runtime::{Endpoints, Spawn};
use crate::slab::{Key, Keys, Slab};
use crate::waiters::{Place, Waiters};

/// What a line's driver and handles share.
pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) spawn: Arc<dyn Spawn>,
    pub(crate) endpoints: Endpoints,
}

pub(crate) struct State {
    pub(crate) machine: Connection<Grown>,
    /// When the driver last looked at the clock. While it is being polled that is good enough for a deadline.
    now: Instant,
    /// The driver waits, for whatever reason, and `now` grows old.
    pub(crate) stale: bool,
    /// The driver waits, and this wakes it.
    pub(crate) asleep: bool,
    pub(crate) driver: Option<Waker>,
    /// A handle woke the driver: others may be about to speak too, so it goes once round the run queue first.
    pub(crate) kicked: bool,
    /// ... unless nobody else is likely to: one message is all there is, and somebody waits for it.
    pub(crate) hurry: bool,
    /// Somebody works through a batch of messages and answers them: the driver is woken at the end of it.
    pub(crate) corked: bool,
    /// Whom to wake once the lock is released.
    pub(crate) wakes: Vec<Waker>,
    /// Answers to what this end asked.
    pub(crate) calls: Slab<Call>,
    opened: Keys,
    /// Messages that came, and what belongs to those with a lane.
    pub(crate) inbox: VecDeque<Raw>,
    /// Empty rows of whoever waits for messages.
    pub(crate) spare: (VecDeque<Raw>, Vec<usize>),
    inbox_waiters: Vec<Waker>,
    pub(crate) served: Slab<Served>,
    accepted: Keys,
    /// Flows that this end sends, and receives.
    pub(crate) outs: Slab<Out>,
    sending: Keys,
    pub(crate) ins: Slab<In>,
    receiving: Keys,
    /// Who waits for a free lane; for room for a message; for room for a large frame; for a free flow.
    pub(crate) lane_waiters: Waiters,
    pub(crate) room_waiters: Waiters,
    pub(crate) bulk_waiters: Waiters,
    pub(crate) flow_waiters: Waiters,
    /// Who waits for the handshake, or for the end.
    pub(crate) phase_waiters: Vec<Waker>,
    /// The latest pong that nobody has asked for yet.
    pub(crate) pong: Option<Duration>,
    /// Who waits until nothing is open.
    idle_waiters: Vec<Waker>,
    pub(crate) peer_away: bool,
    actions: HashMap<Box<str>, u16>,
    types: HashMap<&'static str, u16>,
    pub(crate) names: Names,
    pub(crate) ended: Option<Ended>,
}

/// What the peer has named. Copied by those who look names up often.
#[derive(Clone, Default)]
pub(crate) struct Names {
    pub(crate) actions: Vec<Arc<str>>,
    pub(crate) types: Vec<Arc<str>>,
}

/// A message that came, or the first frame of it.
pub(crate) struct Raw {
    pub(crate) id: MessageId,
    pub(crate) action: core::Action,
    pub(crate) kind: Kind,
    pub(crate) octets: Octets,
    pub(crate) size: u64,
    pub(crate) wants_answer: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) attached: u16,
    /// Octets charged to the window.
    pub(crate) charged: usize,
    pub(crate) lane: Option<(LaneId, Key)>,
}

/// The peer's half of an exchange, on either side.
#[derive(Default)]
pub(crate) struct Arrived {
    pub(crate) waker: Option<Waker>,
    /// Pieces of the current body that nobody has asked for yet. They wait within the lane's credit.
    pub(crate) pieces: VecDeque<Bytes>,
    /// Somebody wants the current body whole: what has come of it, and its size. Credit goes back at once, and nobody is
    /// woken before the last piece.
    pub(crate) wanted: Option<Wanted>,
    /// Flows that were offered and not yet claimed.
    pub(crate) offers: VecDeque<Key>,
    /// The peer gave up.
    pub(crate) aborted: Option<Code>,
}

/// A body on its way.
pub(crate) struct Wanted {
    pub(crate) octets: Vec<u8>,
    pub(crate) size: u64,
}

impl Wanted {
    /// Grows eightfold: a large body is moved seldom, and one that was only announced takes nothing.
    fn extend(&mut self, piece: &[u8]) {
        let len = self.octets.len() + piece.len();
        if len > self.octets.capacity() {
            let size = usize::try_from(self.size).unwrap_or(usize::MAX);
            self.octets.reserve_exact(len.saturating_mul(8).min(size).max(len) - self.octets.len());
        }
        self.octets.extend_from_slice(piece);
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.octets.len() as u64 >= self.size
    }
}

impl Arrived {
    /// Asks for a body of which `first` has come. `take` gives credit back for the pieces that waited.
    pub(crate) fn want(&mut self, first: &[u8], size: u64, mut take: impl FnMut(usize)) {
        let mut wanted = Wanted { octets: Vec::new(), size };
        wanted.extend(first);
        for piece in self.pieces.drain(..) {
            wanted.extend(&piece);
            take(piece.len());
        }
        self.wanted = Some(wanted);
    }

    /// The body that was asked for, if it is whole.
    pub(crate) fn whole(&mut self) -> Option<Octets> {
        let wanted = self.wanted.take_if(|wanted| wanted.is_whole())?;
        Some(Octets::Shared(wanted.octets.into()))
    }
}

/// An exchange that this end opened.
pub(crate) struct Call {
    /// `None` when it is over.
    pub(crate) lane: Option<LaneId>,
    pub(crate) heard: Arrived,
    /// Most requests have one answer, which then costs no allocation.
    reply: Option<RawReply>,
    replies: VecDeque<RawReply>,
    pub(crate) expired: bool,
    /// A notice with a lane: the peer has all of it.
    pub(crate) taken: bool,
    /// Who wants room for more of the body.
    pub(crate) writer: Option<Waker>,
}

/// An answer that came, or the first frame of it.
pub(crate) enum RawReply {
    Code(Code),
    Response { id: MessageId, code: Code, kind: Kind, octets: Octets, size: u64, attached: u16, last: bool },
    Update { kind: Kind, octets: Octets },
}

/// An exchange that the peer opened.
pub(crate) struct Served {
    /// `None` when nothing more can be said on it.
    pub(crate) lane: Option<LaneId>,
    pub(crate) id: MessageId,
    pub(crate) heard: Arrived,
    pub(crate) writer: Option<Waker>,
    /// Who runs the handler, and stops it when the exchange is over.
    pub(crate) watcher: Option<Waker>,
}

/// A flow that this end sends.
pub(crate) struct Out {
    pub(crate) flow: FlowId,
    pub(crate) waker: Option<Waker>,
    pub(crate) accepted: Option<core::Accept>,
    pub(crate) paused: bool,
    /// It is over, and how.
    pub(crate) done: Option<Code>,
}

/// A flow that the peer sends.
pub(crate) struct In {
    pub(crate) flow: FlowId,
    pub(crate) push: bool,
    pub(crate) size: Option<u64>,
    pub(crate) media: Box<str>,
    pub(crate) name: Box<str>,
    pub(crate) waker: Option<Waker>,
    pub(crate) began: Option<u64>,
    pub(crate) queue: VecDeque<Bytes>,
    pub(crate) paused: bool,
    pub(crate) finished: Option<Option<[u8; 32]>>,
    pub(crate) cancelled: Option<Code>,
}

impl Call {
    fn push_reply(&mut self, reply: RawReply) {
        if self.reply.is_none() && self.replies.is_empty() {
            self.reply = Some(reply);
        } else {
            self.replies.push_back(reply);
        }
    }

    pub(crate) fn next_reply(&mut self) -> Option<RawReply> {
        self.reply.take().or_else(|| self.replies.pop_front())
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.reply.is_some() || !self.replies.is_empty()
    }

    /// Nothing more will come, and nothing that came is left to take.
    pub(crate) fn is_over(&self) -> bool {
        self.lane.is_none() && !self.is_answered() && self.heard.offers.is_empty()
    }
}

impl Shared {
    pub(crate) fn new(machine: Connection<Grown>, now: Instant, spawn: Arc<dyn Spawn>, endpoints: Endpoints) -> Shared {
        Shared { state: Mutex::new(State::new(machine, now)), spawn, endpoints }
    }

    pub(crate) fn lock(&self) -> Guard<'_> {
        // A task that panicked under the lock left the machine between two verbs, which are all or nothing.
        Guard(Some(self.state.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

thread_local! {
    /// A vector to put in the place of the one that is being woken from.
    static WAKES: Cell<Vec<Waker>> = const { Cell::new(Vec::new()) };
}

/// The lock. Letting go of it wakes whoever there is to wake.
pub(crate) struct Guard<'a>(Option<MutexGuard<'a, State>>);

impl Deref for Guard<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        self.0.as_deref().expect("held until dropped")
    }
}

impl DerefMut for Guard<'_> {
    fn deref_mut(&mut self) -> &mut State {
        self.0.as_deref_mut().expect("held until dropped")
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let Some(mut state) = self.0.take() else { return };
        let driver = if state.asleep && !state.corked && state.machine.wants_transmit() { state.kick() } else { None };
        if state.wakes.is_empty() {
            drop(state);
        } else {
            let mut wakes = std::mem::replace(&mut state.wakes, WAKES.take());
            drop(state);
            wakes.drain(..).for_each(Waker::wake);
            WAKES.set(wakes);
        }
        if let Some(driver) = driver {
            driver.wake();
        }
    }
}

impl State {
    fn new(machine: Connection<Grown>, now: Instant) -> State {
        State {
            machine,
            now,
            stale: true,
            asleep: false,
            driver: None,
            kicked: false,
            hurry: false,
            corked: false,
            wakes: Vec::new(),
            calls: Slab::new(),
            opened: Keys::new(),
            inbox: VecDeque::new(),
            spare: Default::default(),
            inbox_waiters: Vec::new(),
            served: Slab::new(),
            accepted: Keys::new(),
            outs: Slab::new(),
            sending: Keys::new(),
            ins: Slab::new(),
            receiving: Keys::new(),
            lane_waiters: Waiters::default(),
            room_waiters: Waiters::default(),
            bulk_waiters: Waiters::default(),
            flow_waiters: Waiters::default(),
            phase_waiters: Vec::new(),
            pong: None,
            idle_waiters: Vec::new(),
            peer_away: false,
            actions: HashMap::new(),
            types: HashMap::new(),
            names: Names::default(),
            ended: None,
        }
    }

    /// The driver's waker, if it has to be woken.
    pub(crate) fn kick(&mut self) -> Option<Waker> {
        self.asleep = false;
        self.kicked = true;
        self.driver.clone()
    }

    /// Wakes the driver although there may be nothing to send.
    pub(crate) fn wake_driver(&mut self) {
        let driver = self.kick();
        self.wakes.extend(driver);
    }

    /// The time for a deadline.
    pub(crate) fn time(&mut self, spawn: &dyn Spawn) -> Instant {
        if self.stale {
            self.now = self.now.max(micros(spawn.now()));
        }
        self.now
    }

    /// The driver is being polled, and has looked at the clock.
    pub(crate) fn set_time(&mut self, now: Instant) {
        self.now = now;
        self.stale = false;
    }

    // ---- names

    /// The action as the machine knows it; defines its name if it is new.
    pub(crate) fn action(&mut self, to: To<'_>) -> Result<core::Action, Refused> {
        match to {
            To::Number(number) => Ok(core::Action::Number(number)),
            To::Name(name) => {
                if let Some(index) = self.actions.get(name) {
                    return Ok(core::Action::Name(*index));
                }
                let index = self.machine.define(Table::Actions, name, None)?;
                self.actions.insert(name.into(), index);
                Ok(core::Action::Name(index))
            }
        }
    }

    /// The kind as the machine knows it; defines a type's name if it is new.
    pub(crate) fn kind(&mut self, encoded: Encoded) -> Result<Kind, Refused> {
        Ok(match encoded {
            Encoded::None => Kind::None,
            Encoded::Bytes => Kind::Bytes,
            Encoded::Text => Kind::Text,
            Encoded::Typed(name, label) => match self.types.get(name) {
                Some(index) => Kind::Typed(*index),
                None => {
                    let index = self.machine.define(Table::Types, &label(), None)?;
                    self.types.insert(name, index);
                    Kind::Typed(index)
                }
            },
        })
    }

    // ---- exchanges that this end opens

    /// An exchange just opened by the task, which is woken when an answer comes.
    pub(crate) fn new_call(&mut self, lane: LaneId, cx: &Context<'_>) -> Key {
        let key = self.calls.insert(Call {
            lane: Some(lane),
            heard: Arrived { waker: Some(cx.waker().clone()), ..Arrived::default() },
            reply: None,
            replies: VecDeque::new(),
            expired: false,
            taken: false,
            writer: None,
        });
        self.opened.set(lane.number(), key);
        key
    }

    /// Nobody waits for the answers any more.
    pub(crate) fn drop_call(&mut self, key: Key) {
        let Some(call) = self.calls.remove(key) else { return };
        if let Some(lane) = call.lane {
            self.opened.set(lane.number(), Key::NONE);
            let _ = self.machine.abort(lane, Code::CANCELLED);
        }
        self.drop_offers(call.heard.offers);
        self.after_freeing();
    }

    /// The exchange goes on without anybody waiting for it.
    pub(crate) fn forget_call(&mut self, key: Key) {
        if let Some(lane) = self.calls.remove(key).and_then(|call| call.lane) {
            self.opened.set(lane.number(), Key::NONE);
        }
    }

    /// Nobody answers any more. A request that was not answered is, with [`Code::NO_ANSWER`].
    pub(crate) fn drop_served(&mut self, key: Key) {
        let lane = self.serving(key);
        let Some(served) = self.served.remove(key) else { return };
        if let Some(lane) = lane {
            self.accepted.set(lane.number(), Key::NONE);
            if self.machine.respond_code(lane, Code::NO_ANSWER).is_err() {
                let _ = self.machine.abort(lane, Code::CANCELLED);
            }
            for piece in served.heard.pieces {
                self.machine.take_lane(lane, piece.len());
            }
        }
        self.drop_offers(served.heard.offers);
    }

    /// The last answer was said and nothing more can come: forgets the exchange. Whether it has.
    pub(crate) fn answered(&mut self, key: Key) -> bool {
        let Some(served) = self.served.get_mut(key) else { return true };
        let Some(lane) = served.lane else { return false };
        if self.machine.is_open(lane) || !served.heard.offers.is_empty() || !served.heard.pieces.is_empty() {
            return false;
        }
        self.served.remove(key);
        self.accepted.set(lane.number(), Key::NONE);
        true
    }

    /// The lane of what the peer asked, while it still is: its number may belong to another exchange by now.
    pub(crate) fn serving(&mut self, key: Key) -> Option<LaneId> {
        let lane = self.served.get_mut(key)?.lane?;
        if self.accepted.get(lane.number()) == key { Some(lane) } else { None }
    }

    fn drop_offers(&mut self, offers: VecDeque<Key>) {
        for key in offers {
            self.drop_in(key, Code::CANCELLED);
        }
    }

    // ---- flows

    pub(crate) fn new_out(&mut self, flow: FlowId) -> Key {
        let key = self.outs.insert(Out { flow, waker: None, accepted: None, paused: false, done: None });
        self.sending.set(flow.number(), key);
        key
    }

    /// Nobody sends any more. What is not finished is cancelled.
    pub(crate) fn drop_out(&mut self, key: Key, code: Code) {
        let Some(out) = self.outs.remove(key) else { return };
        if out.done.is_none() {
            self.sending.set(out.flow.number(), Key::NONE);
            let _ = self.machine.cancel(out.flow, code);
        }
    }

    /// Lets go of a flow that was finished; the peer's last word is not waited for.
    pub(crate) fn forget_out(&mut self, key: Key) {
        if let Some(out) = self.outs.remove(key)
            && out.done.is_none()
        {
            self.sending.set(out.flow.number(), Key::NONE);
        }
    }

    /// Nobody reads any more. What is not over is stopped.
    pub(crate) fn drop_in(&mut self, key: Key, code: Code) {
        let flow = self.receiving(key);
        let Some(input) = self.ins.remove(key) else { return };
        let Some(flow) = flow else { return };
        self.receiving.set(flow.number(), Key::NONE);
        for octets in input.queue {
            self.machine.take_flow(flow, octets.len());
        }
        let _ = self.machine.done(flow, code);
    }

    /// The flow, while it still is: its number may belong to another by now.
    pub(crate) fn receiving(&mut self, key: Key) -> Option<FlowId> {
        let flow = self.ins.get_mut(key)?.flow;
        if self.receiving.get(flow.number()) == key { Some(flow) } else { None }
    }

    // ---- events

    /// What happened is put where it is waited for.
    pub(crate) fn on_event(&mut self, event: Event<&[u8]>) {
        match event {
            Event::Message(message) => self.on_message(message),
            Event::Response(answer) => self.on_response(answer),
            Event::Code { lane, code } => self.on_reply(lane, RawReply::Code(code)),
            Event::Update { lane, body } => {
                let octets = Octets::copy(body.bytes);
                self.on_reply(lane, RawReply::Update { kind: body.kind, octets });
            }
            Event::Piece { lane, bytes, .. } => {
                let mut taken = true;
                if let Some(heard) = self.heard(lane) {
                    match &mut heard.wanted {
                        Some(wanted) => {
                            wanted.extend(bytes);
                            if wanted.is_whole() {
                                self.wake_heard(lane);
                            }
                        }
                        None => {
                            taken = false;
                            heard.pieces.push_back(Bytes::copy_from_slice(bytes));
                        }
                    }
                }
                if taken {
                    self.machine.take_lane(lane, bytes.len());
                }
                self.check_over(lane);
            }
            Event::Taken { lane } => {
                if let Some(call) = self.calls.get_mut(self.opened.get(lane.number())) {
                    call.taken = true;
                }
                self.call_over(lane);
            }
            Event::Aborted { lane, code } => {
                if let Some(heard) = self.heard(lane) {
                    heard.aborted = Some(code);
                    heard.pieces.clear();
                }
                self.wake_heard(lane);
                match lane.opened_by() {
                    Side::Us => self.call_over(lane),
                    Side::Them => self.served_over(lane),
                }
            }
            Event::Expired { lane } => {
                if let Some(call) = self.calls.get_mut(self.opened.get(lane.number())) {
                    call.expired = true;
                }
                self.call_over(lane);
            }
            Event::Offer { flow, lane, push, size, media, name } => self.on_offer(flow, lane, push, size, media, name),
            Event::Data { flow, bytes, .. } => {
                let key = self.receiving.get(flow.number());
                match self.ins.get_mut(key) {
                    Some(input) => {
                        input.queue.push_back(Bytes::copy_from_slice(bytes));
                        let waker = input.waker.take();
                        self.wakes.extend(waker);
                    }
                    None => self.machine.take_flow(flow, bytes.len()),
                }
            }
            Event::Finished { flow, digest } => self.on_in(flow, |input| input.finished = Some(digest)),
            Event::Cancelled { flow, code } => {
                let key = self.receiving.get(flow.number());
                if let Some(input) = self.ins.get_mut(key) {
                    // What is queued is of no use without the rest.
                    for octets in std::mem::take(&mut input.queue) {
                        self.machine.take_flow(flow, octets.len());
                    }
                }
                self.on_in(flow, |input| input.cancelled = Some(code));
            }
            Event::Began { flow, start } => self.on_in(flow, |input| input.began = Some(start)),
            Event::Accepted { flow, start, end, prefix } => {
                self.on_out(flow, |out| out.accepted = Some(core::Accept { start, end, prefix }));
            }
            Event::Done { flow, code } => {
                self.on_out(flow, |out| out.done = Some(code));
                self.sending.set(flow.number(), Key::NONE);
                let next = self.flow_waiters.pop();
                self.wakes.extend(next);
            }
            Event::Paused { flow, on } => match flow.sent_by() {
                Side::Us => self.on_out(flow, |out| out.paused = on),
                Side::Them => self.on_in(flow, |input| input.paused = on),
            },
            Event::Room(Room::Messages) => self.wakes.extend(self.room_waiters.drain()),
            Event::Room(Room::Lane(lane)) => {
                let writer = match lane.opened_by() {
                    Side::Us => self.calls.get_mut(self.opened.get(lane.number())).and_then(|call| call.writer.take()),
                    Side::Them => {
                        self.served.get_mut(self.accepted.get(lane.number())).and_then(|served| served.writer.take())
                    }
                };
                self.wakes.extend(writer);
            }
            Event::Room(Room::Flow(flow)) => self.on_out(flow, |_| ()),
            Event::Defined { table, name, .. } => {
                let name = Arc::from(String::from_utf8_lossy(name));
                match table {
                    Table::Actions => self.names.actions.push(name),
                    Table::Types => self.names.types.push(name),
                }
            }
            Event::Ready(_) => self.wakes.append(&mut self.phase_waiters),
            Event::Pong { rtt } => {
                self.pong = Some(rtt);
                self.wakes.append(&mut self.phase_waiters);
            }
            Event::Away => {
                self.peer_away = true;
                self.wakes.append(&mut self.phase_waiters);
                self.wakes.extend(self.lane_waiters.drain());
                self.wakes.extend(self.room_waiters.drain());
                self.wakes.append(&mut self.inbox_waiters);
            }
            Event::Closed { reason, text } => {
                self.end(Ended { reason, text: String::from_utf8_lossy(text).into() });
            }
            // Core may tell more one day.
            _ => {}
        }
    }

    #[inline]
    fn on_message(&mut self, message: Heard<&[u8]>) {
        let Heard { id, lane, action, wants_answer, timeout, body, size, attached } = message;
        let lane = lane.map(|lane| {
            let key = self.served.insert(Served {
                lane: Some(lane),
                id,
                heard: Arrived::default(),
                writer: None,
                watcher: None,
            });
            self.accepted.set(lane.number(), key);
            (lane, key)
        });
        let octets = Octets::copy(body.bytes);
        let charged = body.bytes.len();
        self.inbox.push_back(Raw {
            id,
            action,
            kind: body.kind,
            octets,
            size,
            wants_answer,
            timeout,
            attached,
            charged,
            lane,
        });
        if !self.inbox_waiters.is_empty() {
            self.wakes.append(&mut self.inbox_waiters);
        }
    }

    #[inline]
    fn on_response(&mut self, answer: Answer<&[u8]>) {
        let Answer { id, lane, code, body, size, attached, last } = answer;
        let octets = Octets::copy(body.bytes);
        self.on_reply(lane, RawReply::Response { id, code, kind: body.kind, octets, size, attached, last });
    }

    #[inline]
    fn on_reply(&mut self, lane: LaneId, reply: RawReply) {
        let over = !self.machine.is_open(lane);
        let key = self.opened.get(lane.number());
        if let Some(call) = self.calls.get_mut(key) {
            call.push_reply(reply);
            if over {
                call.lane = None;
            }
            if let Some(waker) = call.heard.waker.take() {
                self.wakes.push(waker);
            }
        }
        if over {
            self.opened.set(lane.number(), Key::NONE);
            self.after_freeing();
        }
    }

    fn on_offer(&mut self, flow: FlowId, lane: LaneId, push: bool, size: Option<u64>, media: &[u8], name: &[u8]) {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into();
        let key = self.ins.insert(In {
            flow,
            push,
            size,
            media: text(media),
            name: text(name),
            waker: None,
            began: push.then_some(0),
            queue: VecDeque::new(),
            paused: false,
            finished: None,
            cancelled: None,
        });
        self.receiving.set(flow.number(), key);
        match self.heard(lane) {
            Some(heard) => {
                heard.offers.push_back(key);
                self.wake_heard(lane);
            }
            None => self.drop_in(key, Code::CANCELLED),
        }
        self.check_over(lane);
    }

    fn on_in(&mut self, flow: FlowId, change: impl FnOnce(&mut In)) {
        if let Some(input) = self.ins.get_mut(self.receiving.get(flow.number())) {
            change(input);
            self.wakes.extend(input.waker.take());
        }
    }

    fn on_out(&mut self, flow: FlowId, change: impl FnOnce(&mut Out)) {
        if let Some(out) = self.outs.get_mut(self.sending.get(flow.number())) {
            change(out);
            self.wakes.extend(out.waker.take());
        }
    }

    fn heard(&mut self, lane: LaneId) -> Option<&mut Arrived> {
        match lane.opened_by() {
            Side::Us => self.calls.get_mut(self.opened.get(lane.number())).map(|call| &mut call.heard),
            Side::Them => self.served.get_mut(self.accepted.get(lane.number())).map(|served| &mut served.heard),
        }
    }

    fn wake_heard(&mut self, lane: LaneId) {
        let waker = self.heard(lane).and_then(|heard| heard.waker.take());
        self.wakes.extend(waker);
    }

    /// The peer's half may have ended just now, and the exchange with it.
    fn check_over(&mut self, lane: LaneId) {
        if lane.opened_by() == Side::Us && !self.machine.is_open(lane) {
            self.call_over(lane);
        }
    }

    /// The exchange has ended; its number may come again.
    fn call_over(&mut self, lane: LaneId) {
        let key = self.opened.get(lane.number());
        self.opened.set(lane.number(), Key::NONE);
        if let Some(call) = self.calls.get_mut(key) {
            call.lane = None;
            let (waker, writer) = (call.heard.waker.take(), call.writer.take());
            self.wakes.extend(waker);
            self.wakes.extend(writer);
        }
        self.after_freeing();
    }

    fn served_over(&mut self, lane: LaneId) {
        let key = self.accepted.get(lane.number());
        self.accepted.set(lane.number(), Key::NONE);
        if let Some(served) = self.served.get_mut(key) {
            served.lane = None;
            let (writer, watcher) = (served.writer.take(), served.watcher.take());
            self.wakes.extend(writer);
            self.wakes.extend(watcher);
        }
    }

    /// A lane may be free: whoever waits for one tries.
    fn after_freeing(&mut self) {
        if !self.lane_waiters.is_empty() && self.machine.has_free_lane() {
            let next = self.lane_waiters.pop();
            self.wakes.extend(next);
        }
    }

    /// After the machine has transmitted: who waited for room tries again.
    pub(crate) fn after_transmit(&mut self) {
        if !self.room_waiters.is_empty() {
            self.wakes.extend(self.room_waiters.drain());
        }
        if !self.bulk_waiters.is_empty() && self.machine.has_bulk_room() {
            let next = self.bulk_waiters.pop();
            self.wakes.extend(next);
        }
    }

    /// Before the driver sleeps: wakes those for whom there is room, in case one that was woken never came. Whether
    /// there may be more.
    pub(crate) fn before_sleep(&mut self) -> bool {
        let before = self.wakes.len();
        if self.machine.has_bulk_room() {
            let next = self.bulk_waiters.pop();
            self.wakes.extend(next);
        }
        if self.machine.has_free_lane() {
            let next = self.lane_waiters.pop();
            self.wakes.extend(next);
        }
        if self.machine.has_free_flow() {
            let next = self.flow_waiters.pop();
            self.wakes.extend(next);
        }
        if self.machine.lanes() == (0, 0) && self.machine.flows() == (0, 0) {
            self.wakes.append(&mut self.idle_waiters);
        }
        self.wakes.len() > before
    }

    /// Lets go of rows that a burst has left behind.
    pub(crate) fn rest(&mut self) {
        self.spare = Default::default();
        if self.inbox.is_empty() {
            self.inbox = VecDeque::new();
        }
        self.calls.rest(&mut self.opened);
        self.served.rest(&mut self.accepted);
        self.outs.rest(&mut self.sending);
        self.ins.rest(&mut self.receiving);
        for waiters in [&mut self.lane_waiters, &mut self.room_waiters, &mut self.bulk_waiters, &mut self.flow_waiters]
        {
            waiters.rest();
        }
        for call in self.calls.iter_mut().filter(|call| call.replies.is_empty()) {
            call.replies = VecDeque::new();
        }
        for input in self.ins.iter_mut().filter(|input| input.queue.is_empty()) {
            input.queue = VecDeque::new();
        }
    }

    /// The line is over: everyone is told.
    pub(crate) fn end(&mut self, ended: Ended) {
        if self.ended.is_some() {
            return;
        }
        self.ended = Some(ended);
        self.wakes.append(&mut self.phase_waiters);
        self.wakes.append(&mut self.idle_waiters);
        self.wakes.append(&mut self.inbox_waiters);
        self.wakes.extend(self.lane_waiters.drain());
        self.wakes.extend(self.room_waiters.drain());
        self.wakes.extend(self.bulk_waiters.drain());
        self.wakes.extend(self.flow_waiters.drain());
        for call in self.calls.iter_mut() {
            self.wakes.extend(call.heard.waker.take());
            self.wakes.extend(call.writer.take());
        }
        for served in self.served.iter_mut() {
            self.wakes.extend(served.heard.waker.take());
            self.wakes.extend(served.writer.take());
            self.wakes.extend(served.watcher.take());
        }
        for out in self.outs.iter_mut() {
            self.wakes.extend(out.waker.take());
        }
        for input in self.ins.iter_mut() {
            self.wakes.extend(input.waker.take());
        }
    }

    /// Wakes the task when the line is ready, changes, or is over.
    pub(crate) fn wait_for_phase(&mut self, cx: &Context<'_>) {
        wait(&mut self.phase_waiters, cx);
    }

    /// Wakes the task when an exchange or flow is over.
    pub(crate) fn wait_for_idle(&mut self, cx: &Context<'_>) {
        wait(&mut self.idle_waiters, cx);
    }

    /// Wakes the task when a message comes.
    pub(crate) fn wait_for_message(&mut self, cx: &Context<'_>) {
        wait(&mut self.inbox_waiters, cx);
    }

    /// The inbox was emptied, which may be all that was left to do.
    pub(crate) fn fetched(&mut self) {
        self.wakes.append(&mut self.idle_waiters);
    }

    /// Somebody may fetch what is in the inbox.
    pub(crate) fn wake_for_message(&mut self) {
        if !self.inbox.is_empty() {
            self.wakes.append(&mut self.inbox_waiters);
        }
    }

    /// Wakes the task when the peer gives the exchange up, or lets more be said on it.
    pub(crate) fn wait_for_lane(&mut self, key: Key, cx: &Context<'_>) {
        if let Some(served) = self.served.get_mut(key) {
            served.writer = Some(cx.waker().clone());
        }
    }

    /// Whether the peer gave up what this end was to answer.
    pub(crate) fn aborted(&mut self, key: Key) -> Option<Code> {
        self.served.get_mut(key)?.heard.aborted
    }

    /// An answer was said. If no other is owed, the driver need not wait for more.
    pub(crate) fn hurry_if_alone(&mut self) {
        if self.machine.lanes().1 == 0 {
            self.hurry = true;
        }
    }

    /// The error for whoever finds the line over.
    pub(crate) fn over(&self) -> Option<Error> {
        self.ended.clone().map(Error::Closed)
    }

    // ---- verbs as futures

    /// Turns a verb's answer into a poll: what must wait, waits where it will be woken.
    pub(crate) fn outcome<T>(
        &mut self,
        answer: Result<T, Refused>,
        place: &mut Turn,
        cx: &Context<'_>,
    ) -> Poll<Result<T, Error>> {
        if let Some(error) = self.over() {
            return Poll::Ready(Err(error));
        }
        let refused = match answer {
            Ok(value) => {
                let leave = place.leave(self);
                self.wakes.extend(leave);
                return Poll::Ready(Ok(value));
            }
            Err(refused) => refused,
        };
        match refused {
            Refused::Later => {
                let (queue, place) = match place.wants {
                    Wants::Lane if !self.machine.has_free_lane() => (&mut self.lane_waiters, &mut place.scarce),
                    Wants::Flow if !self.machine.has_free_flow() => (&mut self.flow_waiters, &mut place.scarce),
                    Wants::Bulk if !self.machine.has_bulk_room() => (&mut self.bulk_waiters, &mut place.scarce),
                    _ => (&mut self.room_waiters, &mut place.room),
                };
                queue.wait(place, cx);
                Poll::Pending
            }
            Refused::NotReady => {
                self.wait_for_phase(cx);
                Poll::Pending
            }
            Refused::Closed => {
                let reason = self.machine.ending().unwrap_or(Reason::Eof);
                Poll::Ready(Err(Error::Closed(Ended { reason, text: "".into() })))
            }
            Refused::Away => Poll::Ready(Err(Error::Away)),
            Refused::TooLarge(limit) => Poll::Ready(Err(Error::TooLarge(limit))),
            Refused::NoLane | Refused::NoFlow => Poll::Ready(Err(Error::Misuse("the exchange is over"))),
            Refused::WrongState => Poll::Ready(Err(Error::Misuse("not possible in this state"))),
            _ => Poll::Ready(Err(Error::Misuse("an argument is outside its range"))),
        }
    }
}

/// Where a verb waits: for what is scarce, and for room.
#[derive(Default)]
pub(crate) struct Turn {
    wants: Wants,
    scarce: Place,
    room: Place,
}

/// What a verb needs besides room in the outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Wants {
    #[default]
    Room,
    Lane,
    Flow,
    Bulk,
}

impl Turn {
    pub(crate) fn for_lane() -> Turn {
        Turn { wants: Wants::Lane, ..Turn::default() }
    }

    pub(crate) fn for_flow() -> Turn {
        Turn { wants: Wants::Flow, ..Turn::default() }
    }

    pub(crate) fn for_bulk() -> Turn {
        Turn { wants: Wants::Bulk, ..Turn::default() }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.scarce.is_taken() || self.room.is_taken()
    }

    /// Gives the places up; whoever should have a turn instead.
    pub(crate) fn leave(&mut self, state: &mut State) -> Option<Waker> {
        if !self.is_waiting() {
            return None;
        }
        let _ = state.room_waiters.leave(&mut self.room);
        let queue = match self.wants {
            Wants::Room => return None,
            Wants::Lane => &mut state.lane_waiters,
            Wants::Flow => &mut state.flow_waiters,
            Wants::Bulk => &mut state.bulk_waiters,
        };
        queue.leave(&mut self.scarce)
    }
}

fn wait(waiters: &mut Vec<Waker>, cx: &Context<'_>) {
    if !waiters.iter().any(|waker| waker.will_wake(cx.waker())) {
        waiters.push(cx.waker().clone());
    }
}

pub(crate) fn micros(since: Duration) -> Instant {
    Instant::ZERO.after(since)
}

/// The body of a message or answer, once all of it is there.
pub(crate) fn body(kind: Kind, octets: Octets, names: &Names) -> Body {
    let kind = match kind {
        Kind::None => BodyKind::None,
        Kind::Bytes => BodyKind::Bytes,
        Kind::Text => BodyKind::Text,
        // The machine has checked that the index is defined.
        Kind::Typed(index) => {
            BodyKind::Typed(names.types.get(usize::from(index)).cloned().unwrap_or_else(|| "?".into()))
        }
    };
    Body { kind, octets }
}

/// What a message is for.
pub(crate) fn action(action: core::Action, names: &Names) -> Action {
    match action {
        core::Action::Number(number) => Action::Number(number),
        core::Action::Name(index) => {
            Action::Name(names.actions.get(usize::from(index)).cloned().unwrap_or_else(|| "?".into()))
        }
    }
}
