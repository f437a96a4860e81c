//! `ropeway serve`: echo, time, and a folder that takes files and offers them.

mod clock;
mod folder;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ropeway_tokio::{
    Address, Body, Code, Endpoint, Failure, Line, Message, Server, ServerBuilder, Shutdown, Tokio, printable,
};
use serde::Serialize;

use crate::body::{Received, seconds};
use crate::disk::{blocking, check_folder};
use crate::exit::Failed;
use crate::output::{Output, micros};
use crate::signal::Interrupts;

/// For the help text: the actions, what they take and what they return.
const ACTIONS: &str = "\
Actions:
  ACTION      TAKES                       RETURNS
  echo        anything                    the same
  time        nothing                     text: the time of day, such as 2026-11-20T10:14:00Z (UTC)

With --dir:
  ACTION      TAKES                       RETURNS
  file        any number of files         code 0 once all are in the folder, else 1 (rejected)
  files.list  nothing                     text: a line for each file, with its size in octets and its name
  files.get   text: the name of a file    the file, attached to an answer without a body

A file is refused that exists, is hidden, or has a name that leads elsewhere. Anything else that comes is shown, and
answered with code 2 (not implemented).

For example, against a server on tcp://127.0.0.1:7000:
  ropeway request tcp://127.0.0.1:7000 echo hello
  ropeway send tcp://127.0.0.1:7000 FILE              the action is file
  ropeway fetch tcp://127.0.0.1:7000 NAME             the action is files.get";

/// Answer echo and time, take files into a folder and offer those in it
#[derive(clap::Args, Debug)]
#[command(after_help = ACTIONS)]
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
    if let Some(dir) = dir.clone() {
        blocking(move || check_folder(&dir)).await?;
    }
    let server = with_folder(Server::bind(&address), dir, out)
        .on("echo", |body: Body| async { Ok(body) })
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
    shrug(out.note("stopping", &Stopping { lines: server.lines().len(), grace }));
    tokio::select! {
        Shutdown { closed, cut, .. } = server.shutdown(grace) => out.note("stopped", &Stopped { closed, cut }),
        () = interrupts.next() => Err(Failed::interrupted()),
    }
}

fn with_folder(server: ServerBuilder<Tokio>, dir: Option<PathBuf>, out: &Output) -> ServerBuilder<Tokio> {
    let Some(dir) = dir else { return server };
    let folder = Arc::new(folder::Folder::new(dir, out.clone()));
    let [take, list, offer] = [folder.clone(), folder.clone(), folder];
    server
        .on_message("file", move |message| take.clone().take(message))
        .on("files.list", move |()| list.clone().list())
        .on_message("files.get", move |message| offer.clone().offer(message))
}

/// Shows what nobody handles.
async fn unknown(mut message: Message, out: Output) -> Result<(), Failure> {
    let body = Received::new(message.body().await?);
    let from = peer(message.line());
    let shown = Unknown { from, action: message.action().to_string(), request: message.wants_answer(), body };
    shrug(out.note("message", &shown));
    Err(Code::NOT_IMPLEMENTED.into())
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
    match &line.endpoints().peer {
        // A client of a Unix socket has no path of its own.
        Some(Endpoint::Unix(None)) => "local peer".into(),
        Some(peer) => printable(&peer.to_string()).to_string(),
        None => "unknown peer".into(),
    }
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
struct Stopping {
    lines: usize,
    #[serde(rename = "grace_micros", serialize_with = "micros")]
    grace: Duration,
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
        write!(f, "{}: {kind} {}", self.from, self.action)?;
        if self.body.is_none() { Ok(()) } else { write!(f, " {}", self.body) }
    }
}

impl fmt::Display for Stopping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lines, grace) = (lines(self.lines), self.grace);
        write!(f, "stopping: {lines} open, open work has {grace:?}; another Ctrl-C ends it at once")
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stopped: {} closed, {} cut", lines(self.closed), self.cut)
    }
}

fn lines(count: usize) -> String {
    if count == 1 { "1 line".into() } else { format!("{count} lines") }
}
