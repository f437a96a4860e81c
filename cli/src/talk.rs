//! Commands that talk over a line, and can be recorded.

use crate::exit::Failed;
use crate::output::Output;
use crate::trace::Tape;
use crate::{fetch, notify, ping, request, send, serve};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Talk {
    Serve(serve::Args),
    Send(send::Args),
    Fetch(fetch::Args),
    Request(request::Args),
    Notify(notify::Args),
    Ping(ping::Args),
}

impl Talk {
    /// Where its lines are recorded, if they are.
    pub(crate) fn trace(&mut self) -> &mut Option<Tape> {
        match self {
            Talk::Serve(args) => &mut args.trace,
            Talk::Send(args) => &mut args.peer.trace,
            Talk::Fetch(args) => &mut args.peer.trace,
            Talk::Request(args) => &mut args.told.peer.trace,
            Talk::Notify(args) => &mut args.told.peer.trace,
            Talk::Ping(args) => &mut args.peer.trace,
        }
    }

    pub(crate) async fn run(self, out: &Output) -> Result<(), Failed> {
        match self {
            Talk::Serve(args) => serve::run(args, out).await,
            Talk::Send(args) => send::run(args, out).await,
            Talk::Fetch(args) => fetch::run(args, out).await,
            Talk::Request(args) => request::run(args, out).await,
            Talk::Notify(args) => notify::run(args, out).await,
            Talk::Ping(args) => ping::run(args, out).await,
        }
    }
}
