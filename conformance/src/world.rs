//! What a scenario has at hand: two ends, a transport between them, tasks for each side, and time.

mod alarm;
mod crew;
mod side;

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use ropeway_driver::{
    Address, ClientBuilder, Config, Driver, Endpoints, IntoAddress, Line, LineOptions, Role, Router, Runtime, Server,
    ServerBuilder, SocketOptions, Spawn,
};

pub(crate) use self::alarm::Alarm;
pub(crate) use self::crew::Crew;
pub use self::side::Side;
use crate::lab::{Duplex, Lab, LabClock, LabListener};
use crate::ledger;
use crate::tapes::Tapes;
use crate::time::Time;
use crate::transport::Transport;
use crate::weather::{Cut, Gate};

/// What a scenario has at hand. Clones are the same world.
#[derive(Clone)]
pub struct World {
    lab: Lab,
}

/// How long no timer goes off by itself, where time does pass.
const HOURS: Duration = Duration::from_secs(7 * 3600);

/// Settings with every timer set to hours: a lost wake-up is not made good by one.
pub fn patient() -> Config {
    let mut config = Config::DEFAULT;
    config.protocol.timeout = HOURS;
    config.protocol.hello_timeout = HOURS;
    config.protocol.heartbeat = HOURS;
    config.connect_timeout = HOURS;
    config.close_timeout = HOURS;
    config
}

/// Patient, and with windows so small that who sends must soon wait: 40 kB of messages, 33 kB a lane and a flow.
pub fn tight() -> Config {
    let mut config = patient();
    config.protocol.max_frame = 16 * 1024;
    config.protocol.window = 40_000;
    config.protocol.lane_credit = 33_000;
    config.protocol.flow_credit = 33_000;
    config
}

impl World {
    pub(crate) fn new<R: Runtime>(runtime: R, transport: Transport) -> World {
        World { lab: Lab::new(runtime, transport, Alarm::default(), None) }
    }

    /// The traces of its lines, once they are over. Nothing, if it is not recorded.
    pub(crate) async fn traces(&self) -> Vec<Vec<u8>> {
        match self.lab.tapes() {
            Some(tapes) => tapes.ended().await,
            None => Vec::new(),
        }
    }

    /// A world whose lines are recorded; all recordings replay at the end.
    pub(crate) fn recorded<R: Runtime>(runtime: R, transport: Transport) -> World {
        World { lab: Lab::new(runtime, transport, Alarm::default(), Some(Tapes::default())) }
    }

    // ---- what it is made of

    /// The time, which moves when told to.
    pub fn time(&self) -> &Time {
        self.lab.time().expect("real time can't be moved")
    }

    /// The same world with the binding's own clocks.
    pub fn in_real_time(&self) -> World {
        World { lab: self.lab.in_real_time() }
    }

    /// A new clock.
    pub fn clock(&self) -> LabClock {
        self.lab.clock()
    }

    /// Where tasks and blocking work go.
    pub fn spawner(&self) -> Arc<dyn Spawn> {
        self.lab.spawner()
    }

    /// What lies between the two ends.
    pub fn transport(&self) -> Transport {
        self.lab.transport()
    }

    /// So much of `whole` as the transport carries in reasonable time.
    pub fn much(&self, whole: usize) -> usize {
        if self.transport().is_slow() { whole / 64 } else { whole }
    }

    /// A gate before the next stream that connects.
    pub fn gate_near(&self) -> Gate {
        self.lab.gate_near()
    }

    /// A gate before the next stream that is accepted.
    pub fn gate_far(&self) -> Gate {
        self.lab.gate_far()
    }

    /// The next stream that connects is cut so: beneath TLS and WebSocket, where these are.
    pub fn cut_near(&self, cut: Cut) {
        self.lab.cut_near(cut);
    }

    /// The next stream that is accepted is cut so.
    pub fn cut_far(&self, cut: Cut) {
        self.lab.cut_far(cut);
    }

    /// Accepting fails so before it next succeeds.
    pub fn fail_accepting(&self, how: &[std::io::ErrorKind]) {
        self.lab.fail_accepting(how);
    }

    /// The next to connect waits for ever.
    pub fn hang_connecting(&self) {
        self.lab.hang_connecting();
    }

    // ---- ends

    /// A patient server on a new address.
    pub fn server(&self) -> ServerBuilder<Lab> {
        self.server_at(self.lab.address())
    }

    /// A patient server.
    pub fn server_at(&self, address: impl IntoAddress) -> ServerBuilder<Lab> {
        let server = self.lab.enter(|| Server::<Lab>::bind(address)).config(patient());
        let server = match self.lab.tapes().cloned() {
            Some(tapes) => server.trace_with(move |_| tapes.recording()),
            None => server,
        };
        match self.transport().seal(Role::Server) {
            Some(seal) => server.seal(seal),
            None => server,
        }
    }

    /// A patient client of a server.
    pub fn client(&self, address: impl IntoAddress) -> ClientBuilder<Lab> {
        self.equipped(self.lab.enter(|| ropeway_driver::Client::<Lab>::to(address)).config(patient()))
    }

