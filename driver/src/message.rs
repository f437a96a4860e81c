//! What the peer asked, and how it is answered.

use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::pin::Pin;
use std::time::Duration;

use ropeway_core::{Code, MessageId, Refused};
use serde::de::DeserializeOwned;

use crate::action::Action;
use crate::body::{Body, FromBody, ToBody};
use crate::codec::{Content, Owned};
use crate::error::{BodyError, Error, Failure};
use crate::file::{Offered, Upload, Uploading, Uploads};
use crate::flow::Incoming;
use crate::line::Line;
use crate::serving::{Serving, Terms};
use crate::slab::Key;
use crate::state::{self, Names, On, Raw, Turn};
use crate::stream::{StreamReader, StreamWriter};
use crate::waiting::Waiting;

/// A message that the peer sent. If it wants an answer and is dropped without one, the peer is answered
/// [`Code::NO_ANSWER`].
pub struct Message {
    id: MessageId,
    action: Action,
    wants_answer: bool,
    timeout: Option<Duration>,
    attached: u16,
    #[cfg_attr(not(feature = "seal"), expect(dead_code, reason = "asked for where lines may be sealed"))]
    sealed: bool,
    size: u64,
    body: Body,
    /// `body` is all of it, not just what came with the first frame.
    whole: bool,
    serving: Serving,
}

