//! What a contender is: a [`Round`] goes in, a [`Figure`] comes out; and what contenders share.
//!
//! A contender is one file with one type that implements [`Side`], and an entry in `SIDES` for each runtime it runs on.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::figure::Figure;
use crate::home::{Home, sleep, spawn};
use crate::wire::Wire;

/// The body of every small message.
pub(crate) const BODY: [u8; 64] = [0x5a; 64];
/// A bare code as an answer; any number would do.
pub(crate) const CODE: u16 = 204;
/// The lines that share the requests in flight.
pub(crate) const LINES: usize = 4;
/// The requests in flight, over all lines.
pub(crate) const IN_FLIGHT: usize = 600;
/// What [`Shape::Bulk`] counts in.
pub(crate) const BLOCK: usize = 256 * 1024;

/// A line that has just opened may still hold what it needed for that.
const SETTLE: Duration = Duration::from_secs(1);
/// Opened before the first look at the memory: they pay for the runtime and the allocator.
const LINES_BEFORE: u64 = 100;

/// One contender on one runtime.
pub(crate) trait Side: Sync {
    /// What it is: sides of one kind differ in their runtime alone.
    fn kind(&self) -> &'static str;

    /// The runtime, which is the name of its column.
    fn home(&self) -> &'static str;

    /// One round, or `None` where the contender has nothing of that shape. Connecting is no part of the figure.
    fn round(&self, round: Round) -> Option<BoxFuture<'static, io::Result<Figure>>>;

    /// Runs a round on its runtime.
    fn run(&self, round: BoxFuture<'static, io::Result<Figure>>) -> io::Result<Figure>;

    fn name(&self) -> String {
        format!("{}-{}", self.kind(), self.home())
    }
}

/// What a round does.
#[derive(Clone)]
pub(crate) struct Round {
    pub(crate) wire: Wire,
    pub(crate) shape: Shape,
    pub(crate) count: u64,
    pub(crate) files: Files,
}

/// What is measured. The application takes every message that arrives.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Shape {
    /// `count` messages of [`BODY`] one way on one line, until the last was taken.
    Notices,
    /// `count` requests of [`BODY`], [`IN_FLIGHT`] at a time on [`LINES`] lines.
    Requests(Answer),
    /// `count` times a request of so many bytes, answered by as many, one at a time.
    Trip(usize),
    /// A byte stream of `count` times [`BLOCK`], until the last byte was read.
    Bulk,
    /// A file from path to path, synced and in place at the end; where `verified`, both ends
    /// digest every byte by BLAKE3 and the receiver compares.
    File { verified: bool },
    /// As `Notices`, while so many exchanges stand open and idle on the line; the nanoseconds
    /// each message costs.
    Lanes(usize),
    /// `count` lines that open, one after the other, and go again; how many in a second.
    Opens,
    /// `count` lines, both ends here, each idle after one message; KiB resident a line and side.
    Idle,
}

/// What a request is answered by.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Answer {
    /// [`CODE`] and no body.
    Code,
    /// [`BODY`].
    Body,
}

/// The two ends of a [`Shape::File`].
#[derive(Clone, Default)]
pub(crate) struct Files {
    pub(crate) source: PathBuf,
    /// Nothing is there yet, and its folder is empty.
    pub(crate) target: PathBuf,
}

/// [`Shape::Requests`] by concurrent calls: a task a caller, the lines shared out evenly.
pub(crate) async fn callers<H, L, F, C>(lines: &[L], count: u64, call: C) -> io::Result<Figure>
where
    H: Home,
    L: Clone + Send + 'static,
    F: Future<Output = io::Result<()>> + Send,
    C: Fn(L) -> F + Copy + Send + 'static,
{
    let share = count.div_ceil(IN_FLIGHT as u64);
    let start = Instant::now();
    let task = |line: &L| {
        let line = line.clone();
        spawn::<H, _>(async move {
            for _ in 0..share {
                call(line.clone()).await?;
            }
            Ok(())
        })
    };
    let tasks: Vec<_> = lines.iter().cycle().take(IN_FLIGHT).map(task).collect();
    for caller in tasks {
        caller.await?;
    }
    Ok(Figure::rate(share * IN_FLIGHT as u64, start.elapsed()))
}

/// [`Shape::Trip`]: what each of them took.
#[derive(Default)]
pub(crate) struct Trips(Vec<Duration>);

impl Trips {
    /// Makes one.
    pub(crate) async fn make(&mut self, trip: impl Future<Output = io::Result<()>>) -> io::Result<()> {
        let start = Instant::now();
        trip.await?;
        self.0.push(start.elapsed());
        Ok(())
    }

    pub(crate) fn figure(&self) -> Figure {
        Figure::latency(&self.0)
    }
}

/// [`Shape::Opens`]: `open` gives what lasts as long as its line.
pub(crate) async fn opens<L, F>(count: u64, open: impl Fn() -> F) -> io::Result<Figure>
where
    F: Future<Output = io::Result<L>>,
{
    let start = Instant::now();
    for _ in 0..count {
        drop(open().await?);
    }
    Ok(Figure::new(count as f64 / start.elapsed().as_secs_f64(), "/s"))
}

/// [`Shape::Idle`]: `open` gives both ends of a line, used once.
pub(crate) async fn resident<H, L, F>(count: u64, open: impl Fn() -> F) -> io::Result<Figure>
where
    H: Home,
    F: Future<Output = io::Result<L>>,
{
    let most = getrlimit(Resource::Nofile).maximum;
    let all = Rlimit { current: most, maximum: most };
    setrlimit(Resource::Nofile, all)?;
    let mut lines = Vec::with_capacity((LINES_BEFORE + count) as usize);
    let mut before = 0.0;
    for more in [LINES_BEFORE, count] {
        before = resident_kib()?;
        for _ in 0..more {
            lines.push(open().await?);
        }
        sleep::<H>(SETTLE).await;
    }
    Ok(Figure::new((resident_kib()? - before) / (2 * count) as f64, "KiB"))
}

/// From the mappings themselves: the kernel's quick counters lag behind by hundreds of KiB.
fn resident_kib() -> io::Result<f64> {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let mut lines = rollup.lines();
    let size = lines.find_map(|line| line.strip_prefix("Rss:")?.strip_suffix("kB"));
    let size = size.and_then(|size| size.trim().parse().ok());
    size.ok_or(io::ErrorKind::InvalidData.into())
}
