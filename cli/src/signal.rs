//! The wish of the person in front, or of the system, that the program ends.

use std::io;

use crate::exit::{Exit, Failed};

/// Hears a Ctrl-C and, where there is such a thing, SIGTERM; from its making on, for the system ends the program no more.
pub(crate) struct Interrupts(system::Signals);

impl Interrupts {
    pub(crate) fn listen() -> Result<Interrupts, Failed> {
        let failed = |error: io::Error| Failed::new(Exit::Internal, format!("can't listen for a Ctrl-C: {error}"));
        system::Signals::new().map(Interrupts).map_err(failed)
    }

    /// Waits for the next.
    pub(crate) async fn next(&mut self) {
        self.0.next().await;
    }
}

#[cfg(unix)]
mod system {
    use std::io;

    use tokio::signal::unix::{Signal, SignalKind, signal};

    pub(super) struct Signals {
        interrupt: Signal,
        terminate: Signal,
    }

    impl Signals {
        pub(super) fn new() -> io::Result<Signals> {
            let [interrupt, terminate] = [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
            Ok(Signals { interrupt, terminate })
        }

        pub(super) async fn next(&mut self) {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
            }
        }
    }
}

#[cfg(windows)]
mod system {
    use std::io;

    use tokio::signal::windows::{CtrlC, ctrl_c};

    pub(super) struct Signals(CtrlC);

    impl Signals {
        pub(super) fn new() -> io::Result<Signals> {
            ctrl_c().map(Signals)
        }

        pub(super) async fn next(&mut self) {
            self.0.recv().await;
        }
    }
}
