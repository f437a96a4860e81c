//! What the driver of a line and its handles share, behind one lock.
//!
//! A handle locks, tells the machine, and unlocks; the [`Guard`] wakes the driver if it sleeps and there is something to
//! send. The driver locks, feeds the machine, and wakes whom the events concern. No system call is made under the lock,
//! it is never held across an await, and tasks are woken after it is released.

mod events;
mod exchanges;
mod flows;
mod turns;

pub(crate) use exchanges::{Call, On, Raw, RawReply};
pub(crate) use turns::Turn;

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::hint;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::Waker;
use std::time::Duration;

use ropeway_core as core;
use ropeway_core::{CloseCode, Instant, Kind, Refused, Table};

use crate::action::{Action, To};
use crate::body::{Body, BodyKind, Octets, Shape};
use crate::codec::{Content, Encoded};
use crate::error::{Ended, Error};
use crate::here::Here;
use crate::machine::Machine;
use crate::recycled::Recycled;
use crate::runtime::{Endpoints, Spawn};
use crate::slab::{Keys, Slab};
use crate::trace::Recorder;
use crate::types::Types;
use crate::waiters::Waiters;

use exchanges::Served;
use flows::{In, Out};

/// How often a lock that is taken is tried before its thread sleeps: for about as long as a large frame is sealed or opened under
/// it, some microseconds. To fall asleep and be woken takes longer: it cost sealed streams a quarter of their speed wherever two
/// threads run the tasks of a line.
const SPINS: u32 = 400;

/// What a line's driver and handles share.
pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) spawn: Arc<dyn Spawn>,
    pub(crate) endpoints: Endpoints,
    pub(crate) recorder: Option<Arc<Recorder>>,
}

pub(crate) struct State {
    pub(crate) machine: Machine,
    /// The driver waits, and this wakes it.
    pub(crate) asleep: bool,
    /// The driver waits for the transport, or for this time: an earlier deadline is to wake it.
    pub(crate) stuck: Option<Instant>,
    /// The line was cut: the transport is not to be waited for.
    pub(crate) cut: bool,
    /// This end closed it before there was anybody to say it to: no transport is waited for that has not taken the hello.
    pub(crate) unheard: bool,
    pub(crate) driver: Option<Waker>,
    /// A handle woke the driver: others may be about to speak too, so it goes once round the run queue first.
    pub(crate) kicked: bool,
    /// ... unless nobody else is likely to: one message is all there is, and somebody waits for it.
    pub(crate) hurry: bool,
    /// Somebody works through a batch of messages on this thread, and answers them: the driver is not woken for what is
    /// said there before the end of it.
    pub(crate) corked: Option<Here>,
    /// Whom to wake once the lock is released.
    pub(crate) wakes: Vec<Waker>,
    /// Answers to what this end asked.
    pub(crate) calls: Slab<Call>,
    opened: Keys,
    /// Messages that came, and what belongs to those with a lane.
    pub(crate) inbox: VecDeque<Raw>,
    /// A request of the inbox may have been given up.
    pub(crate) stale: bool,
    /// Empty rows of whoever waits for messages.
    pub(crate) spare: (VecDeque<Raw>, Vec<usize>),
    inbox_waiters: Waiters,
    /// Streams of messages that there are.
    pub(crate) takers: usize,
    pub(crate) served: Slab<Served>,
    accepted: Keys,
    /// Flows that this end sends, and receives.
    pub(crate) outs: Slab<Out>,
    sending: Keys,
    pub(crate) ins: Slab<In>,
    receiving: Keys,
    /// Who waits for a free lane; for room for a message, in the outbox and in the window; for room for a large frame;
    /// for a free flow.
    pub(crate) lane_waiters: Waiters,
    pub(crate) room_waiters: Waiters,
    pub(crate) window_waiters: Waiters,
    pub(crate) bulk_waiters: Waiters,
    pub(crate) flow_waiters: Waiters,
    /// Who waits for the handshake, or for the end.
    pub(crate) phase_waiters: Waiters,
    /// Who the client is.
    #[cfg(feature = "seal")]
    pub(crate) auth: crate::seal::AuthState,
    /// Whether what this end says was sealed when it last said something.
    sealed: bool,
    /// Pongs so far, and how long the latest took.
    pub(crate) pongs: (u64, Duration),
    /// Who runs handlers of requests, and stops them when nobody waits for the answer any more.
    pub(crate) watchers: Slab<Waker>,
    /// Messages that were fetched and are not done with: in a batch, or with a handler that runs.
    pub(crate) unfinished: usize,
    /// Who waits until nothing is open.
    idle_waiters: Waiters,
    pub(crate) peer_away: bool,
    actions: HashMap<Box<str>, u16>,
    types: Types,
    pub(crate) names: Names,
    pub(crate) ended: Option<Ended>,
}

