//! The runtime of a scenario: the binding's tasks and sockets, with the scenario's own time, transport and accidents.
//!
//! It knows the binding without its type, so that scenarios are compiled once for all of them.

mod backlog;
mod ground;
mod host;

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use ropeway_driver::{Address, Endpoints, Runtime, SocketOptions, Spawn};

use self::ground::{End, Ground, Site};
use self::host::{Host, Hosted, Listens};
use crate::tapes::Tapes;
use crate::time::{Clock, Time};
use crate::transport::Transport;
use crate::weather::{Cut, Gate, Outdoors};
use crate::world::{Alarm, Crew};

/// Any stream both ways.
pub type Duplex = Box<dyn Stream>;

/// What a [`Duplex`] can do.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// The runtime of a scenario. Clones are the same.
#[derive(Clone)]
pub struct Lab {
    inner: Arc<Inner>,
    /// Time as the scenario moves it; the binding's own if there is none.
    time: Option<Time>,
}

struct Inner {
    host: Box<dyn Host>,
    transport: Transport,
    alarm: Alarm,
    crew: Crew,
    site: Arc<Site>,
    tapes: Option<Tapes>,
    planned: Mutex<Planned>,
}

/// What happens to the next stream, and the next connection to be accepted.
#[derive(Default)]
struct Planned {
    near: Option<Gate>,
    far: Option<Gate>,
    mishaps: Vec<io::ErrorKind>,
    hangs: bool,
}

impl Lab {
    pub(crate) fn new<R: Runtime>(runtime: R, transport: Transport, alarm: Alarm, tapes: Option<Tapes>) -> Lab {
        let site = Arc::new(Site::new(transport.sky()));
        let host = Box::new(Hosted(Ground::new(runtime, site.clone())));
        let inner = Inner { host, transport, alarm, crew: Crew::default(), site, tapes, planned: Mutex::default() };
        Lab { inner: Arc::new(inner), time: Some(Time::default()) }
    }

    /// The same with the binding's own time.
    pub(crate) fn in_real_time(&self) -> Lab {
        Lab { inner: self.inner.clone(), time: None }
    }

    /// Where to listen: a new address of the transport.
    pub(crate) fn address(&self) -> Address {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        match self.inner.transport {
            Transport::Unix => {
                let (process, next) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
                Address::Unix(std::env::temp_dir().join(format!("ropeway-{process}-{next}.sock")))
            }
            _ => Address::Tcp { host: "127.0.0.1".into(), port: 0 },
        }
    }

    pub(crate) fn transport(&self) -> Transport {
        self.inner.transport
    }

    pub(crate) fn time(&self) -> Option<&Time> {
        self.time.as_ref()
    }

    pub(crate) fn alarm(&self) -> &Alarm {
        &self.inner.alarm
    }

    pub(crate) fn crew(&self) -> &Crew {
        &self.inner.crew
    }

    /// Where lines are recorded, if they are.
    pub(crate) fn tapes(&self) -> Option<&Tapes> {
        self.inner.tapes.as_ref()
    }

    /// A gate before the next stream that connects.
    pub(crate) fn gate_near(&self) -> Gate {
        self.planned().near.insert(Gate::new()).clone()
    }

    /// A gate before the next stream that is accepted.
    pub(crate) fn gate_far(&self) -> Gate {
        self.planned().far.insert(Gate::new()).clone()
    }

    /// The next stream that connects is cut so, beneath what the driver puts over it.
    pub(crate) fn cut_near(&self, cut: Cut) {
        self.inner.site.cut(End::Near, cut);
    }

    /// The next stream that is accepted is cut so, beneath what the driver puts over it.
    pub(crate) fn cut_far(&self, cut: Cut) {
        self.inner.site.cut(End::Far, cut);
    }

    /// Accepting fails so before it next succeeds.
    pub(crate) fn fail_accepting(&self, how: &[io::ErrorKind]) {
        self.planned().mishaps.extend(how.iter().rev());
    }

    /// The next to connect waits for ever.
    pub(crate) fn hang_connecting(&self) {
        self.planned().hangs = true;
    }

