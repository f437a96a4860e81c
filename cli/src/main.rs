//! Messages, streams and files between two programs, from the command line.
//!
//! A file a subcommand; what they share is how they connect ([`client`]), what they show ([`output`]) and how they end
//! ([`exit`]). Nothing here knows the protocol: it is the library's first user.

#![forbid(unsafe_code)]

mod body;
mod client;
mod demo;
mod exit;
mod fetch;
mod notify;
mod output;
mod ping;
mod request;
mod send;
mod serve;
mod signal;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::exit::{Exit, Failed};
use crate::output::Output;

/// How long work that blocks, such as a write to a slow disk, may hold up the end of the program.
const LAST_WORK: Duration = Duration::from_secs(2);

/// Messages, streams and files between two programs over one line.
///
/// Without a command, runs the demo.
#[derive(Debug, Parser)]
#[command(name = "ropeway", version, after_help = exit::LIST)]
struct Cli {
    /// Show results as JSON, one object a line
    #[arg(long, global = true)]
    json: bool,
    /// Show results only, and no progress
    #[arg(short, long, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

/// An address is `tcp://HOST:PORT` or `unix:///PATH`.
#[derive(Debug, Subcommand)]
enum Command {
    /// Show all of it on real data, and verify it: server and client in one process
    Demo(demo::Args),
    /// Answer echo and time, take files into a folder and offer those in it
    Serve(serve::Args),
    /// Send files
    Send(send::Args),
    /// Fetch a file, or a range of it
    Fetch(fetch::Args),
    /// Ask, and show the answers
    Request(request::Args),
    /// Send a message that wants no answer
    Notify(notify::Args),
    /// Measure round trips
    Ping(ping::Args),
}

fn main() -> ExitCode {
    let Cli { json, quiet, command } = Cli::parse();
    let out = Output::new(json, quiet);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return end(&out, Failed::new(Exit::Internal, format!("no runtime: {error}"))),
    };
    let outcome = runtime.block_on(async {
        match command.unwrap_or_else(|| Command::Demo(demo::Args::default())) {
            Command::Demo(args) => demo::run(args, &out).await,
            Command::Serve(args) => serve::run(args, &out).await,
            Command::Send(args) => send::run(args, &out).await,
            Command::Fetch(args) => fetch::run(args, &out).await,
            Command::Request(args) => request::run(args, &out).await,
            Command::Notify(args) => notify::run(args, &out).await,
            Command::Ping(args) => ping::run(args, &out).await,
        }
    });
    runtime.shutdown_timeout(LAST_WORK);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => end(&out, failed),
    }
}

fn end(out: &Output, failed: Failed) -> ExitCode {
    out.failed(&failed);
    failed.exit.into()
}