    /// A patient client over a stream that is connected.
    pub fn client_over(&self, stream: Duplex) -> ClientBuilder<Lab> {
        self.equipped(self.lab.enter(|| ropeway_driver::Client::<Lab>::over(stream)).config(patient()))
    }

    /// Recorded and sealed, if lines are here.
    fn equipped(&self, client: ClientBuilder<Lab>) -> ClientBuilder<Lab> {
        let client = match self.lab.tapes().cloned() {
            Some(tapes) => client.trace_with(move |_| tapes.recording_of_client()),
            None => client,
        };
        match self.transport().seal(Role::Client) {
            Some(seal) => client.seal(seal),
            None => client,
        }
    }

    /// Two patient ends of a line that nobody serves: the one that connected, and the one that accepted.
    pub async fn pair(&self) -> (Line, Line) {
        self.pair_with(patient(), patient()).await
    }

    /// Two ends of a line that nobody serves.
    pub async fn pair_with(&self, near: Config, far: Config) -> (Line, Line) {
        let (near, far) = self.strangers(near, far).await;
        near.ready().await.expect("the far end says hello");
        far.ready().await.expect("the near end says hello");
        (near, far)
    }

    /// Two ends of a line that have not said hello yet.
    pub async fn strangers(&self, near: Config, far: Config) -> (Line, Line) {
        let (listener, address) = self.listen().await;
        let (near, driver) = self.near_end(self.connect(&address).await, near);
        self.background(driver);
        let (far, driver) = self.far_end(self.accept(&listener).await, far);
        self.background(driver);
        (near, far)
    }

    /// The end of a line that connected, and what drives it.
    pub fn near_end(&self, over: (Duplex, Endpoints), config: Config) -> (Line, Driver<Duplex, LabClock>) {
        self.end(Role::Client, over, config, [1; 32])
    }

    /// The end of a line that accepted, and what drives it.
    pub fn far_end(&self, over: (Duplex, Endpoints), config: Config) -> (Line, Driver<Duplex, LabClock>) {
        self.end(Role::Server, over, config, [2; 32])
    }

    fn end(
        &self,
        role: Role,
        (stream, ends): (Duplex, Endpoints),
        config: Config,
        entropy: [u8; 32],
    ) -> (Line, Driver<Duplex, LabClock>) {
        let mut options = LineOptions::from(config);
        options.recording = self.lab.tapes().map(Tapes::recording);
        options.seal = self.transport().seal(role);
        let line = Line::new(role, stream, self.lab.clock(), self.lab.spawner(), ends, entropy, options);
        line.expect("what seals it is complete, and then it is not recorded")
    }

    /// Serves a line with handlers, until it is over.
    pub fn serve(&self, line: &Line, router: Router) {
        let serving = Arc::new(router).serve(line.clone(), Config::DEFAULT.handlers);
        self.background(async move { serving.await.expect("no action has two handlers") });
    }

    // ---- transports, for who speaks by hand

    /// Listens without a server.
    pub async fn listen(&self) -> (LabListener, Address) {
        self.lab.listen(&self.lab.address()).await.expect("a new address is free")
    }

    /// A connection without a line.
    pub async fn connect(&self, address: &Address) -> (Duplex, Endpoints) {
        self.lab.connect(address, &SocketOptions::default()).await.expect("somebody listens")
    }

    /// What connected to a listener.
    pub async fn accept(&self, listener: &LabListener) -> (Duplex, Endpoints) {
        self.lab.accept(listener, &SocketOptions::default()).await.expect("somebody connects")
    }

    // ---- tasks

    /// Runs one side of a scenario as a task of its own. If it panics, so does the scenario.
    pub fn spawn<F>(&self, work: F) -> Side<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let (side, task) = side::side(work);
        self.lab.spawner().spawn(Box::pin(task));
        side
    }

    /// Runs a task that nobody waits for.
    pub fn background<F>(&self, work: F)
    where
        F: Future<Output: Send> + Send + 'static,
    {
        drop(self.spawn(work));
    }

    /// The scenario, and all its tasks, unless one of them panics before.
    pub(crate) async fn unharmed(&self, scenario: impl Future<Output = ()>) {
        self.unless_harmed(scenario).await;
        self.unless_harmed(self.lab.crew().gone()).await;
        // What the last tasks to run did counts, too.
        if let Poll::Ready(panic) = poll_fn(|cx| Poll::Ready(self.lab.alarm().poll(cx))).await {
            std::panic::resume_unwind(panic);
        }
    }

    async fn unless_harmed(&self, work: impl Future<Output = ()>) {
        let mut work = std::pin::pin!(work);
        poll_fn(|cx| match self.lab.alarm().poll(cx) {
            Poll::Ready(panic) => std::panic::resume_unwind(panic),
            Poll::Pending => work.as_mut().poll(cx),
        })
        .await;
    }

    // ---- the end

    /// Ends a line in peace, and reconciles the counters of both ends: what either sent the other received.
    ///
    /// Nothing may be open on it for ever, and neither end may be away.
    pub async fn part(&self, near: Line, far: Line) {
        for line in [&near, &far] {
            // What nobody took is taken now.
            self.serve(line, Router::new());
        }
        ledger::reconcile(&near, &far).await;
        ledger::part(near, far).await;
    }
}
