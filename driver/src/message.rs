//! What the peer asked, and how it is answered.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use ropeway_core::{Code, LaneId, MessageId, Refused, Respond};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::action::Action;
use crate::body::{Body, Octets};
use crate::codec::{self, Content, Owned, Value};
use crate::error::{Error, Failure};
use crate::file::{IntoSource, Offered, Upload, Uploading};
use crate::flow::{Incoming, StreamReader, StreamWriter};
use crate::line::{Line, Waiting, WeakLine};
use crate::slab::Key;
use crate::state::{self, Names, Raw, State, Turn};

/// The messages that a peer sends, as a stream that ends when the line is over.
///
/// They are fetched in batches; what has been fetched counts as taken once the batch is used up.
pub struct Messages {
    line: Line,
    batch: VecDeque<Raw>,
    /// Octets of each message of the batch that was handed out, to be given back as window.
    used: Vec<usize>,
    names: Names,
    /// Answers to a batch go out together; see [`Messages::corked`].
    corks: bool,
}

/// So many messages are answered before the driver is woken, if there are as many.
const CORKED: usize = 32;

impl Messages {
    pub(crate) fn new(line: Line) -> Messages {
        Messages { line, batch: VecDeque::new(), used: Vec::new(), names: Names::default(), corks: false }
    }

    /// For a loop that does not wait between the messages of a batch: their answers go out together.
    pub(crate) fn corked(line: Line) -> Messages {
        let mut messages = Messages::new(line);
        messages.corks = true;
        messages
    }

    /// Before the loop waits after all.
    pub(crate) fn uncork(&mut self) {
        self.line.lock().corked = false;
    }

    /// The next message; `None` when the line is over.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn next(&mut self) -> Option<Message> {
        poll_fn(|cx| self.poll_message(cx)).await
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        if self.batch.is_empty() {
            ready!(self.fetch(cx));
        }
        let Some(raw) = self.batch.pop_front() else { return Poll::Ready(None) };
        self.used.push(raw.charged);
        if self.corks && self.used.len().is_multiple_of(CORKED) {
            self.uncork();
            self.line.lock().corked = !self.batch.is_empty();
        }
        Poll::Ready(Some(Message::new(self.line.clone(), raw, &self.names)))
    }

    fn fetch(&mut self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.line.lock();
        state.corked = false;
        for len in self.used.drain(..) {
            state.machine.take_message(len);
        }
        if state.inbox.is_empty() {
            if state.ended.is_some() {
                return Poll::Ready(());
            }
            // Left where an idle line lets go of it.
            state.spare = (std::mem::take(&mut self.batch), std::mem::take(&mut self.used));
            state.wait_for_message(cx);
            return Poll::Pending;
        }
        if self.batch.capacity() == 0 {
            (self.batch, self.used) = std::mem::take(&mut state.spare);
        }
        std::mem::swap(&mut self.batch, &mut state.inbox);
        let names = &state.names;
        if names.actions.len() > self.names.actions.len() || names.types.len() > self.names.types.len() {
            self.names = names.clone();
        }
        state.fetched();
        if self.corks && self.batch.len() > 1 {
            if state.asleep && state.machine.wants_transmit() {
                let driver = state.kick();
                state.wakes.extend(driver);
            }
            state.corked = true;
        }
        Poll::Ready(())
    }
}

impl Drop for Messages {
    /// What was fetched and not handed out is put back, for whoever asks next.
    fn drop(&mut self) {
        let mut state = self.line.lock();
        state.corked = false;
        for len in self.used.drain(..) {
            state.machine.take_message(len);
        }
        while let Some(raw) = self.batch.pop_back() {
            state.inbox.push_front(raw);
        }
        state.wake_for_message();
    }
}

impl Stream for Messages {
    type Item = Message;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.poll_message(cx)
    }
}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages").field("fetched", &self.batch.len()).finish_non_exhaustive()
    }
}

/// A message that the peer sent. If it wants an answer and is dropped without one, the peer is answered
/// [`Code::NO_ANSWER`].
pub struct Message {
    id: MessageId,
    action: Action,
    wants_answer: bool,
    timeout: Option<Duration>,
    attached: u16,
    size: u64,
    body: Body,
    /// All of the body has come.
    whole: bool,
    serving: Serving,
}

