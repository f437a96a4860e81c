//! The lines of a server as it tells of them: numbered, and each with the first and the last word on itself.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use ropeway_tokio::{Ended, Endpoint, Endpoints, Line, printable};
use serde::Serialize;
use tokio::sync::watch;

use super::shrug;
use crate::exit::why;
use crate::output::Output;

/// All lines.
pub(super) struct Guests {
    came: AtomicU64,
    /// Watched by nobody: each line that is open holds a receiver.
    open: watch::Sender<()>,
    out: Output,
    verbose: bool,
}

/// A line, while it is open or something on it is under way: its last clone gone, it is over.
#[derive(Clone)]
pub(super) struct Guest {
    /// Addresses don't tell lines apart: those over a Unix socket have none.
    number: u64,
    from: String,
    out: Output,
    verbose: bool,
    _under_way: watch::Receiver<()>,
}

/// Says the last word on a line.
pub(super) struct Farewell {
    guest: Guest,
    under_way: watch::Sender<()>,
    _open: watch::Receiver<()>,
}

impl Guests {
    /// Those that are `verbose` show what is only of interest to who looks closely, too.
    pub(super) fn new(out: Output, verbose: bool) -> Guests {
        Guests { came: AtomicU64::new(0), open: watch::Sender::new(()), out, verbose }
    }

    /// Shows a line come.
    pub(super) fn welcome(&self, line: &Line) -> (Guest, Farewell) {
        let (guest, farewell) = self.enter(peer(line.endpoints()));
        guest.note("line", &Came::on(line));
        (guest, farewell)
    }

    /// Shows what did not become a line, and what more there is to say of it.
    pub(super) fn turn_away(&self, from: &Endpoints, ended: &Ended, more: Option<String>) {
        let reason = more.map_or_else(|| why(ended), |more| format!("{}; {more}", why(ended)));
        shrug(self.out.note("unopened", &Unopened { from: peer(from), reason }));
    }

    fn enter(&self, from: String) -> (Guest, Farewell) {
        let (under_way, receiver) = watch::channel(());
        let number = self.came.fetch_add(1, Ordering::Relaxed) + 1;
        let guest = Guest { number, from, out: self.out.clone(), verbose: self.verbose, _under_way: receiver };
        (guest.clone(), Farewell { guest, under_way, _open: self.open.subscribe() })
    }

    /// Waits for the last word on every line.
    pub(super) async fn all_gone(&self) {
        self.open.closed().await;
    }
}

impl Guest {
    /// Shows what happened on the line; not with `--quiet`.
    pub(super) fn note<R: Serialize + fmt::Display>(&self, event: &str, record: &R) {
        shrug(self.out.note(event, &OnLine { line: self.number, from: &self.from, record }));
    }

    /// Shows what is only of interest to who looks closely.
    pub(super) fn detail<R: Serialize + fmt::Display>(&self, event: &str, record: impl FnOnce() -> R) {
        if self.verbose {
            self.note(event, &record());
        }
    }
}

impl Farewell {
    /// Shows the line go, behind all that was under way on it.
    pub(super) async fn say(self, ended: &Ended) {
        let Farewell { guest, under_way, _open } = self;
        let Guest { number: line, from, out, _under_way: own, .. } = guest;
        drop(own);
        under_way.closed().await;
        shrug(out.note("over", &OnLine { line, from: &from, record: &Went { reason: why(ended) } }));
    }
}

/// Where a peer is.
pub(crate) fn peer(endpoints: &Endpoints) -> String {
    match &endpoints.peer {
        // A client of a Unix socket has no path of its own.
        Some(Endpoint::Unix(None)) => "local peer".into(),
        Some(peer) => printable(&peer.to_string()).to_string(),
        None => "unknown peer".into(),
    }
}

/// What happened, and on which line.
#[derive(Serialize)]
struct OnLine<'a, R> {
    line: u64,
    from: &'a str,
    #[serde(flatten)]
    record: &'a R,
}

/// What is known of a line that has come.
#[derive(Default, Serialize)]
struct Came {
    /// By what it is sealed.
    #[serde(skip_serializing_if = "Option::is_none")]
    suite: Option<String>,
    /// Whose it is, if it is known: the key, and the name that was granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    peer_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

/// What came, and went before there was a line.
#[derive(Serialize)]
struct Unopened {
    from: String,
    reason: String,
}

#[derive(Serialize)]
struct Went {
    reason: String,
}

impl Came {
    #[cfg(feature = "seal")]
    fn on(line: &Line) -> Came {
        let (suite, peer_key) = line.sealing().map(|sealing| (sealing.suite, sealing.peer_key)).unzip();
        let name = line.identity().map(|identity| identity.name.clone());
        Came { suite, peer_key: peer_key.flatten().map(|key| key.to_string()), name }
    }

    #[cfg(not(feature = "seal"))]
    fn on(_: &Line) -> Came {
        Came::default()
    }
}

impl<R: fmt::Display> fmt::Display for OnLine<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{} {}: {}", self.line, self.from, self.record)
    }
}

impl fmt::Display for Came {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("line open")?;
        let Came { suite, peer_key, name } = self;
        suite.iter().try_for_each(|suite| write!(f, ", sealed by {suite}"))?;
        peer_key.iter().try_for_each(|key| write!(f, ", key {key}"))?;
        name.iter().try_for_each(|name| write!(f, ", {}", printable(name)))
    }
}

impl fmt::Display for Unopened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: no line, {}", self.from, self.reason)
    }
}

impl fmt::Display for Went {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line over, {}", self.reason)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use ropeway_tokio::Reason;

    use super::*;

    #[test]
    fn the_last_word_waits_for_what_is_under_way() {
        let mut cx = Context::from_waker(Waker::noop());
        let guests = Guests::new(Output::new(false, true), false);
        let (guest, farewell) = guests.enter("local peer".into());
        let handler = guest.clone();
        let ended = Ended { reason: Reason::Eof, text: "".into() };
        let (mut said, mut all_gone) = (Box::pin(farewell.say(&ended)), pin!(guests.all_gone()));
        drop(guest);
        assert!(said.as_mut().poll(&mut cx).is_pending());
        assert!(all_gone.as_mut().poll(&mut cx).is_pending());
        drop(handler);
        assert!(all_gone.as_mut().poll(&mut cx).is_pending());
        assert!(said.as_mut().poll(&mut cx).is_ready());
        assert!(all_gone.as_mut().poll(&mut cx).is_ready());
    }
}
