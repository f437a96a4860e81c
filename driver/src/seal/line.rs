//! What a line's handle has to say of sealing.

use std::future::poll_fn;
use std::task::Poll;

use ropeway_core::Side;
use ropeway_core::seal::PublicKey;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::exchange::Open;
use crate::line::Line;
use crate::state::{State, Turn};
use crate::waiting::Waiting;

/// How a line is sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sealing {
    /// The name of the suite.
    pub suite: String,
    /// The peer's key, if it showed one.
    pub peer_key: Option<PublicKey>,
    /// What only the two ends of this line have in common: to bind to it what is proved otherwise. It is no secret.
    pub binding: [u8; 32],
    /// What this end says from now on is sealed.
    pub ours: bool,
    /// What the peer says is.
    pub theirs: bool,
}

impl Line {
    /// How the line is sealed; `None` if it has no keys.
    pub fn sealing(&self) -> Option<Sealing> {
        sealing(&self.lock())
    }

    /// Waits until one of the ends seals what it says otherwise than in `known`, or already does: how it is then. What was known
    /// before something was asked for can't be missed:
    ///
    /// ```no_run
    /// # async fn example(line: ropeway_driver::Line) -> Result<(), ropeway_driver::Error> {
    /// if let Some(known) = line.sealing().filter(|known| !known.theirs) {
    ///     line.ask_to_seal(true).await?;
    ///     line.sealing_changed(&known).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Closed`] when the line is over; [`Error::Seal`] if it has no keys.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn sealing_changed(&self, known: &Sealing) -> Result<Sealing, Error> {
        let mut waiting = Waiting::new(self, Turn::default());
        poll_fn(|cx| {
            let mut state = self.lock();
            if let Some(error) = state.over() {
                return Poll::Ready(Err(error));
            }
            match sealing(&state) {
                Some(now) if (now.ours, now.theirs) != (known.ours, known.theirs) => return Poll::Ready(Ok(now)),
                None if state.machine.peer().is_some() => return Poll::Ready(Err(super::SealError::NoKeys.into())),
                _ => {}
            }
            state.wait_for_phase(&mut waiting.turn, cx);
            Poll::Pending
        })
        .await
    }

    /// Seals what this end says from here on, or does not any more.
    ///
    /// # Errors
    /// [`Error::Seal`] if the line has no keys, or the policies fix it; [`Error::Closed`].
    ///
    /// # Cancel safety
    /// Dropped early, nothing may have changed.
    pub async fn seal(&self, on: bool) -> Result<(), Error> {
        let mut waiting = Waiting::new(self, Turn::default());
        poll_fn(|cx| waiting.poll(cx, |state, _| state.machine.seal(on))).await
    }

    /// Asks the peer to seal what it says, or not to any more. [`sealing_changed`](Line::sealing_changed) tells when it does.
    ///
    /// # Errors
    /// As [`seal`](Line::seal).
    ///
    /// # Cancel safety
    /// Dropped early, the peer may not have been asked.
    pub async fn ask_to_seal(&self, on: bool) -> Result<(), Error> {
        let mut waiting = Waiting::new(self, Turn::default());
        poll_fn(|cx| waiting.poll(cx, |state, _| state.machine.ask_to_seal(on))).await
    }

    /// Goes on with the next key for what this end says. That happens by itself, too.
    ///
    /// # Errors
    /// As [`seal`](Line::seal).
    ///
    /// # Cancel safety
    /// Dropped early, nothing may have changed.
    pub async fn rekey(&self) -> Result<(), Error> {
        let mut waiting = Waiting::new(self, Turn::default());
        poll_fn(|cx| waiting.poll(cx, |state, _| state.machine.rekey())).await
    }

    /// Agrees on fresh keys for both directions: who has read all that this end knew before does not know them. Whose other end
    /// was read has that one ask.
    ///
    /// # Errors
    /// As [`seal`](Line::seal), and [`Error::Io`] if there is no randomness to be had.
    ///
    /// # Cancel safety
    /// Dropped early, nothing may have changed.
    pub async fn rekey_afresh(&self) -> Result<(), Error> {
        let entropy = Zeroizing::new(crate::entropy()?);
        let mut waiting = Waiting::new(self, Turn::default());
        poll_fn(|cx| waiting.poll(cx, |state, _| state.machine.rekey_afresh(*entropy))).await
    }
}

fn sealing(state: &State) -> Option<Sealing> {
    let sealer = state.machine.sealer().as_deref()?;
    Some(Sealing {
        suite: sealer.suite()?.into(),
        peer_key: sealer.peer_key().copied(),
        binding: *sealer.binding()?,
        ours: state.machine.will_seal(),
        theirs: state.machine.is_sealed(Side::Them),
    })
}

impl Open {
    /// Seals it even if the line is not, with all that belongs to it, and what is answered. The line needs keys. The names of its
    /// action and type may have been said before.
    pub fn sealed(mut self) -> Open {
        self.sealed = true;
        self
    }
}
