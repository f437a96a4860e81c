//! Listens, and serves every line that comes.

mod coming;
#[cfg(feature = "mount")]
mod entrance;

use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
#[cfg(feature = "seal")]
use ropeway_core::AuthRules;
use ropeway_core::CloseCode;

use self::coming::start;
#[cfg(feature = "mount")]
pub(crate) use self::entrance::Entrance;
use crate::address::{Address, AddressError, IntoAddress};
use crate::blocking::blocking;
use crate::builder::settings;
use crate::client::within;
use crate::config::Config;
use crate::error::{Ended, Error, Failure};
use crate::line::Line;
#[cfg(feature = "seal")]
use crate::line::Role;
use crate::router::Router;
use crate::runtime::{Endpoints, Runtime};
#[cfg(feature = "seal")]
use crate::seal::{Claim, Deciding, Grant, Seal, SealError};
use crate::trace::Traces;
#[cfg(feature = "tls")]
use crate::transport::ServerTls;
use crate::transport::{self, Channel, ListenOptions, Listener};
use crate::unwind;

/// After an error of accepting that is not the peer's, such as too many open files.
const PAUSE: Duration = Duration::from_millis(50);
/// Lines that a shutdown lets go of at once: those of a busy server do not all look for another at the same time.
const BATCH: usize = 256;

/// A server that listens. Dropping it stops listening and closes its lines behind what was sent.
pub struct Server<R: Runtime> {
    runtime: R,
    address: Address,
    shared: Arc<Listening>,
    #[cfg(feature = "mount")]
    origins: Arc<[String]>,
}

/// What a server and its tasks share.
struct Listening {
    book: Mutex<Book>,
    router: Arc<Router>,
    on_line: Option<OnLine>,
    on_unopened: Option<OnUnopened>,
    config: Config,
    #[cfg(feature = "seal")]
    seal: Option<Seal>,
    #[cfg(feature = "seal")]
    auth: Option<Deciding>,
    max_lines: usize,
    traces: Traces,
}

#[derive(Default)]
struct Book {
    /// Accepted, and not yet over, by the number of their coming; whether they have said hello.
    lines: BTreeMap<u64, (Line, bool)>,
    came: u64,
    stopped: bool,
    /// It has stopped, and serves the lines that there are to their end.
    draining: bool,
    /// The accept loop holds the listener still.
    listening: bool,
    /// The accept loop, who waits for it and for lines to end, and who waits for a place for another.
    wakers: Vec<Waker>,
}

/// Why there is no place for another line.
enum NoPlace {
    Full,
    Stopped,
}

type OnLine = Arc<dyn Fn(Line) -> Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>> + Send + Sync>;
type OnUnopened = Arc<dyn Fn(&Endpoints, &Ended) + Send + Sync>;

/// Settings and handlers of a server.
#[must_use = "nothing happens before serve"]
pub struct ServerBuilder<R> {
    runtime: R,
    address: Result<Address, AddressError>,
    config: Config,
    #[cfg(feature = "seal")]
    seal: Option<Seal>,
    #[cfg(feature = "seal")]
    auth: Option<Deciding>,
    options: ListenOptions,
    router: Router,
    on_line: Option<OnLine>,
    on_unopened: Option<OnUnopened>,
    max_lines: usize,
    traces: Traces,
}

/// How a shutdown went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shutdown {
    /// Lines that ended in peace.
    pub closed: usize,
    /// Lines that were cut at the deadline.
    pub cut: usize,
}

impl<R: Runtime + Default> Server<R> {
    /// A server on an address. A port of 0 lets the system pick one, as does `mem://` without a name; see
    /// [`Server::address`].
    pub fn bind(address: impl IntoAddress) -> ServerBuilder<R> {
        ServerBuilder {
            runtime: R::default(),
            address: address.into_address(),
            config: Config::DEFAULT,
            #[cfg(feature = "seal")]
            seal: None,
            #[cfg(feature = "seal")]
            auth: None,
            options: ListenOptions::default(),
            router: Router::new(),
            on_line: None,
            on_unopened: None,
            max_lines: usize::MAX,
            traces: Traces::default(),
        }
    }
}

settings!(ServerBuilder);

