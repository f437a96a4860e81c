//! What this end asked, and what is answered.

use std::borrow::Borrow;
use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use ropeway_core::{Code, Kind, MessageId};

use crate::action::{Action, To};
use crate::body::{Body, FromBody, Octets, ToBody};
use crate::codec::{Content, Owned};
use crate::error::Error;
use crate::file::{Offered, Upload, Uploading, Uploads};
use crate::flow::Incoming;
use crate::line::Line;
use crate::slab::Key;
use crate::start::Terms;
use crate::state::{self, On, RawReply, Turn};
use crate::stream::{StreamReader, StreamWriter};
use crate::waiting::Waiting;

/// An answer to a request, or a report of its progress.
#[derive(Clone, Debug)]
pub struct Reply {
    action: Action,
    answer: Answer,
}

/// A reply, apart from what it replies to.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    id: Option<MessageId>,
    pub(crate) code: Code,
    body: Body,
    is_update: bool,
    is_last: bool,
    attached: u16,
}

impl Reply {
    /// What the request was for.
    pub fn action(&self) -> &Action {
        &self.action
    }

    /// The id of a response, the same at both ends. Bare codes and reports of progress have none.
    pub fn id(&self) -> Option<MessageId> {
        self.answer.id
    }

    /// How it went; of a report of progress [`Code::OK`].
    pub fn code(&self) -> Code {
        self.answer.code
    }

    /// Its body.
    pub fn body(&self) -> &Body {
        &self.answer.body
    }

    /// Whether it only reports progress.
    pub fn is_update(&self) -> bool {
        self.answer.is_update
    }

    /// Whether it is the last answer.
    pub fn is_last(&self) -> bool {
        self.answer.is_last
    }

    /// How many streams and files it brings.
    pub fn attached(&self) -> u16 {
        self.answer.attached
    }

    /// The value of its body, if it went well.
    ///
    /// # Errors
    /// [`Error::Answered`] if the code is not [`Code::OK`]; [`Error::WrongType`].
    pub fn decode<R: FromBody>(self) -> Result<R, Error> {
        self.answer.decode((&self.action).into())
    }
}

impl Answer {
    /// The body, if it went well.
    pub(crate) fn into_body(self) -> Result<Body, Error> {
        if self.code.is_ok() {
            return Ok(self.body);
        }
        let body = Some(self.body).filter(|body| !body.is_empty());
        Err(Error::Answered(self.code, body.map(Box::new)))
    }

    pub(crate) fn decode<R: FromBody>(self, to: To<'_>) -> Result<R, Error> {
        R::from_body(self.into_body()?).map_err(|cause| Error::WrongType { action: to.into(), cause: Box::new(cause) })
    }
}

/// The state of an exchange that this end opened; given up when dropped.
pub(crate) struct Asking<L: Borrow<Line> = Line> {
    line: L,
    /// [`Key::NONE`] once the last answer was taken and there is nothing left to give up.
    key: Key,
    /// The task is registered already, so the first poll has nothing to look for.
    fresh: bool,
    /// An answer of which not all of the body has come.
    partial: Option<Box<(Answer, Kind)>>,
}

impl<L: Borrow<Line>> Asking<L> {
    pub(crate) fn new(line: L, key: Key) -> Asking<L> {
        Asking { line, key, fresh: false, partial: None }
    }

    /// Of a request that was sent in this very poll, with the task registered: it can't have been answered.
    pub(crate) fn fresh(line: L, key: Key) -> Asking<L> {
        Asking { line, key, fresh: true, partial: None }
    }

    /// Sends what did not go with the first frame. Stops early if the exchange ends: the answers say why.
    pub(crate) async fn send_rest(&mut self, content: &dyn Content, mut at: usize) -> Result<(), Error> {
        let (line, key) = (self.line(), self.key);
        let mut turn = Waiting::new(line, Turn::for_bulk());
        let len = content.len();
        while at < len {
            at += poll_fn(|cx| {
                turn.poll(cx, |state, turn| {
                    let now = line.now();
                    let lane = state.asking(key);
                    let Some(call) = state.calls.get_mut(key) else { return Ok(len) };
                    let Some(lane) = lane.filter(|_| call.heard.aborted.is_none()) else {
                        return Ok(len);
                    };
                    call.writer = Some(cx.waker().clone());
                    state.in_turn(turn)?;
                    let sent = content.said(at, |rest| state.machine.body(now, lane, rest))?;
                    state.check_over(lane);
                    Ok(sent)
                })
            })
            .await?;
        }
        Ok(())
    }

