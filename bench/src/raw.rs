//! The raw transport: a length before each message, all in order, no ids.
//!
//! Of a sealed line it is the suite alone, in memory, and only of bulk.
//!
//! It is what a careful programmer gets who needs just this one shape: writes gather a block,
//! reads take a block, and an answer is known by its place. Files are read and written by
//! blocking calls on the worker: both lie in memory, and a hop to another thread costs more.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::marker::PhantomData;
use std::time::Instant;

use futures::future::BoxFuture;
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt};

use crate::figure::Figure;
use crate::home::{Home, spawn};
use crate::side::{Answer, BLOCK, BODY, CODE, Files, IN_FLIGHT, LINES, Round, Shape, Side, Trips};
use crate::side::{opens, resident};
use crate::wire::{End, Wire};

/// The bytes of the length before each message.
const PREFIX: usize = 4;
/// What small messages are gathered to, and read by: the fastest of 16 to 512 KiB, as it stays
/// in the first-level cache.
const GATHER: usize = 32 * 1024;
/// What files are read, sent and written by: smaller costs speed, larger gains none.
const FILE_BLOCK: usize = 1024 * 1024;

/// A runtime's TCP, rustls over it or WebSocket over it, and nothing else; or a suite, and nothing else.
pub(crate) struct Raw<H>(PhantomData<fn() -> H>);

impl<H> Raw<H> {
    pub(crate) const HERE: Self = Self(PhantomData);
}

impl<H: Home> Side for Raw<H> {
    fn kind(&self) -> &'static str {
        "raw"
    }

    fn home(&self) -> &'static str {
        H::NAME
    }

    fn round(&self, Round { wire, shape, count, files }: Round) -> Option<BoxFuture<'static, io::Result<Figure>>> {
        if let (Some(seals), Shape::Bulk) = (wire.seals(), shape) {
            return Some(async move { seals.suite.alone(count * BLOCK as u64) }.boxed());
        }
        if !wire.is_raw() {
            return None;
        }
        Some(match shape {
            Shape::Notices => notices::<H>(wire, count).boxed(),
            Shape::Requests(answer) => requests::<H>(wire, answer, count).boxed(),
            Shape::Trip(size) => trip::<H>(wire, size, count).boxed(),
            Shape::Bulk => bulk::<H>(wire, count).boxed(),
            Shape::File { verified } => file::<H>(wire, verified, files).boxed(),
            Shape::Opens => async move { opens(count, || wire.ends::<H>()).await }.boxed(),
            Shape::Idle => async move { resident::<H, _, _>(count, || idle::<H>(wire)).await }.boxed(),
            Shape::Lanes(_) => return None,
        })
    }

    fn run(&self, round: BoxFuture<'static, io::Result<Figure>>) -> io::Result<Figure> {
        H::run(round)
    }
}

async fn notices<H: Home>(wire: Wire, count: u64) -> io::Result<Figure> {
    let (mut near, mut far) = wire.ends::<H>().await?;
    let start = Instant::now();
    let sender = spawn::<H, _>(async move {
        let mut out = Vec::with_capacity(GATHER);
        for _ in 0..count {
            if out.len() + PREFIX + BODY.len() > GATHER {
                near.write_all(&out).await?;
                out.clear();
            }
            push(&mut out, black_box(&BODY));
        }
        near.write_all(&out).await?;
        kept(near).await
    });
    let mut inbox = Inbox::new(BODY.len());
    let mut taken = 0;
    while taken < count {
        taken += inbox.take_all(&mut far).await?;
    }
    let figure = Figure::rate(count, start.elapsed());
    sender.await?;
    Ok(figure)
}

async fn requests<H: Home>(wire: Wire, answer: Answer, count: u64) -> io::Result<Figure> {
    let share = count.div_ceil(LINES as u64);
    let mut lines = Vec::new();
    for _ in 0..LINES {
        let (near, far) = wire.ends::<H>().await?;
        drop(spawn::<H, _>(answers(answer, far)));
        lines.push(near);
    }
    let start = Instant::now();
    let lines: Vec<_> = lines.into_iter().map(|line| spawn::<H, _>(asks(line, share))).collect();
    for line in lines {
        line.await?;
    }
    Ok(Figure::rate(share * LINES as u64, start.elapsed()))
}

/// Keeps a line's part of the requests in flight: as many new ones as answers came.
async fn asks(mut line: End, share: u64) -> io::Result<()> {
    let mut inbox = Inbox::new(BODY.len());
    let mut out = Vec::new();
    let (mut asked, mut answered, mut room) = (0, 0, (IN_FLIGHT / LINES) as u64);
    while answered < share {
        let more = room.min(share - asked);
        (0..more).for_each(|_| push(&mut out, black_box(&BODY)));
        asked += more;
        line.write_all(&out).await?;
        line.flush().await?;
        out.clear();
        room = inbox.take_all(&mut line).await?;
        answered += room;
    }
    Ok(())
}

async fn answers(answer: Answer, mut line: End) -> io::Result<()> {
    let mut inbox = Inbox::new(BODY.len());
    let mut out = Vec::new();
    let code = CODE.to_le_bytes();
    let body: &[u8] = match answer {
        Answer::Code => &code,
        Answer::Body => &BODY,
    };
    loop {
        let taken = inbox.take_all(&mut line).await?;
        (0..taken).for_each(|_| push(&mut out, black_box(body)));
        line.write_all(&out).await?;
        line.flush().await?;
        out.clear();
    }
}

