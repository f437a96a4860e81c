//! The handle of one line.

use std::fmt;
use std::future::poll_fn;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use ropeway_core::{CloseCode, Code, Connection, Instant, Limits, Reason, Stats};

use crate::action::To;
use crate::body::{FromBody, ToBody};
use crate::codec::Content;
use crate::driver::Driver;
use crate::error::{Ended, Error};
use crate::exchange::{Answer, Asking, Open};
use crate::machine::Machine;
use crate::memory::growing;
use crate::messages::Messages;
use crate::options::LineOptions;
use crate::runtime::{Clock, Endpoints, Spawn};
use crate::start::{Start, Terms};
use crate::state::{Guard, Shared, Turn, micros};
use crate::trace::{Header, Recording};
use crate::waiting::Waiting;

/// One line to a peer. Cheap to clone; all clones, and all that came from them, are the same line.
///
/// When the last of them is dropped the line says goodbye, behind all that was said before, and ends: as soon as its driver
/// has a turn, or, if its runtime ends, as far as the transport takes it there and then. [`close`](Line::close) waits for
/// it. Two are equal if they are the same line.
///
/// # Handles
///
/// | handle | what it is | when it is dropped |
/// | --- | --- | --- |
/// | [`Server`](crate::Server) | listens, and serves every line that comes | it stops listening, and its lines say goodbye |
/// | [`Line`] | one line to a peer, from [`Client::connect`](crate::Client::connect), [`ServerBuilder::on_line`](crate::ServerBuilder::on_line) or [`Message::line`](crate::Message::line) | with the last handle of the line it says goodbye |
/// | [`Messages`], [`Message`](crate::Message) | what the peer sends, where no [`Router`](crate::Router) takes it | a request without an answer is answered [`Code::NO_ANSWER`] |
/// | [`Exchange`](crate::Exchange) | a request that was sent, and its answers | the request is given up |
/// | [`StreamWriter`](crate::StreamWriter), [`StreamReader`](crate::StreamReader) | a stream, on a message or an answer | the other end learns that it is incomplete |
/// | [`Upload`](crate::Upload), [`Download`](crate::Download) | a file under way | it goes on |
/// | [`Offered`](crate::Offered) | a file that the peer offers | it is declined |
#[derive(Clone)]
pub struct Line(Arc<Alive>);

impl PartialEq for Line {
    fn eq(&self, other: &Line) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Line {}

impl Hash for Line {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

/// Which end of a line this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The one that opened the transport.
    Client,
    /// The one that accepted it.
    Server,
}

/// Keeps the line open.
struct Alive {
    shared: Arc<Shared>,
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.shared.lock().close(CloseCode::DONE, "");
    }
}

impl Line {
    /// One end of a line over `stream`, and the driver that must be polled for anything to happen.
    ///
    /// `entropy` must be unpredictable and never used twice. The options are a [`Config`](crate::Config), or more than that.
    ///
    /// # Errors
    /// `Error::Seal` if it can't be sealed as the options say. Without sealing there is none.
    pub fn new<S, C>(
        role: Role,
        stream: S,
        clock: C,
        spawn: Arc<dyn Spawn>,
        endpoints: Endpoints,
        entropy: [u8; 32],
        options: impl Into<LineOptions>,
    ) -> Result<(Line, Driver<S, C>), Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
        C: Clock,
    {
        let options = options.into();
        #[cfg(feature = "seal")]
        let auth = options.auth.clone().filter(|_| role == Role::Server);
        let (line, driver) = Line::build(role, stream, clock, spawn, endpoints, entropy, options)?;
        #[cfg(feature = "seal")]
        if let Some(deciding) = auth {
            deciding.begin(&line);
        }
        Ok((line, driver))
    }