    /// The exchange goes on without anybody waiting for it.
    pub(crate) fn forget(&mut self) {
        let key = std::mem::replace(&mut self.key, Key::NONE);
        self.line().lock().forget_call(key);
    }

    pub(crate) fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Answer, Error>>> {
        if std::mem::take(&mut self.fresh) {
            return Poll::Pending;
        }
        let mut state = self.line.borrow().lock();
        let state = &mut *state;
        let lane = state.asking(self.key);
        let Some(call) = state.calls.get_mut(self.key) else { return Poll::Ready(None) };
        loop {
            if let Some(partial) = self.partial.take() {
                let Some(octets) = call.heard.whole() else {
                    self.partial = Some(partial);
                    break;
                };
                let (head, kind) = *partial;
                return Poll::Ready(Some(Ok(Answer { body: state::body(kind, octets, &state.names), ..head })));
            }
            match call.next_reply() {
                Some(RawReply::Code(code)) => {
                    if call.is_over() {
                        state.calls.discard(std::mem::replace(&mut self.key, Key::NONE));
                    }
                    let body = state::body(Kind::None, Octets::EMPTY, &state.names);
                    let answer = Answer { id: None, code, body, is_update: false, is_last: true, attached: 0 };
                    return Poll::Ready(Some(Ok(answer)));
                }
                Some(RawReply::Update { kind, octets }) => {
                    if let Some(lane) = lane {
                        state.machine.take_lane(lane, octets.as_slice().len());
                    }
                    let body = state::body(kind, octets, &state.names);
                    let code = Code::OK;
                    let answer = Answer { id: None, code, body, is_update: true, is_last: false, attached: 0 };
                    return Poll::Ready(Some(Ok(answer)));
                }
                Some(RawReply::Response { id, code, kind, octets, size, attached, last }) => {
                    let here = octets.as_slice().len();
                    if let Some(lane) = lane {
                        state.machine.take_lane(lane, here);
                    }
                    let whole = size == here as u64;
                    if !whole {
                        let machine = &mut state.machine;
                        call.heard.want(octets.as_slice(), size, |len| {
                            if let Some(lane) = lane {
                                machine.take_lane(lane, len);
                            }
                        });
                    }
                    let body = state::body(kind, octets, &state.names);
                    let head = Answer { id: Some(id), code, body, is_update: false, is_last: last, attached };
                    if whole {
                        if last && attached == 0 && call.is_over() {
                            state.calls.discard(std::mem::replace(&mut self.key, Key::NONE));
                        }
                        return Poll::Ready(Some(Ok(head)));
                    }
                    self.partial = Some(Box::new((head, kind)));
                }
                None => break,
            }
        }
        let error = match (call.heard.aborted, &state.ended) {
            (Some(code), _) => Error::Aborted(code),
            (None, _) if call.expired => Error::TimedOut,
            (None, _) if call.lane.is_none() && self.partial.is_none() => return Poll::Ready(None),
            (None, Some(ended)) => Error::Closed(ended.clone()),
            (None, None) => {
                call.heard.waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
        };
        // It is told once: nothing comes behind it.
        state.drop_call(std::mem::replace(&mut self.key, Key::NONE));
        Poll::Ready(Some(Err(error)))
    }

    /// What `take` makes of the first answer that is no report of progress.
    pub(crate) async fn answer<T>(&mut self, take: impl Fn(Answer) -> Result<T, Error>) -> Result<T, Error> {
        poll_fn(|cx| {
            loop {
                match ready!(self.poll_answer(cx)) {
                    Some(Ok(answer)) if answer.is_update => {}
                    Some(Ok(answer)) => return Poll::Ready(take(answer)),
                    Some(Err(error)) => return Poll::Ready(Err(error)),
                    None => return Poll::Ready(Err(Error::Missing("answer"))),
                }
            }
        })
        .await
    }

    /// The next flow that the answers bring; `None` when no more will come.
    pub(crate) fn poll_flow(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Incoming>, Error>> {
        let mut state = self.line().lock();
        let Some(call) = state.calls.get_mut(self.key) else { return Poll::Ready(Ok(None)) };
        if let Some(key) = call.heard.next_offer() {
            drop(state);
            return Poll::Ready(Ok(Some(Incoming::new(self.line().clone(), key))));
        }
        if let Some(code) = call.heard.aborted {
            return Poll::Ready(Err(Error::Aborted(code)));
        }
        if call.expired {
            return Poll::Ready(Err(Error::TimedOut));
        }
        if call.lane.is_none() {
            return Poll::Ready(Ok(None));
        }
        call.heard.waker = Some(cx.waker().clone());
        match state.over() {
            Some(error) => Poll::Ready(Err(error)),
            None => Poll::Pending,
        }
    }

    pub(crate) async fn offer_stream(&self, name: &str) -> Result<StreamWriter, Error> {
        StreamWriter::offer(self.line(), On::Asked(self.key), name).await
    }

    async fn offer_file(&self, file: Uploading) -> Result<Upload, Error> {
        file.offer(self.line(), On::Asked(self.key)).await
    }

    fn line(&self) -> &Line {
        self.line.borrow()
    }
}

impl<L: Borrow<Line>> Drop for Asking<L> {
    fn drop(&mut self) {
        if self.key != Key::NONE {
            self.line().lock().drop_call(self.key);
        }
    }
}

/// A message about to be sent, with all that it brings. See [`Line::open`].
#[must_use = "nothing is sent unless it is awaited"]
pub struct Open {
    line: Line,
    action: Action,
    content: Result<Owned, Error>,
    timeout: Option<Duration>,
    pub(crate) sealed: bool,
    files: Vec<Uploading>,
}

impl Open {
    pub(crate) fn new<B: ToBody + ?Sized>(line: Line, action: Action, body: &B) -> Open {
        let content = body.owned();
        Open { line, action, content, timeout: None, sealed: false, files: Vec::new() }
    }

    /// How long a request waits for a sign of life; zero for ever. Whole milliseconds, from when it is sent: while it waits
    /// for a free lane or for room, it waits.
    pub fn timeout(mut self, timeout: Duration) -> Open {
        self.timeout = Some(timeout);
        self
    }

    /// Offers a file along: a path, a name with its content, or an [`Uploading`] for more.
    pub fn file(mut self, file: impl Into<Uploading>) -> Open {
        self.files.push(file.into());
        self
    }

    /// Sends a request. Its answers, and what they bring, come from the exchange.
    ///
    /// # Errors
    /// [`Error::TooLarge`] at once for what the peer does not take; [`Error::File`] for a file that can't be read;
    /// [`Error::Closed`].
    ///
    /// # Cancel safety
    /// Dropped early, the request is given up, and the peer is told.
    pub async fn send(self) -> Result<Exchange, Error> {
        Ok(self.go(true, 0).await?.0)
    }

    /// Sends a message that wants no answer, and returns its files under way.
    ///
    /// # Errors
    /// As [`send`](Open::send).
    ///
    /// # Cancel safety
    /// Dropped early, the message is given up, and its files with it.
    pub async fn notify(self) -> Result<Vec<Upload>, Error> {
        let (exchange, _) = self.go(false, 0).await?;
        let Exchange { mut asking, uploads, .. } = exchange;
        asking.forget();
        Ok(uploads.into())
    }

    /// Sends a request with a stream. Its answers, and what they bring, come from the exchange.
    ///
    /// # Errors
    /// As [`send`](Open::send).
    ///
    /// # Cancel safety
    /// Dropped early, the request is given up, and the peer is told.
    pub async fn stream(self) -> Result<(StreamWriter, Exchange), Error> {
        let (exchange, writer) = self.go(true, 1).await?;
        Ok((writer.ok_or(Error::Missing("stream"))?, exchange))
    }

    /// Sends a request with a stream, to be answered by one. What else the answer brings is passed over.
    ///
    /// # Errors
    /// As [`send`](Open::send). If the answer brings no stream, reading fails.
    ///
    /// # Cancel safety
    /// Dropped early, the request is given up, and the peer is told.
    pub async fn into_stream(self) -> Result<(StreamWriter, StreamReader), Error> {
        let (writer, exchange) = self.stream().await?;
        Ok((writer, StreamReader::answering(exchange.asking)))
    }

    /// Sends a message with a stream that wants no answer.
    ///
    /// # Errors
    /// As [`send`](Open::send).
    ///
    /// # Cancel safety
    /// Dropped early, the message is given up, and its stream with it.
    pub async fn notify_stream(self) -> Result<StreamWriter, Error> {
        let (Exchange { mut asking, .. }, writer) = self.go(false, 1).await?;
        asking.forget();
        writer.ok_or(Error::Missing("stream"))
    }

    async fn go(self, wants_answer: bool, streams: u16) -> Result<(Exchange, Option<StreamWriter>), Error> {
        let Open { line, action, content, timeout, sealed, mut files } = self;
        let content = content?;
        for file in &mut files {
            file.prepare(&line).await?;
        }
        let attached = u16::try_from(files.len()).unwrap_or(u16::MAX).saturating_add(streams);
        let terms = Terms { attached, timeout, wants_answer, sealed };
        let (key, taken) = line.start((&action).into(), &content, terms).await?;
        let Some(key) = key else {
            let exchange = Exchange { asking: Asking::new(line, Key::NONE), action, uploads: VecDeque::new() };
            return Ok((exchange, None));
        };
        let mut asking = Asking::new(line, key);
        let stream = if streams > 0 { Some(asking.offer_stream("").await?) } else { None };
        let mut uploads = Uploads::default();
        for file in files {
            uploads.push(asking.offer_file(file).await?);
        }
        asking.send_rest(&content, taken).await?;
        Ok((Exchange { asking, action, uploads: uploads.sent().into() }, stream))
    }
}

impl IntoFuture for Open {
    type Output = Result<Exchange, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Exchange, Error>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open").field("action", &self.action).field("files", &self.files.len()).finish_non_exhaustive()
    }
}

/// A request that was sent. Its answers come as a stream; dropping it gives the request up.
pub struct Exchange {
    asking: Asking,
    action: Action,
    uploads: VecDeque<Upload>,
}

impl Exchange {
    /// What it is for.
    pub fn action(&self) -> &Action {
        &self.action
    }

