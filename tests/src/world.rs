//! Two machines, their programs, and a wire between that splits, delays and cuts.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use ropeway_core::{Config, Connection, Event, Instant, PeerError, Reason, Storage};

use crate::app::App;
use crate::dice::Dice;
use crate::plan::Plan;

/// One end: a machine and its program.
#[derive(Debug)]
pub struct End<S: Storage> {
    /// The machine.
    pub line: Connection<S>,
    /// The program.
    pub app: App,
    /// All that happened.
    pub events: Vec<Event<Vec<u8>>>,
    /// How the peer erred.
    pub error: Option<PeerError>,
    input: Vec<u8>,
    out: Vec<u8>,
}

impl<S: Storage> End<S> {
    /// A client or a server at the beginning of time.
    pub fn new(is_client: bool, config: Config, memory: S, plan: Rc<Plan>, lag: usize) -> End<S> {
        let now = Instant::ZERO;
        let line = if is_client {
            Connection::client(now, config, [1; 32], memory)
        } else {
            Connection::server(now, config, [2; 32], memory)
        };
        let app = App::new(is_client, plan, lag);
        End { line, app, events: Vec::new(), error: None, input: Vec::new(), out: Vec::new() }
    }

    /// Octets arrive. After each frame `then` may look.
    pub fn receive(&mut self, now: Instant, octets: &[u8], mut then: impl FnMut(&mut End<S>)) {
        self.input.extend_from_slice(octets);
        loop {
            let mut input = std::mem::take(&mut self.input);
            let step = self.line.handle_input(now, &mut input);
            let (consumed, event) = match step {
                Ok(step) => (step.consumed, step.event.map(|event| event.map(<[u8]>::to_vec))),
                Err(error) => {
                    self.error = Some(error);
                    (input.len(), None)
                }
            };
            input.drain(..consumed);
            self.input = input;
            self.heard(event);
            if consumed == 0 {
                return;
            }
            then(self);
        }
    }

    /// Octets that have come and are no whole frame yet.
    pub fn held(&self) -> usize {
        self.input.len()
    }

    fn heard(&mut self, event: Option<Event<Vec<u8>>>) {
        if let Some(event) = event {
            assert!(!matches!(self.events.last(), Some(Event::Closed { .. })), "{event:?} behind the last event");
            self.app.hear(&mut self.line, &event);
            self.events.push(event);
        }
    }

    /// Lets the program speak and the machine transmit, in stretches of `most` octets, until neither has more.
    pub fn speak(&mut self, now: Instant, most: usize) -> Vec<u8> {
        let mut said = Vec::new();
        self.out.resize(most, 0);
        loop {
            let did = self.app.step(&mut self.line, now);
            let len = self.line.poll_transmit(now, &mut self.out);
            said.extend_from_slice(&self.out[..len]);
            if !did && len == 0 {
                return said;
            }
        }
    }

    fn cut(&mut self) {
        let event = self.line.handle_eof();
        assert!(matches!(event, Some(Event::Closed { reason: Reason::Eof, .. })));
        self.heard(event.map(|event| event.map(<[u8]>::to_vec)));
        assert!(self.speak(Instant::ZERO, 128).is_empty());
    }

    fn pass(&mut self, now: Instant) {
        while let Some(event) = self.line.handle_timeout(now) {
            self.heard(Some(event.map(<[u8]>::to_vec)));
        }
    }
}

/// What the wire does to what is on it.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// The longest a stretch of octets is under way, in microseconds.
    pub delay: u64,
    /// The longest stretch that arrives at once.
    pub chunk: u64,
    /// How much a machine is asked for at once.
    pub out: usize,
    /// After how many octets in both directions the wire is cut.
    pub cut: Option<usize>,
}

impl Weather {
    /// Some weather or other.
    pub fn draw(dice: &mut Dice<'_>) -> Weather {
        let delay = dice.pick(&[0, 10, 1000, 50_000]);
        let chunk = dice.pick(&[4096, 1, 7, 100]);
        Weather { delay, chunk, out: dice.pick(&[4096, 128, 300]), cut: None }
    }
}

#[derive(Debug, Default)]
struct Wire(VecDeque<(Instant, Vec<u8>)>);