impl Message {
    pub(crate) fn new(line: Line, raw: Raw, names: &Names) -> Message {
        let Raw { id, action, kind, octets, size, wants_answer, timeout, attached, charged, lane, sealed } = raw;
        let whole = size == charged as u64;
        Message {
            id,
            action: state::action(action, names),
            wants_answer,
            timeout,
            attached,
            sealed,
            size,
            body: state::body(kind, octets, names),
            whole,
            serving: Serving::new(line, lane),
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

    /// Whether it came sealed. Then so does all that belongs to it, and what is answered.
    #[cfg(feature = "seal")]
    pub fn is_sealed(&self) -> bool {
        self.sealed
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
            self.body.octets = poll_fn(|cx| self.serving.poll_rest(cx, &self.body.octets, self.size)).await?;
            self.whole = true;
        }
        Ok(&self.body)
    }

    /// The value of its body, once all of it has come.
    ///
    /// # Errors
    /// [`Error::WrongType`] names the action and both types; if the message is dropped unanswered, the peer is answered so.
    /// Otherwise as [`body`](Message::body).
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn decode<T: DeserializeOwned>(&mut self) -> Result<T, Error> {
        let value = self.body().await?.decode();
        value.map_err(|cause| self.wrong_type(cause))
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

    pub(crate) async fn take_value<T: FromBody>(&mut self) -> Result<T, Error> {
        let body = self.take_body().await?;
        T::from_body(body).map_err(|cause| self.wrong_type(cause))
    }

    /// If the handler has no other answer, that is it.
    fn wrong_type(&mut self, cause: BodyError) -> Error {
        let error = Error::WrongType { action: self.action.clone(), cause: Box::new(cause) };
        self.serving.refuse(error.clone());
        error
    }

    /// Dropped as it is, it is answered so, and so is what it brings.
    pub(crate) fn refuse(mut self, code: Code) {
        self.serving.refuse(code);
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

    /// Waits until the peer gives the request up, or the line is over, for whoever takes messages from a
    /// [line](Line::messages) or was given one by a handler: long work should stop then.
    ///
    /// The handler of a request itself does not come back from it, for a [`Router`](crate::Router) drops that instead.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn aborted(&mut self) -> Code {
        let mut waiting = Waiting::new(&self.serving.line, Turn::default());
        poll_fn(|cx| self.serving.poll_aborted(&mut waiting.turn, cx)).await
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
    /// [`Error::TooLarge`] and [`Error::Encode`], and the peer is answered [`Code::TOO_LARGE`] or [`Code::INTERNAL`];
    /// [`Error::Aborted`] if the peer gave up; [`Error::Closed`]. Does nothing for a message that wants no answer.
    ///
    /// # Cancel safety
    /// Dropped early, the answer is either sent whole or, if it is larger than a frame and had begun, given up.
    pub fn answer<B: ToBody + ?Sized>(self, body: &B) -> impl Future<Output = Result<(), Error>> + use<'_, B> {
        // The future keeps no more of the message than it needs: a handler's is the smaller for it.
        let Message { mut serving, wants_answer, .. } = self;
        async move {
            let content = body.value().inspect_err(|error| serving.refuse(error.clone()))?;
            serving.respond(wants_answer, Terms::LAST, &content).await
        }
    }

    /// Answers a failure: its code, and its text if there is one that the peer takes.
    ///
    /// # Errors
    /// [`Error::Aborted`] if the peer gave up; [`Error::Closed`].
    ///
    /// # Cancel safety
    /// As [`answer`](Message::answer).
    pub async fn fail(mut self, failure: impl Into<Failure>) -> Result<(), Error> {
        let Failure { code, text, .. } = failure.into();
        if text.is_empty() || code.is_ok() {
            self.code(code);
            return Ok(());
        }
        let terms = Terms { code, ..Terms::LAST };
        let content = text.as_str().value()?;
        match self.serving.respond(self.wants_answer, terms, &content).await {
            // The text is a courtesy.
            Err(Error::TooLarge(_)) => {
                self.code(code);
                Ok(())
            }
            said => said,
        }
    }

    /// Reports progress, which prolongs the peer's patience.
    ///
    /// # Errors
    /// As [`answer`](Message::answer); [`Error::TooLarge`] also for what does not fit a frame.
    ///
    /// # Cancel safety
    /// Safe: sent whole or not at all.
    pub async fn update<B: ToBody + ?Sized>(&mut self, body: &B) -> Result<(), Error> {
        let content = body.value()?;
        let content: &dyn Content = &content;
        let Some((_, key)) = self.serving.lane.filter(|_| self.wants_answer) else { return Ok(()) };
        let mut turn = Waiting::new(&self.serving.line, Turn::for_room(content.len()));
        let told = poll_fn(|cx| {
            turn.poll(cx, |state, turn| {
                let kind = state.kind(content)?;
                let lane = state.serving(key).ok_or(Refused::NoLane)?;
                state.wait_for_lane(key, cx);
                state.in_turn(turn)?;
                content.said(0, |bytes| state.machine.update(lane, ropeway_core::Body { kind, bytes }))
            })
        })
        .await;
        match told {
            Err(Error::Misuse(_)) => Err(self.serving.given_up(key)),
            told => told,
        }
    }

    /// What a [`Watch`] of it is made of.
    pub(crate) fn exchange(&self) -> Option<(Key, MessageId)> {
        let (_, key) = self.serving.lane.filter(|_| self.wants_answer)?;
        Some((key, self.id))
    }

    /// An answer with all that it may bring: files, a stream, a code, and more answers after it.
    ///
    /// Nothing is sent before it, or one of its methods, is awaited.
    pub fn respond<B: ToBody + ?Sized>(&mut self, body: &B) -> Responding<'_> {
        let content = body.owned();
        Responding { message: self, content, code: Code::OK, more: false, files: Vec::new() }
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
    pub fn file(mut self, file: impl Into<Uploading>) -> Responding<'m> {
        self.files.push(file.into());
        self
    }

    /// Sends the answer, and returns its files under way.
    ///
    /// # Errors
    /// As [`Message::answer`]; [`Error::File`] for a file that can't be read.
    ///
    /// # Cancel safety
    /// Dropped early, the answer may be incomplete, and its files are given up; the exchange is when the message is dropped.
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
        let (_, key) = serving.lane.ok_or(Error::Misuse("the message wants no answer"))?;
        for file in &mut files {
            file.prepare(&serving.line).await?;
        }
        let attached = u16::try_from(files.len()).unwrap_or(u16::MAX).saturating_add(streams);
        let terms = Terms { code, more, attached };
        let taken = serving.begin(key, terms, &content).await?;
        let on = On::Served(key);
        let stream = if streams > 0 { Some(StreamWriter::offer(&serving.line, on, "").await?) } else { None };
        let mut uploads = Uploads::default();
        for file in files {
            uploads.push(file.offer(&serving.line, on).await?);
        }
        serving.send_rest(key, &content, taken).await?;
        Ok((uploads.sent(), stream))
    }
}

impl<'m> IntoFuture for Responding<'m> {
    type Output = Result<Vec<Upload>, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'm>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
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
