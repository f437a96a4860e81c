//! `ropeway serve`: echo, time, and a folder that takes files and offers them.

mod clock;
mod folder;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ropeway_tokio::{
    Address, BodyKind, Code, Error, Failure, Line, Message, Server, ServerBuilder, Shutdown, Tokio, printable,
};
use serde::Serialize;

use crate::body::{Received, seconds};
use crate::exit::{Exit, Failed};
use crate::output::Output;
use crate::signal::Interrupts;

/// Answer echo and time, take files into a folder and offer those in it
///
/// Actions: echo answers text and octets as they came, time the time of day (UTC), files.list the files of the folder,
/// files.get NAME one of them; file drops files into the folder. Anything else is shown, and answered "not implemented".
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Where to listen: tcp://HOST:PORT, port 0 for any, or unix:///PATH
    address: Address,
    /// The folder for files; none are taken or offered without it
    #[arg(short, long)]
    dir: Option<PathBuf>,
    /// Seconds that open work may take after a Ctrl-C; a second one ends at once
    #[arg(short, long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    grace: Duration,
}

pub(crate) async fn run(args: Args, out: &Output) -> Result<(), Failed> {
    let Args { address, dir, grace } = args;
    let mut interrupts = Interrupts::listen()?;
    let server = with_folder(Server::bind(&address), dir, out)?
        .on_message("echo", echo)
        .on("time", |()| async { Ok(clock::now()) })
        .fallback({
            let out = out.clone();
            move |message| unknown(message, out.clone())
        })
        .on_line({
            let out = out.clone();
            move |line| greet(line, out.clone())
        });
    let server = server.serve().await;
    let server = server.map_err(|error| Failed::unconnected(error).about(format_args!("can't listen on {address}")))?;
    out.result("listening", &Listening { address: server.address().to_string() })?;
    interrupts.next().await;
    tokio::select! {
        Shutdown { closed, cut, .. } = server.shutdown(grace) => out.note("stopped", &Stopped { closed, cut }),
        () = interrupts.next() => Err(Failed::interrupted()),
    }
}

fn with_folder(
    server: ServerBuilder<Tokio>,
    dir: Option<PathBuf>,
    out: &Output,
) -> Result<ServerBuilder<Tokio>, Failed> {
    let Some(dir) = dir else { return Ok(server) };
    if !dir.is_dir() {
        return Err(Failed::new(Exit::File, format!("{}: not a folder", printable(&dir.to_string_lossy()))));
    }
    let folder = Arc::new(folder::Folder::new(dir, out.clone()));
    let [take, list, offer] = [folder.clone(), folder.clone(), folder];
    Ok(server
        .on_message("file", move |message| take.clone().take(message))
        .on("files.list", move |()| list.clone().list())
        .on_message("files.get", move |message| offer.clone().offer(message)))
}

/// Text and octets go back as what they are. A value of a type is not known here.
async fn echo(mut message: Message) -> Result<(), Error> {
    let body = message.body().await?.clone();
    match body.kind() {
        BodyKind::None => message.answer(&()).await,
        BodyKind::Text => match body.decode::<String>() {
            Ok(text) => message.answer(&text).await,
            Err(error) => message.fail(Failure::new(Code::BAD_REQUEST, error.to_string())).await,
        },
        BodyKind::Bytes => message.answer::<Bytes>(&body.into_bytes()).await,
        _ => message.fail(Code::WRONG_TYPE).await,
    }
}

/// Shows what nobody handles.
async fn unknown(mut message: Message, out: Output) -> Result<(), Error> {
    let body = Received::new(message.body().await?);
    let from = peer(message.line());
    let shown = Unknown { from, action: message.action().to_string(), request: message.wants_answer(), body };
    shrug(out.note("message", &shown));
    message.fail(Code::NOT_IMPLEMENTED).await
}

/// Shows a line come and go.
async fn greet(line: Line, out: Output) -> Result<(), Failure> {
    shrug(out.note("line", &Came { from: peer(&line) }));
    tokio::spawn(async move {
        let ended = line.ended().await;
        shrug(out.note("over", &Went { from: peer(&line), reason: ended.to_string() }));
    });
    Ok(())
}

/// Where a line's peer is.
fn peer(line: &Line) -> String {
    line.endpoints().peer.as_ref().map_or_else(|| "unknown".into(), |peer| printable(&peer.to_string()).to_string())
}

/// A server goes on when nobody reads what it shows any more.
fn shrug(_: Result<(), Failed>) {}

#[derive(Serialize)]
struct Listening {
    address: String,
}

#[derive(Serialize)]
struct Came {
    from: String,
}

#[derive(Serialize)]
struct Went {
    from: String,
    reason: String,
}

#[derive(Serialize)]
struct Unknown {
    from: String,
    action: String,
    request: bool,
    #[serde(flatten)]
    body: Received,
}

#[derive(Serialize)]
struct Stopped {
    closed: usize,
    cut: usize,
}

impl fmt::Display for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "listening on {}", self.address)
    }
}

impl fmt::Display for Came {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: line open", self.from)
    }
}

impl fmt::Display for Went {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: line over, {}", self.from, self.reason)
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.request { "request" } else { "notice" };
        write!(f, "{}: {kind} {} {}", self.from, self.action, self.body)
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stopped: {} lines closed, {} cut", self.closed, self.cut)
    }
}
