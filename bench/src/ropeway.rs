//! Ropeway on tokio, by the handles a user has: a server with handlers, lines to it.

use std::hint::black_box;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use ropeway_tokio::{Client, Code, Config, Failure, Line, Message, Save, Server, StreamReader};
use tokio::sync::mpsc;

use crate::figure::Figure;
use crate::side::{Answer, BLOCK, BODY, CODE, Files, LINES, Shape, Side};
use crate::side::{callers, resident, trips};

/// Ropeway with default settings but for what a row needs.
pub(crate) struct Ropeway;

impl Side for Ropeway {
    fn name(&self) -> &'static str {
        "ropeway"
    }

    fn round(&self, shape: Shape, count: u64, files: Files) -> Option<BoxFuture<'static, io::Result<Figure>>> {
        match shape {
            Shape::Notices => Some(notices(count, 0).boxed()),
            Shape::Lanes(open) => Some(notices(count, open).map(|figure| figure.map(per_message)).boxed()),
            Shape::Requests(answer) => Some(requests(answer, count).boxed()),
            Shape::Trip(size) => Some(trip(size, count).boxed()),
            Shape::Bulk => Some(bulk(count).boxed()),
            Shape::File { verified: true } => Some(file(files).boxed()),
            Shape::File { verified: false } => None,
            Shape::Idle => {
                Some(async move { resident(count, || async { Pair::open(Config::DEFAULT).await }).await }.boxed())
            }
        }
    }
}

/// Both ends of a line, and the server that accepted it.
struct Pair {
    _server: Server,
    near: Line,
    far: Line,
}

impl Pair {
    async fn open(config: Config) -> io::Result<Pair> {
        let (accepted, mut lines) = mpsc::unbounded_channel();
        let server = Server::bind("tcp://127.0.0.1:0")
            .config(config.clone())
            .on_line(move |line| {
                let _ = accepted.send(line);
                async { Ok(()) }
            })
            .serve()
            .await?;
        let near = Client::to(server.address()).config(config).connect().await?;
        let far = lines.recv().await.ok_or(io::ErrorKind::ConnectionAborted)?;
        Ok(Pair { _server: server, near, far })
    }
}

/// Small messages one way, while so many exchanges stand open.
async fn notices(count: u64, open: usize) -> io::Result<Figure> {
    let mut config = Config::DEFAULT;
    config.lanes = config.lanes.max(open as u16);
    let pair = Pair::open(config).await?;
    let mut messages = pair.far.messages();
    let mut idle = Vec::new();
    let mut unanswered = Vec::new();
    for _ in 0..open {
        idle.push(pair.near.open(1u32, &()).timeout(std::time::Duration::ZERO).await?);
        unanswered.push(messages.next().await);
    }
    let body = Bytes::from_static(&BODY);
    let near = pair.near.clone();
    let start = Instant::now();
    let sender = tokio::spawn(async move {
        for _ in 0..count {
            near.notify(2u32, &body).await?;
        }
        io::Result::Ok(())
    });
    for _ in 0..count {
        black_box(messages.next().await.ok_or(io::ErrorKind::ConnectionAborted)?);
    }
    let took = start.elapsed();
    sender.await??;
    Ok(Figure::rate(count, took))
}

fn per_message(rate: Figure) -> Figure {
    Figure::new(1e3 / rate.value, "ns")
}

async fn answer_code(message: Message) -> Result<(), Failure> {
    message.code(Code::new(CODE).unwrap_or(Code::OK));
    Ok(())
}

async fn echo(mut message: Message) -> Result<(), Failure> {
    let body = message.take_body().await?;
    Ok(message.answer(&body).await?)
}

async fn requests(answer: Answer, count: u64) -> io::Result<Figure> {
    let server = Server::bind("tcp://127.0.0.1:0").on_message(1u32, answer_code).on_message(2u32, echo).serve().await?;
    let mut lines = Vec::new();
    for _ in 0..LINES {
        lines.push(Client::connect(server.address()).await?);
    }
    let call = move |line: Line| async move {
        let body = Bytes::from_static(&BODY);
        match answer {
            Answer::Code => {
                black_box(line.ask(1u32, &body).await?);
            }
            Answer::Body => {
                black_box(line.request::<_, Bytes>(2u32, &body).await?);
            }
        }
        Ok(())
    };
    callers(&lines, count, call).await
}

async fn trip(size: usize, count: u64) -> io::Result<Figure> {
    let server = Server::bind("tcp://127.0.0.1:0").on_message(2u32, echo).serve().await?;
    let line = Client::connect(server.address()).await?;
    let body = Bytes::from(vec![BODY[0]; size]);
    trips(count, async move || {
        black_box(line.request::<_, Bytes>(2u32, &body).await?);
        Ok(())
    })
    .await
}

async fn bulk(count: u64) -> io::Result<Figure> {
    let pair = Pair::open(Config::DEFAULT).await?;
    let mut messages = pair.far.messages();
    let (mut writer, _answer) = pair.near.open(1u32, &()).into_stream().await?;
    let mut message = messages.next().await.ok_or(io::ErrorKind::ConnectionAborted)?;
    let mut reader: StreamReader = message.stream().await?;
    let block = Arc::new(vec![BODY[0]; BLOCK]);
    let start = Instant::now();
    let sender = tokio::spawn(async move {
        for _ in 0..count {
            writer.send(&block).await?;
        }
        writer.finish().await
    });
    let mut left = count * BLOCK as u64;
    while left > 0 {
        let chunk = reader.chunk().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        left -= black_box(chunk).len() as u64;
    }
    let took = start.elapsed();
    drop(reader.chunk().await?);
    sender.await??;
    Ok(Figure::throughput(count * BLOCK as u64, took))
}

async fn file(files: Files) -> io::Result<Figure> {
    let folder = files.target.parent().ok_or(io::ErrorKind::NotFound)?.to_owned();
    let name = files.target.file_name().and_then(|name| name.to_str()).ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    let size = std::fs::metadata(&files.source)?.len();
    let pair = Pair::open(Config::DEFAULT).await?;
    let mut messages = pair.far.messages();
    let start = Instant::now();
    let upload = pair.near.send_file(files.source.as_path()).await?;
    let mut message = messages.next().await.ok_or(io::ErrorKind::ConnectionAborted)?;
    let offered = message.file().await?.ok_or(io::ErrorKind::NotFound)?;
    let download = offered.save(Save::in_folder(&folder).name(&name)).await?;
    upload.finished().await?;
    download.finished().await?;
    Ok(Figure::throughput(size, start.elapsed()))
}
