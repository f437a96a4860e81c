//! `ropeway serve`: echo, time, and a folder that takes files and offers them.

mod folder;
mod guest;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::HumanBytes;
use ropeway_tokio::{Address, Code, Config, Failure, Line, Message, Router, Server, Shutdown};
use serde::Serialize;
use tokio::time::timeout;

use self::folder::Folder;
#[cfg(feature = "seal")]
pub(crate) use self::guest::peer;
use self::guest::{Guest, Guests};
use crate::body::{Received, seconds};
use crate::clock;
use crate::disk::{blocking, check_folder};
use crate::exit::{Exit, Failed};
use crate::output::{Output, micros};
use crate::signal::Interrupts;
use crate::trace::Tape;

/// How long the last words on lines that are over may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// For the help text: the actions, what they take and what they return.
const ACTIONS: &str = "\
Actions:
  ACTION      TAKES                       RETURNS
  echo        anything                    the same
  time        nothing                     text: the time of day, such as 2026-11-20T10:14:00Z (UTC)

With --dir:
  ACTION      TAKES                       RETURNS
  file        any number of files         code 0 once all are in the folder, else 1 (rejected)
  files.list  nothing                     a Listing: of each file the name, and the size in octets
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
    /// Show the chain of certificates in this file, in PEM format, over TLS
    #[cfg(feature = "tls")]
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The private key of the first of them
    #[cfg(feature = "tls")]
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    #[cfg(feature = "seal")]
    #[command(flatten)]
    seal: crate::seal::OfServer,
    /// The folder for files; none are taken or offered without it
    #[arg(short, long)]
    dir: Option<PathBuf>,
    /// Seconds that open work may take after a Ctrl-C; a second one ends at once
    #[arg(short, long, value_name = "SECONDS", default_value = "5", value_parser = seconds, allow_negative_numbers = true)]
    grace: Duration,
    /// Show each message, not only those that bring or fetch files, or that nobody handles
    #[arg(short, long)]
    verbose: bool,
    /// Where lines are recorded, if they are
    #[arg(skip)]
    pub(crate) trace: Option<Tape>,
}

pub(crate) async fn run(args: Args, out: &Output) -> Result<(), Failed> {
    let server = Server::bind(&args.address);
    #[cfg(feature = "tls")]
    let server = match args.tls_cert.as_ref().zip(args.tls_key.as_ref()) {
        Some((chain, key)) => server.tls(ropeway_tokio::ServerTls::showing(chain, key).map_err(Failed::unusable)?),
        None => server,
    };
    #[cfg(feature = "seal")]
    let wants = args.seal.wants();
    #[cfg(feature = "seal")]
    let server = args.seal.of(server, out).await?;
    let Args { dir, grace, verbose, trace, .. } = args;
    let recorded = trace.is_some();
    let server = match trace {
        Some(tape) => server.trace_with(blocking(move || tape.recordings()).await?),
        None => server,
    };
    let mut interrupts = Interrupts::listen()?;
    if let Some(dir) = dir.clone() {
        blocking(move || check_folder(&dir)).await?;
    }
    let guests = Arc::new(Guests::new(out.clone(), verbose));
    let unopened = guests.clone();
    let server = server.on_unopened(move |endpoints, ended| {
        #[cfg(feature = "seal")]
        let more = wants.of(ended);
        #[cfg(not(feature = "seal"))]
        let more = None;
        unopened.turn_away(endpoints, ended, more);
    });
    let untraced = Arc::new(AtomicU64::new(0));
    let house =
        House { guests: guests.clone(), untraced: untraced.clone(), folder: dir.map(Folder::new).map(Arc::new) };
    let server = server.on_line(move |line| {
        house.receive(line);
        async { Ok(()) }
    });
    let server = server.serve().await.map_err(Failed::unconnected)?;
    out.result("listening", &Listening { address: server.address().to_string() })?;
    interrupts.next().await;
    shrug(out.note("stopping", &Stopping { lines: server.lines().len(), grace }));
    let stopped = async {
        let stopped = server.shutdown(grace).await;
        // What is missing of them by then waits for a disk.
        let _ = timeout(LAST_WORDS, guests.all_gone()).await;
        stopped
    };
    let Shutdown { closed, cut, .. } = tokio::select! {
        stopped = stopped => stopped,
        () = interrupts.next() => return Err(Failed::interrupted()),
    };
    out.note("stopped", &Stopped { closed, cut })?;
    match untraced.load(Ordering::Relaxed) {
        lines if recorded && lines > 0 => Err(Failed::new(
            Exit::File,
            format!("the recording is not complete: it lacks all or the end of {lines} lines"),
        )),
        _ => Ok(()),
    }
}

