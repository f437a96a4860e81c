//! What a contender is: a [`Shape`] goes in, a [`Figure`] comes out; and what contenders share.
//!
//! A contender is one file with one type that implements [`Side`], and one entry in `SIDES`.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::figure::Figure;

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

/// One contender.
pub(crate) trait Side: Sync {
    /// The name of its column.
    fn name(&self) -> &'static str;

    /// One round of `shape`, or `None` where the contender has nothing of that shape.
    ///
    /// It runs on a runtime of its own with two workers; whatever it spawned ends with that.
    /// Connecting is no part of the figure.
    fn round(&self, shape: Shape, count: u64, files: Files) -> Option<BoxFuture<'static, io::Result<Figure>>>;
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

/// Two connected sockets on loopback, both without delay.
pub(crate) async fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let near = TcpStream::connect(listener.local_addr()?).await?;
    let (far, _) = listener.accept().await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    Ok((near, far))
}

/// [`Shape::Requests`] by concurrent calls: a task a caller, the lines shared out evenly.
pub(crate) async fn callers<L, F, C>(lines: &[L], count: u64, call: C) -> io::Result<Figure>
where
    L: Clone + Send + 'static,
    F: Future<Output = io::Result<()>> + Send,
    C: Fn(L) -> F + Copy + Send + 'static,
{
    let share = count.div_ceil(IN_FLIGHT as u64);
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for line in lines.iter().cycle().take(IN_FLIGHT) {
        let line = line.clone();
        tasks.spawn(async move {
            for _ in 0..share {
                call(line.clone()).await?;
            }
            io::Result::Ok(())
        });
    }
    while let Some(caller) = tasks.join_next().await {
        caller??;
    }
    Ok(Figure::rate(share * IN_FLIGHT as u64, start.elapsed()))
}

/// [`Shape::Trip`]: `call` is made `count` times, one after the other.
pub(crate) async fn trips<C>(count: u64, mut call: C) -> io::Result<Figure>
where
    C: AsyncFnMut() -> io::Result<()>,
{
    let mut times = Vec::new();
    for _ in 0..count {
        let start = Instant::now();
        call().await?;
        times.push(start.elapsed());
    }
    Ok(Figure::latency(&times))
}

/// [`Shape::Idle`]: `open` gives both ends of a line, used once.
pub(crate) async fn resident<L, F>(count: u64, open: impl Fn() -> F) -> io::Result<Figure>
where
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
        tokio::time::sleep(SETTLE).await;
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