    /// The same, of which who the client is is yet to be decided by somebody, if it is to be.
    pub(crate) fn build<S, C>(
        role: Role,
        stream: S,
        clock: C,
        spawn: Arc<dyn Spawn>,
        endpoints: Endpoints,
        entropy: [u8; 32],
        options: LineOptions,
    ) -> Result<(Line, Driver<S, C>), Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
        C: Clock,
    {
        let sealer = options.sealer(role)?;
        let LineOptions { config, recording, .. } = options;
        let now = micros(clock.now());
        let memory = growing(config.lanes, config.flows, config.outbox, sealer);
        let machine = match role {
            Role::Client => Connection::client(now, config.protocol, entropy, memory),
            Role::Server => Connection::server(now, config.protocol, entropy, memory),
        };
        let begin = |recording: Recording| recording.begin(spawn.clone(), Header::new(role, now, &config, &entropy));
        let (tap, recorder) = recording.map(begin).unzip();
        let machine = Machine::new(machine, tap.map(Box::new));
        let shared = Arc::new(Shared::new(machine, spawn, endpoints, recorder));
        Ok((Line(Arc::new(Alive { shared: shared.clone() })), Driver::new(stream, clock, shared, config)))
    }

    // ---- messages

    /// Sends a message that wants no answer: any serde value, text, or [`Bytes`](bytes::Bytes).
    ///
    /// Returns once the message is in the outbox, which bounds memory: with a peer that does not read it waits.
    ///
    /// # Errors
    /// [`Error::TooLarge`] at once for what the peer does not take; [`Error::Closed`] when the line is over.
    ///
    /// # Cancel safety
    /// Dropped early, the message is either sent whole or, if it is larger than a frame and had begun, given up and never
    /// delivered as whole.
    pub async fn notify<'a, B>(&self, to: impl Into<To<'a>>, body: &B) -> Result<(), Error>
    where
        B: ToBody + ?Sized,
    {
        let content = body.value()?;
        match self.start(to.into(), &content, Terms::default()).await? {
            (None, _) => Ok(()),
            (Some(key), taken) => {
                let mut exchange = Asking::new(self, key);
                exchange.send_rest(&content, taken).await?;
                exchange.forget();
                Ok(())
            }
        }
    }

    /// Sends a request and waits for its answer. A bare [`Code::OK`] is an answer without a body.
    ///
    /// # Errors
    /// [`Error::Answered`] if the answer is another code; [`Error::WrongType`] if its body is not an `R`;
    /// [`Error::TimedOut`] if no sign of life came in time (5 s, unless the line's config says otherwise; see
    /// [`Open::timeout`]); [`Error::Closed`] when the line is over.
    ///
    /// # Cancel safety
    /// Dropped early, the request is given up, and the peer is told.
    pub async fn request<'a, B, R>(&self, to: impl Into<To<'a>>, body: &B) -> Result<R, Error>
    where
        B: ToBody + ?Sized,
        R: FromBody,
    {
        let to = to.into();
        self.call(to, body, |answer| answer.decode(to)).await
    }

    /// What `take` makes of the answer.
    async fn call<B, T>(&self, to: To<'_>, body: &B, take: impl Fn(Answer) -> Result<T, Error>) -> Result<T, Error>
    where
        B: ToBody + ?Sized,
    {
        let content = body.value()?;
        let terms = Terms { wants_answer: true, ..Terms::default() };
        let (key, taken) = self.start(to, &content, terms).await?;
        let key = key.ok_or(Error::Misuse("the exchange is over"))?;
        if taken == content.len() {
            drop(content);
            return Asking::fresh(self, key).answer(take).await;
        }
        let mut exchange = Asking::new(self, key);
        exchange.send_rest(&content, taken).await?;
        exchange.answer(take).await
    }

    /// Sends a request of which only the code is of interest. A response counts by its code; its body is dropped.
    ///
    /// # Errors
    /// [`Error::TimedOut`]; [`Error::Aborted`]; [`Error::Closed`].
    ///
    /// # Cancel safety
    /// Dropped early, the request is given up, and the peer is told.
    pub async fn ask<'a, B>(&self, to: impl Into<To<'a>>, body: &B) -> Result<Code, Error>
    where
        B: ToBody + ?Sized,
    {
        self.call(to.into(), body, |answer| Ok(answer.code)).await
    }

    /// A message with all that it may bring: files, a stream, a timeout of its own; and answers with all that they bring.
    ///
    /// Nothing is sent before one of the methods of [`Open`] is awaited.
    pub fn open<'a, B>(&self, to: impl Into<To<'a>>, body: &B) -> Open
    where
        B: ToBody + ?Sized,
    {
        Open::new(self.clone(), to.into().into(), body)
    }

    /// The messages that the peer sends, in order. Each message goes to whoever asks first, if there are several.
    ///
    /// What nobody takes fills the window, and then the peer waits.
    pub fn messages(&self) -> Messages {
        Messages::new(self.clone())
    }

    // ---- the line

    /// Waits until the handshake is done. Verbs wait by themselves.
    ///
    /// # Errors
    /// [`Error::Closed`] if the line ended before it was.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn ready(&self) -> Result<(), Error> {
        let mut waiting = Waiting::new(self, Turn::default());
        poll_fn(|cx| {
            let mut state = self.lock();
            // What came before the line ended is there to be taken.
            if state.machine.peer().is_some() {
                return Poll::Ready(Ok(()));
            }
            if let Some(error) = state.over() {
                return Poll::Ready(Err(error));
            }
            state.wait_for_phase(&mut waiting.turn, cx);
            Poll::Pending
        })
        .await
    }

    /// Waits until the line is over, however that comes, and says how.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn ended(&self) -> Ended {
        let mut waiting = Waiting::new(self, Turn::default());
        poll_fn(|cx| {
            let mut state = self.lock();
            match &state.ended {
                Some(ended) => Poll::Ready(ended.clone()),
                None => {
                    state.wait_for_phase(&mut waiting.turn, cx);
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Says goodbye behind everything that was sent before, and waits until the line is over. No verb works from now on.
    ///
    /// Before hellos and keys are exchanged there is nobody to say it to: then it waits for nothing.
    ///
    /// # Cancel safety
    /// The line closes all the same.
    pub async fn close(&self, code: CloseCode, reason: &str) -> Ended {
        self.lock().close(code, reason);
        self.ended().await
    }

    /// Waits until the line is over and its trace is written to its end, if it is recorded.
    ///
    /// # Errors
    /// [`Error::Io`] if writing it failed, or was too slow for all of it.
    ///
    /// # Cancel safety
    /// Safe; it is written all the same.
    pub async fn traced(&self) -> Result<(), Error> {
        match &self.0.shared.recorder {
            Some(recorder) => recorder.written().await.map_err(Error::Io),
            None => Ok(()),
        }
    }

    /// Says goodbye behind everything that was sent before, and does not wait.
    pub(crate) fn close_soon(&self, code: CloseCode) {
        self.lock().close(code, "");
    }

    /// Ends the line at once, without a goodbye. What was not sent is lost, and what waits for it fails.
    pub fn cut(&self) {
        let now = self.now();
        let mut state = self.lock();
        state.cut = true;
        if let Some(event) = state.machine.handle_eof() {
            state.on_event(now, &event);
        }
        state.wake_driver();
    }

    /// As [`cut`](Line::cut), but the peer is told why if the transport takes it at once.
    pub(crate) fn part(&self, code: CloseCode) {
        let mut state = self.lock();
        state.machine.close(code, "");
        let reason = state.machine.ending().unwrap_or(Reason::ByUs(code));
        state.end(Ended { reason, text: "".into() });
        state.cut = true;
        state.wake_driver();
    }

    /// Tells the peer to open no new exchange. Those that are open may end; then close.
    ///
    /// # Errors
    /// [`Error::Closed`] when the line is over.
    ///
    /// # Cancel safety
    /// Dropped early, the peer may not have been told.
    pub async fn go_away(&self) -> Result<(), Error> {
        let mut turn = Waiting::new(self, Turn::default());
        poll_fn(|cx| turn.poll(cx, |state, _| state.machine.go_away())).await
    }

    /// Waits until no exchange is open, in either direction, and no flow, and every message that came is done with.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn idle(&self) {
        let mut waiting = Waiting::new(self, Turn::for_idle());
        poll_fn(|cx| {
            let mut state = self.lock();
            let quiet = state.is_quiet();
            if state.ended.is_some() || quiet {
                return Poll::Ready(());
            }
            state.wait_for_idle(&mut waiting.turn, cx);
            Poll::Pending
        })
        .await;
    }

    /// Asks the peer for a sign of life: how long it took.
    ///
    /// # Errors
    /// [`Error::Closed`] when the line is over, also because the peer never answered.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn ping(&self) -> Result<Duration, Error> {
        let mut asked = None;
        let mut waiting = Waiting::new(self, Turn::default());
        poll_fn(|cx| {
            let mut state = self.lock();
            if let Some(error) = state.over() {
                return Poll::Ready(Err(error));
            }
            let (pongs, rtt) = state.pongs;
            match asked {
                // One pong answers everyone who asked before it.
                Some(before) if before < pongs => return Poll::Ready(Ok(rtt)),
                None if state.machine.ping().is_ok() => {
                    asked = Some(pongs);
                    state.hurry = true;
                }
                _ => {}
            }
            state.wait_for_phase(&mut waiting.turn, cx);
            Poll::Pending
        })
        .await
    }

    /// The round-trip time of pings, smoothed; `None` before the first heartbeat.
    pub fn rtt(&self) -> Option<Duration> {
        self.lock().machine.rtt()
    }

    /// What went over the line so far.
    pub fn stats(&self) -> Stats {
        *self.lock().machine.stats()
    }

    /// What the peer takes; `None` before the handshake.
    pub fn peer_limits(&self) -> Option<Limits> {
        self.lock().machine.peer().copied()
    }

    /// Whether the peer has asked for no new exchanges.
    pub fn is_peer_away(&self) -> bool {
        self.lock().peer_away
    }

    /// Whether the line is over.
    pub fn is_over(&self) -> bool {
        self.lock().ended.is_some()
    }

    /// Where the two ends are.
    pub fn endpoints(&self) -> &Endpoints {
        &self.0.shared.endpoints
    }

    // ---- for the other handles

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    pub(crate) fn downgrade(&self) -> WeakLine {
        WeakLine(Arc::downgrade(&self.0))
    }

    pub(crate) fn lock(&self) -> Guard<'_> {
        self.0.shared.lock()
    }

    /// What time it is, for a deadline.
    pub(crate) fn now(&self) -> Instant {
        micros(self.0.shared.spawn.now())
    }

    pub(crate) fn spawn(&self) -> &Arc<dyn Spawn> {
        &self.0.shared.spawn
    }

    /// Sends the first frame of a message.
    pub(crate) fn start<'l>(&'l self, to: To<'l>, content: &'l dyn Content, terms: Terms) -> Start<'l> {
        Start::new(self, to, content, terms)
    }
}

/// A line that this does not keep open.
#[derive(Clone)]
pub(crate) struct WeakLine(Weak<Alive>);

impl WeakLine {
    pub(crate) fn line(&self) -> Option<Line> {
        self.0.upgrade().map(Line)
    }

    pub(crate) fn shared(&self) -> Option<Arc<Shared>> {
        self.0.upgrade().map(|alive| alive.shared.clone())
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Line")
            .field("endpoints", &self.0.shared.endpoints)
            .field("ended", &state.ended)
            .field("machine", &state.machine)
            .finish()
    }
}