/// What every line finds here.
struct House {
    guests: Arc<Guests>,
    folder: Option<Arc<Folder>>,
    /// Lines whose trace is not written to its end, or never will be.
    untraced: Arc<AtomicU64>,
}

impl House {
    /// Serves a line to its end, in a task of its own.
    fn receive(&self, line: Line) {
        let (guest, farewell) = self.guests.welcome(&line);
        let router = Arc::new(self.router(&guest));
        drop(guest);
        let untraced = self.untraced.clone();
        untraced.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            // The handlers can be: they are the same for every line.
            let _ = router.serve(line.clone(), Config::DEFAULT.handlers).await;
            let ended = line.ended().await;
            if line.traced().await.is_ok() {
                untraced.fetch_sub(1, Ordering::Relaxed);
            }
            farewell.say(&ended).await;
        });
    }

    /// The handlers of a line.
    fn router(&self, guest: &Guest) -> Router {
        let router = Router::new()
            .on_message("echo", logged(guest, echo))
            .on_message("time", logged(guest, time))
            .fallback(with(guest, unknown));
        let Some(folder) = &self.folder else { return router };
        let [take, list, offer] = [(); 3].map(|()| folder.clone());
        router
            .on_message("file", logged(guest, move |message, guest| take.clone().take(message, guest)))
            .on_message("files.list", logged(guest, move |message, _| list.clone().list(message)))
            .on_message("files.get", logged(guest, move |message, guest| offer.clone().offer(message, guest)))
    }
}

/// A handler that is told whose message it is.
fn with<F, Fut>(guest: &Guest, handler: F) -> impl Fn(Message) -> Fut + use<F, Fut>
where
    F: Fn(Message, Guest) -> Fut,
{
    let guest = guest.clone();
    move |message| handler(message, guest.clone())
}

/// The same, each message shown if that is wanted.
fn logged<F, Fut>(guest: &Guest, handler: F) -> impl Fn(Message) -> Fut + use<F, Fut>
where
    F: Fn(Message, Guest) -> Fut,
{
    with(guest, move |message, guest| {
        guest.detail("handled", || Handled {
            action: message.action().to_string(),
            request: message.wants_answer(),
            octets: message.size(),
        });
        handler(message, guest)
    })
}

async fn echo(mut message: Message, _: Guest) -> Result<(), Failure> {
    let body = message.take_body().await?;
    Ok(message.answer(&body).await?)
}

async fn time(mut message: Message, _: Guest) -> Result<(), Failure> {
    let () = message.decode().await?;
    Ok(message.answer(&clock::now()).await?)
}

/// Shows what nobody handles.
async fn unknown(mut message: Message, guest: Guest) -> Result<(), Failure> {
    let body = Received::new(message.body().await?);
    let (action, request) = (message.action().to_string(), message.wants_answer());
    guest.note("message", &Unknown { action, request, body });
    Err(Code::NOT_IMPLEMENTED.into())
}

/// A server goes on when nobody reads what it shows any more.
fn shrug(_: Result<(), Failed>) {}

#[derive(Serialize)]
struct Listening {
    address: String,
}

#[derive(Serialize)]
struct Handled {
    action: String,
    request: bool,
    octets: u64,
}

#[derive(Serialize)]
struct Unknown {
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

impl fmt::Display for Handled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", kind(self.request), self.action)?;
        if self.octets == 0 { Ok(()) } else { write!(f, ", {}", HumanBytes(self.octets)) }
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", kind(self.request), self.action)?;
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

fn kind(request: bool) -> &'static str {
    if request { "request" } else { "notice" }
}