impl Wire {
    fn carry(&mut self, now: Instant, weather: &Weather, dice: &mut Dice<'_>, mut octets: &[u8]) {
        while !octets.is_empty() {
            let len = (1 + dice.below(weather.chunk) as usize).min(octets.len());
            let (chunk, rest) = octets.split_at(len);
            let due = now.after(Duration::from_micros(dice.below(weather.delay + 1)));
            let last = self.0.back().map_or(due, |(last, _)| due.max(*last));
            self.0.push_back((last, chunk.to_vec()));
            octets = rest;
        }
    }

    fn deliver(&mut self, now: Instant) -> Option<Vec<u8>> {
        if self.0.front()?.0 <= now { self.0.pop_front().map(|(_, chunk)| chunk) } else { None }
    }
}

/// Runs a plan on two machines until all is said, or the wire is cut; the ends, for a closer look.
pub fn run<A: Storage, B: Storage>(
    plan: Plan,
    config: Config,
    memories: (A, B),
    weather: Weather,
    seed: u64,
) -> (End<A>, End<B>) {
    let plan = Rc::new(plan);
    let mut dice = Dice::seed(seed);
    let lag = dice.below(4) as usize;
    let mut client = End::new(true, config, memories.0, plan.clone(), lag);
    let mut server = End::new(false, config, memories.1, plan, lag);
    let (mut up, mut down) = (Wire::default(), Wire::default());
    let mut now = Instant::ZERO;
    let (mut carried, mut waits) = (0, 0);
    let (mut client_moved, mut server_moved) = (true, true);
    loop {
        if client_moved {
            let said = client.speak(now, weather.out);
            carried += said.len();
            up.carry(now, &weather, &mut dice, &said);
        }
        if server_moved {
            let said = server.speak(now, weather.out);
            carried += said.len();
            down.carry(now, &weather, &mut dice, &said);
        }
        if weather.cut.is_some_and(|cut| carried >= cut) {
            client.cut();
            server.cut();
            return (client, server);
        }
        let (to_server, to_client) = (up.deliver(now), down.deliver(now));
        (client_moved, server_moved) = (to_client.is_some(), to_server.is_some());
        if let Some(chunk) = to_server {
            server.receive(now, &chunk, |_| {});
        }
        if let Some(chunk) = to_client {
            client.receive(now, &chunk, |_| {});
        }
        assert_eq!((client.error, server.error), (None, None), "{:?}\n{:?}", client.line, server.line);
        if client_moved || server_moved {
            waits = 0;
            continue;
        }
        let quiet = up.0.is_empty() && down.0.is_empty();
        if quiet && client.app.is_idle() && server.app.is_idle() && at_rest(&client) && at_rest(&server) {
            return (client, server);
        }
        waits += usize::from(quiet);
        assert!(waits < 40, "nothing moves any more: {:?}\n{:?}", client.line, server.line);
        let next = [up.0.front().map(|(due, _)| *due), down.0.front().map(|(due, _)| *due)];
        let timers = [client.line.poll_timeout(), server.line.poll_timeout()];
        let next = next.into_iter().chain(timers).flatten().min();
        now = next.expect("a line always has a timer").max(now.after(Duration::from_micros(1)));
        client.pass(now);
        server.pass(now);
        (client_moved, server_moved) = (quiet, quiet);
    }
}

fn at_rest<S: Storage>(end: &End<S>) -> bool {
    end.line.lanes() == (0, 0) && end.line.flows() == (0, 0)
}

/// Checks two ends that said all they had to say against each other.
pub fn check<A: Storage, B: Storage>(client: &End<A>, server: &End<B>, all: bool) {
    client.app.check(all);
    server.app.check(all);
    if all {
        reconcile(&client.line, &server.line);
        reconcile(&server.line, &client.line);
    }
}

/// What one end sent is what the other received, or dropped.
fn reconcile<A: Storage, B: Storage>(from: &Connection<A>, to: &Connection<B>) {
    let (mut sent, received) = (from.stats().sent, to.stats().received);
    sent.flow_octets -= to.stats().dropped.flow_octets;
    assert_eq!(sent, received);
    assert_eq!((from.lanes(), from.flows()), ((0, 0), (0, 0)));
}