async fn trip<H: Home>(wire: Wire, size: usize, count: u64) -> io::Result<Figure> {
    let (mut near, mut far) = wire.ends::<H>().await?;
    drop(spawn::<H, _>(async move {
        let mut inbox = Inbox::new(size);
        while let Ok(message) = inbox.take(&mut far).await {
            far.write_all(black_box(message)).await?;
            far.flush().await?;
        }
        Ok(())
    }));
    let mut message = Vec::new();
    push(&mut message, &vec![BODY[0]; size]);
    let mut inbox = Inbox::new(size);
    let mut trips = Trips::default();
    for _ in 0..count {
        let trip = async {
            near.write_all(black_box(&message)).await?;
            near.flush().await?;
            black_box(inbox.take(&mut near).await?);
            Ok(())
        };
        trips.make(trip).await?;
    }
    Ok(trips.figure())
}

async fn bulk<H: Home>(wire: Wire, count: u64) -> io::Result<Figure> {
    let (mut near, mut far) = wire.ends::<H>().await?;
    let start = Instant::now();
    let sender = spawn::<H, _>(async move {
        let block = vec![BODY[0]; BLOCK];
        for _ in 0..count {
            near.write_all(black_box(&block)).await?;
        }
        kept(near).await
    });
    let mut block = vec![0; BLOCK];
    let mut left = count * BLOCK as u64;
    while left > 0 {
        left -= some(far.read(&mut block).await?)? as u64;
        black_box(&block);
    }
    let figure = Figure::throughput(count * BLOCK as u64, start.elapsed());
    sender.await?;
    Ok(figure)
}

async fn file<H: Home>(wire: Wire, verified: bool, Files { source, target }: Files) -> io::Result<Figure> {
    let (mut near, mut far) = wire.ends::<H>().await?;
    let start = Instant::now();
    let sender = spawn::<H, _>(async move {
        let mut file = File::open(source)?;
        near.write_all(&file.metadata()?.len().to_le_bytes()).await?;
        let mut digest = blake3::Hasher::new();
        let mut block = vec![0; FILE_BLOCK];
        loop {
            let read = file.read(&mut block)?;
            if read == 0 {
                near.write_all(digest.finalize().as_bytes()).await?;
                return kept(near).await;
            }
            if verified {
                digest.update(&block[..read]);
            }
            near.write_all(&block[..read]).await?;
        }
    });
    let part = target.with_extension("part");
    let mut file = File::create_new(&part)?;
    let mut length = [0; size_of::<u64>()];
    far.read_exact(&mut length).await?;
    let length = u64::from_le_bytes(length);
    let mut digest = blake3::Hasher::new();
    let mut block = vec![0; FILE_BLOCK];
    let mut left = length;
    while left > 0 {
        let room = left.min(FILE_BLOCK as u64) as usize;
        let read = some(far.read(&mut block[..room]).await?)?;
        if verified {
            digest.update(&block[..read]);
        }
        file.write_all(&block[..read])?;
        left -= read as u64;
    }
    let mut told = [0; blake3::OUT_LEN];
    far.read_exact(&mut told).await?;
    if digest.finalize() != told {
        return Err(io::Error::other("the digests differ"));
    }
    file.sync_all()?;
    fs::rename(part, target)?;
    let figure = Figure::throughput(length, start.elapsed());
    sender.await?;
    Ok(figure)
}

/// Two ends that have passed one message: each a task that waits for the next, and no buffer.
async fn idle<H: Home>(wire: Wire) -> io::Result<()> {
    let (mut near, mut far) = wire.ends::<H>().await?;
    near.write_all(&BODY).await?;
    near.flush().await?;
    far.read_exact(&mut [0; BODY.len()]).await?;
    for mut end in [near, far] {
        drop(spawn::<H, _>(async move { end.read_exact(&mut [0]).await }));
    }
    Ok(())
}

/// A block that the socket fills and messages are taken from.
struct Inbox {
    block: Vec<u8>,
    start: usize,
    end: usize,
}

impl Inbox {
    /// Has room for a message of `largest` bytes.
    fn new(largest: usize) -> Self {
        Self { block: vec![0; (PREFIX + largest).max(GATHER)], start: 0, end: 0 }
    }

    /// The next message, its length before it.
    async fn take(&mut self, line: &mut End) -> io::Result<&[u8]> {
        loop {
            if let Some(length) = self.whole() {
                self.start += length;
                return Ok(&self.block[self.start - length..self.start]);
            }
            self.fill(line).await?;
        }
    }

    /// Reads once and takes all whole messages; how many they were.
    async fn take_all(&mut self, line: &mut End) -> io::Result<u64> {
        self.fill(line).await?;
        let mut taken = 0;
        while let Some(length) = self.whole() {
            black_box(&self.block[self.start..self.start + length]);
            self.start += length;
            taken += 1;
        }
        Ok(taken)
    }

    async fn fill(&mut self, line: &mut End) -> io::Result<()> {
        self.block.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        self.end += some(line.read(&mut self.block[self.end..]).await?)?;
        Ok(())
    }

    /// The length of the next message with its prefix, once it is there.
    fn whole(&self) -> Option<usize> {
        let rest = &self.block[self.start..self.end];
        let length = PREFIX + u32::from_le_bytes(*rest.first_chunk()?) as usize;
        (length <= rest.len()).then_some(length)
    }
}

/// Sends what is left. Who holds the end lets go of it when the other has read all: over TLS it has unread octets of its
/// own, for which the system would cut the connection.
async fn kept(mut end: End) -> io::Result<End> {
    end.flush().await?;
    Ok(end)
}

fn push(out: &mut Vec<u8>, body: &[u8]) {
    out.extend_from_slice(&(body.len() as u32).to_le_bytes());
    out.extend_from_slice(body);
}

fn some(read: usize) -> io::Result<usize> {
    if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(read) }
}