/// What the peer has named. Copied by those who look names up often.
#[derive(Clone, Default)]
pub(crate) struct Names {
    pub(crate) actions: Vec<Arc<str>>,
    pub(crate) types: Vec<(Arc<str>, Shape)>,
}

impl Shared {
    pub(crate) fn new(
        machine: Machine,
        spawn: Arc<dyn Spawn>,
        endpoints: Endpoints,
        recorder: Option<Arc<Recorder>>,
    ) -> Shared {
        Shared { state: Mutex::new(State::new(machine)), spawn, endpoints, recorder }
    }

    /// What was noted of the machine goes to be written.
    pub(crate) fn hand_over_notes(&self) {
        if let Some(recorder) = &self.recorder {
            let notes = self.lock().machine.take_notes();
            if !notes.is_empty() {
                recorder.push(notes, false);
            }
        }
    }

    /// The same, and nothing follows.
    pub(crate) fn end_notes(&self) {
        if let Some(recorder) = &self.recorder {
            let notes = self.lock().machine.end_notes();
            if let Some(notes) = notes {
                recorder.push(notes, true);
            }
        }
    }

    pub(crate) fn lock(&self) -> Guard<'_> {
        // A task that panicked under the lock left the machine between two verbs, which are all or nothing.
        let at_once = (0..SPINS).find_map(|_| match self.state.try_lock() {
            Ok(state) => Some(state),
            Err(TryLockError::Poisoned(state)) => Some(state.into_inner()),
            Err(TryLockError::WouldBlock) => {
                hint::spin_loop();
                None
            }
        });
        Guard(Some(at_once.unwrap_or_else(|| self.state.lock().unwrap_or_else(PoisonError::into_inner))))
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
        let kicks = (state.asleep && !state.is_held_back() && state.machine.wants_transmit()) || state.is_late();
        let driver = if kicks { state.kick() } else { None };
        if state.wakes.is_empty() {
            drop(state);
        } else {
            // A thread that ends may have lost it by now.
            let empty = WAKES.try_with(Cell::take).unwrap_or_default();
            let mut wakes = std::mem::replace(&mut state.wakes, empty);
            drop(state);
            wakes.drain(..).for_each(Waker::wake);
            let _ = WAKES.try_with(|kept| kept.set(wakes));
        }
        if let Some(driver) = driver {
            driver.wake();
        }
    }
}

impl State {
    fn new(machine: Machine) -> State {
        State {
            machine,
            asleep: false,
            stuck: None,
            cut: false,
            unheard: false,
            driver: None,
            kicked: false,
            hurry: false,
            corked: None,
            wakes: Vec::new(),
            calls: Slab::new(),
            opened: Keys::new(),
            inbox: VecDeque::new(),
            stale: false,
            spare: Default::default(),
            inbox_waiters: Waiters::default(),
            takers: 0,
            served: Slab::new(),
            accepted: Keys::new(),
            outs: Slab::new(),
            sending: Keys::new(),
            ins: Slab::new(),
            receiving: Keys::new(),
            lane_waiters: Waiters::default(),
            room_waiters: Waiters::default(),
            window_waiters: Waiters::default(),
            bulk_waiters: Waiters::default(),
            flow_waiters: Waiters::default(),
            phase_waiters: Waiters::default(),
            #[cfg(feature = "seal")]
            auth: Default::default(),
            sealed: false,
            pongs: (0, Duration::ZERO),
            watchers: Slab::new(),
            unfinished: 0,
            idle_waiters: Waiters::default(),
            peer_away: false,
            actions: HashMap::new(),
            types: Types::default(),
            names: Names::default(),
            ended: None,
        }
    }

    /// Whether what is said on this thread goes out later, with more.
    fn is_held_back(&self) -> bool {
        self.corked.is_some_and(|thread| thread == Here::thread())
    }

    /// The driver's waker, if it has to be woken.
    pub(crate) fn kick(&mut self) -> Option<Waker> {
        self.asleep = false;
        self.stuck = None;
        self.kicked = true;
        self.driver.clone()
    }

    /// Wakes the driver although there may be nothing to send.
    pub(crate) fn wake_driver(&mut self) {
        let driver = self.kick();
        self.wakes.extend(driver);
    }