/// The state of an exchange that the peer opened; answered when dropped.
struct Serving {
    line: Line,
    lane: Option<(LaneId, Key)>,
    /// What has come of a body that nobody has asked for as a whole.
    partial: Option<Octets>,
}

impl Message {
    fn new(line: Line, raw: Raw, names: &Names) -> Message {
        let Raw { id, action, kind, octets, size, wants_answer, timeout, attached, charged, lane } = raw;
        let whole = size == charged as u64;
        let partial = (!whole).then(|| octets.clone());
        Message {
            id,
            action: state::action(action, names),
            wants_answer,
            timeout,
            attached,
            size,
            body: state::body(kind, octets, names),
            whole,
            serving: Serving { line, lane, partial },
        }
    }

    /// Its id, the same at both ends.
    pub fn id(&self) -> MessageId {
        self.id
    }

    /// What it is for.
    pub fn action(&self) -> &Action {
        &self.action
    }

    /// Whether the peer waits for an answer.
    pub fn wants_answer(&self) -> bool {
        self.wants_answer
    }

    /// How long the peer waits for a sign of life.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// How many streams and files it brings.
    pub fn attached(&self) -> u16 {
        self.attached
    }

    /// The size of its body in octets, known before all of it has come.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The line it came on.
    pub fn line(&self) -> &Line {
        &self.serving.line
    }

    /// Its body, once all of it has come.
    ///
    /// # Errors
    /// [`Error::Aborted`] if the peer gave up before; [`Error::Closed`].
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn body(&mut self) -> Result<&Body, Error> {
        if !self.whole {
            self.body.octets = poll_fn(|cx| self.serving.poll_rest(cx, self.size)).await?;
            self.whole = true;
        }
        Ok(&self.body)
    }

    /// The value of its body, once all of it has come.
    ///
    /// # Errors
    /// [`Error::WrongType`] names the action and both types; otherwise as [`body`](Message::body).
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn decode<T: DeserializeOwned>(&mut self) -> Result<T, Error> {
        let value = self.body().await?.decode();
        value.map_err(|cause| Error::WrongType { action: self.action.clone(), cause })
    }

    /// Its body, taken out of it, once all of it has come.
    ///
    /// # Errors
    /// As [`body`](Message::body).
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn take_body(&mut self) -> Result<Body, Error> {
        self.body().await?;
        Ok(std::mem::replace(&mut self.body, Body::NONE))
    }

    pub(crate) async fn take_value<T: DeserializeOwned>(&mut self) -> Result<T, Error> {
        let body = self.take_body().await?;
        codec::decode_owned(body).map_err(|cause| Error::WrongType { action: self.action.clone(), cause })
    }

    /// The next stream that it brings. Files offered before it are declined.
    ///
    /// # Errors
    /// [`Error::Missing`] if it brings none; [`Error::Aborted`]; [`Error::Closed`].
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn stream(&mut self) -> Result<StreamReader, Error> {
        while let Some(flow) = self.flow().await? {
            if flow.is_push() {
                return Ok(StreamReader::new(flow));
            }
        }
        Err(Error::Missing("stream"))
    }

    /// The next file that it offers; `None` after the last. Streams before it are stopped.
    ///
    /// # Errors
    /// [`Error::Aborted`]; [`Error::Closed`].
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn file(&mut self) -> Result<Option<Offered>, Error> {
        while let Some(flow) = self.flow().await? {
            if !flow.is_push() {
                return Ok(Some(Offered::new(flow)));
            }
        }
        Ok(None)
    }

    async fn flow(&mut self) -> Result<Option<Incoming>, Error> {
        if self.attached == 0 {
            return Ok(None);
        }
        let flow = poll_fn(|cx| self.serving.poll_flow(cx)).await?;
        self.attached -= 1;
        Ok(Some(flow))
    }

