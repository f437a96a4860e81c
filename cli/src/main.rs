//! Messages, streams and files between two programs, from the command line.
//!
//! A file a subcommand; what they share is how they connect ([`client`]), what they show ([`output`]) and how they end
//! ([`exit`]). Nothing here knows the protocol: it is the library's first user.

#![forbid(unsafe_code)]

mod body;
mod client;
mod clock;
mod demo;
mod disk;
mod exit;
mod fetch;
mod input;
#[cfg(feature = "seal")]
mod key;
mod listing;
mod notify;
mod output;
mod ping;
mod request;
#[cfg(feature = "seal")]
mod seal;
mod send;
mod serve;
mod signal;
mod talk;
mod trace;
mod transfer;

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::exit::Failed;
use crate::output::Output;
use crate::talk::Talk;

/// How long work that blocks, such as a write to a slow disk, may hold up the end of the program.
const LAST_WORK: Duration = Duration::from_secs(2);
/// Where help shows what all subcommands share: behind their own.
const LAST: usize = 100;

/// Messages, streams and files between two programs over one line.
///
/// Without a command, runs the demo.
#[derive(Debug, Parser)]
#[command(name = "ropeway", version, after_help = exit::LIST)]
struct Cli {
    /// Show results as JSON, one object a line; and on standard error, if it fails, one that says why
    #[arg(long, global = true, display_order = LAST)]
    json: bool,
    /// Show results only, and no progress
    #[arg(short, long, global = true, display_order = LAST)]
    quiet: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    #[command(flatten)]
    Talk(Talk),
    #[cfg(feature = "seal")]
    #[command(subcommand)]
    Key(key::Command),
    #[command(subcommand)]
    Trace(trace::Command),
}

fn main() -> ExitCode {
    let Cli { json, quiet, command } = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return unparsed(&error),
    };
    let out = Output::new(json, quiet);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return end(&out, Failed::internal(error).about("no runtime")),
    };
    let outcome = runtime.block_on(async {
        match command.unwrap_or_else(|| Command::Demo(demo::Args::default())) {
            Command::Demo(args) => demo::run(args, &out).await,
            Command::Talk(talk) => talk.run(&out).await,
            #[cfg(feature = "seal")]
            Command::Key(command) => key::run(command, &out).await,
            Command::Trace(command) => trace::run(command, &out).await,
        }
    });
    runtime.shutdown_timeout(LAST_WORK);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => end(&out, failed),
    }
}

/// Help and the version are what was asked for; anything else is bad usage.
fn unparsed(error: &clap::Error) -> ExitCode {
    if error.use_stderr() {
        let json = env::args_os().any(|argument| argument == "--json");
        return end(&Output::new(json, true), Failed::usage(error));
    }
    // Nobody may read it to its end.
    let _ = error.print();
    ExitCode::SUCCESS
}

fn end(out: &Output, failed: Failed) -> ExitCode {
    out.failed(&failed);
    failed.exit.into()
}