    /// Whether a deadline has come up that the stuck driver does not know of.
    pub(crate) fn is_late(&self) -> bool {
        self.stuck.is_some_and(|until| self.machine.poll_timeout().is_some_and(|at| at < until))
    }

    // ---- names

    /// What a message is for, and what its body is, as the machine knows them.
    pub(crate) fn named(&mut self, to: To<'_>, content: &dyn Content) -> Result<(core::Action, Kind), Refused> {
        Ok((self.action(to)?, self.kind(content)?))
    }

    /// The action as the machine knows it; defines its name if it is new.
    fn action(&mut self, to: To<'_>) -> Result<core::Action, Refused> {
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

    /// The kind as the machine knows it; defines a type's name if it is new, and tells the content what to show.
    pub(crate) fn kind(&mut self, content: &dyn Content) -> Result<Kind, Refused> {
        let State { types, machine, .. } = self;
        let defined = match content.encoded() {
            Encoded::None => return Ok(Kind::None),
            Encoded::Bytes => return Ok(Kind::Bytes),
            Encoded::Text => return Ok(Kind::Text),
            Encoded::Typed(full, label) => types.of_type(machine, full, *label, content.shape())?,
            Encoded::Named(name) => types.of_name(machine, name, content.shape())?,
        };
        content.carry_shape(defined.carried);
        Ok(Kind::Typed(defined.index))
    }

    /// Lets go of rows that a burst has left behind.
    pub(crate) fn rest(&mut self) {
        self.spare = Default::default();
        if self.inbox.is_empty() {
            self.inbox = VecDeque::new();
        }
        self.watchers.rest();
        for (empty, keys) in [
            (self.calls.rest(), &mut self.opened),
            (self.served.rest(), &mut self.accepted),
            (self.outs.rest(), &mut self.sending),
            (self.ins.rest(), &mut self.receiving),
        ] {
            if empty {
                *keys = Keys::new();
            }
        }
        self.queues().into_iter().for_each(Waiters::rest);
        self.calls.iter_mut().for_each(|call| call.heard.rest());
        self.served.iter_mut().for_each(|served| served.heard.rest());
        for input in self.ins.iter_mut().filter(|input| input.queue.is_empty()) {
            input.queue = VecDeque::new();
            input.memory = Recycled::default();
        }
    }

    /// Says goodbye behind everything that was said before. Before there is anybody to say it to the line is over at once.
    pub(crate) fn close(&mut self, code: CloseCode, reason: &str) {
        let was_over = self.machine.closed().is_some();
        self.machine.close(code, reason);
        if !was_over && let Some(reason) = self.machine.closed() {
            self.unheard = true;
            self.end(Ended { reason, text: "".into() });
        }
        self.wake_driver();
    }

    /// The line is over: everyone is told.
    pub(crate) fn end(&mut self, ended: Ended) {
        if self.ended.is_some() {
            return;
        }
        self.ended = Some(ended);
        let mut wakes = std::mem::take(&mut self.wakes);
        self.queues().into_iter().for_each(|queue| wakes.extend(queue.drain()));
        self.wakes = wakes;
        for call in self.calls.iter_mut() {
            self.wakes.extend(call.heard.waker.take());
            self.wakes.extend(call.writer.take());
        }
        self.wakes.extend(self.watchers.iter_mut().map(|waker| waker.clone()));
        for served in self.served.iter_mut() {
            self.wakes.extend(served.heard.waker.take());
            self.wakes.extend(served.writer.take());
        }
        for out in self.outs.iter_mut() {
            self.wakes.extend(out.waker.take());
        }
        for input in self.ins.iter_mut() {
            self.wakes.extend(input.waker.take());
        }
    }

    /// The error for whoever finds the line over.
    pub(crate) fn over(&self) -> Option<Error> {
        self.ended.clone().map(Error::Closed)
    }
}

pub(crate) fn micros(since: Duration) -> Instant {
    Instant::ZERO.after(since)
}

/// The body of a message or answer, once all of it is there.
pub(crate) fn body(kind: Kind, octets: Octets, names: &Names) -> Body {
    let (kind, shape) = match kind {
        Kind::None => (BodyKind::None, Shape::Unknown),
        Kind::Bytes => (BodyKind::Bytes, Shape::Unknown),
        Kind::Text => (BodyKind::Text, Shape::Unknown),
        // The machine has checked that the index is defined.
        Kind::Typed(index) => match names.types.get(usize::from(index)) {
            Some((name, shape)) => (BodyKind::Typed(name.clone()), *shape),
            None => (BodyKind::Typed("?".into()), Shape::Unknown),
        },
    };
    Body { kind, octets, shape }
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
