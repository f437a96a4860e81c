//! tarpc over TCP with bincode, as its docs set it up: what a user would pick today for requests.
//!
//! Bodies are byte buffers to serde, as lists of numbers would be slower still, and frames may
//! exceed their default of 8 MiB, for the largest round trip.

use std::hint::black_box;
use std::io;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use ropeway_tokio::{Tokio, TokioIo};
use serde_bytes::ByteBuf;
use tarpc::serde_transport::{self, Transport};
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats::Bincode;
use tarpc::tokio_util::codec::{Framed, LengthDelimitedCodec};
use tarpc::{client, context};
use tokio::net::TcpStream;

use crate::figure::Figure;
use crate::home::{Home, pair};
use crate::side::{Answer, BODY, CODE, LINES, Round, Shape, Side, Trips};
use crate::side::{callers, resident};
use crate::wire::Wire;

const LARGEST_FRAME: usize = 64 * 1024 * 1024;

/// tarpc with its own TCP transport; it has no one-way messages, streams or files.
pub(crate) struct Tarpc;

impl Side for Tarpc {
    fn kind(&self) -> &'static str {
        "tarpc"
    }

    fn home(&self) -> &'static str {
        Tokio::NAME
    }

    fn round(&self, Round { wire, shape, count, .. }: Round) -> Option<BoxFuture<'static, io::Result<Figure>>> {
        if wire != Wire::Tcp {
            return None;
        }
        match shape {
            Shape::Requests(answer) => Some(requests(answer, count).boxed()),
            Shape::Trip(size) => Some(trip(size, count).boxed()),
            Shape::Idle => Some(resident::<Tokio, _, _>(count, idle).boxed()),
            Shape::Notices | Shape::Bulk | Shape::File { .. } | Shape::Lanes(_) | Shape::Opens => None,
        }
    }

    fn run(&self, round: BoxFuture<'static, io::Result<Figure>>) -> io::Result<Figure> {
        Tokio::run(round)
    }
}

#[tarpc::service]
trait Peer {
    async fn code(body: ByteBuf) -> u16;
    async fn echo(body: ByteBuf) -> ByteBuf;
}

#[derive(Clone)]
struct Answers;

impl Peer for Answers {
    async fn code(self, _: context::Context, body: ByteBuf) -> u16 {
        black_box(body);
        CODE
    }

    async fn echo(self, _: context::Context, body: ByteBuf) -> ByteBuf {
        body
    }
}

async fn requests(answer: Answer, count: u64) -> io::Result<Figure> {
    let mut lines = Vec::new();
    for _ in 0..LINES {
        lines.push(line().await?);
    }
    let call = move |line| async move {
        match answer {
            Answer::Code => code(&line).await,
            Answer::Body => echo(&line, ByteBuf::from(BODY)).await,
        }
    };
    callers::<Tokio, _, _, _>(&lines, count, call).await
}

async fn trip(size: usize, count: u64) -> io::Result<Figure> {
    let line = line().await?;
    let message = ByteBuf::from(vec![BODY[0]; size]);
    let mut trips = Trips::default();
    for _ in 0..count {
        trips.make(echo(&line, message.clone())).await?;
    }
    Ok(trips.figure())
}

async fn idle() -> io::Result<PeerClient> {
    let line = line().await?;
    code(&line).await?;
    Ok(line)
}

async fn code(line: &PeerClient) -> io::Result<()> {
    let code = line.code(context::current(), ByteBuf::from(BODY)).await;
    black_box(code).map(drop).map_err(io::Error::other)
}

async fn echo(line: &PeerClient, body: ByteBuf) -> io::Result<()> {
    let body = line.echo(context::current(), body).await;
    black_box(body).map(drop).map_err(io::Error::other)
}

/// A client; its server runs until the client is dropped.
async fn line() -> io::Result<PeerClient> {
    let (TokioIo(near), TokioIo(far)) = pair::<Tokio>()?;
    let server = BaseChannel::with_defaults(transport(far));
    tokio::spawn(server.execute(Answers.serve()).for_each(|answer| async move {
        tokio::spawn(answer);
    }));
    Ok(PeerClient::new(client::Config::default(), transport(near)).spawn())
}

fn transport<In, Out>(line: TcpStream) -> Transport<TcpStream, In, Out, Bincode<In, Out>>
where
    In: for<'a> serde::Deserialize<'a>,
    Out: serde::Serialize,
{
    let frames = LengthDelimitedCodec::builder().max_frame_length(LARGEST_FRAME).new_codec();
    serde_transport::new(Framed::new(line, frames), Bincode::default())
}