#[cfg(feature = "seal")]
impl<R: Runtime> ServerBuilder<R> {
    /// Has each client say who it is before its line opens, and this decide: a name and more for who may come in, a code for who
    /// may not. It may take its time; [`auth_rules`](ServerBuilder::auth_rules) say how much, and then it is dropped. Lines must be
    /// sealed.
    pub fn authenticate<F, Fut>(mut self, decide: F) -> Self
    where
        F: Fn(Claim) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Grant, ropeway_core::Code>> + Send + 'static,
    {
        let rules = self.auth.map_or(AuthRules::DEFAULT, |auth| auth.rules);
        self.auth = Some(Deciding::new(rules, decide));
        self
    }

    /// How patient the server is with clients that are to say who they are. Set before or behind
    /// [`authenticate`](ServerBuilder::authenticate), without which nobody is taken. Clients have a patience of their own, which is
    /// [`Seal::auth_timeout`].
    pub fn auth_rules(mut self, rules: AuthRules) -> Self {
        let nobody = |_| std::future::ready(Err(ropeway_core::Code::UNAUTHORISED));
        self.auth = Some(match self.auth {
            Some(mut auth) => {
                auth.rules = rules;
                auth
            }
            None => Deciding::new(rules, nobody),
        });
        self
    }
}

#[cfg(feature = "websocket")]
impl<R: Runtime> ServerBuilder<R> {
    /// The origins whose pages may open lines over WebSocket, such as `https://example.org`: none if there is no list. Who has
    /// no origin, and so is no browser, may always.
    pub fn origins(mut self, origins: impl IntoIterator<Item: Into<String>>) -> Self {
        self.options.origins = origins.into_iter().map(Into::into).collect();
        self
    }
}

#[cfg(feature = "tls")]
impl<R: Runtime> ServerBuilder<R> {
    /// The certificate to show over TLS, for an address that has it: rustls' configuration, or a ready [`ServerTls`].
    pub fn tls(mut self, tls: impl Into<ServerTls>) -> Self {
        self.options.tls = Some(tls.into());
        self
    }
}

impl<R: Runtime> ServerBuilder<R> {
    /// How many lines there may be at once. Further ones wait to be accepted.
    pub fn max_lines(mut self, max: usize) -> Self {
        self.max_lines = max.max(1);
        self
    }

    /// Runs for each line once its handshake is done, before its first message. A failure closes the line with its code
    /// and text, a panic with [`CloseCode::INTERNAL`]. Dropped if the line ends before.
    pub fn on_line<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(Line) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        self.on_line = Some(Arc::new(move |line| Box::pin(hook(line))));
        self
    }

    /// Runs for each line that ends before its handshake is done: who refused whom, and why. It must not block.
    pub fn on_unopened(mut self, hook: impl Fn(&Endpoints, &Ended) + Send + Sync + 'static) -> Self {
        self.on_unopened = Some(Arc::new(hook));
        self
    }

    /// Listens. Without a handler, what a line sends waits for [`Line::messages`] in an [`on_line`](Self::on_line).
    ///
    /// # Errors
    /// [`Error::Address`]; [`Error::Action`] for handlers that can't be; [`Error::Io`] if the address can't be listened on, or
    /// there is no folder for traces.
    ///
    /// # Cancel safety
    /// Dropped early, nothing listens.
    pub async fn serve(self) -> Result<Server<R>, Error> {
        #[cfg(feature = "seal")]
        let (seal, auth) = (self.checked_seal(Role::Server)?, self.auth.clone());
        #[cfg(feature = "seal")]
        if auth.is_some() && seal.is_none() {
            return Err(SealError::Unsealed.into());
        }
        let ServerBuilder {
            runtime, address, config, options, router, on_line, on_unopened, max_lines, traces, ..
        } = self;
        let address = address?;
        router.check()?;
        #[cfg(feature = "mount")]
        let origins = options.origins.clone().into();
        let traces = match traces.is_nowhere() {
            true => traces,
            false => blocking(&*runtime.spawner(), || traces.of_server()).await??,
        };
        let listening = transport::listen(&runtime, &address, options).await;
        let (listener, address) = listening.map_err(|error| error.about(format_args!("can't listen on {address}")))?;
        let book = Mutex::new(Book { listening: true, ..Book::default() });
        let shared = Arc::new(Listening {
            book,
            router: Arc::new(router),
            on_line,
            on_unopened,
            config,
            max_lines,
            traces,
            #[cfg(feature = "seal")]
            seal,
            #[cfg(feature = "seal")]
            auth,
        });
        runtime.spawner().spawn(Box::pin(accept(runtime.clone(), listener, shared.clone())));
        tracing::debug!(%address, "listening");
        Ok(Server {
            runtime,
            address,
            shared,
            #[cfg(feature = "mount")]
            origins,
        })
    }
}