    /// Waits until the peer gives the request up, or the line is over. A handler of long work should stop then.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn aborted(&mut self) -> Code {
        poll_fn(|cx| self.serving.poll_aborted(cx)).await
    }

    /// Answers with a bare code. Never waits. Does nothing for a message that wants no answer.
    pub fn code(mut self, code: Code) {
        let Some((_, key)) = self.serving.lane.filter(|_| self.wants_answer) else { return };
        let mut state = self.serving.line.lock();
        if let Some(lane) = state.serving(key) {
            let _ = state.machine.respond_code(lane, code);
            state.hurry_if_alone();
        }
        let over = state.answered(key);
        drop(state);
        if over {
            self.serving.lane = None;
        }
    }

    /// Answers with a value; see [`Line::notify`] for what it may be. The last answer.
    ///
    /// # Errors
    /// [`Error::TooLarge`]; [`Error::Aborted`] if the peer gave up; [`Error::Closed`]. Does nothing for a message that
    /// wants no answer.
    ///
    /// # Cancel safety
    /// Dropped early, the answer is either sent whole or, if it is larger than a frame and had begun, given up.
    pub async fn answer<B: Serialize + Sync + ?Sized>(mut self, body: &B) -> Result<(), Error> {
        let content = Value::new(body)?;
        self.serving.respond(self.wants_answer, Terms::LAST, &content).await
    }

    /// Answers a failure: its code, and its text if there is one.
    ///
    /// # Errors
    /// As [`answer`](Message::answer).
    ///
    /// # Cancel safety
    /// As [`answer`](Message::answer).
    pub async fn fail(mut self, failure: impl Into<Failure>) -> Result<(), Error> {
        let Failure { code, text } = failure.into();
        if text.is_empty() || code.is_ok() {
            self.code(code);
            return Ok(());
        }
        let terms = Terms { code, ..Terms::LAST };
        let content = Value::new(text.as_str())?;
        self.serving.respond(self.wants_answer, terms, &content).await
    }

    /// Reports progress, which prolongs the peer's patience.
    ///
    /// # Errors
    /// As [`answer`](Message::answer); [`Error::TooLarge`] also for what does not fit a frame.
    ///
    /// # Cancel safety
    /// Safe: sent whole or not at all.
    pub async fn update<B: Serialize + Sync + ?Sized>(&mut self, body: &B) -> Result<(), Error> {
        let content = Value::new(body)?;
        let content: &dyn Content = &content;
        let Some((_, key)) = self.serving.lane.filter(|_| self.wants_answer) else { return Ok(()) };
        let mut turn = Waiting::new(&self.serving.line, Turn::default());
        poll_fn(|cx| {
            turn.poll(cx, |state| {
                let kind = state.kind(content)?;
                let lane = state.serving(key).ok_or(Refused::NoLane)?;
                state.wait_for_lane(key, cx);
                content.with(0, |bytes| state.machine.update(lane, ropeway_core::Body { kind, bytes }))
            })
        })
        .await
    }

    /// What a [`Watch`] of it is made of.
    pub(crate) fn exchange(&self) -> (Option<Key>, MessageId) {
        (self.serving.lane.map(|(_, key)| key), self.id)
    }

    /// An answer with all that it may bring: files, a stream, a code, and more answers after it.
    ///
    /// Nothing is sent before it, or one of its methods, is awaited.
    pub fn respond<B: Serialize + Sync + ?Sized>(&mut self, body: &B) -> Responding<'_> {
        let content = Owned::new(body);
        Responding { message: self, content, code: Code::OK, more: false, files: Vec::new() }
    }
}

/// Watches the exchange of a message from outside.
pub(crate) struct Watch {
    line: WeakLine,
    key: Option<Key>,
    id: MessageId,
}

impl Watch {
    pub(crate) fn new(line: WeakLine, (key, id): (Option<Key>, MessageId)) -> Watch {
        Watch { line, key, id }
    }

