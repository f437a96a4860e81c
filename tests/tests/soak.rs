//! A long life: 200 lines between peers of all bindings, over every transport, with all there is to say in both directions.
//!
//! In the end every counter of each end is what the other's is, what was said was heard, and nothing is kept.
//! `ROPEWAY_SOAK_SECONDS` says how long it lasts, `ROPEWAY_SEED` what is said.

mod bindings;

use std::env;
use std::fmt::Display;
use std::fs;
use std::future::poll_fn;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::str::FromStr;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ropeway_conformance::scenarios::talk::{Book, Kind, reconcile};
use ropeway_conformance::watchdog::watchdog;
use ropeway_conformance::weather::Dice;
use ropeway_conformance::{certificates, heap, ledger, patient};
use ropeway_driver::{Address, Client, Clock, Config, Line, Message, Runtime, Server};

use crate::bindings::{Job, Part, SIDES, sides};

#[global_allocator]
static HEAP: heap::Counting = heap::Counting::new();

const LINES: usize = 200;
/// Tasks of the client that speak on a line; of its server there is one.
const VOICES: usize = 2;
/// Octets of what is large, at most: more than a lane's credit now and then.
const LARGE: usize = 300_000;
const HEARTBEAT: Duration = Duration::from_secs(1);

#[test]
fn two_hundred_lines_say_all_there_is_and_nothing_is_lost_or_kept() {
    let folder = tempfile::tempdir().expect("there is room");
    let soak = Soak::new(folder.path());
    let limit = soak.lasts + Duration::from_secs(240);
    thread::scope(|scope| {
        for (number, side) in sides::<Run>().into_iter().enumerate() {
            let soak = &soak;
            scope.spawn(move || {
                let _fails = Fails;
                let work = side.part.0(soak.clone(), number);
                (side.block_on)(Box::pin(watchdog(side.name, limit, work)));
            });
        }
    });
    reconcile(&soak.clients, &soak.servers, true);
    reconcile(&soak.servers, &soak.clients, true);
    soak.tell();
}

/// Ends the process with a side that panics: the others would wait for it.
struct Fails;

impl Drop for Fails {
    fn drop(&mut self) {
        if thread::panicking() {
            process::exit(101);
        }
    }
}

/// What a binding does, which is the side of this number.
struct Run(fn(Soak, usize) -> Job);

impl Part for Run {
    fn on<R: Runtime + Default>() -> Run {
        Run(|soak, number| Box::pin(run::<R>(soak, number)))
    }
}

/// What all sides share.
#[derive(Clone)]
struct Soak {
    seed: u64,
    lasts: Duration,
    /// A book for each line.
    clients: Arc<[Book]>,
    /// A book for each server.
    servers: Arc<[Book]>,
    /// Where each server is to listen, side by side.
    wanted: Arc<[Address]>,
    /// Where it does.
    listening: Arc<[Mutex<Option<Address>>]>,
    /// The servers' ends of the lines.
    far: Arc<[Mutex<Option<Line>>]>,
    octets: Arc<Mutex<u64>>,
    together: Arc<Barrier>,
    /// What is on the heap while all lines are idle, before the soak.
    idle: Arc<Mutex<Option<heap::Mark>>>,
}

impl Soak {
    fn new(folder: &Path) -> Soak {
        let per_side = addresses(folder, 0).len();
        let books = |first: usize, many: usize, folder: &dyn Fn(usize) -> Option<PathBuf>| {
            (0..many).map(|at| Book::new((first + at) as u32, LARGE, folder(at))).collect()
        };
        // Those of one transport keep the files that come.
        let keeps = |server: usize| {
            server.is_multiple_of(per_side).then(|| {
                let inbox = folder.join(format!("inbox-{server}"));
                fs::create_dir(&inbox).expect("there is room");
                inbox
            })
        };
        Soak {
            seed: asked("ROPEWAY_SEED", 1),
            lasts: Duration::from_secs(asked("ROPEWAY_SOAK_SECONDS", 30)),
            clients: books(0, LINES, &|_| None),
            servers: books(LINES, SIDES * per_side, &keeps),
            wanted: (0..SIDES).flat_map(|side| addresses(folder, side)).collect(),
            listening: (0..SIDES * per_side).map(|_| Mutex::default()).collect(),
            far: (0..LINES).map(|_| Mutex::default()).collect(),
            octets: Arc::default(),
            together: Arc::new(Barrier::new(SIDES)),
            idle: Arc::default(),
        }
    }