impl<R: Runtime> Server<R> {
    /// The address it listens on.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Serves a line over a stream that is connected already, whatever it is, as those that are accepted: it counts for
    /// [`max_lines`](ServerBuilder::max_lines), and waits until there is a place for it.
    ///
    /// What it leads to is unknown, so [`Line::endpoints`] are none. A server for nothing but such streams listens on
    /// `mem://`, where nobody else comes.
    ///
    /// # Cancel safety
    /// Dropped early, the stream is dropped, too.
    pub async fn serve_stream(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        start(&self.runtime, Channel::over(stream), Endpoints::default(), &self.shared).await;
    }

    /// The lines there are now.
    pub fn lines(&self) -> Vec<Line> {
        self.shared.book().greeted()
    }

    /// Stops listening, lets lines say goodbye once what is open on them has ended, and cuts those that have not by the
    /// deadline. Returns by then, whatever the peers do. If it returns before, the address can be listened on again.
    ///
    /// Lines go 256 at a time, the oldest first: the next when these are over, or have had their share of the time.
    ///
    /// # Cancel safety
    /// Dropped early, it closes the lines as dropping a server does.
    pub async fn shutdown(self, deadline: Duration) -> Shutdown {
        let lines = self.shared.stop(true);
        let all = lines.len();
        if within(self.runtime.clock(), deadline, self.drain(&lines, deadline)).await.is_ok() {
            return Shutdown { closed: all, cut: 0 };
        }
        let mut left: Vec<_> = self.shared.book().lines.values().map(|(line, _)| line.clone()).collect();
        left.retain(|line| line.peer_limits().is_some());
        left.iter().for_each(|line| line.part(CloseCode::AWAY));
        Shutdown { closed: all.saturating_sub(left.len()), cut: left.len() }
    }

    /// Lets these lines end, and waits until nothing is served or listens any more.
    async fn drain(&self, lines: &[Line], deadline: Duration) {
        let spawn = self.runtime.spawner();
        let batches = u32::try_from(lines.len().div_ceil(BATCH)).unwrap_or(u32::MAX);
        for batch in lines.chunks(BATCH) {
            for line in batch {
                let line = line.clone();
                spawn.spawn(Box::pin(async move {
                    if line.go_away().await.is_ok() {
                        line.idle().await;
                    }
                    line.close(CloseCode::AWAY, "").await;
                }));
            }
            let over = async {
                for line in batch {
                    line.ended().await;
                }
            };
            let _ = within(self.runtime.clock(), deadline / batches, over).await;
        }
        let shared = &self.shared;
        poll_fn(|cx| {
            let mut book = shared.book();
            if book.lines.is_empty() && !book.listening {
                return Poll::Ready(());
            }
            book.wait(cx);
            Poll::Pending
        })
        .await;
    }
}

impl Listening {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No further line is accepted, and none that has not said hello is waited for; the others, which are served to their
    /// end if that is wanted.
    fn stop(&self, draining: bool) -> Vec<Line> {
        let (lines, wakers) = {
            let mut book = self.book();
            book.stopped = true;
            book.draining = draining;
            (book.lines.clone(), std::mem::take(&mut book.wakers))
        };
        wakers.into_iter().for_each(Waker::wake);
        // Its hello may have come just now, and nobody have looked.
        let (lines, strangers): (Vec<_>, Vec<_>) =
            lines.into_values().map(|(line, _)| line).partition(|line| line.peer_limits().is_some());
        strangers.iter().for_each(Line::cut);
        lines
    }

