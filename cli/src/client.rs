//! What every subcommand does that opens a line: connect, work, close, and stop at a Ctrl-C.

use std::time::Duration;

use clap::Args;
#[cfg(feature = "seal")]
use ropeway_tokio::Error;
use ropeway_tokio::{Address, Client, CloseCode, Line};
use tokio::time::timeout;

use crate::exit::{Exit, Failed};
use crate::output::Output;
use crate::signal::Interrupts;
use crate::trace::Tape;

/// How long a peer may hold up the goodbye once nothing else is left to do.
const GOODBYE: Duration = Duration::from_secs(5);
/// How long it may after a Ctrl-C.
const HASTY_GOODBYE: Duration = Duration::from_millis(500);

/// Where the peer is.
#[derive(Args, Clone, Debug)]
pub(crate) struct Peer {
    /// Where the peer listens: tcp://HOST:PORT or unix:///PATH; see the README for others
    #[arg(value_name = "ADDRESS")]
    pub(crate) address: Address,
    /// Trust the authorities in this file, in PEM format, over TLS; the platform's without it
    #[cfg(feature = "tls")]
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<std::path::PathBuf>,
    #[cfg(feature = "seal")]
    #[command(flatten)]
    seal: crate::seal::OfClient,
    /// Where the line is recorded, if it is
    #[arg(skip)]
    pub(crate) trace: Option<Tape>,
}

impl Peer {
    /// Opens a line, works on it, and closes it behind what was sent. A Ctrl-C drops the work.
    pub(crate) async fn with_line<T>(
        &self,
        out: &Output,
        work: impl AsyncFnOnce(&Line) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        let mut interrupts = Interrupts::listen()?;
        let line = tokio::select! {
            line = self.connect(out) => line?,
            () = interrupts.next() => return Err(Failed::interrupted()),
        };
        let outcome = tokio::select! {
            outcome = work(&line) => outcome,
            () = interrupts.next() => Err(Failed::interrupted()),
        };
        let patience = if outcome.is_ok() { GOODBYE } else { HASTY_GOODBYE };
        // The work is done or failed: that the peer does not hear the goodbye changes neither.
        let _ = timeout(patience, line.close(CloseCode::DONE, "")).await;
        let traced = timeout(patience, line.traced()).await;
        match (outcome, traced) {
            #[cfg(feature = "seal")]
            (Err(failed), _) => {
                // This end may think that the line is open before the peer does.
                let ended = timeout(Duration::ZERO, line.ended()).await;
                Err(failed.adding(ended.ok().and_then(|ended| self.seal.hint(&ended))))
            }
            #[cfg(not(feature = "seal"))]
            (Err(failed), _) => Err(failed),
            (Ok(_), Ok(Err(error))) => Err(Failed::new(Exit::File, format!("can't record the line: {error}"))),
            (Ok(_), Err(_)) => Err(Failed::new(Exit::File, "the recording is not complete: writing it takes too long")),
            (Ok(done), Ok(Ok(()))) => Ok(done),
        }
    }

    #[cfg_attr(not(feature = "seal"), expect(unused_variables, reason = "there is nothing to warn of"))]
    async fn connect(&self, out: &Output) -> Result<Line, Failed> {
        let client = Client::to(&self.address);
        let client = match &self.trace {
            Some(tape) => {
                let tape = tape.clone();
                client.trace_with(move |_| tape.recording())
            }
            None => client,
        };
        #[cfg(feature = "tls")]
        let client = match &self.tls_ca {
            Some(file) => client.tls(ropeway_tokio::ClientTls::trusting(file).map_err(Failed::unusable)?),
            None => client,
        };
        #[cfg(feature = "seal")]
        let client = self.seal.of(client, out).await?;
        client.connect().await.map_err(|error| {
            #[cfg(feature = "seal")]
            let hint = match &error {
                Error::Closed(ended) => self.seal.hint(ended),
                _ => None,
            };
            let failed = Failed::unreached(error, &self.address);
            #[cfg(feature = "seal")]
            let failed = failed.adding(hint);
            failed
        })
    }
}