    fn servers_of(&self, side: usize) -> impl Iterator<Item = usize> + use<> {
        let per_side = self.wanted.len() / SIDES;
        side * per_side..(side + 1) * per_side
    }

    /// The server of a line, so that all pairs of bindings meet over all transports.
    fn server_of(&self, line: usize) -> usize {
        let per_side = self.wanted.len() / SIDES;
        line / SIDES % SIDES * per_side + line / SIDES.pow(2) % per_side
    }

    /// The servers' end of a line.
    fn far(&self, line: usize) -> Line {
        lock(&self.far[line]).clone().expect("it has come")
    }

    /// Waits for the other sides. Everything else goes on meanwhile: on the runtimes' own threads.
    fn meet(&self) -> bool {
        self.together.wait().is_leader()
    }

    fn heard(&self, kind: Kind) -> usize {
        self.clients.iter().chain(&*self.servers).map(|book| book.heard(kind)).sum()
    }

    /// Octets on the heap while all lines are idle again, beyond those before the soak.
    fn most_kept(&self) -> usize {
        // The buffers of each end's messages and frames.
        const WEBSOCKET: usize = 160 * 1024;
        let is_websocket =
            |line: &usize| matches!(self.wanted[self.server_of(*line)], Address::Ws { .. } | Address::Wss { .. });
        let written_down = 100 * Kind::ALL.iter().map(|kind| self.heard(*kind)).sum::<usize>();
        let of_runtimes = 4 * 1024 * 1024;
        LINES * 8 * 1024 + (0..LINES).filter(is_websocket).count() * 2 * WEBSOCKET + written_down + of_runtimes
    }

    /// One line of what it was.
    fn tell(&self) {
        let kinds = || Kind::ALL.iter().map(|kind| (kind, self.heard(*kind)));
        assert!(kinds().all(|(_, count)| count > 0), "something was never said");
        let all: usize = kinds().map(|(_, count)| count).sum();
        let each: Vec<_> = kinds().map(|(kind, count)| format!("{kind} {count}")).collect();
        let (seconds, octets) = (self.lasts.as_secs(), *lock(&self.octets));
        // Not what a test harness keeps to itself.
        let mega = octets / 1_000_000;
        let _ =
            writeln!(io::stderr(), "soak: {LINES} lines, {seconds} s, {mega} MB, {all} exchanges: {}", each.join(", "));
    }
}

/// An address of each transport.
fn addresses(folder: &Path, side: usize) -> Vec<Address> {
    let mut all: Vec<Address> =
        ["tcp://127.0.0.1:0", "tls://localhost:0", "ws://localhost:0/line", "wss://localhost:0/line", "mem://"]
            .into_iter()
            .map(|address| address.parse().expect("it is one"))
            .collect();
    if cfg!(unix) {
        all.push(Address::Unix(folder.join(format!("socket-{side}"))));
    }
    all
}

/// No timer goes off by itself but the heartbeat, of which none is missed.
fn config() -> Config {
    let mut config = patient();
    config.protocol.heartbeat = HEARTBEAT;
    config.protocol.misses = 0;
    config
}

