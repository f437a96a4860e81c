//! Ropeway by the handles a user has: a server with handlers, lines to it.

use std::hint::black_box;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures::channel::mpsc;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use ropeway_driver::{Client, ClientBuilder, Code, Config, Failure, Line, Message, Save, Server, ServerBuilder};

use crate::figure::Figure;
use crate::home::{Home, spawn};
use crate::side::{Answer, BLOCK, BODY, CODE, Files, LINES, Round, Shape, Side, Trips};
use crate::side::{callers, opens, resident};
use crate::wire::{Wire, tls};

/// Ropeway with default settings but for what a row needs.
pub(crate) struct Ropeway<H>(PhantomData<fn() -> H>);

impl<H> Ropeway<H> {
    pub(crate) const HERE: Self = Self(PhantomData);
}

impl<H: Home> Side for Ropeway<H> {
    fn kind(&self) -> &'static str {
        "ropeway"
    }

    fn home(&self) -> &'static str {
        H::NAME
    }

    fn round(&self, Round { wire, shape, count, files }: Round) -> Option<BoxFuture<'static, io::Result<Figure>>> {
        Some(match shape {
            Shape::Notices => notices::<H>(wire, count, 0).boxed(),
            Shape::Lanes(open) => notices::<H>(wire, count, open).map(|figure| figure.map(per_message)).boxed(),
            Shape::Requests(answer) => requests::<H>(wire, answer, count).boxed(),
            Shape::Trip(size) => trip::<H>(wire, size, count).boxed(),
            Shape::Bulk => bulk::<H>(wire, count).boxed(),
            Shape::File { verified: true } => file::<H>(wire, files).boxed(),
            Shape::File { verified: false } => return None,
            Shape::Opens => opened::<H>(wire, count).boxed(),
            Shape::Idle => {
                let open = move || Pair::<H>::open(wire, Config::DEFAULT);
                async move { resident::<H, _, _>(count, open).await }.boxed()
            }
        })
    }

    fn run(&self, round: BoxFuture<'static, io::Result<Figure>>) -> io::Result<Figure> {
        H::run(round)
    }
}

fn server<H: Home>(wire: Wire) -> io::Result<ServerBuilder<H>> {
    let server = Server::bind(wire.address()).tls(tls(wire)?.1);
    Ok(match wire.seals() {
        Some(seals) => server.seal(seals.server()),
        None => server,
    })
}

fn client<H: Home>(wire: Wire, server: &Server<H>) -> io::Result<ClientBuilder<H>> {
    let client = Client::to(server.address()).tls(tls(wire)?.0);
    Ok(match wire.seals() {
        Some(seals) => client.seal(seals.client()),
        None => client,
    })
}

/// Both ends of a line, and the server that accepted it.
struct Pair<H: Home> {
    _server: Server<H>,
    near: Line,
    far: Line,
}

impl<H: Home> Pair<H> {
    async fn open(wire: Wire, config: Config) -> io::Result<Self> {
        let (accepted, mut lines) = mpsc::unbounded();
        let server = server(wire)?
            .config(config.clone())
            .on_line(move |line| {
                let _ = accepted.unbounded_send(line);
                async { Ok(()) }
            })
            .serve()
            .await?;
        let near = client(wire, &server)?.config(config).connect().await?;
        let far = lines.next().await.ok_or(io::ErrorKind::ConnectionAborted)?;
        Ok(Pair { _server: server, near, far })
    }
}

/// Small messages one way, while so many exchanges stand open.
async fn notices<H: Home>(wire: Wire, count: u64, open: usize) -> io::Result<Figure> {
    let mut config = Config::DEFAULT;
    config.lanes = config.lanes.max(open as u16);
    let pair = Pair::<H>::open(wire, config).await?;
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
    let sender = spawn::<H, _>(async move {
        for _ in 0..count {
            near.notify(2u32, &body).await?;
        }
        Ok(())
    });
    for _ in 0..count {
        black_box(messages.next().await.ok_or(io::ErrorKind::ConnectionAborted)?);
    }
    let took = start.elapsed();
    sender.await?;
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

async fn requests<H: Home>(wire: Wire, answer: Answer, count: u64) -> io::Result<Figure> {
    let server = server::<H>(wire)?.on_message(1u32, answer_code).on_message(2u32, echo).serve().await?;
    let mut lines = Vec::new();
    for _ in 0..LINES {
        lines.push(client(wire, &server)?.connect().await?);
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
    callers::<H, _, _, _>(&lines, count, call).await
}

async fn opened<H: Home>(wire: Wire, count: u64) -> io::Result<Figure> {
    let server = server::<H>(wire)?.serve().await?;
    let server = &server;
    opens(count, || async move { Ok(client(wire, server)?.connect().await?) }).await
}

async fn trip<H: Home>(wire: Wire, size: usize, count: u64) -> io::Result<Figure> {
    let server = server::<H>(wire)?.on_message(2u32, echo).serve().await?;
    let line = client(wire, &server)?.connect().await?;
    let body = Bytes::from(vec![BODY[0]; size]);
    let mut trips = Trips::default();
    for _ in 0..count {
        let trip = async {
            black_box(line.request::<_, Bytes>(2u32, &body).await?);
            Ok(())
        };
        trips.make(trip).await?;
    }
    Ok(trips.figure())
}

async fn bulk<H: Home>(wire: Wire, count: u64) -> io::Result<Figure> {
    let pair = Pair::<H>::open(wire, Config::DEFAULT).await?;
    let mut messages = pair.far.messages();
    let (mut writer, _answer) = pair.near.open(1u32, &()).into_stream().await?;
    let mut message = messages.next().await.ok_or(io::ErrorKind::ConnectionAborted)?;
    let mut reader = message.stream().await?;
    let block = Arc::new(vec![BODY[0]; BLOCK]);
    let start = Instant::now();
    let sender = spawn::<H, _>(async move {
        for _ in 0..count {
            writer.send(&block).await?;
        }
        Ok(writer.finish().await?)
    });
    let mut left = count * BLOCK as u64;
    while left > 0 {
        let chunk = reader.chunk().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        left -= black_box(chunk).len() as u64;
    }
    let took = start.elapsed();
    drop(reader.chunk().await?);
    sender.await?;
    Ok(Figure::throughput(count * BLOCK as u64, took))
}

async fn file<H: Home>(wire: Wire, files: Files) -> io::Result<Figure> {
    let folder = files.target.parent().ok_or(io::ErrorKind::NotFound)?.to_owned();
    let name = files.target.file_name().and_then(|name| name.to_str()).ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    let size = std::fs::metadata(&files.source)?.len();
    let pair = Pair::<H>::open(wire, Config::DEFAULT).await?;
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