    /// Runs what makes a runtime out of nothing, and gets this one.
    pub(crate) fn enter<T>(&self, make: impl FnOnce() -> T) -> T {
        ENTERED.with(|entered| *entered.borrow_mut() = Some(self.clone()));
        let made = make();
        ENTERED.with(|entered| *entered.borrow_mut() = None);
        made
    }

    fn planned(&self) -> MutexGuard<'_, Planned> {
        self.inner.planned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stream as it reaches the driver.
    fn expose(&self, end: End, stream: Duplex, gate: Option<Gate>) -> Duplex {
        let stream = match self.inner.transport {
            // The driver's own has nothing beneath.
            Transport::Mem => self.inner.site.expose(end, stream),
            _ => stream,
        };
        match gate {
            Some(gate) => Box::new(stream.under(gate)),
            None => stream,
        }
    }
}

thread_local! {
    static ENTERED: RefCell<Option<Lab>> = const { RefCell::new(None) };
}

impl Default for Lab {
    fn default() -> Lab {
        ENTERED.with(|entered| entered.borrow().clone()).expect("only a world makes clients and servers")
    }
}

impl Runtime for Lab {
    type Stream = Duplex;
    type Listener = LabListener;
    type Clock = LabClock;

    fn clock(&self) -> LabClock {
        match &self.time {
            Some(time) => LabClock::Moved(time.clock()),
            None => LabClock::Own(self.inner.host.clock()),
        }
    }

    fn spawner(&self) -> Arc<dyn Spawn> {
        let Inner { host, alarm, crew, .. } = &*self.inner;
        let (alarm, crew, time) = (alarm.clone(), crew.clone(), self.time.clone());
        Arc::new(Spawner { host: host.spawner(), alarm, crew, time })
    }

    async fn connect(&self, address: &Address, socket: &SocketOptions) -> io::Result<(Duplex, Endpoints)> {
        let hangs = std::mem::take(&mut self.planned().hangs);
        if hangs {
            std::future::pending::<()>().await;
        }
        let (stream, ends) = self.inner.host.connect(&self.inner.transport.beneath(address), socket).await?;
        let gate = self.planned().near.take();
        Ok((self.expose(End::Near, stream, gate), ends))
    }

    async fn listen(&self, address: &Address) -> io::Result<(LabListener, Address)> {
        let (listener, address) = self.inner.host.listen(&self.inner.transport.beneath(address)).await?;
        Ok((LabListener(listener), self.inner.transport.above(address)))
    }

    async fn accept(&self, listener: &LabListener, _: &SocketOptions) -> io::Result<(Duplex, Endpoints)> {
        if let Some(mishap) = self.planned().mishaps.pop() {
            return Err(mishap.into());
        }
        let (stream, ends) = listener.0.accept().await?;
        let gate = self.planned().far.take();
        Ok((self.expose(End::Far, stream, gate), ends))
    }
}

/// What a [`Lab`] listens with.
pub struct LabListener(Box<dyn Listens>);

/// A clock of a [`Lab`].
pub enum LabClock {
    /// Of the scenario's time.
    Moved(Clock),
    /// The binding's.
    Own(Box<dyn ropeway_driver::Clock>),
}

impl ropeway_driver::Clock for LabClock {
    fn now(&self) -> Duration {
        match self {
            LabClock::Moved(clock) => clock.now(),
            LabClock::Own(clock) => clock.now(),
        }
    }

    fn poll_until(&mut self, cx: &mut Context<'_>, at: Duration) -> Poll<()> {
        match self {
            LabClock::Moved(clock) => clock.poll_until(cx, at),
            LabClock::Own(clock) => clock.poll_until(cx, at),
        }
    }
}

/// The binding's tasks, of which none may panic, and each is waited for.
struct Spawner {
    host: Arc<dyn Spawn>,
    alarm: Alarm,
    crew: Crew,
    time: Option<Time>,
}

impl Spawn for Spawner {
    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let (alarm, member) = (self.alarm.clone(), self.crew.enlist());
        self.host.spawn(Box::pin(async move {
            let _member = member;
            let _ = alarm.guard(task).await;
        }));
    }

    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        self.host.spawn_blocking(work);
    }

    fn now(&self) -> Duration {
        match &self.time {
            Some(time) => time.now(),
            None => self.host.now(),
        }
    }
}