/// One side: its servers, and the clients' ends of its lines.
async fn run<R: Runtime + Default>(soak: Soak, side: usize) {
    let mut servers = Vec::new();
    for at in soak.servers_of(side) {
        let arrivals = soak.far.clone();
        let server = Server::<R>::bind(&soak.wanted[at])
            .config(config())
            .tls(certificates::showing())
            .router(soak.servers[at].router())
            .on_message("I am", move |mut message: Message| {
                let arrivals = arrivals.clone();
                async move {
                    let line: usize = message.decode().await?;
                    *lock(&arrivals[line]) = Some(message.line().clone());
                    message.answer(&()).await?;
                    Ok(())
                }
            });
        let server = server.serve().await.expect("the address is free");
        *lock(&soak.listening[at]) = Some(server.address().clone());
        servers.push(server);
    }
    soak.meet();
    let own: Vec<_> = (0..LINES).filter(|line| line % SIDES == side).collect();
    let mut lines = Vec::new();
    for line in &own {
        let address = lock(&soak.listening[soak.server_of(*line)]).clone().expect("it listens");
        let client = Client::<R>::to(address).config(config()).tls(certificates::trusting());
        let near = client.router(soak.clients[*line].router()).connect().await.expect("it listens");
        near.request::<_, ()>("I am", line).await.expect("it answers");
        lines.push((*line, near));
    }
    if soak.meet() {
        *lock(&soak.idle) = Some(heap::mark());
    }
    soak.meet();

    let until = Instant::now() + soak.lasts;
    let mut voices = Vec::new();
    for (line, near) in &lines {
        voices.extend((0..VOICES).map(|voice| (near.clone(), soak.clients[*line].clone(), line * 4 + voice)));
    }
    for line in 0..LINES {
        if soak.servers_of(side).any(|server| server == soak.server_of(line)) {
            voices.push((soak.far(line), soak.servers[soak.server_of(line)].clone(), line * 4 + VOICES));
        }
    }
    finished(start::<R>(&soak, voices, until));
    soak.meet();

    for (line, near) in &lines {
        ledger::reconcile(near, &soak.far(*line)).await;
    }
    if soak.meet() {
        let idle = lock(&soak.idle).take().expect("it was marked");
        let (most, mut clock) = (soak.most_kept(), R::default().clock());
        let given_back = async {
            // A line gives back at its next heartbeat what it does not need.
            while idle.held() > most {
                let next = clock.now() + HEARTBEAT;
                poll_fn(|cx| clock.poll_until(cx, next)).await;
            }
        };
        watchdog(&format!("giving all but {most} octets back"), Duration::from_secs(60), given_back).await;
    }
    soak.meet();
    for (line, near) in lines {
        let far = lock(&soak.far[line]).take().expect("it has come");
        *lock(&soak.octets) += near.stats().sent.octets + far.stats().sent.octets;
        ledger::part(near, far).await;
    }
    soak.meet();
    for server in servers {
        assert_eq!(server.shutdown(Duration::from_secs(60)).await.cut, 0);
    }
}

/// Starts tasks that speak on lines until the time has come. What is received ends when they have.
fn start<R: Runtime + Default>(soak: &Soak, voices: Vec<(Line, Book, usize)>, until: Instant) -> Receiver<()> {
    let (speaks, silence) = mpsc::channel::<()>();
    for (line, book, voice) in voices {
        let (speaks, mut dice) = (speaks.clone(), Dice::new(soak.seed << 32 | voice as u64));
        R::default().spawner().spawn(Box::pin(async move {
            let _speaks = speaks;
            while Instant::now() < until {
                let kind = Kind::ALL[dice.roll(Kind::ALL.len())];
                if let Err(error) = book.say(&line, kind).await {
                    // It is missed when the books are compared.
                    let _ = writeln!(io::stderr(), "{kind}: {error}");
                    return;
                }
            }
        }));
    }
    silence
}

/// Waits until nobody speaks any more.
fn finished(silence: Receiver<()>) {
    // Nothing is ever sent.
    let _ = silence.recv();
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the environment says, if it does.
fn asked<T: FromStr<Err: Display>>(name: &str, or: T) -> T {
    match env::var(name) {
        Ok(value) => value.parse().unwrap_or_else(|error| panic!("{name} is {value}: {error}")),
        Err(_) => or,
    }
}