    /// The next answer or report of progress; `None` after the last.
    ///
    /// # Cancel safety
    /// Safe: an answer not returned is returned next time.
    pub async fn next(&mut self) -> Option<Result<Reply, Error>> {
        poll_fn(|cx| self.poll_reply(cx)).await
    }

    fn poll_reply(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Reply, Error>>> {
        let answer = ready!(self.asking.poll_answer(cx));
        Poll::Ready(answer.map(|answer| Ok(Reply { action: self.action.clone(), answer: answer? })))
    }

    /// The value of the first answer; reports of progress are passed over.
    ///
    /// # Errors
    /// As [`Line::request`].
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn answer<R: FromBody>(&mut self) -> Result<R, Error> {
        let Exchange { asking, action, .. } = self;
        asking.answer(|answer| answer.decode((&*action).into())).await
    }

    /// The files that were offered with the request, in their order; each is handed out once.
    pub fn uploads(&mut self) -> impl Iterator<Item = Upload> + '_ {
        self.uploads.drain(..)
    }

    /// The next stream that an answer brings. Files offered before it are declined.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is none.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn stream(&mut self) -> Result<StreamReader, Error> {
        poll_fn(|cx| {
            loop {
                match ready!(self.asking.poll_flow(cx))? {
                    Some(flow) if flow.is_push() => return Poll::Ready(Ok(StreamReader::new(flow))),
                    Some(_) => {}
                    None => return Poll::Ready(Err(Error::Missing("stream"))),
                }
            }
        })
        .await
    }

    /// The next file that an answer offers; `None` if no more will come. Streams before it are stopped.
    ///
    /// # Errors
    /// [`Error::Aborted`], [`Error::TimedOut`], [`Error::Closed`].
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn file(&mut self) -> Result<Option<Offered>, Error> {
        poll_fn(|cx| {
            loop {
                match ready!(self.asking.poll_flow(cx))? {
                    Some(flow) if flow.is_push() => {}
                    Some(flow) => return Poll::Ready(Ok(Some(Offered::new(flow)))),
                    None => return Poll::Ready(Ok(None)),
                }
            }
        })
        .await
    }
}

impl Stream for Exchange {
    type Item = Result<Reply, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_reply(cx)
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("action", &self.action).finish_non_exhaustive()
    }
}