    /// Ready once the peer gave the exchange up, or the line is over.
    pub(crate) fn poll_over(&self, cx: &Context<'_>) -> Poll<()> {
        let Some(shared) = self.line.shared() else { return Poll::Ready(()) };
        let mut state = shared.lock();
        if state.ended.is_some() {
            return Poll::Ready(());
        }
        let Some(served) = self.key.and_then(|key| state.served.get_mut(key)).filter(|served| served.id == self.id)
        else {
            state.wait_for_phase(cx);
            return Poll::Pending;
        };
        if served.heard.aborted.is_some() {
            return Poll::Ready(());
        }
        served.watcher = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// An answer about to be sent, with all that it brings. See [`Message::respond`].
#[must_use = "nothing is sent unless it is awaited"]
pub struct Responding<'m> {
    message: &'m mut Message,
    content: Result<Owned, Error>,
    code: Code,
    more: bool,
    files: Vec<Uploading>,
}

impl<'m> Responding<'m> {
    /// Says how it went; [`Code::OK`] unless said.
    pub fn code(mut self, code: Code) -> Responding<'m> {
        self.code = code;
        self
    }

    /// More answers follow this one.
    pub fn more(mut self) -> Responding<'m> {
        self.more = true;
        self
    }

    /// Offers a file along.
    pub fn file(mut self, source: impl IntoSource) -> Responding<'m> {
        self.files.push(source.into_source());
        self
    }

    /// Sends the answer, and returns its files under way.
    ///
    /// # Errors
    /// As [`Message::answer`]; [`Error::File`] for a file that can't be read.
    ///
    /// # Cancel safety
    /// Dropped early, the answer may be incomplete; the exchange is given up when the message is dropped.
    pub async fn send(self) -> Result<Vec<Upload>, Error> {
        Ok(self.go(0).await?.0)
    }

    /// Sends the answer with a stream.
    ///
    /// # Errors
    /// As [`send`](Responding::send).
    ///
    /// # Cancel safety
    /// As [`send`](Responding::send).
    pub async fn stream(self) -> Result<StreamWriter, Error> {
        self.go(1).await?.1.ok_or(Error::Missing("stream"))
    }

    async fn go(self, streams: u16) -> Result<(Vec<Upload>, Option<StreamWriter>), Error> {
        let Responding { message, content, code, more, mut files } = self;
        let content = content?;
        let serving = &mut message.serving;
        let (lane, key) = serving.lane.ok_or(Error::Misuse("the message wants no answer"))?;
        for file in &mut files {
            file.prepare(&serving.line).await?;
        }
        let attached = u16::try_from(files.len()).unwrap_or(u16::MAX).saturating_add(streams);
        let terms = Terms { code, more, attached };
        let taken = serving.begin(key, terms, &content).await?;
        let stream = if streams > 0 { Some(StreamWriter::offer(&serving.line, lane, "").await?) } else { None };
        let mut uploads = Vec::with_capacity(files.len());
        for file in files {
            uploads.push(file.offer(&serving.line, lane).await?);
        }
        serving.send_rest(key, &content, taken).await?;
        Ok((uploads, stream))
    }
}

impl<'m> IntoFuture for Responding<'m> {
    type Output = Result<Vec<Upload>, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'm>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// What an answer brings besides its body.
#[derive(Clone, Copy)]
struct Terms {
    code: Code,
    more: bool,
    attached: u16,
}

impl Terms {
    const LAST: Terms = Terms { code: Code::OK, more: false, attached: 0 };
}

impl Serving {
    async fn respond(&mut self, wants_answer: bool, terms: Terms, content: &dyn Content) -> Result<(), Error> {
        let Some((_, key)) = self.lane.filter(|_| wants_answer) else { return Ok(()) };
        let taken = self.begin(key, terms, content).await?;
        if taken == content.len() {
            return Ok(());
        }
        self.send_rest(key, content, taken).await
    }

    /// Sends the first frame of an answer; how much of the body went with it.
    async fn begin(&mut self, key: Key, terms: Terms, content: &dyn Content) -> Result<usize, Error> {
        let Terms { code, more, attached } = terms;
        let mut turn = Waiting::new(&self.line, Turn::default());
        let mut over = false;
        let taken = poll_fn(|cx| {
            turn.poll(cx, |state| {
                let kind = state.kind(content)?;
                let lane = state.serving(key).ok_or(Refused::NoLane)?;
                let sent = content.with(0, |octets| {
                    let response = Respond { code, more, attached, ..Respond::new(kind, octets) };
                    state.machine.respond(lane, &response)
                });
                let sent = match sent {
                    Err(Refused::Later) => {
                        state.wait_for_lane(key, cx);
                        return Err(Refused::Later);
                    }
                    sent => sent?,
                };
                state.hurry_if_alone();
                over = state.answered(key);
                Ok(sent.taken)
            })
        })
        .await;
        drop(turn);
        if over {
            self.lane = None;
        }
        match taken {
            // The peer gave up, so nothing is open to answer.
            Err(Error::Misuse(_)) => Err(self.given_up(key)),
            taken => taken,
        }
    }