    /// Ready once there is a place for another line; none will be if nothing is served any more.
    fn poll_place(&self, cx: &Context<'_>) -> Poll<Option<MutexGuard<'_, Book>>> {
        let mut book = self.book();
        match book.place(self.max_lines) {
            Ok(()) => Poll::Ready(Some(book)),
            Err(NoPlace::Stopped) => Poll::Ready(None),
            Err(NoPlace::Full) => {
                book.wait(cx);
                Poll::Pending
            }
        }
    }

    /// Whether the line, which has said hello, is still to be served.
    fn greet(&self, number: u64) -> bool {
        let mut book = self.book();
        // A peer that spoke and went is in the book no more, and is served all the same.
        if let Some((_, greeted)) = book.lines.get_mut(&number) {
            *greeted = true;
        }
        !book.stopped || book.draining
    }

    fn leave(&self, number: u64) {
        self.change(|book| book.lines.remove(&number));
    }

    /// Changes what others wait for, and tells them.
    fn change<T>(&self, change: impl FnOnce(&mut Book) -> T) {
        let (left, wakers) = {
            let mut book = self.book();
            (change(&mut book), std::mem::take(&mut book.wakers))
        };
        // Out of the lock.
        drop(left);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Book {
    /// Whether there is a place for another line.
    fn place(&self, max_lines: usize) -> Result<(), NoPlace> {
        if self.stopped {
            return Err(NoPlace::Stopped);
        }
        if self.lines.len() < max_lines { Ok(()) } else { Err(NoPlace::Full) }
    }

    /// Takes a line in: its number.
    fn enter(&mut self, line: &Line) -> u64 {
        self.came += 1;
        self.lines.insert(self.came, (line.clone(), false));
        self.came
    }

    fn wait(&mut self, cx: &Context<'_>) {
        if !self.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.wakers.push(cx.waker().clone());
        }
    }

    fn greeted(&self) -> Vec<Line> {
        self.lines.values().filter(|(_, greeted)| *greeted).map(|(line, _)| line.clone()).collect()
    }
}

impl<R: Runtime> Drop for Server<R> {
    fn drop(&mut self) {
        let lines = self.shared.stop(false);
        for line in lines {
            line.close_soon(CloseCode::AWAY);
        }
    }
}

/// Says that nothing listens any more, however the accept loop ends.
struct Listens(Arc<Listening>);

impl Drop for Listens {
    fn drop(&mut self) {
        self.0.change(|book| book.listening = false);
    }
}

/// Takes connections until the server stops. No peer can end it, and none can hold it up.
async fn accept<R: Runtime>(runtime: R, listener: Listener<R>, shared: Arc<Listening>) {
    let _listens = Listens(shared.clone());
    // Dropped before that.
    let listener = listener;
    loop {
        let accepted = {
            let mut next = pin!(listener.accept());
            poll_fn(|cx| {
                match ready!(shared.poll_place(cx)) {
                    // It is to hear of its end.
                    Some(mut book) => book.wait(cx),
                    None => return Poll::Ready(None),
                }
                next.as_mut().poll(cx).map(Some)
            })
            .await
        };
        match accepted {
            None => return,
            Some(Ok((stream, endpoints))) => start(&runtime, stream, endpoints, &shared).await,
            Some(Err(error)) => {
                tracing::warn!(%error, "accepting a connection failed");
                if !is_peers(&error) {
                    let _ = within(runtime.clock(), PAUSE, std::future::pending::<()>()).await;
                }
            }
        }
    }
}

/// Whether only one connection is concerned, and the next may be accepted at once.
fn is_peers(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

async fn serve(line: Line, number: u64, shared: Arc<Listening>) {
    if line.ready().await.is_err() {
        if let Some(hook) = &shared.on_unopened {
            let ended = line.ended().await;
            unwind::call(|| hook(line.endpoints(), &ended));
        }
        return;
    }
    if !shared.greet(number) {
        return;
    }
    if let Some(hook) = &shared.on_line {
        let mut ended = pin!(line.ended());
        let mut hooked = pin!(unwind::output(async { hook(line.clone()).await }));
        // It is asked first: a peer that spoke and went has spoken.
        let outcome = poll_fn(|cx| match hooked.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => ended.as_mut().poll(cx).map(|_| None),
        });
        let (code, text) = match outcome.await {
            Some(Some(Ok(()))) => (None, String::new()),
            Some(Some(Err(failure))) => {
                (Some(CloseCode::new(failure.code.value()).unwrap_or(CloseCode::INTERNAL)), failure.text)
            }
            Some(None) => (Some(CloseCode::INTERNAL), String::new()),
            None => return,
        };
        if let Some(code) = code {
            line.close(code, &text).await;
            return;
        }
    }
    if shared.router.is_empty() {
        return;
    }
    let most = shared.config.handlers;
    #[cfg(feature = "seal")]
    let most = line.identity().and_then(|identity| identity.handlers).unwrap_or(most);
    shared.router.clone().run(line, most, true).await;
}

impl<R: Runtime> fmt::Debug for Server<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .field("lines", &self.shared.book().lines.len())
            .finish()
    }
}

impl<R> fmt::Debug for ServerBuilder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder")
            .field("address", &self.address)
            .field("router", &self.router)
            .finish_non_exhaustive()
    }
}