    /// The error for an exchange on which nothing can be said.
    fn given_up(&self, key: Key) -> Error {
        match self.line.lock().aborted(key) {
            Some(code) => Error::Aborted(code),
            None => Error::Misuse("the exchange is over"),
        }
    }

    async fn send_rest(&self, key: Key, content: &dyn Content, mut at: usize) -> Result<(), Error> {
        let mut turn = Waiting::new(&self.line, Turn::for_bulk());
        while at < content.len() {
            at += poll_fn(|cx| {
                if let Some(code) = self.line.lock().aborted(key) {
                    return Poll::Ready(Err(Error::Aborted(code)));
                }
                turn.poll(cx, |state| {
                    let lane = state.serving(key).ok_or(Refused::NoLane)?;
                    state.wait_for_lane(key, cx);
                    let now = state.time(&**self.line.spawn());
                    content.with(at, |rest| state.machine.body(now, lane, rest))
                })
            })
            .await?;
        }
        Ok(())
    }

    /// The whole body, once it is there.
    fn poll_rest(&mut self, cx: &Context<'_>, size: u64) -> Poll<Result<Octets, Error>> {
        let mut state = self.line.lock();
        let Some((_, key)) = self.lane else { return Poll::Ready(Err(Error::Missing("body"))) };
        let lane = state.serving(key);
        let State { served, machine, .. } = &mut *state;
        let Some(served) = served.get_mut(key) else { return Poll::Ready(Err(Error::Missing("body"))) };
        if let Some(first) = self.partial.take() {
            served.heard.want(first.as_slice(), size, |len| {
                if let Some(lane) = lane {
                    machine.take_lane(lane, len);
                }
            });
        }
        if let Some(octets) = served.heard.whole() {
            return Poll::Ready(Ok(octets));
        }
        if let Some(code) = state.aborted(key) {
            return Poll::Ready(Err(Error::Aborted(code)));
        }
        if let Some(error) = state.over() {
            return Poll::Ready(Err(error));
        }
        if let Some(served) = state.served.get_mut(key) {
            served.heard.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    fn poll_flow(&mut self, cx: &Context<'_>) -> Poll<Result<Incoming, Error>> {
        let mut state = self.line.lock();
        let key = self.lane.map_or(Key::NONE, |(_, key)| key);
        let Some(served) = state.served.get_mut(key) else { return Poll::Ready(Err(Error::Missing("flow"))) };
        if let Some(flow) = served.heard.next_offer() {
            drop(state);
            return Poll::Ready(Ok(Incoming::new(self.line.clone(), flow)));
        }
        if let Some(code) = served.heard.aborted {
            return Poll::Ready(Err(Error::Aborted(code)));
        }
        served.heard.waker = Some(cx.waker().clone());
        match state.over() {
            Some(error) => Poll::Ready(Err(error)),
            None => Poll::Pending,
        }
    }

    fn poll_aborted(&mut self, cx: &Context<'_>) -> Poll<Code> {
        let mut state = self.line.lock();
        let over = state.ended.is_some();
        let key = self.lane.map_or(Key::NONE, |(_, key)| key);
        let Some(served) = state.served.get_mut(key) else {
            if over {
                return Poll::Ready(Code::CANCELLED);
            }
            // A notice of one frame: nobody can give it up, but the line may end.
            state.wait_for_phase(cx);
            return Poll::Pending;
        };
        match served.heard.aborted {
            Some(code) => Poll::Ready(code),
            None if over => Poll::Ready(Code::CANCELLED),
            None => {
                served.heard.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some((_, key)) = self.lane {
            self.line.lock().drop_served(key);
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("action", &self.action)
            .field("size", &self.size)
            .field("attached", &self.attached)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Responding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responding").field("code", &self.code).field("more", &self.more).finish_non_exhaustive()
    }
}
